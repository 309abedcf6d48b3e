// A method that knows nothing of holidays and regressors, on the series without their effects:
//
//   y_t = g_t + z_t' b,    the method forecasts g, and z_{n+h}' b joins its forecasts
//
// with the exogenous columns z and their coefficients b as a regression on trend, seasons and z has them (regression.h).
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

// z' b of one step.
double EffectOf(std::span<const double> coefficients, std::span<const double> x) noexcept;

class Adjusted final : public Forecaster {
 public:
  // `inner` was fitted to the series without the effects.
  Adjusted(std::vector<double> coefficients, std::unique_ptr<Forecaster> inner)
      : coefficients_(std::move(coefficients)), inner_(std::move(inner)) {}

  ForecastMethod method() const noexcept override { return inner_->method(); }
  ForecastMethod stored_as() const noexcept override { return ForecastMethod::kAdjusted; }
  uint32_t exogenous_columns() const noexcept override { return static_cast<uint32_t>(coefficients_.size()); }
  void Update(double y, const Exogenous& x = {}) override;
  void Forecast(std::span<double> out, const Exogenous& x = {}) const override;
  std::unique_ptr<Forecaster> Clone() const override {
    return std::make_unique<Adjusted>(coefficients_, inner_->Clone());
  }
  void Encode(ByteWriter& out) const override;
  static std::unique_ptr<Adjusted> Decode(ByteReader& in);

 private:
  std::vector<double> coefficients_;
  std::unique_ptr<Forecaster> inner_;
};

}  // namespace retrain
