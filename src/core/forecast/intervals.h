// Prediction intervals from the errors that forecasts have made, not from the model's own idea of them.
//
// Conformal prediction (Papadopoulos et al. 2002; Lei et al., "Distribution-free predictive inference for regression",
// JASA 113 (2018)), made fit for many short series: every series has a profile, the mean absolute error at each horizon of
// its backtest, and a score is an error of that backtest divided by the profile:
//
//   score = |y_{t+h} - forecast_h| / profile_h          interval at level c:  forecast_h -+ q_c profile_h
//
// q_c is the c-quantile of the scores of all series that are trained together, by their kind of spacing and by quarter of
// the horizon: how far errors go beyond their mean is learnt from all, how large they are from each.
//
// The profile is a mean of the same errors, and errors of neighbouring origins that last are few however many they seem: of
// a random walk, those of one horizon overlap. Their mean varies then, and their scores go less far beyond it than that of
// an error to come. So the quantile of scores is multiplied by the ratio of what Student found for k independent errors,
// one to come by the mean of k over one of the k by the same mean (Thompson's tau):
//
//   q_c t_k(c) / tau_k(c)          tau_k(c) = sqrt(k) t / sqrt(k - 1 + t^2),  t = t_{k-1}(c)
//
// k comes from the errors e of one horizon of a series, n of them: their dependence ((sum e)^2 / (sum e^2) - 1) / n is 0 on
// average for independent ones and nearly 1 where all are alike. Its mean d over horizons and series gives
//
//   k = 0.6 d^(-3/2), 3 at least
//
// which lies between the inverses of d and of its square, as that of sizes of errors does, which are less dependent than the
// errors; the factor is from simulated walks and autoregressions. Where there are few series d is drawn towards that of
// so many windows of the backtest, and the quantile towards Student's t of k degrees.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/codec/bytes.h"

namespace retrain {

// Levels of the stored quantiles: 0.01 … 0.99, 0.995, 0.999.
inline constexpr uint32_t kQuantileLevels = 101, kHorizonQuarters = 4;
inline constexpr float kHighestLevel = 0.999f;
double LevelAt(uint32_t i);

// Mean absolute error by horizon, smooth and never falling, and how it goes on beyond.
struct ErrorProfile {
  std::vector<float> at;  // horizon 1 first; empty: no error is known
  float growth = 0.5f;    // beyond the last: (h / size)^growth

  // A series that grows by many orders of magnitude may have errors that single precision cannot hold.
  static float Stored(double error);
  double Value(uint32_t horizon) const;  // from 1
};

// `sums` and `counts` of absolute errors at each horizon, 1 first; horizons without a count take part in nothing.
ErrorProfile FitProfile(std::span<const double> sums, std::span<const uint32_t> counts);

inline uint32_t QuarterOf(uint32_t horizon, uint32_t horizons) {
  return horizon >= horizons ? kHorizonQuarters - 1 : (horizon - 1) * kHorizonQuarters / horizons;
}

// Scores as counts of a logarithmic scale: adding is exact and in any order the same.
class ScorePool {
 public:
  void Add(uint32_t quarter, double score, uint32_t count = 1);
  void AddSeries() { ++series_; }
  // How dependent the errors of one series at one horizon are: -1 … 1, 0 for independent ones.
  void AddDependence(uint32_t quarter, double dependence);
  void Merge(const ScorePool& other);
  uint64_t series() const noexcept { return series_; }
  uint64_t scores(uint32_t quarter) const;
  double Dependence(uint32_t quarter) const;  // mean of those added, 0 without one
  // The smallest score that `level` of those counted do not exceed.
  double Quantile(uint32_t quarter, double level) const;

 private:
  static constexpr uint32_t kBins = 1024;  // 2^-16 … 2^16, 2.2 % wide
  std::array<std::array<uint32_t, kBins>, kHorizonQuarters> bins_{};
  std::array<int64_t, kHorizonQuarters> dependence_{}, dependences_{};  // sum in units of 2^-20, number
  uint64_t series_ = 0;
};

struct QuantileTable {
  std::array<std::array<float, kQuantileLevels>, kHorizonQuarters> at{};

  double Value(uint32_t quarter, double level) const;  // 0 < level < 1
  void Encode(ByteWriter& out) const;
  static QuantileTable Decode(ByteReader& in);
};

// The quantiles of a group of series: its own, drawn towards those of all series, which are drawn towards Student's t.
// `freedom`: windows of the backtest of a series, about, which errors are as dependent as where too few series tell.
QuantileTable BlendQuantiles(const ScorePool& group, const ScorePool& all, double freedom);

// The value that |X| stays below with probability `level`, X of Student's t distribution with `freedom` degrees, divided
// by the mean of |X| for the normal distribution. Cornish-Fisher expansion; 3 degrees at least.
double TwoSidedT(double level, double freedom);
double IndependentErrors(double dependence);
// What the quantile of scores by their own mean is multiplied by, from k independent errors.
double BeyondOwnMean(double level, double k);

}  // namespace retrain
