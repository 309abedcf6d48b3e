// What every linear fit checks and sums up before it starts.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "core/linear/linear.h"

namespace retrain {

// fold_of_row of a row that is never held out: its held-out margins come from the fit over all rows.
inline constexpr uint8_t kNeverHeldOut = 255;

inline uint64_t HeldOutRows(uint64_t n_rows, uint64_t wanted) noexcept { return std::min(n_rows, wanted); }

// Row i as it is scored, the h-th of those whose margins are wanted.
inline std::span<const SparseEntry> RowToScore(const LinearProblem& problem, const LinearOptions& options, size_t i,
                                               size_t h) noexcept {
  const std::span<const SparseEntry> itself = problem.rows->row(i);
  return options.stand_ins == nullptr ? itself : options.stand_ins->row(h, itself);
}

// Rows whose margins a fit gives beside its weights.
size_t RowsToScore(const LinearProblem& problem, const LinearOptions& options) noexcept;

// Throws Error when the parts do not fit together or an option is out of range.
void CheckLinearProblem(const LinearProblem& problem, const LinearOptions& options);

// A sum of products of sizes; throws Error(kLimitExceeded) when it does not fit in 64 bits.
class ByteSum {
 public:
  ByteSum& Add(std::initializer_list<uint64_t> factors);
  uint64_t total() const noexcept { return total_; }

 private:
  uint64_t total_ = 0;
};

}  // namespace retrain
