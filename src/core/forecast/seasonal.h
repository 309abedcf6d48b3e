// Seasonality of an evenly spaced series: autocorrelation, the test for a season, classical decomposition.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

namespace retrain {

// Autocorrelations at lags 1 … max_lag (max_lag < y.size()); zeros for a constant series.
std::vector<double> Autocorrelation(std::span<const double> y, uint32_t max_lag);

// Whether the autocorrelation at lag m is significant at 90 %: |r_m| > 1.645 sqrt((1 + 2 sum_{k<m} r_k^2) / n). Series of
// fewer than three seasons have none. Assimakopoulos and Nikolopoulos, "The theta model", Int. J. Forecasting 16 (2000).
bool HasSeason(std::span<const double> y, uint32_t m);

// The most strongly repeated lag of 2 … 200 steps in the changes of a series, 1 where none is significant: for spacings
// that no calendar season belongs to.
uint32_t FindSeason(std::span<const double> y);

enum class SeasonKind : uint8_t { kNone = 0, kAdditive = 1, kMultiplicative = 2 };

// Classical decomposition: indices of the m seasons, the first for y[0], from the means of what a centred moving average
// of one season leaves; they add up to 0, or to m when multiplicative (y > 0 then). Needs two seasons of values.
std::vector<double> SeasonalIndices(std::span<const double> y, uint32_t m, SeasonKind kind);

// Centred moving average over one season of m >= 2, of weights 1/2 at both ends when m is even; result[i] belongs to
// y[i + m / 2] and has y.size() - 2 (m / 2) values.
std::vector<double> CentredMovingAverage(std::span<const double> y, uint32_t m);

}  // namespace retrain
