// Checks shared by the linear fits (see problem.h). They guard every index that the kernels use unchecked.
#include "core/linear/problem.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/base/error.h"

namespace retrain {
namespace {

[[noreturn]] void Refuse(std::string message, std::string detail = {}) {
  throw Error(ErrorCode::kInvalidParameter, std::move(message), std::move(detail));
}

bool AllPositive(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v) && v > 0; });
}

void CheckFeatures(const SparseMatrix& rows) {
  const bool ordered = std::is_sorted(rows.begin.begin(), rows.begin.end());
  if (!ordered || rows.begin.front() != 0 || rows.begin.back() != rows.entries.size())
    Refuse("feature rows do not add up to the feature matrix");
  if (rows.columns == std::numeric_limits<uint32_t>::max()) Refuse("too many features");
  for (const SparseEntry& entry : rows.entries) {
    if (entry.column >= rows.columns) Refuse("feature column out of range");
    if (!std::isfinite(entry.value)) Refuse("feature value is not finite");
  }
}

void CheckFolds(const LinearOptions& options, size_t n) {
  if (options.folds < 0 || options.folds > 20)
    Refuse("number of folds out of range", std::to_string(options.folds) + " folds, allowed are 0 to 20");
  if (options.folds < 2) return;
  if (options.fold_of_row.size() != n) Refuse("every row needs a fold");
  for (const uint8_t fold : options.fold_of_row)
    if (fold >= options.folds && fold != kNeverHeldOut) Refuse("fold of a row out of range");
}

}  // namespace

void CheckLinearProblem(const LinearProblem& problem, const LinearOptions& options) {
  if (problem.rows == nullptr || problem.rows->begin.empty()) Refuse("no feature matrix");
  const size_t n = problem.rows->rows();
  if (n == 0) Refuse("no training rows");
  if (n > std::numeric_limits<int32_t>::max())
    throw Error(ErrorCode::kLimitExceeded, "too many training rows", std::to_string(n) + " rows");
  if (problem.n_classes < 2) Refuse("a classifier needs at least two classes");
  if (problem.n_classes > std::numeric_limits<int32_t>::max()) Refuse("too many classes");
  if (problem.labels.size() != n) Refuse("every row needs a label");
  if (problem.row_weights.size() != n) Refuse("every row needs a weight");
  if (problem.class_weights.size() != problem.n_classes) Refuse("every class needs a weight");
  for (const uint32_t label : problem.labels)
    if (label >= problem.n_classes) Refuse("label out of range");
  if (!AllPositive(problem.row_weights)) Refuse("row weights must be positive and finite");
  if (!AllPositive(problem.class_weights)) Refuse("class weights must be positive and finite");
  if (!(options.c > 0) || !std::isfinite(options.c)) Refuse("c must be positive and finite");
  if (!(options.tolerance >= 0) || options.max_epochs < 0) Refuse("tolerance and max_epochs must not be negative");
  CheckFeatures(*problem.rows);
  CheckFolds(options, n);
}

ByteSum& ByteSum::Add(std::initializer_list<uint64_t> factors) {
  uint64_t product = 1;
  bool overflow = false;
  for (const uint64_t factor : factors) overflow |= __builtin_mul_overflow(product, factor, &product);
  overflow |= __builtin_add_overflow(total_, product, &total_);
  if (overflow) throw Error(ErrorCode::kLimitExceeded, "the size of the training state exceeds 64 bits");
  return *this;
}

}  // namespace retrain
