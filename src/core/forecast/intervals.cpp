// Error profiles, scores and their quantiles (see intervals.h).
#include "core/forecast/intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/math.h"
#include "core/forecast/decode.h"

namespace retrain {
namespace {

constexpr double kLog2 = 0.69314718055994531;
constexpr double kOverMean = 1.2533141373155003;  // sqrt(pi / 2): the standard deviation over the mean of |X|, X normal
constexpr double kLargestError = std::numeric_limits<float>::max();

double Power(double x, double exponent) { return x <= 0 ? 0 : Exp(exponent * Log(x)); }

// Standard normal quantile for 0.5 <= p < 1: Acklam's rational approximation, relative error below 1.2e-9.
double NormalQuantile(double p) {
  if (p <= 0.97575) {
    const double q = p - 0.5, r = q * q;
    return (((((-3.969683028665376e+01 * r + 2.209460984245205e+02) * r - 2.759285104469687e+02) * r +
              1.383577518672690e+02) *
                 r -
             3.066479806614716e+01) *
                r +
            2.506628277459239e+00) *
           q /
           (((((-5.447609879822406e+01 * r + 1.615858368580409e+02) * r - 1.556989798598866e+02) * r +
              6.680131188771972e+01) *
                 r -
             1.328068155288572e+01) *
                r +
            1);
  }
  const double q = std::sqrt(-2 * Log(1 - p));
  return -(((((-7.784894002430293e-03 * q - 3.223964580411365e-01) * q - 2.400758277161838e+00) * q -
             2.549732539343734e+00) *
                q +
            4.374664141464968e+00) *
               q +
           2.938163982698783e+00) /
         ((((7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996e+00) * q +
           3.754408661907416e+00) *
              q +
          1);
}

// Pool-adjacent-violators: the closest sequence that never falls.
void MakeMonotone(std::vector<double>& values, const std::vector<double>& weights) {
  struct Block {
    double value, weight;
    size_t size;
  };
  std::vector<Block> blocks;
  for (size_t i = 0; i < values.size(); ++i) {
    blocks.push_back({values[i], weights[i], 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].value > blocks.back().value) {
      const Block last = blocks.back();
      blocks.pop_back();
      Block& into = blocks.back();
      into.value = (into.value * into.weight + last.value * last.weight) / (into.weight + last.weight);
      into.weight += last.weight;
      into.size += last.size;
    }
  }
  size_t i = 0;
  for (const Block& block : blocks)
    for (size_t k = 0; k < block.size; ++k) values[i++] = block.value;
}

}  // namespace

double LevelAt(uint32_t i) { return i < 99 ? (i + 1) / 100.0 : i == 99 ? 0.995 : 0.999; }

float ErrorProfile::Stored(double error) { return static_cast<float>(std::min(kLargestError, error)); }

double ErrorProfile::Value(uint32_t horizon) const {
  if (at.empty() || horizon == 0) return 0;
  if (horizon <= at.size()) return at[horizon - 1];
  return at.back() * Power(static_cast<double>(horizon) / static_cast<double>(at.size()), growth);
}

ErrorProfile FitProfile(std::span<const double> sums, std::span<const uint32_t> counts) {
  ErrorProfile profile;
  std::vector<double> mean, weight;
  for (size_t h = 0; h < sums.size() && counts[h] > 0; ++h) {
    mean.push_back(std::min(kLargestError, sums[h] / counts[h]));
    weight.push_back(counts[h]);
  }
  if (mean.empty()) return profile;
  MakeMonotone(mean, weight);
  // A power of the horizon through the same errors, by least squares of logarithms: half of each.
  double total = 0, x_mean = 0, y_mean = 0;
  const double floor = 1e-3 * mean.back() + 1e-300;
  for (size_t h = 0; h < mean.size(); ++h) {
    total += weight[h];
    x_mean += weight[h] * Log(static_cast<double>(h + 1));
    y_mean += weight[h] * Log(mean[h] + floor);
  }
  x_mean /= total;
  y_mean /= total;
  double xy = 0, xx = 0;
  for (size_t h = 0; h < mean.size(); ++h) {
    const double x = Log(static_cast<double>(h + 1)) - x_mean;
    xy += weight[h] * x * (Log(mean[h] + floor) - y_mean);
    xx += weight[h] * x * x;
  }
  const bool steep = mean.size() >= 4 && xx > 0;
  const double growth = steep ? std::clamp(xy / xx, 0.0, 1.0) : 0.5;
  profile.growth = static_cast<float>(std::min(growth, 0.7));
  for (size_t h = 0; h < mean.size(); ++h) {
    const double power = Exp(y_mean + growth * (Log(static_cast<double>(h + 1)) - x_mean));
    profile.at.push_back(ErrorProfile::Stored(mean[h] > 0 ? 0.5 * (mean[h] + power) : 0));
  }
  return profile;
}

void ScorePool::Add(uint32_t quarter, double score, uint32_t count) {
  const double place = score > 0 ? (Log(score) / kLog2 + 16) * (kBins / 32.0) : 0;
  const double clamped = std::clamp(place, 0.0, static_cast<double>(kBins - 1));
  bins_[quarter][static_cast<uint32_t>(clamped)] += count;
}

void ScorePool::Merge(const ScorePool& other) {
  for (uint32_t q = 0; q < kHorizonQuarters; ++q)
    for (uint32_t i = 0; i < kBins; ++i) bins_[q][i] += other.bins_[q][i];
  for (uint32_t q = 0; q < kHorizonQuarters; ++q) {
    dependence_[q] += other.dependence_[q];
    dependences_[q] += other.dependences_[q];
  }
  series_ += other.series_;
}

void ScorePool::AddDependence(uint32_t quarter, double dependence) {
  dependence_[quarter] += static_cast<int64_t>(std::clamp(dependence, -1.0, 1.0) * 0x1p20);
  ++dependences_[quarter];
}

double ScorePool::Dependence(uint32_t quarter) const {
  if (dependences_[quarter] == 0) return 0;
  return static_cast<double>(dependence_[quarter]) / static_cast<double>(dependences_[quarter]) * 0x1p-20;
}

uint64_t ScorePool::scores(uint32_t quarter) const {
  uint64_t count = 0;
  for (const uint32_t c : bins_[quarter]) count += c;
  return count;
}

double ScorePool::Quantile(uint32_t quarter, double level) const {
  const uint64_t count = scores(quarter);
  const double wanted = level * static_cast<double>(count + 1);
  double seen = 0;
  uint32_t last = 0;
  for (uint32_t i = 0; i < kBins; ++i) {
    if (bins_[quarter][i] == 0) continue;
    seen += bins_[quarter][i];
    last = i;
    if (seen >= wanted) break;
  }
  return last == 0 ? 0 : Exp(kLog2 * ((last + 1) / (kBins / 32.0) - 16));
}

double TwoSidedT(double level, double freedom) {
  const double z = NormalQuantile(0.5 + 0.5 * std::min(level, 0.9999)), v = std::max(freedom, 3.0);
  const double z2 = z * z;
  const double t = z * (1 + (z2 + 1) / (4 * v) + (5 * z2 * z2 + 16 * z2 + 3) / (96 * v * v) +
                        (3 * z2 * z2 * z2 + 19 * z2 * z2 + 17 * z2 - 15) / (384 * v * v * v));
  return t * kOverMean;
}

double IndependentErrors(double dependence) { return std::max(3.0, 0.6 * Power(std::max(dependence, 1e-6), -1.5)); }

double BeyondOwnMean(double level, double k) {
  const double t = TwoSidedT(level, k - 1) / kOverMean, tau = std::sqrt(k) * t / std::sqrt(k - 1 + t * t);
  return TwoSidedT(level, k) / kOverMean / tau;
}

QuantileTable BlendQuantiles(const ScorePool& group, const ScorePool& all, double freedom) {
  // So many series weigh as much as what is assumed without them.
  constexpr double kAssumed = 10;
  const auto blend = [](const ScorePool& pool, double own, double assumed) {
    const auto n = static_cast<double>(pool.series());
    return (n * own + kAssumed * assumed) / (n + kAssumed);
  };
  QuantileTable table;
  for (uint32_t q = 0; q < kHorizonQuarters; ++q) {
    const double of_all = blend(all, all.Dependence(q), 1 / freedom),
                 of_group = blend(group, group.Dependence(q), of_all);
    const double k_all = IndependentErrors(of_all), k_group = IndependentErrors(of_group);
    double highest = 0;
    for (uint32_t i = 0; i < kQuantileLevels; ++i) {
      const double level = LevelAt(i);
      double value = TwoSidedT(level, k_all);
      if (all.scores(q) > 0) value = blend(all, all.Quantile(q, level) * BeyondOwnMean(level, k_all), value);
      if (group.scores(q) > 0) value = blend(group, group.Quantile(q, level) * BeyondOwnMean(level, k_group), value);
      highest = std::max(highest, value);
      table.at[q][i] = static_cast<float>(highest);
    }
  }
  return table;
}

double QuantileTable::Value(uint32_t quarter, double level) const {
  const auto& row = at[quarter];
  if (level <= LevelAt(0)) return row[0] * level / LevelAt(0);
  for (uint32_t i = 1; i < kQuantileLevels; ++i) {
    if (level > LevelAt(i)) continue;
    const double share = (level - LevelAt(i - 1)) / (LevelAt(i) - LevelAt(i - 1));
    return row[i - 1] + share * (row[i] - row[i - 1]);
  }
  return row[kQuantileLevels - 1];
}

void QuantileTable::Encode(ByteWriter& out) const {
  for (const auto& row : at) out.PutArray(std::span<const float>(row));
}

QuantileTable QuantileTable::Decode(ByteReader& in) {
  QuantileTable table;
  for (auto& row : table.at) {
    const UnalignedArray<float> stored(in.Take(sizeof row));
    for (uint32_t i = 0; i < kQuantileLevels; ++i) {
      row[i] = stored[i];
      if (!(row[i] >= 0) || !std::isfinite(row[i])) CorruptedState("a quantile that cannot be");
    }
  }
  return table;
}

}  // namespace retrain
