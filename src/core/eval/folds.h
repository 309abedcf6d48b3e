// Folds for out-of-fold margins.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/linear/problem.h"

namespace retrain {

// The fold 0 … folds - 1 in which each row is held out, stratified by label. The rows of a label are dealt in the order of a
// hash of seed and key, a fold after the other, so that a row that comes or goes moves few of the others: a version's
// calibration does not change because a row in a hundred did. The only row of a label is never held out (kNeverHeldOut), so
// that every label keeps a training row in every fold; labels with fewer rows than folds are spread.
// labels: n, each < n_classes; keys: n, a hash of each row's text; folds: 2..20.
std::vector<uint8_t> AssignFolds(std::span<const uint32_t> labels, std::span<const uint64_t> keys, uint32_t n_classes,
                                 int folds, uint64_t seed);

}  // namespace retrain
