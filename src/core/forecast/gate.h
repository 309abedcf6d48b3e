// Whether a new forecast model may replace the live one.
//
// Both configurations are fitted to the same values before the last horizon of every series and forecast the same held-out
// values; the new one passes when its mean absolute scaled error is no more than the live one's times 1 + tolerance. Where no
// series has changed from season to season there is nothing to scale by, and symmetric percentages are compared. How the
// live version's own forecasts went since it was trained is told beside, and decides nothing: it knew less.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <string>

#include "core/eval/gate.h"

namespace retrain {

struct ForecastAccuracy {
  uint64_t series = 0, values = 0;
  double mase = 0, smape = 0, rmse = 0;  // means over series; over series, in percent; over values
  double coverage80 = 0, coverage95 = 0;
};

GateVerdict JudgeForecast(double tolerance, bool has_live, bool same_config, const ForecastAccuracy& live,
                          const ForecastAccuracy& candidate);

}  // namespace retrain
