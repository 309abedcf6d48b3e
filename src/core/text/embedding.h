// Embeddings of messages, computed by the caller: checked and scaled, the same in training and in serving.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/linear/sparse.h"

namespace retrain {

inline constexpr uint32_t kMaxEmbedding = 16384;

// Throws Error(kInvalidParameter) that names the values when a number is not finite or the size is not `wanted`; 0: any
// size from 1 to kMaxEmbedding.
void CheckEmbedding(std::span<const float> embedding, uint32_t wanted);

// Appends one entry for each number from column `first` on, scaled to length 1 like the n-grams before them: both halves
// of the features weigh the same. An embedding of zeros stays one.
void AppendEmbedding(std::span<const float> embedding, uint32_t first, std::vector<SparseEntry>& entries);

}  // namespace retrain
