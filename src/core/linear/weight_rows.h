// The weights of a linear classifier as they are stored, read in place.
//
// Most weights are zero: of an n-gram that is in few messages only those of the intents it is evidence for or against. So a
// feature's row has a signed byte for each class, or where that is shorter by half only the classes that have a weight:
//
//   u32 begin[n_features + 1]   of each row in the bytes behind this array, and the end of the last one
//   rows                        of `stride` bytes: i8 per class, padding lanes zero
//                               shorter: the n classes, ascending, then an i8 for each; a class takes 1 byte where
//                               stride <= 256, 2 where it is <= 65536, else 4
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/stop.h"
#include "core/codec/bytes.h"
#include "core/linear/linear.h"
#include "core/linear/sparse.h"

namespace retrain {

std::vector<uint8_t> EncodeWeightRows(const LinearWeights& weights);

// A view; the bytes must outlive it.
class WeightRows {
 public:
  WeightRows() = default;
  // Checks every length and class; throws Error(kDataCorrupted). n_classes >= 2, stride as in LinearWeights.
  static WeightRows Decode(std::span<const uint8_t> bytes, uint32_t n_features, uint32_t n_classes, uint32_t stride);
  // Weights without an array of begins: every row has `stride` bytes.
  static WeightRows DecodeWhole(std::span<const uint8_t> bytes, uint32_t n_features, uint32_t stride);

  // acc[k] += sum_j x_j q_jk for every class k in an order that follows from x and the bytes alone; acc has `stride` numbers.
  // Every column of x is below n_features.
  void AddRows(std::span<const SparseEntry> x, const Stop& stop, float* acc) const;
  // The weight of class k in a feature's row.
  int8_t At(uint32_t column, uint32_t k) const noexcept;

 private:
  std::span<const uint8_t> row(uint32_t column) const noexcept {
    if (begin_.size() == 0) return rows_.subspan(uint64_t{column} * stride_, stride_);
    const uint32_t begin = begin_[column];
    return rows_.subspan(begin, begin_[column + size_t{1}] - begin);
  }
  uint32_t ClassOf(std::span<const uint8_t> row, uint32_t i) const noexcept;
  uint32_t Weights(std::span<const uint8_t> row) const noexcept {
    return static_cast<uint32_t>(row.size()) / (class_bytes_ + 1);
  }

  UnalignedArray<uint32_t> begin_;
  std::span<const uint8_t> rows_;
  uint32_t stride_ = 0, class_bytes_ = 1;
};

}  // namespace retrain
