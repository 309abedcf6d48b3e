// train_forecast: values of many series in, one model that forecasts them all out.
#include "pg/catalog.h"
#include "pg/config_json.h"
#include "pg/forecast_source.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/progress.h"
#include "pg/settings.h"
#include "pg/training.h"
#include "pg/training_run.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "pgtime.h"
#include "tcop/utility.h"
#include "utils/guc.h"
}

RETRAIN_FUNCTION(train_forecast);
RETRAIN_FUNCTION(retrain_forecast_reference);

// What the trainer is made from once the source's columns are known.
struct ForecastOrder {
  MemoryContext context;
  const retrain::ForecastConfig* config;
  bytea* live;
  double tolerance;
};

static retrain::ForecastTrainer* make_trainer(const ForecastSourceShape& shape, void* arg) {
  const auto* order = static_cast<const ForecastOrder*>(arg);
  const char* zone = pg_get_timezone_name(session_timezone);
  const uint64_t memory = settings::training_memory();
  const int threads = settings::max_threads();
  const auto* live = order->live == nullptr ? nullptr : reinterpret_cast<const uint8_t*>(VARDATA_ANY(order->live));
  const size_t live_size = order->live == nullptr ? 0 : VARSIZE_ANY_EXHDR(order->live);
  return make_owned<retrain::ForecastTrainer>(order->context, [&] {
    retrain::ForecastRequest request;
    request.config = *order->config;
    request.named = shape.named;
    request.zoned = shape.zoned;
    request.zone = zone;
    request.memory_budget = memory;
    request.threads = threads;
    request.tolerance = order->tolerance;
    request.has_live = live != nullptr;
    request.live_artifact.assign(live, live + live_size);
    return new retrain::ForecastTrainer(std::move(request));
  });
}

// A query stored with a model runs for the role that gave it, and for nobody else: retrain_check_stored_holidays() in
// src/sql/45_forecast.sql.
static void check_stored_holidays(Oid schema, const RunRequest& request) {
  Oid types[] = {TEXTOID, JSONBOID};
  Datum values[2] = {request.model_name == nullptr ? static_cast<Datum>(0) : CStringGetTextDatum(request.model_name),
                     request.config == nullptr ? static_cast<Datum>(0) : JsonbPGetDatum(request.config)};
  const char nulls[] = {request.model_name == nullptr ? 'n' : ' ', request.config == nullptr ? 'n' : ' ', '\0'};
  run_own_statement(psprintf("SELECT %s($1, $2)", own_name(schema, "retrain_check_stored_holidays")), 2, types, values,
                    nulls, SPI_OK_SELECT);
}

// Times become days and months on the clock of the zone that the beginning names, in the query or after it.
static int enter_zone() {
  const char* zone = begin_text("time_zone");
  const int level = NewGUCNestLevel();
  if (zone != nullptr)
    (void)set_config_option("timezone", zone, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  return level;
}

RunOutcome train_series(Oid schema, const char* model_name) {
  const int level = enter_zone();
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_retrain training", ALLOCSET_SMALL_SIZES);
  ForecastOrder order = {};
  order.context = context;
  order.live = read_live(schema).artifact;
  order.tolerance = static_cast<double>(DatumGetFloat4(begin_value("max_f1_regression")));
  const ConfigValues values = read_config(DatumGetJsonbPCopy(begin_value("effective_config")));
  const char* query = begin_text("rows_query");
  trim_after(context);
  order.config = make_owned<retrain::ForecastConfig>(context, [&] {
    return new retrain::ForecastConfig(retrain::ParseForecastConfig({values.values, values.size}));
  });
  if (query == nullptr)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("model \"%s\" has no source to train on", model_name),
             errhint("pass p_source => 'select day as ds, sales as y, shop as series from my_sales'")));
  progress_begin(context, model_name);
  retrain::ForecastTrainer* trainer = read_forecast_rows(query, order.config->regressors, make_trainer, &order);
  if (!order.config->holidays.empty()) read_holidays(text_to_cstring(text_of_utf8(order.config->holidays)), trainer);
  run_steps(trainer);
  const retrain::ForecastResult& result = trainer->result();
  const auto* json = make_owned<std::string>(context, [&] { return new std::string(retrain::ToJson(result)); });
  const RunOutcome outcome{jsonb_of_json(*json), bytea_of(result.artifact), nullptr};
  MemoryContextDelete(context);
  AtEOXact_GUC(true, level);
  return outcome;
}

Datum train_forecast(PG_FUNCTION_ARGS) {
  PreventCommandIfReadOnly("train_forecast()");
  PreventCommandDuringRecovery("train_forecast()");
  const Oid schema = own_schema(fcinfo);
  RunRequest request = {};
  request.model_name = argument_cstring(fcinfo, 0);
  request.run_type = "full";
  request.source = argument_cstring(fcinfo, 1);
  request.config = PG_ARGISNULL(2) ? nullptr : PG_GETARG_JSONB_P(2);
  request.promote = argument_cstring(fcinfo, 3);
  request.run_name = argument_cstring(fcinfo, 4);
  request.task = "forecast";
  request.algorithm = "forecast";
  check_promote(request.promote);
  SPI_connect();
  check_stored_holidays(schema, request);
  pg_uuid_t* run_id = begin_run(schema, request);
  const RunOutcome outcome = train_series(schema, request.model_name);
  const Datum row = finish_run(schema, run_id, outcome, request.promote);
  SPI_finish();
  PG_RETURN_DATUM(row);
}

// Rows (name, type, default_value, range, description) of every key of train_forecast's p_config.
Datum retrain_forecast_reference(PG_FUNCTION_ARGS) {
  using Doc = retrain::ParameterDoc;
  return parameter_rows(fcinfo, retrain::ForecastParameterReference,
                        {&Doc::name, &Doc::type, &Doc::default_value, &Doc::range, &Doc::description});
}
