// The simplest forecasts, which every other method has to beat: last value, last season, mean, last value with drift.
//
//   naive            y_{n+h} = y_n
//   seasonal naive   y_{n+h} = y_{n+h-m k}, k the smallest that looks back
//   mean             y_{n+h} = mean of y
//   drift            y_{n+h} = y_n + h (y_n - y_1) / (n - 1), the slope times a damping of 0 … 1
// Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, section 5.2.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <span>
#include <vector>

#include "core/forecast/forecaster.h"

namespace retrain {

// Naive is the seasonal naive forecast of a season of one step.
class SeasonalNaive final : public Forecaster {
 public:
  // One season of values or more; m >= 1.
  static SeasonalNaive Fit(std::span<const double> y, uint32_t m);

  ForecastMethod method() const noexcept override {
    return last_.size() == 1 ? ForecastMethod::kNaive : ForecastMethod::kSeasonalNaive;
  }
  void Update(double y, const Exogenous& x = {}) override;
  void Forecast(std::span<double> out, const Exogenous& x = {}) const override;
  std::unique_ptr<Forecaster> Clone() const override { return std::make_unique<SeasonalNaive>(*this); }
  void Encode(ByteWriter& out) const override;
  static std::unique_ptr<SeasonalNaive> Decode(ByteReader& in);

 private:
  std::vector<double> last_;  // a ring: the value of the next step one season ago is at next_
  size_t next_ = 0;
};

class Drift final : public Forecaster {
 public:
  static Drift Fit(std::span<const double> y);  // one value or more

  ForecastMethod method() const noexcept override { return ForecastMethod::kDrift; }
  void Update(double y, const Exogenous& x = {}) override;
  void Forecast(std::span<double> out, const Exogenous& x = {}) const override;
  std::unique_ptr<Forecaster> Clone() const override { return std::make_unique<Drift>(*this); }
  void Encode(ByteWriter& out) const override;
  static std::unique_ptr<Drift> Decode(ByteReader& in);

 private:
  double first_ = 0, last_ = 0;
  uint64_t n_ = 0;
};

class Mean final : public Forecaster {
 public:
  static Mean Fit(std::span<const double> y);  // one value or more

  ForecastMethod method() const noexcept override { return ForecastMethod::kMean; }
  void Update(double y, const Exogenous& x = {}) override;
  void Forecast(std::span<double> out, const Exogenous& x = {}) const override;
  std::unique_ptr<Forecaster> Clone() const override { return std::make_unique<Mean>(*this); }
  void Encode(ByteWriter& out) const override;
  static std::unique_ptr<Mean> Decode(ByteReader& in);

 private:
  double mean_ = 0;
  uint64_t n_ = 0;
};

}  // namespace retrain
