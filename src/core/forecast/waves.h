// sin and cos of whole turns with the same bits on every CPU, for Fourier terms that go into an artifact.
#pragma once

#include <cmath>

namespace retrain {

struct Wave {
  double sin, cos;
};

// sin and cos of 2 pi x. The turn is cut to an eighth, where Taylor series of fixed length are exact to the last place.
inline Wave WaveAt(double x) noexcept {
  constexpr double kPi = 3.14159265358979323846;
  x -= std::floor(x);
  const double eighths = std::floor(x * 8 + 0.5);  // x = eighths / 8 + rest, |rest| <= 1/16
  const double r = 2 * kPi * (x - eighths / 8), q = r * r;
  double s = -1.0 / 1307674368000.0, c = -1.0 / 87178291200.0;
  s = s * q + 1.0 / 6227020800.0;
  s = s * q - 1.0 / 39916800.0;
  s = s * q + 1.0 / 362880.0;
  s = s * q - 1.0 / 5040.0;
  s = s * q + 1.0 / 120.0;
  s = s * q - 1.0 / 6.0;
  s = (s * q + 1.0) * r;
  c = c * q + 1.0 / 479001600.0;
  c = c * q - 1.0 / 3628800.0;
  c = c * q + 1.0 / 40320.0;
  c = c * q - 1.0 / 720.0;
  c = c * q + 1.0 / 24.0;
  c = c * q - 1.0 / 2.0;
  c = c * q + 1.0;
  constexpr double kHalf = 0.70710678118654752440;
  constexpr Wave kEighths[] = {{0, 1},  {kHalf, kHalf},   {1, 0},  {kHalf, -kHalf},
                               {0, -1}, {-kHalf, -kHalf}, {-1, 0}, {-kHalf, kHalf}};
  const Wave turn = kEighths[static_cast<int>(eighths) & 7];
  return {s * turn.cos + c * turn.sin, c * turn.cos - s * turn.sin};
}

}  // namespace retrain
