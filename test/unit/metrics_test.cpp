// Metrics against numbers worked out by hand; scikit-learn gives the same (zero_division=0).
#include <gtest/gtest.h>

#include <cmath>

#include "core/eval/metrics.h"

namespace retrain {
namespace {

TEST(Metrics, NoRows) {
  const Metrics m = Evaluate({});
  EXPECT_EQ(m.rows, 0u);
  EXPECT_EQ(m.accuracy, 0);
  EXPECT_EQ(m.macro_f1, 0);
  EXPECT_EQ(m.log_loss, 0);
  EXPECT_TRUE(m.classes.empty());
}

// truth 0 0 0 1 1 2, predicted 0 0 1 1 3 1: label 2 is never predicted, label 3 never true.
TEST(Metrics, PerClassAndMacro) {
  const std::vector<ScoredRow> rows = {{0, 0, 0.9f, 0.9f}, {0, 0, 0.8f, 0.8f}, {0, 1, 0.6f, 0.3f},
                                       {1, 1, 0.7f, 0.7f}, {1, 3, 0.5f, 0.2f}, {2, 1, 0.4f, 0.0f}};
  const Metrics m = Evaluate(rows);
  EXPECT_EQ(m.rows, 6u);
  EXPECT_DOUBLE_EQ(m.accuracy, 0.5);
  ASSERT_EQ(m.classes.size(), 4u);
  EXPECT_DOUBLE_EQ(m.classes[0].precision, 1.0);
  EXPECT_DOUBLE_EQ(m.classes[0].recall, 2.0 / 3);
  EXPECT_DOUBLE_EQ(m.classes[0].f1, 0.8);
  EXPECT_DOUBLE_EQ(m.classes[1].precision, 1.0 / 3);
  EXPECT_DOUBLE_EQ(m.classes[1].recall, 0.5);
  EXPECT_DOUBLE_EQ(m.classes[1].f1, 0.4);
  EXPECT_EQ(m.classes[2].label, 2u);
  EXPECT_EQ(m.classes[2].support, 1u);
  EXPECT_EQ(m.classes[2].predicted, 0u);
  EXPECT_EQ(m.classes[2].f1, 0);
  EXPECT_EQ(m.classes[3].support, 0u);
  EXPECT_EQ(m.classes[3].predicted, 1u);
  EXPECT_DOUBLE_EQ(m.macro_precision, (1 + 1.0 / 3) / 4);
  EXPECT_DOUBLE_EQ(m.macro_recall, (2.0 / 3 + 0.5) / 4);
  EXPECT_DOUBLE_EQ(m.macro_f1, 0.3);
  EXPECT_NEAR(m.mean_confidence, 3.9 / 6, 1e-7);
  const std::map<std::pair<uint32_t, uint32_t>, uint64_t> confusion = {
      {{0, 0}, 2}, {{0, 1}, 1}, {{1, 1}, 1}, {{1, 3}, 1}, {{2, 1}, 1}};
  EXPECT_EQ(m.confusion, confusion);
}

TEST(Metrics, LogLossIsClipped) {
  const std::vector<ScoredRow> rows = {{0, 0, 1, 1}, {0, 1, 1, 0}, {0, 0, 0.5f, 0.5f}};
  EXPECT_NEAR(Evaluate(rows).log_loss, (0 - std::log(1e-15) - std::log(0.5)) / 3, 1e-9);
}

// Two bins: 4 rows at 0.9 with 3 right (gap 0.15), 2 rows at 0.3 with 1 right (gap 0.2).
TEST(Metrics, ExpectedCalibrationError) {
  std::vector<ScoredRow> rows(6);
  for (size_t i = 0; i < 4; ++i) rows[i] = {0, i == 0 ? 1u : 0u, 0.9f, 0.1f};
  rows[4] = {0, 0, 0.3f, 0.3f};
  rows[5] = {0, 1, 0.3f, 0.3f};
  EXPECT_NEAR(Evaluate(rows).expected_calibration_error, (4 * 0.15 + 2 * 0.2) / 6, 1e-6);
}

TEST(Metrics, PerfectAndCertain) {
  const std::vector<ScoredRow> rows = {{4, 4, 1, 1}, {9, 9, 1, 1}};
  const Metrics m = Evaluate(rows);
  EXPECT_EQ(m.accuracy, 1);
  EXPECT_EQ(m.macro_f1, 1);
  EXPECT_EQ(m.log_loss, 0);
  EXPECT_EQ(m.expected_calibration_error, 0);
}

}  // namespace
}  // namespace retrain
