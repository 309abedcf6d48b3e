// The kernels over all blocks of classes against plain loops.
#include "core/linear/lanes.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/rng.h"

namespace retrain {
namespace {

constexpr uint32_t kColumns = 9;

std::vector<LaneRow> RandomRows(size_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<LaneRow> rows(n);
  for (LaneRow& row : rows)
    for (float& value : row.at) value = static_cast<float>(rng.Below(2001)) / 64.0f - 15.0f;  // sums of few are exact
  return rows;
}

class LanesOfAll : public testing::TestWithParam<uint32_t> {};

TEST_P(LanesOfAll, MarginsAndStepsAreThoseOfPlainLoops) {
  const uint32_t blocks = GetParam();
  const std::vector<SparseEntry> x = {{1, 0.5f}, {4, -2.0f}, {8, 0.25f}};
  std::vector<LaneRow> weights = RandomRows(size_t{kColumns + 1} * blocks, 5), margins(blocks);
  LaneMarginsOfAll(x, weights.data(), kColumns, blocks, margins.data());
  const std::vector<LaneRow> steps = RandomRows(blocks, 6), before = weights;
  LaneAddToAll(x, steps.data(), weights.data(), kColumns, blocks);
  std::vector<LaneRow> moved = before;
  for (uint32_t block = 0; block < blocks; ++block)
    for (uint32_t l = 0; l < kLanes; ++l) {
      float margin = before[kColumns * blocks + block].at[l];
      for (const SparseEntry& entry : x) {
        margin += entry.value * before[entry.column * blocks + block].at[l];
        moved[entry.column * blocks + block].at[l] += entry.value * steps[block].at[l];
      }
      moved[kColumns * blocks + block].at[l] += steps[block].at[l];
      EXPECT_EQ(margins[block].at[l], margin) << "block " << block << ", lane " << l;
    }
  for (size_t row = 0; row < moved.size(); ++row)
    for (uint32_t l = 0; l < kLanes; ++l) EXPECT_EQ(weights[row].at[l], moved[row].at[l]) << row << ", lane " << l;
}
INSTANTIATE_TEST_SUITE_P(Blocks, LanesOfAll, testing::Values(1u, 2u, 3u, 4u, 5u, 7u, 10u));

}  // namespace
}  // namespace retrain
