// Blocks of encoded rows and their products with weights.
#include "core/tabular/encoded_rows.h"

#include <algorithm>

#include "core/base/eigen.h"

namespace retrain {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const RowMajor, Eigen::Unaligned>;
using Map = Eigen::Map<RowMajor, Eigen::Unaligned>;

}  // namespace

EncodedRows::EncodedRows(const Table& table, const Encoder& encoder, std::span<const uint32_t> place_of, size_t first,
                         size_t n, uint64_t keep_bytes)
    : table_(table), encoder_(encoder), place_of_(place_of), first_(first), n_(n) {
  const uint64_t block_bytes =
      kBlockRows * (encoder.n_dense() * sizeof(double) + encoder.n_categories() * sizeof(uint32_t)) + 128;
  n_kept_ = static_cast<size_t>(std::min<uint64_t>(n_blocks(), keep_bytes / block_bytes));
  kept_.resize(n_kept_);
}

const EncodedBlock& EncodedRows::Block(size_t block, EncodedBlock& scratch) const {
  EncodedBlock& target = block < n_kept_ ? kept_[block] : scratch;
  if (block >= n_kept_ || target.rows == 0) {
    const size_t first = first_of(block);
    encoder_.EncodeRows(table_, place_of_, first_ + first, std::min(kBlockRows, n_ - first), true, target);
  }
  return target;
}

void BlockMargins(const Encoder& encoder, const EncodedBlock& block, std::span<const double> weights,
                  std::span<const double> bias, size_t k, std::vector<double>& out) {
  const size_t d = encoder.n_dense(), n_categories = encoder.n_categories();
  out.resize(block.rows * k);
  Map margins(out.data(), static_cast<Eigen::Index>(block.rows), static_cast<Eigen::Index>(k));
  if (bias.empty())
    margins.setZero();
  else
    margins.rowwise() =
        Eigen::Map<const Eigen::RowVectorXd, Eigen::Unaligned>(bias.data(), static_cast<Eigen::Index>(k));
  if (d > 0)
    margins.noalias() +=
        ConstMap(block.dense.data(), static_cast<Eigen::Index>(block.rows), static_cast<Eigen::Index>(d)) *
        ConstMap(weights.data(), static_cast<Eigen::Index>(d), static_cast<Eigen::Index>(k));
  for (size_t r = 0; r < block.rows; ++r) {
    double* row = out.data() + r * k;
    for (size_t c = 0; c < n_categories; ++c) {
      const uint32_t code = block.codes[r * n_categories + c];
      if (code == kNoCode) continue;
      const double* w = weights.data() + (d + encoder.categories()[c].first + code) * k;
      for (size_t j = 0; j < k; ++j) row[j] += w[j];
    }
  }
}

void AddBlockGradient(const Encoder& encoder, const EncodedBlock& block, std::span<const double> residuals, size_t k,
                      std::span<double> gradient) {
  const size_t d = encoder.n_dense(), n_categories = encoder.n_categories();
  if (d > 0)
    Map(gradient.data(), static_cast<Eigen::Index>(d), static_cast<Eigen::Index>(k)).noalias() +=
        ConstMap(block.dense.data(), static_cast<Eigen::Index>(block.rows), static_cast<Eigen::Index>(d)).transpose() *
        ConstMap(residuals.data(), static_cast<Eigen::Index>(block.rows), static_cast<Eigen::Index>(k));
  for (size_t r = 0; r < block.rows; ++r) {
    const double* row = residuals.data() + r * k;
    for (size_t c = 0; c < n_categories; ++c) {
      const uint32_t code = block.codes[r * n_categories + c];
      if (code == kNoCode) continue;
      double* g = gradient.data() + (d + encoder.categories()[c].first + code) * k;
      for (size_t j = 0; j < k; ++j) g[j] += row[j];
    }
  }
}

void ExpandRow(const Encoder& encoder, const EncodedBlock& block, size_t row, std::span<double> out) {
  const size_t d = encoder.n_dense(), n_categories = encoder.n_categories();
  std::copy_n(block.dense.begin() + static_cast<ptrdiff_t>(row * d), d, out.begin());
  std::fill(out.begin() + static_cast<ptrdiff_t>(d), out.end(), 0.0);
  for (size_t c = 0; c < n_categories; ++c) {
    const uint32_t code = block.codes[row * n_categories + c];
    if (code != kNoCode) out[d + encoder.categories()[c].first + code] = 1;
  }
}

}  // namespace retrain
