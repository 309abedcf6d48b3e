// Which labels the model doubts: confident learning.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace retrain {

// The rule of Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70, 2021.
// p_ij is row i's out-of-fold probability of class j, y_i its given label:
//
//   t_j = mean of p_ij over the rows with y_i = j                     how sure the model is of j where j is said
//   l_i = argmax p_ij over the classes j with p_ij >= t_j             the class that row i is confidently in
//
// Row i is an issue when l_i exists and is not y_i: an off-diagonal entry of the confident joint. A class that the model
// is never sure of has a low threshold of its own, so that rare or hard classes are neither flooded nor spared.
class LabelDoubt {
 public:
  explicit LabelDoubt(uint32_t n_classes) : sum_(n_classes), rows_(n_classes) {}

  // First every row; probabilities: n_classes, of the model that did not see the row.
  void Learn(std::span<const float> probabilities, uint32_t given);
  // Then, for any row: the class it is confidently in when that is not `given`.
  std::optional<uint32_t> Judge(std::span<const float> probabilities, uint32_t given) const;
  // t_j; above 1 for a class without rows, which is never suggested.
  double threshold(uint32_t k) const { return rows_[k] > 0 ? sum_[k] / static_cast<double>(rows_[k]) : 2.0; }

 private:
  std::vector<double> sum_;
  std::vector<uint64_t> rows_;
};

}  // namespace retrain
