// Regression on a bending trend, Fourier terms, holidays and regressors: for series with several seasons.
//
//   minimise  sum_t (f(y_t) - x_t' w)^2 + sum_j lambda_j w_j^2,    x_t = [1, t, (t - c_k)_+, sin and cos of 2 pi j t / P, z_t]
//
// with f the identity or the logarithm, changes of slope at c_1 … c_K spread over the first nine tenths of the series, a
// set of harmonics j of each period P (Harvey and Shephard 1993; the linear part of Taylor and Letham, "Forecasting at
// scale", The American Statistician 72 (2018)) and exogenous columns z. The intercept and slope are free; the penalty of
// the slope changes is the one of highest marginal likelihood among a few. What the regression leaves is taken to decay
// as an autoregression of order one:
//
//   y_{n+h} = f^-1(x_{n+h}' w + rho^h r_n)
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <memory>
#include <span>
#include <vector>

#include "core/forecast/forecaster.h"

namespace retrain {

struct SeasonTerms {
  double period = 0;       // in steps, above 1
  uint32_t harmonics = 0;  // 1 … kMaxHarmonics
};
inline constexpr uint32_t kMaxHarmonics = 24, kMaxSeasonTerms = 4, kMaxExogenous = 512;

struct RegressionOptions {
  std::vector<SeasonTerms> seasons;
  uint32_t changes = 25;   // of slope, fewer in short series
  bool logarithm = false;  // needs y > 0
};

class RegressionFit;

class Regression final : public Forecaster {
 public:
  // `x` has one row for each value of y and may have more. Needs more than 3 values.
  static Regression Fit(std::span<const double> y, const Exogenous& x, const RegressionOptions& options);

  ForecastMethod method() const noexcept override { return ForecastMethod::kRegression; }
  void Update(double y, const Exogenous& x = {}) override;
  void Forecast(std::span<double> out, const Exogenous& x = {}) const override;
  std::unique_ptr<Forecaster> Clone() const override { return std::make_unique<Regression>(*this); }
  void Encode(ByteWriter& out) const override;
  static std::unique_ptr<Regression> Decode(ByteReader& in);

  uint32_t exogenous_columns() const noexcept override { return static_cast<uint32_t>(exogenous_.size()); }
  const std::vector<double>& exogenous() const noexcept { return exogenous_; }

 private:
  friend class RegressionFit;
  double Signal(uint64_t step, std::span<const double> x) const;  // x' w of a step from the end of the fit on

  bool logarithm_ = false;
  uint64_t n_ = 0, fitted_ = 0;      // values taken in, of them when the trend was fitted
  double level_ = 0, slope_ = 0;     // of the trend at step fitted_ - 1, in transformed units
  double rho_ = 0, residual_ = 0;    // of the last value taken in
  double lowest_ = 0, highest_ = 0;  // transformed forecasts are kept within: far beyond everything seen
  std::vector<SeasonTerms> seasons_;
  std::vector<double> waves_;      // sin and cos coefficient of each harmonic of each season
  std::vector<double> exogenous_;  // coefficients
};

// The fit in pieces of a few milliseconds, for long series.
class RegressionFit {
 public:
  // `y` and `x` must outlive the fit.
  RegressionFit(std::span<const double> y, const Exogenous& x, const RegressionOptions& options);
  ~RegressionFit();
  RegressionFit(const RegressionFit&) = delete;

  bool Advance();  // true when done
  // What the exogenous columns add where the fit counts them from; once done.
  double Reference() const noexcept;
  Regression Take();

 private:
  struct State;
  void Accumulate();
  void Solve();
  void Residuals();

  std::unique_ptr<State> state_;
};

}  // namespace retrain
