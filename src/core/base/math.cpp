// exp() and log() in plain double arithmetic (see math.h).
//
// Both reduce the argument to a small interval, where a power series of fixed length is exact to far below the last
// place, and evaluate it by Horner's rule. Built with -ffp-contract=off, so every operation rounds once, as written.
#include "core/base/math.h"

#include <bit>
#include <cstdint>
#include <limits>

namespace retrain {
namespace {

// ln 2 = kLn2High + kLn2Low. The high part has 37 significant bits, so k * kLn2High is exact for every exponent k.
constexpr double kLn2High = 0x1.62e42fefa0000p-1;
constexpr double kLn2Low = 0x1.cf79abc9e3b3ap-40;
constexpr double kInverseLn2 = 0x1.71547652b82fep+0;

// Adding and subtracting 1.5 * 2^52 rounds a double of moderate size to the nearest integer.
constexpr double kRoundShift = 0x1.8p52;

// Returns 2^exponent for -1022 <= exponent <= 1023.
double PowerOfTwo(int exponent) { return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52); }

// Returns x * 2^exponent with one rounding, for x in [0.5, 2] and any exponent that Exp can meet.
double Scale(double x, int exponent) {
  if (exponent > 1023) return x * 2.0 * PowerOfTwo(exponent - 1);
  if (exponent < -1021) return x * PowerOfTwo(exponent + 1000) * PowerOfTwo(-1000);  // only the last product rounds
  return x * PowerOfTwo(exponent);
}

// Returns (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2: the series sum of r^n / (n + 2)!, next term below 2^-57.
double ExpTail(double r) {
  constexpr double kInverseFactorial[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                          1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                          1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
  double sum = kInverseFactorial[11];
  for (int n = 10; n >= 0; --n) sum = sum * r + kInverseFactorial[n];
  return sum;
}

// Returns 2 atanh(s) - 2s divided by s, for |s| <= 3 - 2 sqrt(2): the sum of 2 s^(2n) / (2n + 1), n = 1 … 10.
double AtanhTail(double s) {
  const double z = s * s;
  double sum = 2.0 / 21;
  for (int odd = 19; odd >= 3; odd -= 2) sum = sum * z + 2.0 / odd;
  return sum * z;
}

}  // namespace

// exp(x) = 2^k exp(r) with x = k ln 2 + r; r is kept as high - low, its rounding error carried along.
double Exp(double x) noexcept {
  if (x != x) return x;
  if (x > 709.8) return std::numeric_limits<double>::infinity();
  if (x < -745.2) return 0.0;
  const double k = (x * kInverseLn2 + kRoundShift) - kRoundShift;
  const double high = x - k * kLn2High;
  const double low = k * kLn2Low;
  const double r = high - low;
  const double lost = (high - r) - low;  // what the subtraction above rounded away
  return Scale(1.0 + (r + (r * r * ExpTail(r) + lost)), static_cast<int>(k));
}

// log(x) = k ln 2 + log(1 + f) with x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)); with s = f / (2 + f),
// log(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + AtanhTail(s))), which keeps the leading term f exact.
double Log(double x) noexcept {
  if (x != x || x == std::numeric_limits<double>::infinity()) return x;
  if (x == 0.0) return -std::numeric_limits<double>::infinity();
  if (x < 0.0) return std::numeric_limits<double>::quiet_NaN();
  int k = 0;
  if (x < std::numeric_limits<double>::min()) {  // subnormal: no hidden bit to read the exponent from
    x *= 0x1p54;
    k = -54;
  }
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  k += static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
  if (m >= 0x1.6a09e667f3bcdp+0) {  // sqrt(2)
    m *= 0.5;
    ++k;
  }
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double half_square = 0.5 * f * f;
  const double correction = s * (half_square + AtanhTail(s));
  const double exponent = k;
  return exponent * kLn2High - ((half_square - (correction + exponent * kLn2Low)) - f);
}

}  // namespace retrain
