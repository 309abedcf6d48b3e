// Confident learning, in two passes over out-of-fold probabilities.
#include "core/eval/label_issues.h"

namespace retrain {

void LabelDoubt::Learn(std::span<const float> probabilities, uint32_t given) {
  sum_[given] += static_cast<double>(probabilities[given]);
  ++rows_[given];
}

std::optional<uint32_t> LabelDoubt::Judge(std::span<const float> probabilities, uint32_t given) const {
  std::optional<uint32_t> best;
  for (uint32_t k = 0; k < probabilities.size(); ++k) {
    if (static_cast<double>(probabilities[k]) < threshold(k)) continue;
    // Of equal ones the given label stays.
    if (!best || probabilities[k] > probabilities[*best] || (probabilities[k] == probabilities[*best] && k == given))
      best = k;
  }
  if (best == given) return std::nullopt;
  return best;
}

}  // namespace retrain
