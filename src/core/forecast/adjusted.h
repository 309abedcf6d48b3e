// A method that knows nothing of holidays and regressors, on the series without their effects:
//
//   y_t = g_t + z_t' b - r,    the method forecasts g, and z_{n+h}' b - r joins its forecasts
//
// with the exogenous columns z and their coefficients b as a regression on trend, seasons and z has them (regression.h), and
// r = z_0' b where the regression counts z from (0 for holidays): g stays of the size of y, and above zero where y is, which
// errors and seasons in proportion need.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/forecast/forecaster.h"

namespace retrain {

struct ExogenousEffects {
  std::vector<double> coefficients;
  double reference = 0;

  // z' b - r of one step.
  double Of(std::span<const double> x) const noexcept;
};

class Adjusted final : public Forecaster {
 public:
  // `inner` was fitted to the series without the effects.
  Adjusted(ExogenousEffects effects, std::unique_ptr<Forecaster> inner)
      : effects_(std::move(effects)), inner_(std::move(inner)) {}

  ForecastMethod method() const noexcept override { return inner_->method(); }
  ForecastMethod stored_as() const noexcept override { return ForecastMethod::kAdjusted; }
  uint32_t exogenous_columns() const noexcept override { return static_cast<uint32_t>(effects_.coefficients.size()); }
  void Update(double y, const Exogenous& x = {}) override;
  void Forecast(std::span<double> out, const Exogenous& x = {}) const override;
  std::unique_ptr<Forecaster> Clone() const override { return std::make_unique<Adjusted>(effects_, inner_->Clone()); }
  void Encode(ByteWriter& out) const override;
  static std::unique_ptr<Adjusted> Decode(ForecastMethod stored_as, ByteReader& in);

 private:
  ExogenousEffects effects_;
  std::unique_ptr<Forecaster> inner_;
};

}  // namespace retrain
