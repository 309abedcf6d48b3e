// Multinomial logistic regression as a LinearFit: one minimum over all rows, from which those of the folds start (the
// mathematics is in logistic_descent.cpp). The folds are tasks of their own.
#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/parallel.h"
#include "core/linear/linear.h"
#include "core/linear/logistic_descent.h"
#include "core/linear/problem.h"
#include "core/linear/quantise.h"

namespace retrain {
namespace {

// Of the mean over rows of the largest change of a probability that a visit wants, and of the sum of all steps of an
// intercept; the largest entry of the gradient of f / sum_i c_i is then some ten times smaller.
constexpr double kTolerance = 5e-5;
constexpr int kMaxEpochs = 1000;
constexpr size_t kRowsPerSlice = 64;
constexpr double kLeastShare = 4;
// Of a row's distribution, for trainings that start from it; more do not save them a pass over the rows.
constexpr size_t kKeptPerRow = 4;
static_assert(kKeptPerRow <= kMaxDualsPerRow);

// Folds that are fitted at once, and so in memory.
uint64_t FoldsAtOnce(int folds, int threads) {
  return folds >= 2 ? static_cast<uint64_t>(std::clamp(threads, 1, folds)) : 0;
}

// One minimum and what is made of it.
struct Fit {
  int fold;
  std::unique_ptr<LogisticDescent> descent;
  bool at_minimum = false;
  size_t scored = 0;  // rows looked at

  double Progress() const noexcept { return at_minimum ? 1 : descent->Progress(); }
};

class LogisticFit final : public LinearFit {
 public:
  LogisticFit(const LinearProblem& problem, const LinearOptions& options) {
    CheckLinearProblem(problem, options);
    shared_.problem = problem;
    shared_.options = options;
    if (options.tolerance == 0) shared_.options.tolerance = kTolerance;
    if (options.max_epochs == 0) shared_.options.max_epochs = kMaxEpochs;
    shared_.blocks = BlockCount(problem.n_classes);
    ComputeTerms();
    stored_ = EmptyWeights(problem.rows->columns, problem.n_classes);
    held_out_.resize(RowsToScore(problem, options) * problem.n_classes);
    all_ = {LogisticDescent::kAllRows, std::make_unique<LogisticDescent>(shared_)};
  }

  // Unless it is to stop, at least one slice is done, so that even a step whose deadline has passed before it begins gets on.
  bool Step(const StepBudget& budget) override {
    if (budget.stop.Requested()) return false;
    while (!all_done_) {
      all_done_ = AllSlice();
      if (budget.Expired()) return all_done_ && folds_done_ == Folds();
    }
    const int threads =
        shared_.options.max_threads > 0 ? std::min(budget.threads, shared_.options.max_threads) : budget.threads;
    if (folds_done_ < Folds()) ParallelFor(FoldsAtOnce(Folds(), threads), threads, [&](size_t) { Work(budget); });
    return folds_done_ == Folds();
  }

  double Progress() const override {
    double sum = all_.Progress() + folds_done_;
    for (const Fit& fit : paused_) sum += fit.Progress();
    return sum / (1 + Folds());
  }
  LinearWeights TakeWeights() override { return std::move(stored_); }
  LargeVector<float> TakeHeldOutMargins() override { return std::move(held_out_); }
  std::optional<DualSolution> TakeDuals() override {
    if (!shared_.options.keep_duals) return std::nullopt;
    return std::move(duals_);
  }

 private:
  int Folds() const noexcept { return shared_.options.folds >= 2 ? shared_.options.folds : 0; }

  void ComputeTerms() {
    const LinearProblem& problem = shared_.problem;
    const size_t n = problem.rows->rows();
    std::vector<double> squares(n);
    shared_.costs.resize(n);
    shared_.curvatures.resize(n);
    for (size_t i = 0; i < n; ++i) {
      for (const SparseEntry& x : problem.rows->row(i)) squares[i] += static_cast<double>(x.value) * x.value;
      const double cost = static_cast<double>(problem.row_weights[i]) * problem.class_weights[problem.labels[i]];
      shared_.costs[i] = static_cast<float>(shared_.options.c * cost);
      shared_.total_cost += cost;
    }
    // The second derivative of f by an intercept is about its class' share of the costs; the centre comes to rest in few
    // epochs where that is well above the pull to it.
    const double share = shared_.options.c * shared_.total_cost / problem.n_classes;
    shared_.pull = static_cast<float>(std::max(1.0, kLeastShare / share));
    for (size_t i = 0; i < n; ++i)
      shared_.curvatures[i] =
          static_cast<float>(static_cast<double>(shared_.costs[i]) * (squares[i] + static_cast<double>(shared_.pull)));
  }

  // The minimum over all rows, then what is made of it; true when all is done.
  bool AllSlice() {
    LogisticDescent& descent = *all_.descent;
    if (!descent.Started()) {
      descent.Slice();
    } else if (Folds() == 0 && fresh_scored_ < held_out_.size() / shared_.problem.n_classes) {
      ScoreFresh();
    } else if (!all_.at_minimum) {
      all_.at_minimum = descent.Slice();
    } else if (stored_blocks_ < shared_.blocks) {
      StoreBlock(descent.Weights() + stored_blocks_, shared_.blocks, stored_blocks_, stored_);
      ++stored_blocks_;
    } else if (shared_.options.keep_duals && duals_.begin.size() <= shared_.costs.size()) {
      KeepDuals();
    } else {
      return ScoreSlice(all_);
    }
    return false;
  }

  // Fresh rows under the start.
  void ScoreFresh() {
    const size_t n_classes = shared_.problem.n_classes;
    std::vector<LaneRow> margins(shared_.blocks);
    for (size_t done = 0; done < kRowsPerSlice && fresh_scored_ < shared_.options.fresh_rows.size(); ++done) {
      const size_t h = fresh_scored_++;
      all_.descent->Margins(RowToScore(shared_.problem, shared_.options, shared_.options.fresh_rows[h], h),
                            margins.data());
      std::copy(margins.data()->at, margins.data()->at + n_classes,
                held_out_.begin() + static_cast<ptrdiff_t>(h * n_classes));
    }
  }

  void KeepDuals() {
    if (duals_.intercepts.empty()) {
      duals_.begin.reserve(shared_.costs.size() + 1);
      duals_.entries.reserve(shared_.costs.size() * kKeptPerRow);
      const LaneRow* intercepts = all_.descent->Weights() + size_t{shared_.problem.rows->columns} * shared_.blocks;
      duals_.intercepts.assign(intercepts->at, intercepts->at + shared_.problem.n_classes);
    }
    for (size_t done = 0; done < kRowsPerSlice && duals_.begin.size() <= shared_.costs.size(); ++done) {
      all_.descent->AppendLargest(static_cast<uint32_t>(duals_.begin.size() - 1), kKeptPerRow, duals_.entries);
      duals_.begin.push_back(duals_.entries.size());
    }
  }

  // The margins of rows that the fit's fold holds out; true when all of them are written.
  bool ScoreSlice(Fit& fit) {
    if (Folds() == 0) return true;
    const uint8_t own = fit.fold == LogisticDescent::kAllRows ? kNeverHeldOut : static_cast<uint8_t>(fit.fold);
    const size_t n_classes = shared_.problem.n_classes;
    const size_t rows = HeldOutRows(shared_.costs.size(), shared_.options.held_out_rows);
    std::vector<LaneRow> margins(shared_.blocks);
    for (size_t done = 0; fit.scored < rows && done < kRowsPerSlice; ++fit.scored) {
      if (shared_.options.fold_of_row[fit.scored] != own) continue;
      fit.descent->Margins(RowToScore(shared_.problem, shared_.options, fit.scored, fit.scored), margins.data());
      std::copy(margins.data()->at, margins.data()->at + n_classes,
                held_out_.begin() + static_cast<ptrdiff_t>(fit.scored * n_classes));
      ++done;
    }
    return fit.scored == rows;
  }

  bool FoldSlice(Fit& fit) {
    if (fit.at_minimum) return ScoreSlice(fit);
    fit.at_minimum = fit.descent->Slice();
    return false;
  }

  // One worker: advances folds until the budget ends or none is left. Paused ones go on before others begin, so there are
  // never more in memory than workers.
  void Work(const StepBudget& budget) {
    do {
      Fit fit{};
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!paused_.empty()) {
          fit = std::move(paused_.front());
          paused_.pop_front();
        } else if (next_fold_ < Folds()) {
          fit.fold = next_fold_++;
        } else {
          return;
        }
      }
      if (fit.descent == nullptr) fit.descent = std::make_unique<LogisticDescent>(shared_, fit.fold, *all_.descent);
      bool done = false;
      do {
        done = FoldSlice(fit);
      } while (!done && !budget.Expired());
      const std::lock_guard<std::mutex> lock(mutex_);
      if (done)
        ++folds_done_;
      else
        paused_.push_back(std::move(fit));
    } while (!budget.Expired());
  }

  LogisticShared shared_;
  Fit all_{};
  bool all_done_ = false;
  LinearWeights stored_;
  uint32_t stored_blocks_ = 0;
  size_t fresh_scored_ = 0;
  DualSolution duals_;
  LargeVector<float> held_out_;  // held-out rows × classes
  // Guarded by mutex_ while workers run.
  std::mutex mutex_;
  std::deque<Fit> paused_;
  int next_fold_ = 0, folds_done_ = 0;
};

}  // namespace

std::unique_ptr<LinearFit> MakeLogisticFit(const LinearProblem& problem, const LinearOptions& options) {
  return std::make_unique<LogisticFit>(problem, options);
}

uint64_t LogisticFitBytes(uint64_t n_rows, uint64_t n_features, uint64_t n_classes, int folds, int threads,
                          uint64_t held_out_rows) {
  const uint64_t blocks = n_classes / kLanes + (n_classes % kLanes != 0);
  ByteSum sum;
  sum.Add({1 + FoldsAtOnce(folds, threads), LogisticDescent::Bytes(n_rows, n_features, n_classes)});
  sum.Add({n_rows, 2 * sizeof(float) + sizeof(double)});
  sum.Add({n_rows, kKeptPerRow * sizeof(DualSolution::Entry) + sizeof(uint64_t)}).Add({n_classes, sizeof(float)});
  sum.Add({n_features, blocks, kLanes}).Add({2 * sizeof(float), blocks, kLanes});
  if (folds >= 2) sum.Add({HeldOutRows(n_rows, held_out_rows), n_classes, sizeof(float)});
  return sum.total();
}

}  // namespace retrain
