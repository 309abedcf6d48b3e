// Begins a run, steps its training, ends it.
#include "pg/training_run.h"

#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/progress.h"
#include "pg/settings.h"

#include <chrono>
#ifdef __GLIBC__
#include <malloc.h>
#endif

extern "C" {
#include "catalog/pg_type.h"
}

// Longest stretch without a look at the server's interrupts.
static constexpr std::chrono::milliseconds kStep{25};

void check_promote(const char* promote) {
  if (promote != nullptr &&
      (strcmp(promote, "gate") == 0 || strcmp(promote, "always") == 0 || strcmp(promote, "never") == 0))
    return;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_promote is not known"),
                  errdetail("given %s, accepted: gate, always, never", promote != nullptr ? promote : "null"),
                  errhint("gate promotes when the new version is no worse on the same test rows")));
}

char* argument_cstring(FunctionCallInfo fcinfo, int n) {
  return PG_ARGISNULL(n) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static Datum text_or_null(const char* value, char* null) {
  *null = value == nullptr ? 'n' : ' ';
  return value == nullptr ? static_cast<Datum>(0) : CStringGetTextDatum(value);
}

pg_uuid_t* begin_run(Oid schema, const RunRequest& request) {
  Oid types[] = {TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
  char nulls[] = "         ";
  Datum values[9] = {};
  values[0] = text_or_null(request.model_name, &nulls[0]);
  values[1] = text_or_null(request.run_type, &nulls[1]);
  values[2] = text_or_null(request.run_name, &nulls[2]);
  nulls[3] = request.config == nullptr ? 'n' : ' ';
  values[3] = request.config == nullptr ? static_cast<Datum>(0) : JsonbPGetDatum(request.config);
  values[4] = text_or_null(request.source, &nulls[4]);
  values[5] = text_or_null(nullptr, &nulls[5]);  // triggered by whom: the current user
  values[6] = text_or_null(request.task, &nulls[6]);
  values[7] = text_or_null(request.target, &nulls[7]);
  values[8] = text_or_null(request.algorithm, &nulls[8]);
  run_own_statement(
      psprintf("SELECT * FROM %s($1, $2, $3, $4, $5, $6, $7, $8, $9)", own_name(schema, "retrain_begin_run")), 9, types,
      values, nulls, SPI_OK_SELECT);
  auto* run_id = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  *run_id = *DatumGetUUIDP(begin_value("run_id"));
  return run_id;
}

Datum begin_column(const char* name, bool* is_null) {
  const TupleDesc desc = SPI_tuptable->tupdesc;
  const int column = SPI_fnumber(desc, name);
  if (column <= 0)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the beginning of a training gives no column \"%s\"", name),
                    errhint("run ALTER EXTENSION pg_retrain UPDATE")));
  return SPI_getbinval(SPI_tuptable->vals[0], desc, column, is_null);
}

Datum begin_value(const char* name) {
  bool is_null;
  const Datum value = begin_column(name, &is_null);
  if (is_null)
    ereport(ERROR,
            (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the beginning of a training gives no value for \"%s\"", name)));
  return value;
}

char* begin_text(const char* name) {
  bool is_null;
  const Datum value = begin_column(name, &is_null);
  return is_null ? nullptr : TextDatumGetCString(value);
}

LiveVersion read_live(Oid schema) {
  bool no_live;
  Oid types[] = {INT8OID, BOOLOID};
  Datum values[] = {begin_column("live_version_id", &no_live), begin_value("incremental")};
  LiveVersion live = {};
  if (no_live) return live;
  SPITupleTable* const beginning = SPI_tuptable;
  run_own_statement(psprintf("SELECT v.artifact, CASE WHEN $2 THEN v.training_state END FROM %s v "
                             "WHERE v.id OPERATOR(pg_catalog.=) $1",
                             own_name(schema, "ai_model_versions")),
                    2, types, values, nullptr, SPI_OK_SELECT);
  for (uint64 i = 0; i < SPI_processed; ++i) {
    bool is_null;
    const Datum artifact = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &is_null);
    if (!is_null) live.artifact = DatumGetByteaPCopy(artifact);
    const Datum state = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &is_null);
    if (!is_null) live.state = DatumGetByteaPCopy(state);
  }
  SPI_freetuptable(SPI_tuptable);
  SPI_tuptable = beginning;
  return live;
}

void run_steps(retrain::Training* training) {
  const int threads = settings::max_threads();
  for (bool done = false; !done;) {
    CHECK_FOR_INTERRUPTS();
    GuardError error;
    retrain::TrainingProgress progress;
    const bool ok = Guard(error, [&] {
      const retrain::StepBudget budget{std::chrono::steady_clock::now() + kStep, backend_stop(), threads};
      done = training->Step(budget);
      progress = training->Progress();
    });
    if (!ok) report_guard_error(error);
    progress_update(retrain::NameOf(progress.phase), progress.done, progress.total, progress.percent);
  }
}

// malloc keeps what is not at the end of its heap: a connection that trains now and then would hold on to its largest
// training.
void trim_after(MemoryContext context) {
#ifdef __GLIBC__
  auto* callback = static_cast<MemoryContextCallback*>(MemoryContextAllocZero(context, sizeof(MemoryContextCallback)));
  callback->func = [](void*) { malloc_trim(0); };
  MemoryContextRegisterResetCallback(context, callback);  // callbacks run last to first: after the trainer is gone
#endif
}

Datum jsonb_of_json(const std::string& json) {
  return DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(text_of_utf8(json))));
}

bytea* bytea_of(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return nullptr;
  auto* value = static_cast<bytea*>(palloc(VARHDRSZ + bytes.size()));
  SET_VARSIZE(value, VARHDRSZ + bytes.size());
  memcpy(VARDATA(value), bytes.data(), bytes.size());
  return value;
}

Datum finish_run(Oid schema, pg_uuid_t* run_id, const RunOutcome& outcome, const char* promote) {
  Oid types[] = {UUIDOID, JSONBOID, BYTEAOID, TEXTOID, BYTEAOID};
  char nulls[] = "     ";
  nulls[2] = outcome.artifact == nullptr ? 'n' : ' ';
  nulls[4] = outcome.state == nullptr ? 'n' : ' ';
  Datum values[5] = {UUIDPGetDatum(run_id), outcome.result, PointerGetDatum(outcome.artifact),
                     CStringGetTextDatum(promote), PointerGetDatum(outcome.state)};
  // One value and not its columns: the row's type has a place for each column that the table once had.
  run_own_statement(psprintf("SELECT %s($1, $2, $3, $4, $5)", own_name(schema, "retrain_finish_run")), 5, types, values,
                    nulls, SPI_OK_SELECT);
  bool is_null;
  const Datum row = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
  if (is_null) ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the end of a training gives no run")));
  return SPI_datumTransfer(row, false, -1);
}
