// retrain_label_issues: trains without storing anything, and gives the rows whose label the held-out folds contradict.
#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/materialized.h"
#include "pg/messages.h"
#include "pg/training.h"
#include "pg/training_run.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/uuid.h"
}

RETRAIN_FUNCTION(retrain_label_issues);

static void put_issue(ReturnSetInfo* result, const retrain::TrainingResult& training,
                      const retrain::LabelIssue& issue) {
  auto* key = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  static_assert(sizeof issue.key == sizeof key->data);
  memcpy(key->data, issue.key.data(), sizeof key->data);
  Datum values[5] = {UUIDPGetDatum(key), PointerGetDatum(text_of_utf8(training.labels[issue.given])),
                     PointerGetDatum(text_of_utf8(training.labels[issue.suggested])),
                     Float4GetDatum(issue.given_probability), Float4GetDatum(issue.suggested_probability)};
  bool nulls[5] = {};
  tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

// Rows (text_key, given_intent, suggested_intent, given_probability, suggested_probability).
Datum retrain_label_issues(PG_FUNCTION_ARGS) {
  PreventCommandDuringRecovery("find_label_issues()");
  ReturnSetInfo* result = begin_materialized(fcinfo);
  const Oid schema = own_schema(fcinfo);
  SPI_connect();
  Oid types[] = {TEXTOID};
  Datum values[] = {PG_ARGISNULL(0) ? static_cast<Datum>(0) : PG_GETARG_DATUM(0)};
  const char nulls[] = {PG_ARGISNULL(0) ? 'n' : ' ', '\0'};
  run_own_statement(psprintf("SELECT * FROM %s($1)", own_name(schema, "retrain_begin_label_issues")), 1, types, values,
                    nulls, SPI_OK_SELECT);
  TrainingOrder order = {};
  order.model_name = TextDatumGetCString(begin_value("model_name"));
  order.config = DatumGetJsonbPCopy(begin_value("effective_config"));
  order.own_query = true;
  order.query = TextDatumGetCString(begin_value("rows_query"));
  order.human_weight = DatumGetFloat4(begin_value("human_weight"));
  order.min_samples = 2;
  order.label_issues = true;
  order.recent_since = retrain::kNoTime;
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_retrain training", ALLOCSET_SMALL_SIZES);
  const retrain::TrainingResult& training = run_training(context, order)->result();
  if (training.failed)
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("model \"%s\" cannot be trained to find label issues", order.model_name),
             errdetail("%s", text_to_cstring(text_of_utf8(training.failure))), errhint("label more messages first")));
  for (const retrain::LabelIssue& issue : training.label_issues) put_issue(result, training, issue);
  MemoryContextDelete(context);
  SPI_finish();
  return static_cast<Datum>(0);
}
