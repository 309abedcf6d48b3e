// Stratified folds.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/rng.h"
#include "core/eval/folds.h"

namespace retrain {
namespace {

// As the rows of a training have: hashes, ascending.
std::vector<uint64_t> Keys(size_t n) {
  Rng rng(11);
  std::vector<uint64_t> keys(n);
  for (uint64_t& key : keys) key = rng.Next();
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::vector<uint8_t> Deal(const std::vector<uint32_t>& labels, uint32_t n_classes, int folds, uint64_t seed) {
  return AssignFolds(labels, Keys(labels.size()), n_classes, folds, seed);
}

TEST(Folds, EveryClassIsSpreadEvenly) {
  std::vector<uint32_t> labels;
  for (uint32_t i = 0; i < 400; ++i) labels.push_back(i % 7);
  const std::vector<uint8_t> folds = Deal(labels, 7, 5, 42);
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
  EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()) - *std::min_element(sizes.begin(), sizes.end()), 2);
}

// A version's calibration must not move because a row in a hundred came: the others stay where they were.
TEST(Folds, RowsThatComeMoveFewOthers) {
  std::vector<uint32_t> labels;
  for (uint32_t i = 0; i < 10000; ++i) labels.push_back(i * 7 % 100);
  const std::vector<uint64_t> keys = Keys(labels.size());
  const std::vector<uint8_t> all = AssignFolds(labels, keys, 100, 5, 42);
  std::vector<uint32_t> some_labels;
  std::vector<uint64_t> some_keys;
  std::vector<uint8_t> expected;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (i % 101 == 50) continue;
    some_labels.push_back(labels[i]);
    some_keys.push_back(keys[i]);
    expected.push_back(all[i]);
  }
  const std::vector<uint8_t> some = AssignFolds(some_labels, some_keys, 100, 5, 42);
  size_t moved = 0;
  for (size_t i = 0; i < some.size(); ++i) moved += some[i] != expected[i];
  EXPECT_LE(moved, some.size() / 33);
}

TEST(Folds, TheOnlyRowOfAClassIsNeverHeldOut) {
  const std::vector<uint8_t> folds = Deal(std::vector<uint32_t>{0, 1, 1, 2, 0, 2}, 4, 3, 1);
  for (const size_t i : {0, 1, 2, 3, 4, 5}) EXPECT_LT(folds[i], 3);
  EXPECT_EQ(Deal(std::vector<uint32_t>{0, 0, 1}, 2, 2, 1)[2], kNeverHeldOut);
}

// Two rows of a class must never be held out together: one of them has to stay for training.
TEST(Folds, SmallClassesUseDifferentFolds) {
  std::vector<uint32_t> labels;
  for (uint32_t k = 0; k < 30; ++k) labels.insert(labels.end(), 2 + k % 3, k);
  const std::vector<uint8_t> folds = Deal(labels, 30, 5, 3);
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
  EXPECT_EQ(Deal(labels, 3, 5, 42), Deal(labels, 3, 5, 42));
  EXPECT_NE(Deal(labels, 3, 5, 42), Deal(labels, 3, 5, 43));
}

TEST(Folds, NoRows) { EXPECT_TRUE(Deal({}, 3, 5, 42).empty()); }

}  // namespace
}  // namespace retrain
