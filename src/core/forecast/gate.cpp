// The gate of forecast models (see gate.h).
#include "core/forecast/gate.h"

#include <cstdio>

namespace retrain {
namespace {

constexpr double kRounding = 1e-6;  // in percent: forecasts that differ by so little are alike

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

}  // namespace

GateVerdict JudgeForecast(double tolerance, bool has_live, bool same_config, const ForecastAccuracy& live,
                          const ForecastAccuracy& candidate) {
  if (!has_live) return {true, "first_version", "first version of the model: there is no live version to compare with"};
  const bool scaled = candidate.series > 0 && live.series > 0;
  const auto measure = [scaled](const ForecastAccuracy& a) { return scaled ? a.mase : a.smape; };
  const std::string unit = scaled ? "" : " %";
  const std::string measured = (scaled ? "MASE " : "sMAPE ") + Number(measure(candidate)) + unit + " on " +
                               std::to_string(candidate.values) + " held-out values";
  if (same_config)
    return {true, "same_config",
            "the configuration is the live version's: the same forecasts from newer values, " +
                (candidate.values > 0 ? measured : "none of them held out")};
  if (candidate.values == 0)
    return {false, "no_test_rows",
            "all series are too short or constant to hold values out, so the configurations cannot be compared"};
  const double ceiling = measure(live) * (1 + tolerance);
  if (!(measure(candidate) <= ceiling + (scaled ? 0 : kRounding)))
    return {false, scaled ? "mase_regression" : "smape_regression",
            measured + " is above " + Number(ceiling) + unit + ", the live configuration's " + Number(measure(live)) +
                unit + " plus " + Number(100 * tolerance) + " %"};
  return {true, "passed", measured + " against the live configuration's " + Number(measure(live)) + unit};
}

}  // namespace retrain
