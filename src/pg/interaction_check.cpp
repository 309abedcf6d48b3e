// The values that a row of ai_training_data may have, as one CHECK constraint.
//
// A constraint's expression is parsed from its text at every INSERT and UPDATE; nine constraints with lists of words took
// a third of an insert. One call with ten columns takes a sixth of that, and can say which value is wrong and what is
// accepted.
#include <string_view>

#include "pg/pg.h"

extern "C" {
#include "mb/pg_wchar.h"
}

RETRAIN_FUNCTION(retrain_interaction_is_valid);

[[noreturn]] static void refuse(const char* column, const char* detail, const char* accepted) {
  ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg("%s is not valid", column), errdetail("%s", detail),
                  errhint("%s", accepted), err_generic_string(PG_DIAG_COLUMN_NAME, column)));
}

static void check_range(FunctionCallInfo fcinfo, int argument, const char* column, int64 value, int64 low, int64 high) {
  if (PG_ARGISNULL(argument) || (value >= low && value <= high)) return;
  refuse(column, psprintf("The value is " INT64_FORMAT ".", value),
         psprintf("A value from " INT64_FORMAT " to " INT64_FORMAT " is accepted.", low, high));
}

template <size_t N>
static void check_word(FunctionCallInfo fcinfo, int argument, const char* column, const char* const (&words)[N]) {
  if (PG_ARGISNULL(argument)) return;
  const text* given = PG_GETARG_TEXT_PP(argument);
  const std::string_view value(VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given));
  for (const char* word : words)
    if (value == word) return;
  StringInfoData accepted;
  initStringInfo(&accepted);
  appendStringInfoString(&accepted, "Accepted are ");
  for (size_t i = 0; i < N; ++i) appendStringInfo(&accepted, "%s%s", i == 0 ? "" : ", ", words[i]);
  const int shown = pg_mbcliplen(value.data(), static_cast<int>(value.size()), 100);
  refuse(column, psprintf("The value is \"%.*s\".", shown, value.data()), psprintf("%s.", accepted.data));
}

static void check_intent(FunctionCallInfo fcinfo, int argument, const char* column) {
  if (PG_ARGISNULL(argument)) return;
  const int64 bytes = VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(argument));
  if (bytes > 1024)
    refuse(column, psprintf("It has " INT64_FORMAT " bytes.", bytes), "An intent has at most 1024 bytes.");
}

// (detected_intent text, correct_intent text, confidence_score int, response_time_ms int, quality_score smallint,
// response_source text, dataset_status text, source text, split text, model_name text): true, or error 23514.
Datum retrain_interaction_is_valid(PG_FUNCTION_ARGS) {
  static const char* const kResponseSources[] = {"faq",       "llm",       "local_model", "cache", "agent_learning",
                                                 "reasoning", "escalation"};
  static const char* const kStatuses[] = {"pending", "reviewed", "approved", "rejected", "used_in_training"};
  static const char* const kSources[] = {"live", "imported", "synthetic"};
  static const char* const kSplits[] = {"train", "validation", "test"};
  check_intent(fcinfo, 0, "detected_intent");
  check_intent(fcinfo, 1, "correct_intent");
  check_range(fcinfo, 2, "confidence_score", PG_GETARG_INT32(2), 0, 100);
  check_range(fcinfo, 3, "response_time_ms", PG_GETARG_INT32(3), 0, PG_INT32_MAX);
  check_range(fcinfo, 4, "quality_score", PG_GETARG_INT16(4), 1, 5);
  check_word(fcinfo, 5, "response_source", kResponseSources);
  check_word(fcinfo, 6, "dataset_status", kStatuses);
  check_word(fcinfo, 7, "source", kSources);
  check_word(fcinfo, 8, "split", kSplits);
  if (!PG_ARGISNULL(9)) {
    const text* name = PG_GETARG_TEXT_PP(9);
    const int length = pg_mbstrlen_with_len(VARDATA_ANY(name), static_cast<int>(VARSIZE_ANY_EXHDR(name)));
    if (length < 1 || length > 200)
      refuse("model_name", psprintf("It has %d characters.", length), "A model name has 1 to 200 characters.");
  }
  PG_RETURN_BOOL(true);
}
