// The functions for loops over lanes, against libm.
#include "core/base/lane_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace retrain {
namespace {

TEST(LaneMath, ExpIsCloseToLibm) {
  for (double x = -86.9; x < 87.9; x += 0.0137) {
    EXPECT_NEAR(LaneExp(x) / std::exp(x), 1, 1e-14) << x;
    const auto f = static_cast<float>(x);
    EXPECT_NEAR(static_cast<double>(LaneExp(f)) / std::exp(static_cast<double>(f)), 1, 2e-7) << x;
  }
  EXPECT_EQ(LaneExp(0.0f), 1.0f);
  EXPECT_EQ(LaneExp(-1e9f), LaneExp(-87.0f));
  EXPECT_LT(LaneExp(-1e9f), 2e-38f);
  EXPECT_EQ(LaneExp(1e9f), LaneExp(88.0f));
}

TEST(LaneMath, LogIsCloseToLibm) {
  for (float x = 1.2e-38f; x < 1e38f; x *= 1.0137f) {
    const double log = std::log(static_cast<double>(x));
    EXPECT_NEAR(static_cast<double>(LaneLog(x)), log, 2e-7 * std::max(1.0, std::abs(log))) << x;
  }
  EXPECT_EQ(LaneLog(1.0f), 0.0f);
  EXPECT_NEAR(static_cast<double>(LaneLog(1.0f + 0x1p-20f)), 0x1p-20, 1e-12);
}

TEST(LaneMath, Log1pIsCloseToLibm) {
  for (double e = 0; e <= 1; e += 1.0 / 1024) {
    EXPECT_NEAR(LaneLog1p(e), std::log1p(e), 1e-9) << e;
    EXPECT_NEAR(LaneLog1p(static_cast<float>(e)), std::log1p(e), 1e-7) << e;
  }
}

TEST(LaneMath, MaxAndSumAtEveryLength) {
  std::vector<float> x;
  for (size_t n = 1; n <= 40; ++n) {
    x.push_back(-0.25f * static_cast<float>(n * 7 % 13) - 1.0f);
    float top = x[0];
    double sum = 0;
    for (const float value : x) top = std::fmax(top, value), sum += static_cast<double>(value);
    EXPECT_EQ(LaneMax(x.data(), n), top) << n;
    EXPECT_EQ(LaneSum(x.data(), n), sum) << n;
  }
  EXPECT_EQ(LaneSum(x.data(), 0), 0);
}

}  // namespace
}  // namespace retrain
