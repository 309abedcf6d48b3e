// The theta method: a series seen as two lines of changed curvature, forecast apart and averaged.
//
// The theta line Z(theta) solves  minimise sum_t (y_t - Z_t)^2  subject to  Z'' = theta y''. Line 0 is the straight
// regression line of slope b, line 2 doubles the curvature; line 2 is forecast by simple exponential smoothing
//
//   l_t = alpha y_t + (1 - alpha) l_{t-1}
//
// and the average of both is the same with drift b / 2 (Hyndman and Billah, "Unmasking the Theta method", Int. J.
// Forecasting 19 (2003)):
//
//   y_{n+h} = l_n + b / 2 (h - 1 + (1 - (1 - alpha)^n) / alpha)
//
// A series with a significant season (seasonal.h) is divided by its indices first and multiplied by them afterwards
// (Assimakopoulos and Nikolopoulos, "The theta model", Int. J. Forecasting 16 (2000)); one with values at or below zero
// has them subtracted.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/forecast/forecaster.h"
#include "core/forecast/seasonal.h"

namespace retrain {

class Theta final : public Forecaster {
 public:
  // Two values or more; m < 2: no season to look for.
  static Theta Fit(std::span<const double> y, uint32_t m);

  ForecastMethod method() const noexcept override { return ForecastMethod::kTheta; }
  void Update(double y, const Exogenous& x = {}) override;
  void Forecast(std::span<double> out, const Exogenous& x = {}) const override;
  std::unique_ptr<Forecaster> Clone() const override { return std::make_unique<Theta>(*this); }
  void Encode(ByteWriter& out) const override;
  static std::unique_ptr<Theta> Decode(ByteReader& in);

  double alpha() const noexcept { return alpha_; }
  double drift() const noexcept;
  SeasonKind season_kind() const noexcept { return kind_; }

 private:
  double Adjusted(double y) const;

  SeasonKind kind_ = SeasonKind::kNone;
  std::vector<double> season_;  // of step 0 first
  uint64_t n_ = 0;              // values taken in
  double alpha_ = 0.5, level_ = 0;
  double sum_ = 0, weighted_ = 0;  // sum of y_t and of t y_t, of the adjusted values: the slope moves on with them
};

}  // namespace retrain
