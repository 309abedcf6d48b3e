// Row-compressed sparse matrix of features.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/large_vector.h"

namespace retrain {

struct SparseEntry {
  uint32_t column;
  float value;
};

// n rows; row i is entries[begin[i] .. begin[i+1]), columns distinct within a row and below `columns`.
struct SparseMatrix {
  std::vector<uint64_t> begin{0};
  LargeVector<SparseEntry> entries;
  uint32_t columns = 0;

  size_t rows() const noexcept { return begin.size() - 1; }
  std::span<const SparseEntry> row(size_t i) const noexcept {
    return {entries.data() + begin[i], entries.data() + begin[i + 1]};
  }
  size_t bytes() const noexcept {
    return begin.capacity() * sizeof(uint64_t) + entries.capacity() * sizeof(SparseEntry);
  }
};

}  // namespace retrain
