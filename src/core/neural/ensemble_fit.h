// Trains several networks on the same rows, each a task of its own (problem and algorithm: network_fit.cpp).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/stop.h"
#include "core/linear/sparse.h"
#include "core/neural/network.h"

namespace retrain {

// The columns that a network reads.
struct ColumnRange {
  uint32_t first = 0, last = 0;
};

// The sums of squared gradients of a matrix of weights as the means of its rows and of its columns: that of weight (i, j) is
// about rows[i] * columns[j] / mean(rows). Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost",
// ICML 2018.
struct SquareFactors {
  std::vector<float> rows, columns;
};

// What a network has to keep beside its weights for a later fit to go on from it.
struct NetworkSquares {
  SquareFactors input;             // last - first, hidden
  SquareFactors output;            // hidden, stride
  std::vector<float> hidden_bias;  // hidden
  std::vector<float> output_bias;  // stride
};

// Whether they have the network's sizes.
bool AreOf(const NetworkSquares& squares, const NetworkView& network) noexcept;

// Networks of an earlier model to go on from. The spans must outlive the fit.
struct NetworkRestart {
  static constexpr uint32_t kNotThere = UINT32_MAX;
  std::span<const NetworkView> networks;     // one for each range
  std::span<const NetworkSquares> squares;   // of each
  std::span<const uint32_t> column_of;       // per column: that of the earlier model, or kNotThere
  std::span<const uint32_t> class_of;        // per intent likewise
  std::span<const uint32_t> corrected_rows;  // learnt as another intent, ascending
};

// n rows of features, over K = n_classes >= 2 intents. The spans must outlive the fit.
struct NetworkProblem {
  const SparseMatrix* rows = nullptr;
  std::span<const uint32_t> labels;      // n, each < n_classes
  std::span<const float> row_weights;    // n, > 0: what a row's loss is multiplied by
  std::span<const uint32_t> train_rows;  // the rows to learn from, ascending
  uint32_t n_classes = 0;
};

struct NetworkOptions {
  uint32_t hidden = 256;            // units, a multiple of 16
  uint32_t passes = 16;             // over the rows
  uint64_t seed = 42;               // network m takes its own from it
  std::vector<ColumnRange> ranges;  // one network each, first < last
  // Not null: some of the passes alone, from there.
  const NetworkRestart* restart = nullptr;
};

// Visits of rows in one pass of one network, and in all of its fit.
uint64_t RowsOfPass(const NetworkProblem& problem, const NetworkOptions& options);
uint64_t NetworkVisits(const NetworkProblem& problem, const NetworkOptions& options);

class EnsembleFit {
 public:
  virtual ~EnsembleFit() = default;
  // Works until done (returns true) or until the budget ends (returns false). Throws Error.
  virtual bool Step(const StepBudget& budget) = 0;
  // Share of the work done, 0..1, never falling.
  virtual double Progress() const = 0;
  // One network for each range, in their order, and what to keep of each.
  virtual std::vector<Network> TakeNetworks() = 0;
  virtual std::vector<NetworkSquares> TakeSquares() = 0;
};
std::unique_ptr<EnsembleFit> MakeEnsembleFit(const NetworkProblem& problem, const NetworkOptions& options);

// Bytes that the fit of so many rows in a pass holds at its peak beside the problem: the finished networks, and twice as much to
// store them; throws Error(kLimitExceeded).
uint64_t EnsembleFitBytes(uint64_t n_rows, uint64_t n_classes, const NetworkOptions& options, int threads);

}  // namespace retrain
