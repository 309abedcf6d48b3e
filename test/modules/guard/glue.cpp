// SQL functions that throw behind the guard, and objects that memory contexts own.
#include "throws.h"

#include "pg/guard.h"
#include "pg/owned.h"
#include "pg/pg.h"

#pragma GCC visibility push(default)
extern "C" {
PG_MODULE_MAGIC;
}
#pragma GCC visibility pop

RETRAIN_FUNCTION(guard_throw);
RETRAIN_FUNCTION(guard_own);
RETRAIN_FUNCTION(guard_work);
RETRAIN_FUNCTION(guard_made);
RETRAIN_FUNCTION(guard_destroyed);

static const char* cstring_argument(FunctionCallInfo fcinfo, int n) { return text_to_cstring(PG_GETARG_TEXT_PP(n)); }

// The texts come as bytes, so that they can be what no valid text is.
Datum guard_throw(PG_FUNCTION_ARGS) {
  const char* kind = cstring_argument(fcinfo, 0);
  const char* message = cstring_argument(fcinfo, 1);
  const char* detail = cstring_argument(fcinfo, 2);
  const char* hint = cstring_argument(fcinfo, 3);
  guarded([&] { guard_test::Throw(kind, message, detail, hint); });
  PG_RETURN_VOID();
}

// Makes an object that the call's memory context owns, and leaves the call as `outcome` says.
Datum guard_own(PG_FUNCTION_ARGS) {
  const char* outcome = cstring_argument(fcinfo, 0);
  (void)make_owned<guard_test::Counted>(CurrentMemoryContext, [] { return new guard_test::Counted(); });
  if (strcmp(outcome, "ereport") == 0)
    ereport(ERROR, (errcode(ERRCODE_DIVISION_BY_ZERO), errmsg("an error of PostgreSQL")));
  if (strcmp(outcome, "throw") == 0)
    guarded([] { guard_test::Throw("data_corrupted", "an error of the core", "", ""); });
  if (strcmp(outcome, "maker") == 0)
    (void)make_owned<guard_test::Counted>(CurrentMemoryContext, []() -> guard_test::Counted* {
      const guard_test::Counted on_the_stack;
      throw std::bad_alloc();
    });
  if (strcmp(outcome, "work") == 0) guarded([] { guard_test::WorkUntilStopped(backend_stop()); });
  PG_RETURN_VOID();
}

Datum guard_work(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  guarded([] { guard_test::WorkUntilStopped(backend_stop()); });
  PG_RETURN_VOID();
}

Datum guard_made(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  PG_RETURN_INT64(guard_test::Counted::made);
}

Datum guard_destroyed(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  PG_RETURN_INT64(guard_test::Counted::destroyed);
}
