// When a new version may take the place of the live one.
#include <gtest/gtest.h>

#include "core/eval/gate.h"

namespace retrain {
namespace {

constexpr GateNumbers kNone{};

GateVerdict Overall(double live_f1, double candidate_f1) {
  return Judge({}, true, {100, live_f1, live_f1}, {100, candidate_f1, candidate_f1}, kNone, kNone);
}

GateVerdict Recent(uint64_t rows, GateNumbers live, GateNumbers candidate) {
  live.rows = candidate.rows = rows;
  return Judge({}, true, {100, 0.8, 0.8}, {100, 0.8, 0.8}, live, candidate);
}

TEST(Gate, FirstVersionIsPromotedEvenWithoutRows) {
  const GateVerdict v = Judge({}, false, kNone, kNone, kNone, kNone);
  EXPECT_TRUE(v.promote);
  EXPECT_EQ(v.rule, "first_version");
}

TEST(Gate, LaterVersionNeedsTestRows) {
  const GateVerdict v = Judge({}, true, kNone, kNone, kNone, kNone);
  EXPECT_FALSE(v.promote);
  EXPECT_EQ(v.rule, "no_test_rows");
}

TEST(Gate, MacroF1MayFallByTheAllowance) {
  EXPECT_TRUE(Overall(0.8, 0.9).promote);
  EXPECT_TRUE(Overall(0.8, 0.8).promote);
  EXPECT_TRUE(Overall(0.5, 0.45).promote);  // exactly the allowance
  const GateVerdict v = Overall(0.8, 0.749);
  EXPECT_FALSE(v.promote);
  EXPECT_EQ(v.rule, "f1_regression");
  EXPECT_NE(v.reason.find("0.7490"), std::string::npos) << v.reason;
  EXPECT_NE(v.reason.find("0.8000"), std::string::npos) << v.reason;
}

TEST(Gate, RecentRowsCountOnceThereAreEnough) {
  const GateNumbers live{0, 0.9, 0.9}, poor{0, 0.5, 0.5};
  EXPECT_TRUE(Recent(9, live, poor).promote);
  const GateVerdict v = Recent(10, live, poor);
  EXPECT_FALSE(v.promote);
  EXPECT_EQ(v.rule, "recent_regression");
}

TEST(Gate, RecentRuleAsksForBothNumbers) {
  const GateNumbers live{0, 0.8, 0.8};
  EXPECT_TRUE(Recent(20, live, {0, 0.77, 0.77}).promote);
  EXPECT_EQ(Recent(20, live, {0, 0.77, 0.75}).rule, "recent_regression");
  EXPECT_EQ(Recent(20, live, {0, 0.75, 0.77}).rule, "recent_regression");
  EXPECT_EQ(Recent(20, live, {0, 0.8, 0.8}).rule, "passed");
}

TEST(Gate, PolicyIsFollowed) {
  GatePolicy strict;
  strict.max_f1_regression = 0;
  EXPECT_FALSE(Judge(strict, true, {10, 0.8, 0.8}, {10, 0.8, 0.799}, kNone, kNone).promote);
  GatePolicy loose;
  loose.max_f1_regression = 1;
  EXPECT_TRUE(Judge(loose, true, {10, 1, 1}, {10, 0, 0}, kNone, kNone).promote);
}

}  // namespace
}  // namespace retrain
