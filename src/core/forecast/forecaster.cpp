// Names of the methods, and a stored state read back as the method that it is of.
#include "core/forecast/forecaster.h"

#include "core/forecast/adjusted.h"
#include "core/forecast/decode.h"
#include "core/forecast/ets.h"
#include "core/forecast/intermittent.h"
#include "core/forecast/naive.h"
#include "core/forecast/regression.h"
#include "core/forecast/theta.h"

namespace retrain {

const char* NameOf(ForecastMethod method) {
  switch (method) {
    case ForecastMethod::kNaive:
      return "naive";
    case ForecastMethod::kSeasonalNaive:
      return "seasonal_naive";
    case ForecastMethod::kDrift:
      return "drift";
    case ForecastMethod::kTheta:
      return "theta";
    case ForecastMethod::kEts:
      return "ets";
    case ForecastMethod::kRegression:
      return "regression";
    case ForecastMethod::kIntermittent:
      return "intermittent";
    case ForecastMethod::kMean:
      return "mean";
    case ForecastMethod::kAdjustedFromZero:
    case ForecastMethod::kAdjusted:
      return "adjusted";
  }
  return "unknown";
}

std::unique_ptr<Forecaster> DecodeForecaster(ForecastMethod method, ByteReader& in) {
  switch (method) {
    case ForecastMethod::kNaive:
    case ForecastMethod::kSeasonalNaive:
      return SeasonalNaive::Decode(in);
    case ForecastMethod::kDrift:
      return Drift::Decode(in);
    case ForecastMethod::kTheta:
      return Theta::Decode(in);
    case ForecastMethod::kEts:
      return Ets::Decode(in);
    case ForecastMethod::kRegression:
      return Regression::Decode(in);
    case ForecastMethod::kIntermittent:
      return Intermittent::Decode(in);
    case ForecastMethod::kMean:
      return Mean::Decode(in);
    case ForecastMethod::kAdjustedFromZero:
    case ForecastMethod::kAdjusted:
      return Adjusted::Decode(method, in);
  }
  CorruptedState("forecasting method " + std::to_string(static_cast<int>(method)));
}

}  // namespace retrain
