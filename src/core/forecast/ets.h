// Exponential smoothing as a state space model, estimated by maximum likelihood and chosen by the corrected AIC.
//
// With level l, trend b, seasonal s of period m, damping phi and one source of error e_t (Hyndman, Koehler, Ord, Snyder,
// "Forecasting with Exponential Smoothing", Springer 2008, tables 2.2 and 2.3), p_t = l_{t-1} + phi b_{t-1} and
//
//   season        forecast         level                 trend                        season
//   none          p_t              p_t + alpha e_t       phi b_{t-1} + beta e_t
//   additive      p_t + s_{t-m}    p_t + alpha e_t       phi b_{t-1} + beta e_t       s_{t-m} + gamma e_t
//   multiplicat.  p_t s_{t-m}      p_t + alpha e_t/s     phi b_{t-1} + beta e_t/s     s_{t-m} + gamma e_t/p_t
//
// where e_t = y_t - forecast. Additive and multiplicative errors share these equations; they differ in the likelihood:
//
//   minimise  n log sum e_t^2                                      (additive error)
//             n log sum (e_t / f_t)^2 + 2 sum log |f_t|            (multiplicative error, forecasts f_t)
//
// over 0 < alpha < 1, 0 < beta < alpha, 0 < gamma < 1 - alpha, 0.8 <= phi <= 0.98 (section 2.5). Initial states are
// estimated too: together with the parameters for models without a season, by Gauss-Newton steps between the searches for
// seasons of up to 24 steps, by casting the series back for longer ones.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/forecast/forecaster.h"
#include "core/forecast/seasonal.h"

namespace retrain {

struct EtsShape {
  bool multiplicative_error = false;
  bool trend = false, damped = false;
  SeasonKind season = SeasonKind::kNone;

  std::string Name() const;  // in the taxonomy of the book: A,Ad,M and so on
  bool operator==(const EtsShape&) const = default;
};

struct EtsParameters {
  double alpha = 0.3, beta = 0.03, gamma = 0.05, phi = 1;
};

struct EtsState {
  double level = 0, trend = 0;
  std::vector<double> season;  // of the next step first; empty without a season
};

struct EtsFit {
  EtsShape shape;
  EtsParameters parameters;
  EtsState initial, final;
  double likelihood = 1e300;  // -2 log L up to a constant that all models of one series share
  double aicc = 1e300;
  double sigma2 = 0;  // of the errors, relative ones when they are multiplicative
};

class Ets final : public Forecaster {
 public:
  Ets(EtsShape shape, EtsParameters parameters, EtsState state)
      : shape_(shape), parameters_(parameters), state_(std::move(state)) {}
  explicit Ets(const EtsFit& fit) : Ets(fit.shape, fit.parameters, fit.final) {}

  ForecastMethod method() const noexcept override { return ForecastMethod::kEts; }
  void Update(double y, const Exogenous& x = {}) override;
  void Forecast(std::span<double> out, const Exogenous& x = {}) const override;
  std::unique_ptr<Forecaster> Clone() const override { return std::make_unique<Ets>(*this); }
  void Encode(ByteWriter& out) const override;
  static std::unique_ptr<Ets> Decode(ByteReader& in);
  const EtsShape& shape() const noexcept { return shape_; }
  const EtsParameters& parameters() const noexcept { return parameters_; }

 private:
  EtsShape shape_;
  EtsParameters parameters_;
  EtsState state_;   // its season is a ring
  size_t next_ = 0;  // the next step's place in it
};

// The shapes that a series may have: no multiplicative error or season unless y > 0, no season unless `m` >= 2 and there
// are two seasons of values, no trend for fewer than five values.
std::vector<EtsShape> EtsShapes(std::span<const double> y, uint32_t m);

// Fits one shape with at most `max_evaluations` of the likelihood, from `start` when given.
EtsFit FitEts(std::span<const double> y, uint32_t m, const EtsShape& shape, int max_evaluations,
              const EtsFit* start = nullptr);

// Runs the model from `state` over y, which moves the state to the end of y, and returns -2 log L as above; 1e300 where
// the model breaks down. `sigma2`, when given, becomes the mean square of the errors.
double FilterEts(std::span<const double> y, const EtsShape& shape, const EtsParameters& parameters, EtsState& state,
                 double* sigma2 = nullptr);

}  // namespace retrain
