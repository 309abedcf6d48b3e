// One minimum of multinomial logistic regression, by dual coordinate ascent over rows (see logistic_descent.cpp).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/large_vector.h"
#include "core/base/rng.h"
#include "core/linear/lanes.h"
#include "core/linear/linear.h"

namespace retrain {

// What every fit of one training shares, and nothing of it changes.
struct LogisticShared {
  LinearProblem problem;
  LinearOptions options;          // tolerance and max_epochs are set
  uint32_t blocks = 0;            // of 16 classes
  double total_cost = 0;          // of all rows: sum_i c_i
  float pull = 1;                 // beta^2
  std::vector<float> costs;       // n: C_i
  std::vector<float> curvatures;  // n: C_i (x_i.x_i + beta^2)
};

class LogisticDescent {
 public:
  static constexpr int kAllRows = -1;

  explicit LogisticDescent(const LogisticShared& shared);
  // The rows outside `fold`, from the solution of all rows, which must outlive the first slices.
  LogisticDescent(const LogisticShared& shared, int fold, const LogisticDescent& all);

  // Some rows' worth of work; true when the minimum is reached.
  bool Slice();
  // The weights are the start's, if there is one, of the rows that it knows; false only for the first slices.
  bool Started() const noexcept { return started_; }
  // Up to `most` of the largest of the row's distribution, classes ascending.
  void AppendLargest(uint32_t i, size_t most, std::vector<DualSolution::Entry>& entries) const;
  // Share of the work done, an estimate, 0..1.
  double Progress() const noexcept { return progress_; }
  // columns + 1 times `blocks` rows of 16 lanes, those of a feature side by side, the last ones the intercepts.
  const LaneRow* Weights() const noexcept { return weights_.data(); }
  // margins: `blocks` rows.
  void Margins(std::span<const SparseEntry> x, LaneRow* margins) const;

  // Bytes that one holds beside what is shared; throws Error(kLimitExceeded) on overflow.
  static uint64_t Bytes(uint64_t n_rows, uint64_t n_features, uint64_t n_classes);

 private:
  bool Trained(uint32_t i) const noexcept { return fold_ == kAllRows || shared_.options.fold_of_row[i] != fold_; }
  void StartSlice();
  void CopyRow(uint32_t i);
  void TakeUpRow(uint32_t i);
  void VisitRow(uint32_t i);
  // What a visit costs.
  uint64_t Lanes(uint32_t i) const noexcept {
    return (shared_.problem.rows->row(i).size() + 8) * shared_.blocks * kLanes;
  }
  void Move(uint32_t i);
  LaneRow* Intercepts() noexcept { return weights_.data() + size_t{shared_.problem.rows->columns} * shared_.blocks; }
  float* Row(uint32_t i) noexcept { return q_[size_t{i} * shared_.blocks].at; }
  void BeginEpoch();
  void EndEpoch();
  void MoveCentre();
  void TakeAllRows();

  const LogisticShared& shared_;
  const int fold_;
  const LogisticDescent* from_ = nullptr;  // copied while set
  LargeVector<LaneRow> weights_;           // (columns + 1) × blocks
  LargeVector<LaneRow> q_;                 // n × blocks
  std::vector<double> steps_;              // S, one sum per class
  std::vector<uint32_t> order_;
  std::vector<LaneRow> margins_, u_, inverse_, direction_, moved_;  // of the row at hand, a lane per class
  Rng rng_;
  size_t at_ = 0;     // in order_, or of the rows copied
  int settling_ = 0;  // passes over the rows that the start knows
  int epoch_ = 0, best_epoch_ = 0;
  double change_ = 0, first_change_ = 0, best_change_ = 0, progress_ = 0;
  bool taken_up_ = false, started_ = false, done_ = false;
};

}  // namespace retrain
