// Fits every method that suits a series, compares them by backtest and combines those that do well.
//
// The last values are put aside. Each method is fitted on the head and moved on value by value, forecasting from every
// origin, so that all errors are those of forecasts of unseen values. The forecast is the mean of the methods weighted by
//
//   w = prior (best error / error)^4        0 where the error exceeds 1.35 times the best
//
// with errors in mean absolute (intermittent series: root mean square) terms, and as prior the Akaike weight of an
// exponential smoothing model among its peers: a model that the likelihood of the whole series is against gets little
// however well it did on a few values. Combinations beat the choice of one: Bates and Granger (1969); Clemen (1989).
// Holidays and regressors are known to the regression alone, so the other methods forecast the series without the effects
// that a regression finds, and get them back (adjusted.h): else their weight would take its share of every effect. So it is
// where the regression itself may not be one of the methods.
//
// The weights of the final model come from all origins; what is reported is measured on the last horizon of values, with
// the weights and the calibration of the origins before.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "core/forecast/adjusted.h"
#include "core/forecast/ets.h"
#include "core/forecast/forecaster.h"
#include "core/forecast/intervals.h"
#include "core/forecast/regression.h"

namespace retrain {

struct SelectOptions {
  uint32_t season = 1;             // of smoothing methods, in steps
  std::vector<SeasonTerms> terms;  // of the regression
  bool regression = false;         // consider it although the season alone does not call for it
  uint32_t horizon = 12;
  double min_value = -std::numeric_limits<double>::infinity(), max_value = std::numeric_limits<double>::infinity();
  std::array<bool, kForecastMethods + 1> allowed{};  // by number of the method; all false: every one
  bool choose_one = false;                           // the best alone instead of the combination
  bool held_out_only = false;                        // no final fit: only how the held-out values go
};

struct ForecastMember {
  double weight = 0;
  std::unique_ptr<Forecaster> forecaster;
};

// How forecasts of the held-out values went.
struct HeldOut {
  uint32_t values = 0;
  double absolute = 0, squares = 0, smape = 0;  // sums over the values; smape in [0, 2] each
  double scale = 0;                             // mean absolute error of the seasonal naive forecast within the head
  std::vector<double> errors;                   // of the combination, signed
  ErrorProfile profile;                         // of the origins before, times the level at this origin
  uint32_t windows = 0;                         // independent stretches that profile is from, about
};

enum class FallbackReason : uint8_t { kNone, kShort, kConstant, kTooShortForSeason };

struct SeriesFit {
  std::vector<ForecastMember> members;  // heaviest first, weights add up to 1
  ErrorProfile profile;                 // in units of y
  HeldOut held_out;
  FallbackReason fallback = FallbackReason::kNone;
  bool effects = false;  // the exogenous columns have a part in the forecast
  uint32_t windows = 0;
  uint64_t backtest_errors = 0;
  ScorePool scores;  // of all errors of the backtest, by the profile that they are part of
};

// The work on one series, in pieces of a few milliseconds.
class SeriesFitter {
 public:
  // `y` and `x` (one row for each value) must outlive the work; y is finite and not empty.
  SeriesFitter(std::span<const double> y, const Exogenous& x, SelectOptions options);
  ~SeriesFitter();
  // True when there is nothing left to do.
  bool Advance();
  SeriesFit Take() { return std::move(result_); }

 private:
  struct Candidate;
  enum Stage : int;

  bool Allows(ForecastMethod method) const;
  void Begin();
  bool FitEffects();
  void ChooseShapes();
  void BeginRefit();
  void FitShape();
  void FitOthers();
  std::unique_ptr<RegressionFit> BeginRegression(std::span<const double> y, bool logarithm) const;
  void Roll();
  void Weigh();
  void Score(const std::vector<double>& weights);
  void HoldOut();
  ErrorProfile Profile(const std::vector<double>& weights, size_t until, double level, uint64_t* errors) const;
  uint32_t Windows(size_t values) const;
  void Refit();
  void FallBack(FallbackReason reason);
  std::unique_ptr<Forecaster> FitMethod(ForecastMethod method, std::span<const double> y) const;
  std::vector<double> Weights(bool final) const;
  // The series as methods without exogenous columns see it, and one of them that was fitted to it.
  std::span<const double> Plain() const;
  std::unique_ptr<Forecaster> WithEffects(std::unique_ptr<Forecaster> forecaster) const;
  double Combined(const std::vector<double>& weights, size_t origin, size_t h) const;

  std::span<const double> y_;
  Exogenous x_;
  SelectOptions options_;
  SeriesFit result_;
  int stage_ = 0;
  uint32_t season_ = 1, horizon_ = 1;
  size_t head_ = 0, stride_ = 1;
  bool intermittent_ = false, relative_ = false, use_terms_ = false, adjusts_ = false;
  ExogenousEffects effects_;   // of the exogenous columns
  std::vector<double> plain_;  // y without them
  std::vector<EtsShape> shapes_;
  size_t next_shape_ = 0, next_member_ = 0;
  std::vector<EtsFit> fits_;  // of the head
  std::vector<Candidate> candidates_;
  std::unique_ptr<RegressionFit> pending_;  // of the regression, that goes on
  std::vector<size_t> origins_;
  std::vector<double> level_;  // mean |y| of the season before each origin
};

}  // namespace retrain
