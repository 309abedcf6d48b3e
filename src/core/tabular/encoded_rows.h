// Training rows in blocks of numbers, and the products that linear models and clusters are made of.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/parallel.h"
#include "core/base/stop.h"
#include "core/tabular/encoder.h"

namespace retrain {

// What the step that is running may use; resumable work looks here between its pauses.
struct Pace {
  const StepBudget* budget = nullptr;
  int most_threads = 1 << 16;  // small work is done before a second thread has begun

  bool Expired() const noexcept { return budget->Expired(); }
  int threads() const noexcept { return budget->threads < most_threads ? budget->threads : most_threads; }
  const Stop& stop() const noexcept { return budget->stop; }
};

// Standardised rows of one part of a table, kBlockRows at a time. Blocks are kept while they fit into `keep_bytes` and
// encoded again at every pass beyond. One block is asked for by one thread at a time.
class EncodedRows {
 public:
  static constexpr size_t kBlockRows = 512;

  EncodedRows(const Table& table, const Encoder& encoder, std::span<const uint32_t> place_of, size_t first, size_t n,
              uint64_t keep_bytes);

  const Encoder& encoder() const noexcept { return encoder_; }
  size_t rows() const noexcept { return n_; }
  size_t n_blocks() const noexcept { return (n_ + kBlockRows - 1) / kBlockRows; }
  size_t first_of(size_t block) const noexcept { return block * kBlockRows; }
  // The target of row i of these rows.
  double target(size_t i) const noexcept { return table_.target(first_ + i); }
  const EncodedBlock& Block(size_t block, EncodedBlock& scratch) const;

 private:
  const Table& table_;
  const Encoder& encoder_;
  std::span<const uint32_t> place_of_;
  size_t first_, n_, n_kept_;
  mutable std::vector<EncodedBlock> kept_;
};

// out (rows × k) = X W + b. weights: n_features × k, dense features first, then one-hot ones; bias: k or empty.
void BlockMargins(const Encoder& encoder, const EncodedBlock& block, std::span<const double> weights,
                  std::span<const double> bias, size_t k, std::vector<double>& out);
// gradient (n_features × k) += X^T R for R rows × k.
void AddBlockGradient(const Encoder& encoder, const EncodedBlock& block, std::span<const double> residuals, size_t k,
                      std::span<double> gradient);
// The row as one vector of n_features numbers.
void ExpandRow(const Encoder& encoder, const EncodedBlock& block, size_t row, std::span<double> out);

}  // namespace retrain
