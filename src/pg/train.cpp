// train_intent_model: rows in, artifact and verdict out.
#include "pg/catalog.h"
#include "pg/config_json.h"
#include "pg/guard.h"
#include "pg/owned.h"
#include "pg/progress.h"
#include "pg/settings.h"
#include "pg/training.h"
#include "pg/training_run.h"
#include "pg/training_source.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "tcop/utility.h"
#include "utils/timestamp.h"
}

RETRAIN_FUNCTION(train_intent_model);

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

// Marks what the caller has not given.
static void mark_stored(const ConfigValues& config, const Jsonb* given) {
  for (size_t i = 0; i < config.size; ++i) {
    const text* key = text_of_utf8(config.values[i].key);
    JsonbValue name = {};
    name.type = jbvString;
    name.val.string.val = const_cast<char*>(VARDATA_ANY(key));
    name.val.string.len = static_cast<int>(VARSIZE_ANY_EXHDR(key));
    config.values[i].stored = given == nullptr || findJsonbValueFromContainer(const_cast<JsonbContainer*>(&given->root),
                                                                              JB_FOBJECT, &name) == nullptr;
  }
}

retrain::IntentTrainer* run_training(MemoryContext context, const TrainingOrder& order) {
  const ConfigValues config = read_config(order.config);
  mark_stored(config, order.given);
  const Bytes live = bytes_of(order.live.artifact), live_state = bytes_of(order.live.state);
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
  run_steps(trainer);
  return trainer;
}

RunOutcome train_intents(const TrainingOrder& order) {
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_retrain training", ALLOCSET_SMALL_SIZES);
  const retrain::TrainingResult& result = run_training(context, order)->result();
  const auto* json = make_owned<std::string>(context, [&] { return new std::string(retrain::ToJson(result)); });
  const RunOutcome outcome{jsonb_of_json(*json), bytea_of(result.artifact), bytea_of(result.state)};
  MemoryContextDelete(context);
  return outcome;
}

// Reads what the run that has begun is to do.
static void read_order(Oid schema, const char* source, TrainingOrder* order) {
  order->config = DatumGetJsonbPCopy(begin_value("effective_config"));
  order->own_query = source == nullptr;
  order->label_issues = false;
  order->query = source != nullptr ? source : begin_text("rows_query");
  order->live = read_live(schema);
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
}

Datum train_intent_model(PG_FUNCTION_ARGS) {
  PreventCommandIfReadOnly("train_intent_model()");
  PreventCommandDuringRecovery("train_intent_model()");
  const Oid schema = own_schema(fcinfo);
  RunRequest request = {};
  request.model_name = argument_cstring(fcinfo, 0);
  request.run_type = argument_cstring(fcinfo, 1);
  request.run_name = argument_cstring(fcinfo, 2);
  request.config = PG_ARGISNULL(3) ? nullptr : PG_GETARG_JSONB_P(3);
  request.source = argument_cstring(fcinfo, 4);
  request.task = "intent";
  request.promote = argument_cstring(fcinfo, 5);
  check_promote(request.promote);
  SPI_connect();
  pg_uuid_t* run_id = begin_run(schema, request);
  TrainingOrder order;
  order.model_name = request.model_name;
  order.given = request.config;
  read_order(schema, request.source, &order);
  const RunOutcome outcome = train_intents(order);
  const Datum row = finish_run(schema, run_id, outcome, request.promote);
  SPI_finish();
  PG_RETURN_DATUM(row);
}
