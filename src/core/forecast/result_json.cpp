// The result of a forecast training as JSON (see trainer.h).
#include <cmath>
#include <cstdio>

#include "core/base/json.h"
#include "core/base/utf8_clip.h"
#include "core/forecast/trainer.h"

namespace retrain {
namespace {

double Rounded(double value) { return std::isfinite(value) ? std::round(value * 1e6) / 1e6 : value; }

void WriteAccuracy(const ForecastAccuracy& a, JsonWriter& json) {
  json.Key("series").Integer(static_cast<int64_t>(a.series)).Key("values").Integer(static_cast<int64_t>(a.values));
  json.Key("mase").Number(a.series > 0 ? Rounded(a.mase) : NAN);
}

void WriteCoverage(const ForecastAccuracy& a, JsonWriter& json) {
  json.Key("coverage").Object();
  json.Key("0.8").Number(Rounded(a.coverage80)).Key("0.95").Number(Rounded(a.coverage95)).Close();
}

void WriteCounts(const char* key, const std::map<std::string, uint64_t>& counts, JsonWriter& json) {
  json.Key(key).Object();
  for (const auto& [name, count] : counts) json.Key(name).Integer(static_cast<int64_t>(count));
  json.Close();
}

void WriteMetrics(const ForecastResult& result, JsonWriter& json) {
  const ForecastAccuracy& a = result.candidate;
  json.Key("metrics").Object();
  json.Key("series").Integer(static_cast<int64_t>(result.series));
  json.Key("horizon").Integer(result.horizon);
  json.Key("held_out_values").Integer(static_cast<int64_t>(result.held_out));
  json.Key("mase").Number(Rounded(a.mase)).Key("smape").Number(Rounded(a.smape)).Key("rmse").Number(Rounded(a.rmse));
  WriteCoverage(a, json);
  WriteCounts("methods", result.methods, json);
  WriteCounts("used_methods", result.members, json);
  WriteCounts("frequencies", result.frequencies, json);
  json.Key("per_series").Array();
  for (const SeriesReport& report : result.reports) {
    json.Object().Key("series").String(report.name).Key("frequency").String(report.frequency);
    json.Key("method").String(report.method).Key("values").Integer(static_cast<int64_t>(report.values));
    json.Key("mase").Number(report.mase < 0 ? NAN : Rounded(report.mase));
    json.Key("smape").Number(report.smape < 0 ? NAN : Rounded(report.smape)).Close();
  }
  json.Close().Close();
}

void WriteGate(const ForecastResult& result, JsonWriter& json) {
  json.Key("gate").Object();
  json.Key("promote").Bool(result.verdict.promote);
  json.Key("verdict").String(result.verdict.promote ? "promoted" : "rejected").Key("rule").String(result.verdict.rule);
  json.Key("reason").String(result.verdict.reason);
  json.Key("candidate").Object();
  WriteAccuracy(result.candidate, json);
  json.Close();
  if (result.compared) {
    json.Key("live").Object();
    WriteAccuracy(result.live, json);
    json.Close();
    if (result.live_since.values > 0) {
      json.Key("live_since_training").Object();
      WriteAccuracy(result.live_since, json);
      WriteCoverage(result.live_since, json);
      json.Close();
    }
  }
  json.Close();
  if (result.compared && result.candidate.series > 0 && result.live.mase > 0) {
    json.Key("improvement").Object();
    json.Key("mase").Number(Rounded(result.live.mase - result.candidate.mase)).Close();
  }
}

}  // namespace

std::string ToJson(const ForecastResult& result) {
  JsonWriter json;
  json.Object().Key("status").String(result.failed ? "failed" : "completed");
  if (result.failed) json.Key("error_message").String(result.failure);
  json.Key("algorithm").String("forecast");
  json.Key("training_samples").Integer(static_cast<int64_t>(result.values));
  json.Key("validation_samples").Integer(0).Key("test_samples").Integer(static_cast<int64_t>(result.held_out));
  json.Key("labels").Array().Close();
  json.Key("model_config").Raw(ToJson(result.config));
  char digest[33];
  std::snprintf(digest, sizeof digest, "%016llx%016llx", static_cast<unsigned long long>(result.digest_high),
                static_cast<unsigned long long>(result.digest_low));
  json.Key("dataset_filters").Object().Key("digest").String(digest).Key("time_zone").String(result.zone);
  json.Key("rows").Integer(static_cast<int64_t>(result.rows));
  json.Key("rows_without_value").Integer(static_cast<int64_t>(result.rows - result.values)).Close();
  if (!result.failed) {
    WriteMetrics(result, json);
    WriteGate(result, json);
  }
  json.Key("warnings").Array();
  for (const ForecastWarning& warning : result.warnings) {
    json.Object().Key("code").String(warning.code).Key("message").String(warning.message);
    json.Key("series").Integer(static_cast<int64_t>(warning.series));
    json.Key("example").String(Shortened(warning.example, 100)).Close();
  }
  return json.Close().Close().Take();
}

}  // namespace retrain
