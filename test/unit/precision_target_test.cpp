// The threshold for a wanted precision: as low as the promise allows, and no promise from a handful of rows.
#include "core/eval/precision_target.h"

#include <gtest/gtest.h>

#include "core/base/rng.h"

namespace retrain {
namespace {

// Rows that are right as often as their confidence says.
std::vector<JudgedRow> CalibratedRows(size_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<JudgedRow> rows;
  for (size_t i = 0; i < n; ++i) {
    const auto percent = 50 + rng.Below(50);
    rows.push_back({static_cast<float>(percent) / 100, rng.Below(100) < percent});
  }
  return rows;
}

TEST(PrecisionTarget, TakesTheLowestThresholdThatKeepsTheRule) {
  const auto rows = CalibratedRows(5000, 3);
  const PrecisionTarget chosen = ChooseThreshold(rows, 0.9, 0);
  ASSERT_TRUE(chosen.reached);
  EXPECT_GE(chosen.precision, 0.9);
  // Every confidence that occurs, tried by itself.
  for (int percent = 50; percent < 100; ++percent) {
    const float threshold = static_cast<float>(percent) / 100;
    double decided = 0, wrong = 0;
    for (const auto& row : rows) {
      if (row.confidence < threshold) continue;
      ++decided;
      wrong += !row.right;
    }
    const bool keeps = wrong + 1 <= 0.1 * (decided + 1);
    EXPECT_TRUE(!keeps || threshold >= chosen.threshold) << percent;
    if (threshold != chosen.threshold) continue;
    EXPECT_TRUE(keeps);
    EXPECT_DOUBLE_EQ(chosen.coverage, decided / 5000);
    EXPECT_DOUBLE_EQ(chosen.precision, 1 - wrong / decided);
  }
  EXPECT_EQ(chosen.rows, 5000u);
}

TEST(PrecisionTarget, HoldsOnRowsToCome) {
  const PrecisionTarget chosen = ChooseThreshold(CalibratedRows(20000, 4), 0.9, 0);
  double decided = 0, right = 0;
  for (const auto& row : CalibratedRows(20000, 5)) {
    if (row.confidence < chosen.threshold) continue;
    ++decided;
    right += row.right;
  }
  EXPECT_GT(decided, 5000);
  EXPECT_NEAR(right / decided, 0.9, 0.01);
}

TEST(PrecisionTarget, AHandfulOfRightRowsPromisesNothing) {
  const std::vector<JudgedRow> few(18, {0.8f, true});
  const PrecisionTarget chosen = ChooseThreshold(few, 0.95, 0);
  EXPECT_FALSE(chosen.reached);
  EXPECT_EQ(chosen.threshold, 1);
  EXPECT_EQ(chosen.coverage, 0);
  EXPECT_TRUE(ChooseThreshold(std::vector<JudgedRow>(19, {0.8f, true}), 0.95, 0).reached);
  EXPECT_FALSE(ChooseThreshold({}, 0.95, 0).reached);
}

TEST(PrecisionTarget, RowsOfOneConfidenceAreDecidedTogether) {
  std::vector<JudgedRow> rows(40, {0.8f, true});
  for (int i = 0; i < 20; ++i) rows.push_back({0.8f, false});
  EXPECT_FALSE(ChooseThreshold(rows, 0.95, 0).reached);
}

TEST(PrecisionTarget, AThresholdThatWasGivenIsAFloor) {
  const PrecisionTarget chosen = ChooseThreshold(std::vector<JudgedRow>(100, {0.6f, true}), 0.9, 0.7f);
  EXPECT_TRUE(chosen.reached);
  EXPECT_EQ(chosen.threshold, 0.7f);
  EXPECT_EQ(chosen.coverage, 0);
}

}  // namespace
}  // namespace retrain
