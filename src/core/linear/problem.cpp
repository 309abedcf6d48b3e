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

void CheckStart(const LinearOptions& options, size_t n, uint32_t n_classes) {
  if (options.start == nullptr) return;
  const DualSolution& start = *options.start;
  const bool ordered = std::is_sorted(start.begin.begin(), start.begin.end());
  if (start.begin.size() != n + 1 || !ordered || start.begin.front() != 0 || start.begin.back() != start.entries.size())
    Refuse("the duals to start from do not fit the rows");
  for (size_t i = 0; i < n; ++i)
    for (uint64_t e = start.begin[i]; e < start.begin[i + 1]; ++e)
      if (start.entries[e].label >= n_classes ||
          (e > start.begin[i] && start.entries[e].label <= start.entries[e - 1].label))
        Refuse("class of a dual out of range or out of order");
  if (!start.intercepts.empty() && start.intercepts.size() != n_classes)
    Refuse("every class needs an intercept to start from");
  for (const float intercept : start.intercepts)
    if (!std::isfinite(intercept)) Refuse("intercepts to start from must be finite");
  for (const DualSolution::Entry& entry : start.entries)
    if (!(entry.alpha >= 0) || !std::isfinite(entry.alpha)) Refuse("duals must be finite and not negative");
  for (size_t f = 0; f < options.fresh_rows.size(); ++f)
    if (options.fresh_rows[f] >= n || (f > 0 && options.fresh_rows[f] <= options.fresh_rows[f - 1]))
      Refuse("fresh row out of range or out of order");
}

void CheckStandIns(const LinearProblem& problem, const LinearOptions& options) {
  if (options.stand_ins == nullptr) return;
  const StandIns& others = *options.stand_ins;
  if (others.at.size() != RowsToScore(problem, options)) Refuse("every scored row needs a stand-in");
  if (others.rows.columns != problem.rows->columns) Refuse("stand-ins have other columns than the rows");
  if (others.rows.begin.empty()) Refuse("no feature matrix");
  CheckFeatures(others.rows);
  for (const uint32_t at : others.at)
    if (at != StandIns::kItself && at >= others.rows.rows()) Refuse("stand-in out of range");
}

}  // namespace

size_t RowsToScore(const LinearProblem& problem, const LinearOptions& options) noexcept {
  if (options.folds >= 2) return HeldOutRows(problem.rows->rows(), options.held_out_rows);
  return options.start != nullptr ? options.fresh_rows.size() : 0;
}

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
  CheckStart(options, n, problem.n_classes);
  CheckStandIns(problem, options);
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
