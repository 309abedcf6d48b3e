// What every forecasting method is to the rest: fitted once, moved on by one value at a time, asked for the next values.
//
// The state moves on without estimating anything again, so that one fit on the first part of a series gives honest
// forecasts from each later origin: that is how methods are compared and intervals calibrated (backtest.h).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <memory>
#include <span>

#include "core/codec/bytes.h"

namespace retrain {

// The order is that of the stored format: append, never renumber.
enum class ForecastMethod : uint8_t {
  kNaive = 1,
  kSeasonalNaive = 2,
  kDrift = 3,
  kTheta = 4,
  kEts = 5,
  kRegression = 6,
  kIntermittent = 7,
  kMean = 8,
  // Another method and effects that it does not know of (adjusted.h); no methods to ask for. The first is read only: its effects
  // are counted from zero.
  kAdjustedFromZero = 9,
  kAdjusted = 10,
};
inline constexpr int kForecastMethods = 8;
const char* NameOf(ForecastMethod method);

// Longest season in steps that a stored state may have.
inline constexpr uint32_t kMaxSeason = 20'000;

// What is known of steps beside their values: holidays and regressors, `columns` numbers for each step in time order.
struct Exogenous {
  std::span<const double> values;
  uint32_t columns = 0;

  Exogenous From(size_t step) const { return {values.subspan(step * columns), columns}; }
};

class Forecaster {
 public:
  virtual ~Forecaster() = default;
  virtual ForecastMethod method() const noexcept = 0;
  // What the stored state begins with.
  virtual ForecastMethod stored_as() const noexcept { return method(); }
  // Columns of `x` that it uses; 0: none, whatever they are.
  virtual uint32_t exogenous_columns() const noexcept { return 0; }
  // Takes in the value of the next step; `x` starts with that step. Methods without exogenous columns ignore it.
  virtual void Update(double y, const Exogenous& x = {}) = 0;
  // Fills `out` with the expected values of the next out.size() steps; `x` starts with the first of them.
  virtual void Forecast(std::span<double> out, const Exogenous& x = {}) const = 0;
  virtual std::unique_ptr<Forecaster> Clone() const = 0;
  // Appends the state without the method's number; DecodeForecaster reads it back.
  virtual void Encode(ByteWriter& out) const = 0;
};

// Throws Error(kDataCorrupted) when the bytes are no state.
std::unique_ptr<Forecaster> DecodeForecaster(ForecastMethod method, ByteReader& in);

}  // namespace retrain
