// Linear classifiers: the problem, the options, the weights, and the resumable fit that leads from one to the other.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/large_vector.h"
#include "core/base/stop.h"
#include "core/linear/sparse.h"

namespace retrain {

// Number of classes that one kernel call works on. Every class is a lane of its own and nothing is reduced across
// lanes, so the same bits come out at any vector width and on any number of threads.
inline constexpr uint32_t kLanes = 16;

// n rows over d = rows.columns features, K = n_classes >= 2. The spans must outlive the fit.
struct LinearProblem {
  const SparseMatrix* rows = nullptr;
  std::span<const uint32_t> labels;      // n, each < n_classes
  std::span<const float> row_weights;    // n, > 0
  std::span<const float> class_weights;  // n_classes, > 0: multiplies the cost of a class' own rows
  uint32_t n_classes = 0;
};

// A solution of the dual, sparse: row i has entries[begin[i] .. begin[i + 1]), classes ascending, alphas above 0. Of logistic
// regression the alphas are the largest of the row's distribution, the rest of which the other classes share.
struct DualSolution {
  struct Entry {
    uint32_t label;
    float alpha;
  };
  std::vector<uint64_t> begin{0};
  std::vector<Entry> entries;
  std::vector<float> intercepts{};  // n_classes where the duals do not determine them, else empty

  size_t bytes() const noexcept {
    return begin.capacity() * sizeof(uint64_t) + entries.capacity() * sizeof(Entry) +
           intercepts.capacity() * sizeof(float);
  }
};

// Rows that are scored in the place of the problem's own, where a fit that has not seen those would read them differently.
struct StandIns {
  static constexpr uint32_t kItself = UINT32_MAX;
  std::vector<uint32_t> at;  // per scored row: its row in `rows`, or kItself
  SparseMatrix rows;         // columns as the problem's

  // What the h-th scored row is scored as.
  std::span<const SparseEntry> row(size_t h, std::span<const SparseEntry> itself) const noexcept {
    return at[h] == kItself ? itself : rows.row(at[h]);
  }
  size_t bytes() const noexcept { return at.capacity() * sizeof(uint32_t) + rows.bytes(); }
};

struct LinearOptions {
  double c = 1.0;          // > 0, inverse regularisation strength
  double tolerance = 0.0;  // 0: the solver's own default
  int max_epochs = 0;      // 0: the solver's own default
  uint64_t seed = 42;
  int folds = 0;                         // 0 or 1: no held-out margins; else 2..20
  std::span<const uint8_t> fold_of_row;  // n when folds >= 2: fold in which the row is held out
  int max_threads = 0;                   // of a step's, as memory allows; 0: all
  uint64_t held_out_rows = UINT64_MAX;   // of the first so many rows margins are wanted
  // For fits that start from duals. start: the solution of a problem much like this one, n rows; null: from nothing.
  // fresh_rows: the rows it knows nothing of, ascending.
  const DualSolution* start = nullptr;
  std::span<const uint32_t> fresh_rows;
  // Of the rows that TakeHeldOutMargins() is about, in their order; null: every row stands for itself.
  const StandIns* stand_ins = nullptr;
  bool keep_duals = false;  // so that TakeDuals() has something to give
};

// Weights as they are served: one signed byte each with one scale per class; margin of class k for features x is
// bias[k] + scale[k] * sum_j x_j * q[j * stride + k].
struct LinearWeights {
  uint32_t n_features = 0;
  uint32_t n_classes = 0;
  uint32_t stride = 0;       // n_classes rounded up to a multiple of kLanes; padding lanes are zero
  std::vector<int8_t> q;     // n_features × stride, feature-major
  std::vector<float> scale;  // stride
  std::vector<float> bias;   // stride
};

// A fit is advanced by steps and owns all its state; results are valid once Step() has returned true.
class LinearFit {
 public:
  virtual ~LinearFit() = default;

  // Works until done (returns true) or until the budget ends (returns false). Throws Error.
  virtual bool Step(const StepBudget& budget) = 0;
  // Share of the work done, 0..1, never falling.
  virtual double Progress() const = 0;
  virtual LinearWeights TakeWeights() = 0;
  // min(n, held_out_rows) × n_classes, row-major: row i's margins under the fit that did not see fold_of_row[i]. Without folds
  // and with a start: fresh_rows × n_classes, the margins of the start. Else empty.
  virtual LargeVector<float> TakeHeldOutMargins() = 0;
  // The duals of the fit over all rows; nothing when it keeps none, or more of them than kMaxDualsPerRow allows.
  virtual std::optional<DualSolution> TakeDuals() { return std::nullopt; }
};

// A solution with more alphas a row, on average, is not kept: intents that are told apart at all need three or so.
inline constexpr uint64_t kMaxDualsPerRow = 8;

// One-vs-rest linear SVM with squared hinge loss (svm_dual.cpp) and multinomial logistic regression (logistic.cpp).
std::unique_ptr<LinearFit> MakeSvmFit(const LinearProblem& problem, const LinearOptions& options);
std::unique_ptr<LinearFit> MakeLogisticFit(const LinearProblem& problem, const LinearOptions& options);

// Bytes that a fit will hold at its peak beside the problem itself; throws Error(kLimitExceeded) when the sum overflows.
uint64_t SvmFitBytes(uint64_t n_rows, uint64_t n_features, uint64_t n_classes, int folds, int threads,
                     uint64_t held_out_rows = UINT64_MAX);
uint64_t LogisticFitBytes(uint64_t n_rows, uint64_t n_features, uint64_t n_classes, int folds, int threads,
                          uint64_t held_out_rows = UINT64_MAX);

// The table of classifiers: a new one is one file with its fit and one line in classifiers.cpp.
struct ClassifierEntry {
  const char* name;  // as written in the configuration
  std::unique_ptr<LinearFit> (*make)(const LinearProblem&, const LinearOptions&);
  uint64_t (*fit_bytes)(uint64_t n_rows, uint64_t n_features, uint64_t n_classes, int folds, int threads,
                        uint64_t held_out_rows);
  bool keeps_intercepts;  // DualSolution::intercepts is of its solutions
};
std::span<const ClassifierEntry> Classifiers();

}  // namespace retrain
