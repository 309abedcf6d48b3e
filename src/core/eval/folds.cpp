// Deals the rows of each label over the folds, in an order that their keys decide.
#include "core/eval/folds.h"

#include <algorithm>
#include <utility>

#include "core/base/rng.h"

namespace retrain {

std::vector<uint8_t> AssignFolds(std::span<const uint32_t> labels, std::span<const uint64_t> keys, uint32_t n_classes,
                                 int folds, uint64_t seed) {
  // Rows of each label, by counting sort: begin[k] .. begin[k + 1].
  std::vector<uint32_t> begin(n_classes + 1), rows(labels.size());
  for (const uint32_t label : labels) ++begin[label + 1];
  for (uint32_t k = 0; k < n_classes; ++k) begin[k + 1] += begin[k];
  std::vector<uint32_t> next(begin.begin(), begin.end() - 1);
  for (uint32_t i = 0; i < labels.size(); ++i) rows[next[labels[i]]++] = i;

  const auto n_folds = static_cast<uint64_t>(folds);
  const auto place = [&](uint32_t row) { return Rng(keys[row] ^ seed).Next(); };
  std::vector<uint8_t> fold_of(labels.size(), kNeverHeldOut);
  std::vector<std::pair<uint64_t, uint32_t>> own;
  for (uint32_t k = 0; k < n_classes; ++k) {
    own.clear();
    for (uint32_t at = begin[k]; at < begin[k + 1]; ++at) own.emplace_back(place(rows[at]), rows[at]);
    if (own.size() < 2) continue;
    std::sort(own.begin(), own.end());
    // Not every small label begins with the same fold.
    for (uint64_t rank = 0; rank < own.size(); ++rank)
      fold_of[own[rank].second] = static_cast<uint8_t>((rank * n_folds / own.size() + k) % n_folds);
  }
  return fold_of;
}

}  // namespace retrain
