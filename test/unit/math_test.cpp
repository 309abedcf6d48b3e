// Exp and Log against libm, over the whole range, and at their edges.
#include "core/base/math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "core/base/rng.h"

namespace retrain {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Returns how many doubles lie between two finite doubles of the same sign.
int64_t UlpsApart(double a, double b) {
  int64_t x, y;
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
  return x > y ? x - y : y - x;
}

double Uniform(Rng& rng) { return static_cast<double>(rng.Next() >> 11) * 0x1p-53; }

TEST(Exp, IsWithinTwoUlpsOfLibm) {
  Rng rng(1);
  int64_t worst = 0;
  for (int i = 0; i < 2000000; ++i) {
    const double range = i % 3 == 0 ? 745.0 : i % 3 == 1 ? 30.0 : 1.0;
    const double x = (2 * Uniform(rng) - 1) * range;
    if (x > 709.78) continue;
    worst = std::max(worst, UlpsApart(Exp(x), std::exp(x)));
  }
  EXPECT_LE(worst, 1);
}

TEST(Exp, HasTheRightEdges) {
  EXPECT_EQ(Exp(0.0), 1.0);
  EXPECT_EQ(Exp(-0.0), 1.0);
  EXPECT_EQ(Exp(1e-300), 1.0);
  EXPECT_EQ(Exp(kInfinity), kInfinity);
  EXPECT_EQ(Exp(-kInfinity), 0.0);
  EXPECT_EQ(Exp(709.9), kInfinity);
  EXPECT_EQ(Exp(709.79), kInfinity);
  EXPECT_TRUE(std::isfinite(Exp(709.78)));
  EXPECT_EQ(Exp(-746.0), 0.0);
  EXPECT_EQ(Exp(-745.13), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(Exp(-1e308), 0.0);
  EXPECT_TRUE(std::isnan(Exp(kNaN)));
}

TEST(Exp, NeverFallsWhereLibmRises) {
  double previous = 0.0;
  for (int i = 0; i <= 100000; ++i) {
    const double y = Exp(-50.0 + i * 0.001);
    EXPECT_GT(y, previous);
    previous = y;
  }
}

TEST(Log, IsWithinTwoUlpsOfLibm) {
  Rng rng(2);
  int64_t worst = 0;
  for (int i = 0; i < 2000000; ++i) {
    double x = Uniform(rng) * 2;
    if (i % 3 == 0) {
      const uint64_t bits = rng.Next() % 0x7FF0000000000000ull;  // any positive finite double
      std::memcpy(&x, &bits, sizeof x);
    } else if (i % 3 == 1) {
      x = 1.0 + (x - 1.0) * 1e-3;  // near the zero of the function
    }
    if (x <= 0 || x == 1.0) continue;
    worst = std::max(worst, UlpsApart(Log(x), std::log(x)));
  }
  EXPECT_LE(worst, 1);
}

TEST(Log, HasTheRightEdges) {
  EXPECT_EQ(Log(1.0), 0.0);
  EXPECT_EQ(Log(0.0), -kInfinity);
  EXPECT_EQ(Log(-0.0), -kInfinity);
  EXPECT_TRUE(std::isnan(Log(-1.0)));
  EXPECT_TRUE(std::isnan(Log(-kInfinity)));
  EXPECT_TRUE(std::isnan(Log(kNaN)));
  EXPECT_EQ(Log(kInfinity), kInfinity);
  EXPECT_LE(UlpsApart(Log(std::numeric_limits<double>::denorm_min()), -744.4400719213812), 1);
  EXPECT_EQ(Log(2.0), std::log(2.0));
}

// A digest of many results: a change of one bit changes artifacts.
TEST(Math, BitsAreFixed) {
  uint64_t digest = 0;
  for (int i = 1; i <= 10000; ++i) {
    for (const double y : {Exp(i * 0.0173 - 90.0), Log(i * 0.37)}) {
      uint64_t bits;
      std::memcpy(&bits, &y, sizeof bits);
      digest = Rng(digest ^ bits).Next();
    }
  }
  EXPECT_EQ(digest, 0x76D365F01E5D894Cull);
}

}  // namespace
}  // namespace retrain
