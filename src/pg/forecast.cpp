// forecast: the next values of the series of a model, with intervals.
#include <cmath>

#include "pg/catalog.h"
#include "pg/forecast_source.h"
#include "pg/guard.h"
#include "pg/live_version.h"
#include "pg/materialized.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/scoring.h"
#include "pg/settings.h"
#include "pg/training_run.h"

extern "C" {
#include "catalog/pg_type.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/timestamp.h"
}

RETRAIN_FUNCTION(forecast);

static constexpr int kMaxLevels = 20;

struct Levels {
  float value[kMaxLevels];
  int count;
};

static int horizon_argument(FunctionCallInfo fcinfo, int n) {
  const int horizon = PG_ARGISNULL(n) ? 0 : PG_GETARG_INT32(n);
  if (PG_ARGISNULL(n) || horizon < 1 || horizon > static_cast<int>(retrain::kMaxForecastHorizon))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_horizon is out of range"),
                    errdetail("given %s, accepted: 1 to %d", PG_ARGISNULL(n) ? "null" : psprintf("%d", horizon),
                              static_cast<int>(retrain::kMaxForecastHorizon)),
                    errhint("the horizon is in steps of each series: 12 are a year of months; train on coarser steps "
                            "to look further")));
  return horizon;
}

static Levels levels_argument(FunctionCallInfo fcinfo, int n) {
  Levels levels = {};
  if (PG_ARGISNULL(n)) return levels;
  Datum* elements;
  bool* nulls;
  int count;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), FLOAT4OID, sizeof(float4), true, TYPALIGN_INT, &elements, &nulls, &count);
  if (count > kMaxLevels)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_levels has too many levels"),
                    errdetail("given %d, at most %d", count, kMaxLevels)));
  for (int i = 0; i < count; ++i) {
    const float4 level = nulls[i] ? 0 : DatumGetFloat4(elements[i]);
    if (nulls[i] || !(level > 0 && level <= retrain::kHighestLevel))
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a level of p_levels is out of range"),
                      errdetail("given %s, accepted: above 0, at most %g",
                                nulls[i] ? "null" : psprintf("%g", static_cast<double>(level)),
                                static_cast<double>(retrain::kHighestLevel)),
                      errhint("a level of 0.95 is an interval that holds 95 of 100 values")));
    levels.value[levels.count++] = level;
  }
  return levels;
}

// The series asked for by name, or all.
struct SeriesRange {
  uint32 from, until;
};

static SeriesRange series_argument(FunctionCallInfo fcinfo, int n, const retrain::ForecastModel& model,
                                   const char* model_name) {
  if (PG_ARGISNULL(n)) return {0, model.series_count()};
  const char* name = text_to_cstring(PG_GETARG_TEXT_PP(n));
  const auto found = model.unnamed() ? std::nullopt : model.Find(utf8_of_cstring(name));
  if (!found)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" has no series \"%s\"", model_name, name),
                    errdetail("the model was trained on %u series%s", model.series_count(),
                              model.unnamed() ? " without a name" : ""),
                    errhint(model.unnamed() ? "leave p_series out"
                                            : "train again when the series is new; leave p_series out for all")));
  return {*found, *found + 1};
}

// The zone whose wall clock a model keeps, or null. It came with the stored bytes: another server's, or nobody's.
static text* zone_of(const retrain::ForecastModel& model, const char* model_name) {
  if (!model.zoned()) return nullptr;
  text* zone = text_of_utf8(model.zone());
  const char* name = text_to_cstring(zone);
  if (pg_tzset(name) == nullptr)
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored model is corrupt"),
             errdetail("Model \"%s\" has the times of zone \"%s\", which this server does not know.", model_name, name),
             errhint("restore the version from a backup, or drop it and train again")));
  return zone;
}

// The instants of steps: as they are, or on the wall clock of the model's zone, or of the session's when the source had none.
static TimestampTz instant_of(int64 time, bool absolute, text* zone) {
  if (absolute) return time;
  if (zone != nullptr)
    return DatumGetTimestampTz(DirectFunctionCall2(timestamp_zone, PointerGetDatum(zone), TimestampGetDatum(time)));
  return DatumGetTimestampTz(DirectFunctionCall1(timestamp_timestamptz, TimestampGetDatum(time)));
}

static void put_rows(ReturnSetInfo* result, Datum series, bool no_series, const retrain::SeriesForecast& forecast,
                     const Levels& levels, text* zone) {
  const int rows = levels.count > 0 ? levels.count : 1;
  for (size_t h = 0; h < forecast.yhat.size(); ++h) {
    const TimestampTz ds = instant_of(forecast.times[h], forecast.absolute, zone);
    for (int l = 0; l < rows; ++l) {
      Datum values[6] = {series, TimestampTzGetDatum(ds), Float8GetDatum(forecast.yhat[h])};
      bool nulls[6] = {no_series, false, false, true, true, true};
      if (levels.count > 0) {
        const size_t at = h * static_cast<size_t>(levels.count) + static_cast<size_t>(l);
        values[3] = Float4GetDatum(levels.value[l]);
        nulls[3] = false;
        nulls[4] = nulls[5] = std::isnan(forecast.lower[at]);
        values[4] = Float8GetDatum(forecast.lower[at]);
        values[5] = Float8GetDatum(forecast.upper[at]);
      }
      tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
  }
}

static retrain::FutureRegressorTable* future_argument(FunctionCallInfo fcinfo, int n,
                                                      const retrain::ForecastModel& model, const char* model_name,
                                                      text* zone) {
  const char* query = argument_cstring(fcinfo, n);
  if (query == nullptr) return nullptr;
  if (model.config().regressors.empty())
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("model \"%s\" has no regressors", model_name),
                    errhint("leave p_regressors out, or train with {\"regressors\": [\"column\"]}")));
  const uint64_t memory = settings::training_memory();
  auto* table = make_owned<retrain::FutureRegressorTable>(CurrentMemoryContext, [&] {
    return new retrain::FutureRegressorTable(model.config().regressors.size(), memory);
  });
  SPI_connect();
  read_future_regressors(query, model.config().regressors, zone, table);
  SPI_finish();
  return table;
}

// A model in this connection's cache can leave it while a query of the caller runs: what is forecast with afterwards is
// looked up again.
static const retrain::ForecastModel& load_model(Oid schema, text* model_name, const ResolvedVersion* resolved) {
  return model_of<retrain::ForecastModel>(load_version(schema, model_name, resolved, retrain::ModelKind::kForecast));
}

Datum forecast(PG_FUNCTION_ARGS) {
  ReturnSetInfo* result = begin_materialized(fcinfo);
  const Oid schema = own_schema(fcinfo);
  text* model_text = model_name_argument(fcinfo, 0);
  const char* model_name = text_to_cstring(model_text);
  const int horizon = horizon_argument(fcinfo, 1);
  const Levels levels = levels_argument(fcinfo, 2);
  const int64 version_id = PG_ARGISNULL(5) ? 0 : PG_GETARG_INT64(5);
  if (version_id < 0 || (version_id == 0 && !PG_ARGISNULL(5)))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no version " INT64_FORMAT, version_id),
                    errhint("look in ai_model_metadata for the versions that exist")));
  const ResolvedVersion resolved = *resolve_version(schema, model_text, version_id);
  if (resolved.version_id == 0)
    ereport(
        ERROR,
        (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" has no live version", model_name),
         errhint(
             "train it: select status, error_message from train_forecast('%s', 'select ... as ds, ... as y from ...')",
             model_name)));
  const retrain::ForecastModel* model = &load_model(schema, model_text, &resolved);
  text* zone = zone_of(*model, model_name);
  const retrain::FutureRegressorTable* future = future_argument(fcinfo, 4, *model, model_name, zone);
  if (future != nullptr) model = &load_model(schema, model_text, &resolved);
  const SeriesRange range = series_argument(fcinfo, 3, *model, model_name);
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_retrain forecast", ALLOCSET_DEFAULT_SIZES);
  for (uint32 series = range.from; series < range.until; ++series) {
    CHECK_FOR_INTERRUPTS();
    const MemoryContext old = MemoryContextSwitchTo(context);
    const auto* steps = make_owned<retrain::SeriesForecast>(context, [&] {
      retrain::FutureRegressors known;
      if (future != nullptr) known = future->Of(model->name(series), model->Info(series).absolute);
      return new retrain::SeriesForecast(model->Forecast(series, static_cast<uint32_t>(horizon),
                                                         {levels.value, static_cast<size_t>(levels.count)}, known));
    });
    const Datum name = PointerGetDatum(text_of_utf8(model->name(series)));
    put_rows(result, name, model->unnamed(), *steps, levels, zone);
    MemoryContextSwitchTo(old);
    MemoryContextReset(context);
  }
  MemoryContextDelete(context);
  return static_cast<Datum>(0);
}
