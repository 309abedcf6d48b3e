// train_intent_model and verify_model: rows in, artifact and verdict out.
#include "pg/catalog.h"
#include "pg/config_json.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/progress.h"
#include "pg/settings.h"
#include "pg/training.h"
#include "pg/training_source.h"

#include <chrono>
#ifdef __GLIBC__
#include <malloc.h>
#endif

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "tcop/utility.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

RETRAIN_FUNCTION(train_intent_model);
RETRAIN_FUNCTION(verify_model);

// Longest stretch without a look at the server's interrupts.
static constexpr std::chrono::milliseconds kStep{25};

// Bytes of a detoasted bytea, or none.
struct Bytes {
  const uint8_t* data;
  size_t size;
};

static Bytes bytes_of(const bytea* value) {
  if (value == nullptr) return {nullptr, 0};
  return {reinterpret_cast<const uint8_t*>(VARDATA_ANY(value)), static_cast<size_t>(VARSIZE_ANY_EXHDR(value))};
}

static retrain::TrainingRequest* make_request(const TrainingOrder& order, const ConfigValues& config, Bytes live,
                                              Bytes live_state, uint64_t memory, int threads) {
  auto request = std::make_unique<retrain::TrainingRequest>();
  request->config = retrain::ParseIntentConfig({config.values, config.size});
  request->min_samples = static_cast<uint64_t>(order.min_samples);
  request->human_weight = order.human_weight;
  request->confidence_threshold = order.confidence_threshold;
  request->memory_budget = memory;
  request->threads = threads;
  request->gate = {order.max_f1_regression, static_cast<uint64_t>(order.recent_min_rows), order.recent_min_ratio};
  request->recent_since = order.recent_since;
  request->has_live = live.data != nullptr;
  request->find_label_issues = order.label_issues;
  request->incremental = order.incremental;
  request->live_artifact.assign(live.data, live.data + live.size);
  request->live_state.assign(live_state.data, live_state.data + live_state.size);
  return request.release();
}

// Gives the memory of a training back to the system when `context` ends. malloc keeps what is not at the end of its heap: a
// connection that trains now and then would hold on to its largest training.
static void trim_after(MemoryContext context) {
#ifdef __GLIBC__
  auto* callback = static_cast<MemoryContextCallback*>(MemoryContextAllocZero(context, sizeof(MemoryContextCallback)));
  callback->func = [](void*) { malloc_trim(0); };
  MemoryContextRegisterResetCallback(context, callback);  // callbacks run last to first: after the trainer is gone
#endif
}

retrain::IntentTrainer* run_training(MemoryContext context, const TrainingOrder& order) {
  const ConfigValues config = read_config(order.config);
  const Bytes live = bytes_of(order.live_artifact), live_state = bytes_of(order.live_state);
  trim_after(context);
  const uint64_t memory = settings::training_memory();
  const int threads = settings::max_threads();
  auto* trainer = make_owned<retrain::IntentTrainer>(context, [&] {
    const std::unique_ptr<retrain::TrainingRequest> request(
        make_request(order, config, live, live_state, memory, threads));
    return new retrain::IntentTrainer(std::move(*request));
  });
  progress_begin(context, order.model_name);
  read_training_rows(order.query, order.own_query, trainer);
  for (bool done = false; !done;) {
    CHECK_FOR_INTERRUPTS();
    GuardError error;
    retrain::TrainingProgress progress;
    const bool ok = Guard(error, [&] {
      const retrain::StepBudget budget{std::chrono::steady_clock::now() + kStep, backend_stop(), threads};
      done = trainer->Step(budget);
      progress = trainer->Progress();
    });
    if (!ok) report_guard_error(error);
    progress_update(retrain::NameOf(progress.phase), progress.done, progress.total, progress.percent);
  }
  return trainer;
}

// Null for no bytes.
static Datum bytea_of(const std::vector<uint8_t>& bytes, char* null) {
  *null = bytes.empty() ? 'n' : ' ';
  if (bytes.empty()) return static_cast<Datum>(0);
  auto* value = static_cast<bytea*>(palloc(VARHDRSZ + bytes.size()));
  SET_VARSIZE(value, VARHDRSZ + bytes.size());
  memcpy(VARDATA(value), bytes.data(), bytes.size());
  return PointerGetDatum(value);
}

static Datum result_jsonb(MemoryContext context, const retrain::TrainingResult& result) {
  const auto* json = make_owned<std::string>(context, [&] { return new std::string(retrain::ToJson(result)); });
  char* server = text_to_cstring(text_of_utf8(*json));
  return DirectFunctionCall1(jsonb_in, CStringGetDatum(server));
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

static bytea* begin_bytea(const char* name) {
  bool is_null;
  const Datum value = begin_column(name, &is_null);
  return is_null ? nullptr : DatumGetByteaPCopy(value);
}

static char* argument_cstring(FunctionCallInfo fcinfo, int n) {
  return PG_ARGISNULL(n) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static Datum text_or_null(const char* value, char* null) {
  *null = value == nullptr ? 'n' : ' ';
  return value == nullptr ? static_cast<Datum>(0) : CStringGetTextDatum(value);
}

// Starts the run in the tables and reads back what it is to do; the caller has connected SPI.
static pg_uuid_t* begin_run(FunctionCallInfo fcinfo, Oid schema, TrainingOrder* order) {
  const char* source = argument_cstring(fcinfo, 4);
  Oid types[] = {TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID};
  char nulls[] = "      ";
  Datum values[6];
  order->model_name = argument_cstring(fcinfo, 0);
  values[0] = text_or_null(order->model_name, &nulls[0]);
  values[1] = text_or_null(argument_cstring(fcinfo, 1), &nulls[1]);
  values[2] = text_or_null(argument_cstring(fcinfo, 2), &nulls[2]);
  nulls[3] = PG_ARGISNULL(3) ? 'n' : ' ';
  values[3] = PG_ARGISNULL(3) ? static_cast<Datum>(0) : PG_GETARG_DATUM(3);
  values[4] = text_or_null(source, &nulls[4]);
  nulls[5] = 'n';
  values[5] = static_cast<Datum>(0);
  run_own_statement(psprintf("SELECT * FROM %s($1, $2, $3, $4, $5, $6)", own_name(schema, "retrain_begin_run")), 6,
                    types, values, nulls, SPI_OK_SELECT);
  order->config = DatumGetJsonbPCopy(begin_value("effective_config"));
  order->own_query = source == nullptr;
  order->label_issues = false;
  order->query = source != nullptr ? source : TextDatumGetCString(begin_value("rows_query"));
  order->live_artifact = begin_bytea("live_artifact");
  order->live_state = begin_bytea("live_state");
  order->incremental = DatumGetBool(begin_value("incremental"));
  order->min_samples = DatumGetInt32(begin_value("min_samples"));
  order->human_weight = DatumGetFloat4(begin_value("human_weight"));
  order->max_f1_regression = DatumGetFloat4(begin_value("max_f1_regression"));
  order->recent_since = DatumGetTimestampTz(begin_value("recent_since"));
  order->recent_min_rows = DatumGetInt32(begin_value("recent_min_rows"));
  order->recent_min_ratio = DatumGetFloat4(begin_value("recent_min_ratio"));
  bool no_threshold;
  const Datum threshold = begin_column("confidence_threshold", &no_threshold);
  order->confidence_threshold = no_threshold ? 0 : DatumGetFloat4(threshold);
  auto* run_id = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  *run_id = *DatumGetUUIDP(begin_value("run_id"));
  return run_id;
}

static void check_promote(const char* promote) {
  if (promote != nullptr &&
      (strcmp(promote, "gate") == 0 || strcmp(promote, "always") == 0 || strcmp(promote, "never") == 0))
    return;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_promote is not known"),
                  errdetail("given %s, accepted: gate, always, never", promote != nullptr ? promote : "null"),
                  errhint("gate promotes when the new version is no worse on the same test rows")));
}

Datum train_intent_model(PG_FUNCTION_ARGS) {
  PreventCommandIfReadOnly("train_intent_model()");
  PreventCommandDuringRecovery("train_intent_model()");
  const Oid schema = own_schema(fcinfo);
  const char* promote = argument_cstring(fcinfo, 5);
  check_promote(promote);
  SPI_connect();
  TrainingOrder order;
  pg_uuid_t* run_id = begin_run(fcinfo, schema, &order);
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_retrain training", ALLOCSET_SMALL_SIZES);
  const retrain::TrainingResult& result = run_training(context, order)->result();
  Oid types[] = {UUIDOID, JSONBOID, BYTEAOID, TEXTOID, BYTEAOID};
  char nulls[] = "     ";
  Datum values[5] = {UUIDPGetDatum(run_id), result_jsonb(context, result), static_cast<Datum>(0),
                     CStringGetTextDatum(promote), static_cast<Datum>(0)};
  values[2] = bytea_of(result.artifact, &nulls[2]);
  values[4] = bytea_of(result.state, &nulls[4]);
  MemoryContextDelete(context);
  run_own_statement(psprintf("SELECT * FROM %s($1, $2, $3, $4, $5)", own_name(schema, "retrain_finish_run")), 5, types,
                    values, nulls, SPI_OK_SELECT);
  const HeapTupleHeader row = SPI_returntuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
  SPI_finish();
  PG_RETURN_DATUM(HeapTupleHeaderGetDatum(row));
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
  TrainingOrder order = {};
  order.model_name = TextDatumGetCString(begin_value("model_name"));
  order.config = DatumGetJsonbPCopy(begin_value("effective_config"));
  bool no_source;
  const Datum source = begin_column("source", &no_source);
  order.own_query = no_source;
  order.query = TextDatumGetCString(no_source ? begin_value("rows_query") : source);
  order.human_weight = DatumGetFloat4(begin_value("human_weight"));
  order.confidence_threshold = DatumGetFloat4(begin_value("confidence_threshold"));
  order.recent_since = retrain::kNoTime;
  order.live_artifact = begin_bytea("live_artifact");
  order.live_state = begin_bytea("live_state");
  order.incremental = DatumGetBool(begin_value("incremental"));
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_retrain training", ALLOCSET_SMALL_SIZES);
  const retrain::TrainingResult& result = run_training(context, order)->result();
  char nulls[] = "   ";
  values[1] = result_jsonb(context, result);
  values[2] = bytea_of(result.artifact, &nulls[2]);
  MemoryContextDelete(context);
  run_own_statement(psprintf("SELECT %s($1, $2, $3)", own_name(schema, "retrain_finish_verification")), 3, types,
                    values, nulls, SPI_OK_SELECT);
  bool is_null;
  const Datum verdict = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
  auto* copy = static_cast<Jsonb*>(SPI_palloc(VARSIZE(DatumGetJsonbP(verdict))));
  memcpy(copy, DatumGetJsonbP(verdict), VARSIZE(DatumGetJsonbP(verdict)));
  SPI_finish();
  PG_RETURN_JSONB_P(copy);
}
