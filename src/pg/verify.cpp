// verify_model: a version of any task trained again, the bytes compared, nothing stored.
#include "pg/catalog.h"
#include "pg/table_booster.h"
#include "pg/training.h"
#include "pg/training_run.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
}

RETRAIN_FUNCTION(verify_model);

static RunOutcome train_intents_again(Oid schema) {
  TrainingOrder order = {};
  order.model_name = begin_text("model_name");
  order.config = DatumGetJsonbPCopy(begin_value("effective_config"));
  bool no_source;
  const Datum source = begin_column("source", &no_source);
  order.own_query = no_source;
  order.query = TextDatumGetCString(no_source ? begin_value("rows_query") : source);
  order.human_weight = DatumGetFloat4(begin_value("human_weight"));
  order.confidence_threshold = DatumGetFloat4(begin_value("confidence_threshold"));
  order.recent_since = retrain::kNoTime;
  order.live = read_live(schema);
  order.incremental = DatumGetBool(begin_value("incremental"));
  return train_intents(order);
}

static void check_module(int64 version_id) {
  const char* algorithm = begin_text("algorithm");
  if ((strcmp(algorithm, "xgboost") != 0 && strcmp(algorithm, "random_forest") != 0) || load_booster() != nullptr)
    return;
  ereport(
      ERROR,
      (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("version " INT64_FORMAT " cannot be trained again", version_id),
       errdetail("Its algorithm, %s, needs the module pg_retrain_xgboost, which is not installed on this server.",
                 algorithm),
       errhint("install libxgboost-dev 1.7 or later, then make and make install again; predictions do without it")));
}

// Trains a version again from its run's configuration and rows, stores nothing, and gives the digest of what came out:
// (matches, artifact_sha256, retrained_sha256, dataset_digest, retrained_dataset_digest, reason) as jsonb.
Datum verify_model(PG_FUNCTION_ARGS) {
  PreventCommandDuringRecovery("verify_model()");
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_version_id must not be null"),
                    errhint("look in ai_model_metadata for the versions that exist")));
  const Oid schema = own_schema(fcinfo);
  SPI_connect();
  Oid types[] = {INT8OID, JSONBOID, BYTEAOID};
  Datum values[3] = {PG_GETARG_DATUM(0), static_cast<Datum>(0), static_cast<Datum>(0)};
  run_own_statement(psprintf("SELECT * FROM %s($1)", own_name(schema, "retrain_begin_verification")), 1, types, values,
                    nullptr, SPI_OK_SELECT);
  const char* task = begin_text("task");
  RunOutcome outcome;
  if (strcmp(task, "intent") == 0) {
    outcome = train_intents_again(schema);
  } else if (strcmp(task, "forecast") == 0) {
    outcome = train_series(schema, begin_text("model_name"));
  } else {
    check_module(PG_GETARG_INT64(0));
    outcome = train_table(schema, begin_text("model_name"), *retrain::TableTaskOf(task));
  }
  values[1] = outcome.result;
  values[2] = PointerGetDatum(outcome.artifact);
  const char nulls[] = {' ', ' ', outcome.artifact == nullptr ? 'n' : ' ', '\0'};
  run_own_statement(psprintf("SELECT %s($1, $2, $3)", own_name(schema, "retrain_finish_verification")), 3, types,
                    values, nulls, SPI_OK_SELECT);
  bool is_null;
  const Datum verdict = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
  auto* copy = static_cast<Jsonb*>(SPI_palloc(VARSIZE(DatumGetJsonbP(verdict))));
  memcpy(copy, DatumGetJsonbP(verdict), VARSIZE(DatumGetJsonbP(verdict)));
  SPI_finish();
  PG_RETURN_JSONB_P(copy);
}
