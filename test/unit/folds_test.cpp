// Stratified folds.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/eval/folds.h"

namespace retrain {
namespace {

TEST(Folds, EveryClassIsSpreadEvenly) {
  std::vector<uint32_t> labels;
  for (uint32_t i = 0; i < 400; ++i) labels.push_back(i % 7);
  const std::vector<uint8_t> folds = AssignFolds(labels, 7, 5, 42);
  ASSERT_EQ(folds.size(), labels.size());
  std::map<std::pair<uint32_t, uint8_t>, int> count;
  std::vector<int> sizes(5);
  for (size_t i = 0; i < labels.size(); ++i) {
    ASSERT_LT(folds[i], 5);
    ++count[{labels[i], folds[i]}];
    ++sizes[folds[i]];
  }
  for (uint32_t k = 0; k < 7; ++k) {
    const auto own = static_cast<int>(std::count(labels.begin(), labels.end(), k));
    for (uint8_t fold = 0; fold < 5; ++fold) {
      EXPECT_GE((count[{k, fold}]), own / 5);
      EXPECT_LE((count[{k, fold}]), (own + 4) / 5);
    }
  }
  EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()) - *std::min_element(sizes.begin(), sizes.end()), 1);
}

TEST(Folds, TheOnlyRowOfAClassIsNeverHeldOut) {
  const std::vector<uint8_t> folds = AssignFolds(std::vector<uint32_t>{0, 1, 1, 2, 0, 2}, 4, 3, 1);
  for (const size_t i : {0, 1, 2, 3, 4, 5}) EXPECT_LT(folds[i], 3);
  EXPECT_EQ(AssignFolds(std::vector<uint32_t>{0, 0, 1}, 2, 2, 1)[2], kNeverHeldOut);
}

// Two rows of a class must never be held out together: one of them has to stay for training.
TEST(Folds, SmallClassesUseDifferentFolds) {
  std::vector<uint32_t> labels;
  for (uint32_t k = 0; k < 30; ++k) labels.insert(labels.end(), 2 + k % 3, k);
  const std::vector<uint8_t> folds = AssignFolds(labels, 30, 5, 3);
  std::vector<int> sizes(5);
  for (uint32_t k = 0; k < 30; ++k) {
    std::set<uint8_t> used;
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] == k) used.insert(folds[i]), ++sizes[folds[i]];
    EXPECT_EQ(used.size(), 2 + k % 3);
  }
  EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()) - *std::min_element(sizes.begin(), sizes.end()), 1);
}

TEST(Folds, SeedDecides) {
  std::vector<uint32_t> labels;
  for (uint32_t i = 0; i < 200; ++i) labels.push_back(i % 3);
  EXPECT_EQ(AssignFolds(labels, 3, 5, 42), AssignFolds(labels, 3, 5, 42));
  EXPECT_NE(AssignFolds(labels, 3, 5, 42), AssignFolds(labels, 3, 5, 43));
}

TEST(Folds, NoRows) { EXPECT_TRUE(AssignFolds({}, 3, 5, 42).empty()); }

}  // namespace
}  // namespace retrain
