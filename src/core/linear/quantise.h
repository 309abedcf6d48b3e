// From float weights to the signed bytes that are stored and served.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstddef>
#include <cstdint>

#include "core/linear/lanes.h"
#include "core/linear/linear.h"

namespace retrain {

// Weights of the right size with every value zero.
LinearWeights EmptyWeights(uint32_t n_features, uint32_t n_classes);

// Writes 16 classes from n_features + 1 rows, `stride` apart (last row: bias): scale = max|w| / 127 per class, q = w / scale rounded
// to the nearest, ties to even. Blocks write disjoint bytes, so several may be stored at once.
void StoreBlock(const LaneRow* weights, size_t stride, uint32_t block, LinearWeights& out);

}  // namespace retrain
