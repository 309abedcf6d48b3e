// Autocorrelation, the seasonal test and classical decomposition (see seasonal.h).
#include "core/forecast/seasonal.h"

#include <algorithm>
#include <cmath>

namespace retrain {

std::vector<double> Autocorrelation(std::span<const double> y, uint32_t max_lag) {
  double mean = 0;
  for (const double v : y) mean += v;
  mean /= static_cast<double>(y.size());
  double variance = 0;
  for (const double v : y) variance += (v - mean) * (v - mean);
  std::vector<double> r(max_lag, 0.0);
  if (!(variance > 0)) return r;
  for (uint32_t lag = 1; lag <= max_lag && lag < y.size(); ++lag) {
    double sum = 0;
    for (size_t t = lag; t < y.size(); ++t) sum += (y[t] - mean) * (y[t - lag] - mean);
    r[lag - 1] = sum / variance;
  }
  return r;
}

bool HasSeason(std::span<const double> y, uint32_t m) {
  if (m < 2 || y.size() < 3 * static_cast<size_t>(m)) return false;
  const std::vector<double> r = Autocorrelation(y, m);
  double squares = 0;
  for (uint32_t k = 0; k + 1 < m; ++k) squares += r[k] * r[k];
  return std::fabs(r[m - 1]) > 1.645 * std::sqrt((1 + 2 * squares) / static_cast<double>(y.size()));
}

uint32_t FindSeason(std::span<const double> y) {
  if (y.size() < 12) return 1;
  std::vector<double> change;
  for (size_t t = 1; t < y.size(); ++t) change.push_back(y[t] - y[t - 1]);
  const auto longest = static_cast<uint32_t>(std::min<size_t>(200, change.size() / 3));
  const std::vector<double> r = Autocorrelation(change, longest);
  uint32_t best = 1;
  double strongest = 0.3;
  for (uint32_t lag = 2; lag < longest; ++lag) {
    const double here = r[lag - 1];
    // Multiples of a season repeat as well: a longer one has to be clearly stronger.
    if (here > r[lag - 2] && here >= r[lag] && here > strongest * (best > 1 ? 1.1 : 1)) {
      strongest = here;
      best = lag;
    }
  }
  return best > 1 && HasSeason(change, best) ? best : 1;
}

std::vector<double> CentredMovingAverage(std::span<const double> y, uint32_t m) {
  const size_t half = m / 2;
  std::vector<double> average;
  if (y.size() < 2 * half + 1) return average;
  average.reserve(y.size() - 2 * half);
  // Each window is summed anew: a running sum would carry the rounding of one huge value through the whole series.
  for (size_t t = half; t + half < y.size(); ++t) {
    double sum = 0;
    if (m % 2 == 1) {
      for (size_t i = t - half; i <= t + half; ++i) sum += y[i];
    } else {
      sum = 0.5 * (y[t - half] + y[t + half]);
      for (size_t i = t - half + 1; i < t + half; ++i) sum += y[i];
    }
    average.push_back(sum / m);
  }
  return average;
}

std::vector<double> SeasonalIndices(std::span<const double> y, uint32_t m, SeasonKind kind) {
  const bool multiplicative = kind == SeasonKind::kMultiplicative;
  const std::vector<double> trend = CentredMovingAverage(y, m);
  std::vector<double> sum(m, 0.0);
  std::vector<uint32_t> count(m, 0);
  for (size_t i = 0; i < trend.size(); ++i) {
    const size_t t = i + m / 2;
    sum[t % m] += multiplicative ? y[t] / trend[i] : y[t] - trend[i];
    ++count[t % m];
  }
  double mean = 0;
  for (uint32_t s = 0; s < m; ++s) {
    sum[s] = count[s] > 0 ? sum[s] / count[s] : (multiplicative ? 1.0 : 0.0);
    mean += sum[s] / m;
  }
  for (double& s : sum) s = multiplicative ? s / mean : s - mean;
  return sum;
}

}  // namespace retrain
