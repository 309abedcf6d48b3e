// Intermittent demand: series that are mostly zero.
//
// Teunter, Syntetos and Babai, "Intermittent demand: linking forecasting to inventory obsolescence", European J. of
// Operational Research 214 (2011). With z_t the size of demand where there is one and p_t the probability of demand:
//
//   p_t = p_{t-1} + beta (1{y_t > 0} - p_{t-1})                 every step
//   z_t = z_{t-1} + alpha (y_t - z_{t-1})                       steps with demand only
//   y_{n+h} = p_n z_n
//
// Unlike Croston's method (1972) the forecast falls while nothing is sold. alpha and beta minimise the squared errors of
// the one-step rate on a grid.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <span>

#include "core/forecast/forecaster.h"

namespace retrain {

// Whether half of the values or more are zero and none is negative.
bool IsIntermittent(std::span<const double> y);

class Intermittent final : public Forecaster {
 public:
  static Intermittent Fit(std::span<const double> y);  // one value or more

  ForecastMethod method() const noexcept override { return ForecastMethod::kIntermittent; }
  void Update(double y, const Exogenous& x = {}) override;
  void Forecast(std::span<double> out, const Exogenous& x = {}) const override;
  std::unique_ptr<Forecaster> Clone() const override { return std::make_unique<Intermittent>(*this); }
  void Encode(ByteWriter& out) const override;
  static std::unique_ptr<Intermittent> Decode(ByteReader& in);

 private:
  double alpha_ = 0.1, beta_ = 0.1, size_ = 0, probability_ = 0;
};

}  // namespace retrain
