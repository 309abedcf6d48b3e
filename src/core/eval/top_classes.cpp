// A tournament: the winner of every block is known, so that taking one class costs a look at the blocks and one block played
// again. One pass over all classes, which the compiler vectorises, where sorting them into a short list asks a question of each.
#include "core/eval/top_classes.h"

#include <algorithm>

#include "core/base/lane_math.h"

namespace retrain {
namespace {

constexpr size_t kBlock = 16;

// Below every probability: taken, or beyond the last class.
constexpr float kTaken = -1;

}  // namespace

void FindTopClasses(std::span<const float> probabilities, uint32_t answer, uint32_t wanted, TopClasses& result) {
  const size_t n = probabilities.size(), blocks = (n + kBlock - 1) / kBlock;
  std::vector<float>&left = result.left, &tops = result.tops;
  left.assign(blocks * kBlock, kTaken);
  std::copy(probabilities.begin(), probabilities.end(), left.begin());
  tops.resize(blocks);
  for (size_t b = 0; b < blocks; ++b) tops[b] = LaneMax(left.data() + b * kBlock, kBlock);
  result.order.clear();
  for (size_t rest = std::min<size_t>(wanted, n); rest > 0; --rest) {
    const float top = LaneMax(tops.data(), blocks);
    size_t k = static_cast<size_t>(std::find(tops.begin(), tops.end(), top) - tops.begin()) * kBlock;
    if (answer < n && left[answer] == top)
      k = answer;
    else
      while (left[k] != top) ++k;
    result.order.push_back(static_cast<uint32_t>(k));
    left[k] = kTaken;
    tops[k / kBlock] = LaneMax(left.data() + k / kBlock * kBlock, kBlock);
  }
}

}  // namespace retrain
