// Training rows as a model that has not seen them reads them (core/intent/unseen.h).
#include "core/intent/unseen.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace retrain {
namespace {

const std::vector<float> kIdf{1, 5, 2, 6, 3};
const LoneTerms kLone{kIdf, 5};  // terms 1 and 3

std::vector<SparseEntry> Unseen(const std::vector<SparseEntry>& row) {
  SparseMatrix out;
  AppendUnseen(row, kLone, out);
  EXPECT_EQ(out.rows(), 1u);
  EXPECT_EQ(out.begin.back(), out.entries.size());
  return {out.entries.begin(), out.entries.end()};
}

TEST(Unseen, LoneTermsAreLeftOutAndTheOthersHaveUnitLength) {
  const auto row = Unseen({{0, 0.6f}, {3, 0.64f}, {4, 0.48f}});
  ASSERT_EQ(row.size(), 2u);
  const double length = std::sqrt(0.6 * 0.6 + 0.48 * 0.48);
  EXPECT_EQ(row[0].column, 0u);
  EXPECT_NEAR(row[0].value, 0.6 / length, 1e-6);
  EXPECT_EQ(row[1].column, 4u);
  EXPECT_NEAR(row[1].value, 0.48 / length, 1e-6);
}

TEST(Unseen, RowsWithLoneTermsDiffer) {
  const std::vector<SparseEntry> one{{0, 0.8f}, {3, 0.6f}}, none{{0, 0.8f}, {2, 0.6f}, {7, 9.0f}};
  EXPECT_TRUE(DiffersUnseen(one, kLone));
  EXPECT_FALSE(DiffersUnseen(none, kLone));
}

TEST(Unseen, ColumnsBeyondTheTermsStay) {
  const auto row = Unseen({{1, 0.6f}, {2, 0.8f}, {5, 0.25f}, {9, -3.0f}});
  ASSERT_EQ(row.size(), 3u);
  EXPECT_FLOAT_EQ(row[0].value, 1);
  EXPECT_EQ(row[1].column, 5u);
  EXPECT_EQ(row[1].value, 0.25f);
  EXPECT_EQ(row[2].value, -3.0f);
}

TEST(Unseen, ARowOfLoneTermsHasNoTerms) { EXPECT_TRUE(Unseen({{1, 0.6f}, {3, 0.8f}}).empty()); }

}  // namespace
}  // namespace retrain
