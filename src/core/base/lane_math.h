// exp(), log(), log(1 + exp()) and 1 / sqrt() for loops over lanes: plain arithmetic without branches, so that the compiler can
// vectorise them and every vector width gives the same bits.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace retrain {

// exp(x) for x in [-700, 700], clamped outside; relative error below 1e-14.
//
// x = k ln 2 + r with |r| <= ln 2 / 2; exp(r) by its Taylor series to r^12 / 12!, whose rest is below 1.7e-16.
inline double LaneExp(double x) noexcept {
  constexpr double kLog2E = 1.4426950408889634, kShift = 0x1.8p52;
  constexpr double kLn2High = 0x1.62e42fefa0000p-1, kLn2Low = 0x1.cf79abc9e3b3ap-40;
  x = x < -700.0 ? -700.0 : x;
  x = x > 700.0 ? 700.0 : x;
  const double shifted = x * kLog2E + kShift;  // the low bits of its mantissa hold k
  const double k = shifted - kShift;
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double p = 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const uint64_t exponent = (std::bit_cast<uint64_t>(shifted) + 1023) << 52;
  return p * std::bit_cast<double>(exponent);
}

// exp(x) in single precision for x in [-87, 88], clamped outside; relative error below 2e-7.
//
// As above: ln 2 in two parts of which k times the first is exact, exp(r) to r^7 / 7!, whose rest is below 6e-9.
inline float LaneExp(float x) noexcept {
  constexpr float kLog2E = 1.44269504f, kShift = 0x1.8p23f;
  constexpr float kLn2High = 0x1.63p-1f, kLn2Low = -0x1.bd0106p-13f;
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float shifted = x * kLog2E + kShift;
  const float k = shifted - kShift;
  const float r = (x - k * kLn2High) - k * kLn2Low;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) + 127) << 23;
  return p * std::bit_cast<float>(exponent);
}

// The largest of n > 0 values, none of them NaN. std::max_element looks at one after the other.
inline float LaneMax(const float* x, size_t n) noexcept {
  constexpr size_t kWidth = 8;
  float top[kWidth];
  for (size_t l = 0; l < kWidth; ++l) top[l] = x[l < n ? l : 0];
  size_t k = 0;
  for (; k + kWidth <= n; k += kWidth)
    for (size_t l = 0; l < kWidth; ++l) top[l] = x[k + l] > top[l] ? x[k + l] : top[l];
  for (; k < n; ++k) top[0] = x[k] > top[0] ? x[k] : top[0];
  // A tree: three comparisons that wait for one another, not seven.
  const auto larger = [](float a, float b) { return a > b ? a : b; };
  return larger(larger(larger(top[0], top[4]), larger(top[1], top[5])),
                larger(larger(top[2], top[6]), larger(top[3], top[7])));
}

// The sum of n values, eight partial sums at a time.
inline double LaneSum(const float* x, size_t n) noexcept {
  constexpr size_t kWidth = 8;
  double sums[kWidth] = {};
  size_t k = 0;
  for (; k + kWidth <= n; k += kWidth)
    for (size_t l = 0; l < kWidth; ++l) sums[l] += static_cast<double>(x[k + l]);
  for (; k < n; ++k) sums[0] += static_cast<double>(x[k]);
  for (size_t l = 1; l < kWidth; ++l) sums[0] += sums[l];
  return sums[0];
}

// 1 / sqrt(x) for x in [1e-30, 1e30], relative error below 5e-6. std::sqrt() is a call that may set errno and keeps a loop
// from being vectorised; this is a first guess from the bits of x and two Newton steps.
inline float LaneInverseRoot(float x) noexcept {
  float y = std::bit_cast<float>(0x5F375A86u - (std::bit_cast<uint32_t>(x) >> 1));
  y *= 1.5f - 0.5f * x * y * y;
  return y * (1.5f - 0.5f * x * y * y);
}

// log(x) in single precision for normal x > 0; absolute error below 2e-7 times the larger of 1 and |log(x)|.
//
// x = 2^k m with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh(s) with s = (m - 1) / (m + 1), |s| < 0.172: the rest of the series
// behind s^9 / 9 is below 1e-9.
inline float LaneLog(float x) noexcept {
  constexpr uint32_t kRootHalf = 0x3F3504F3u;
  const int32_t k = static_cast<int32_t>(std::bit_cast<uint32_t>(x) - kRootHalf) >> 23;
  const float m = std::bit_cast<float>(std::bit_cast<uint32_t>(x) - (static_cast<uint32_t>(k) << 23));
  const float s = (m - 1.0f) / (m + 1.0f), q = s * s;
  float p = 1.0f / 9.0f;
  p = p * q + 1.0f / 7.0f;
  p = p * q + 1.0f / 5.0f;
  p = p * q + 1.0f / 3.0f;
  p = p * q + 1.0f;
  return static_cast<float>(k) * 0.693147181f + 2.0f * s * p;
}

// log(1 + e) for e in [0, 1] as 2 atanh(e / (2 + e)); absolute error below 1e-9.
inline double LaneLog1p(double e) noexcept {
  const double s = e / (2.0 + e), q = s * s;
  double p = 1.0 / 17.0;
  p = p * q + 1.0 / 15.0;
  p = p * q + 1.0 / 13.0;
  p = p * q + 1.0 / 11.0;
  p = p * q + 1.0 / 9.0;
  p = p * q + 1.0 / 7.0;
  p = p * q + 1.0 / 5.0;
  p = p * q + 1.0 / 3.0;
  p = p * q + 1.0;
  return 2.0 * s * p;
}

// The same in single precision; absolute error below 1e-7.
inline float LaneLog1p(float e) noexcept {
  const float s = e / (2.0f + e), q = s * s;
  float p = 1.0f / 13.0f;
  p = p * q + 1.0f / 11.0f;
  p = p * q + 1.0f / 9.0f;
  p = p * q + 1.0f / 7.0f;
  p = p * q + 1.0f / 5.0f;
  p = p * q + 1.0f / 3.0f;
  p = p * q + 1.0f;
  return 2.0f * s * p;
}

}  // namespace retrain
