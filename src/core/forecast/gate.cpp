// The gate of forecast models (see gate.h).
#include "core/forecast/gate.h"

#include <cstdio>

namespace retrain {
namespace {

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

}  // namespace

GateVerdict JudgeForecast(double tolerance, bool has_live, bool same_config, const ForecastAccuracy& live,
                          const ForecastAccuracy& candidate) {
  if (!has_live) return {true, "first_version", "first version of the model: there is no live version to compare with"};
  if (same_config)
    return {true, "same_config",
            "the configuration is the live version's: the same forecasts from newer values, MASE " +
                Number(candidate.mase) + " on " + std::to_string(candidate.values) + " held-out values"};
  if (candidate.series == 0)
    return {false, "no_test_rows",
            "no series is long enough to hold values out, so the configurations cannot be compared"};
  const double ceiling = live.mase * (1 + tolerance);
  const std::string compared =
      "MASE " + Number(candidate.mase) + " on " + std::to_string(candidate.values) + " held-out values";
  if (!(candidate.mase <= ceiling))
    return {false, "mase_regression",
            compared + " is above " + Number(ceiling) + ", the live configuration's " + Number(live.mase) + " plus " +
                Number(100 * tolerance) + " %"};
  return {true, "passed", compared + " against the live configuration's " + Number(live.mase)};
}

}  // namespace retrain
