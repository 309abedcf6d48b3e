// Deals the rows of each label over the folds, in a seeded order.
#include "core/eval/folds.h"

#include "core/base/rng.h"

namespace retrain {

std::vector<uint8_t> AssignFolds(std::span<const uint32_t> labels, uint32_t n_classes, int folds, uint64_t seed) {
  // Rows of each label, by counting sort: begin[k] .. begin[k + 1].
  std::vector<uint32_t> begin(n_classes + 1), rows(labels.size());
  for (const uint32_t label : labels) ++begin[label + 1];
  for (uint32_t k = 0; k < n_classes; ++k) begin[k + 1] += begin[k];
  std::vector<uint32_t> next(begin.begin(), begin.end() - 1);
  for (uint32_t i = 0; i < labels.size(); ++i) rows[next[labels[i]]++] = i;

  std::vector<uint8_t> fold_of(labels.size(), kNeverHeldOut);
  Rng rng(seed);
  uint32_t deal = 0;  // goes on from label to label, so that small labels do not all land in the first fold
  for (uint32_t k = 0; k < n_classes; ++k) {
    const std::span<uint32_t> own(rows.data() + begin[k], rows.data() + begin[k + 1]);
    if (own.size() < 2) continue;
    rng.Shuffle(own);
    for (const uint32_t row : own) fold_of[row] = static_cast<uint8_t>(deal++ % static_cast<uint32_t>(folds));
  }
  return fold_of;
}

}  // namespace retrain
