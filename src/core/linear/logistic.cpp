// Multinomial logistic regression by limited-memory BFGS.
//
//   min_{W,b}  f = sum_i c_i [ log sum_k exp(w_k.x_i + b_k) - (w_y(i).x_i + b_y(i)) ] + 1/(2C) sum_k |w_k|^2,
//   c_i = row_weight_i * class_weight_y(i); the intercepts b_k are not penalised (scikit-learn's LogisticRegression).
//
// Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical Programming 45, 1989,
// Algorithm 2.1 with the two-loop recursion, and backtracking to the Armijo condition. One evaluation is two passes:
//
//   (A) by rows: margins, probabilities p_ik (n × K floats) and the loss of each row;
//   (B) by blocks of 16 classes: gradient_k = sum_i c_i (p_ik - [y(i) = k]) x_i + w_k / C.
//
// Passes over rows, blocks and vectors are cut into tasks that write disjoint places and can be left after every slice;
// sums over tasks are taken in their order, so the result is the same on any number of threads and for any step length.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-trapping-math")  // without the second the loops over LaneExp() are not vectorised
#endif
#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <functional>
#include <vector>

#include "core/base/clones.h"
#include "core/base/lane_math.h"
#include "core/base/math.h"
#include "core/base/parallel.h"
#include "core/base/resumable.h"
#include "core/linear/lanes.h"
#include "core/linear/linear.h"
#include "core/linear/problem.h"
#include "core/linear/quantise.h"

namespace retrain {
namespace {

constexpr size_t kMemory = 10;
constexpr int kMaxIterations = 200;
constexpr double kTolerance = 1e-6;  // of the largest entry of the gradient of f / sum_i c_i
constexpr double kLossNoise = 1e-8;  // relative error of f from margins in float
constexpr size_t kRowsPerTask = 64;
constexpr size_t kVectorChunk = 4096;  // LaneRows per task of a vector operation
constexpr uint64_t kSliceEntries = 32768;

// One vector of the optimisation: for every block of 16 classes (columns + 1) rows of 16 lanes, the last the intercepts.
using Vector = std::vector<LaneRow>;

// out = f x + a y; out may be x or y.
RETRAIN_CLONES void Combine(LaneRow* out, float f, const LaneRow* x, float a, const LaneRow* y, size_t n) {
  for (size_t i = 0; i < n; ++i)
    for (uint32_t l = 0; l < kLanes; ++l) out[i].at[l] = f * x[i].at[l] + a * y[i].at[l];
}

RETRAIN_CLONES void LaneDots(const LaneRow* x, const LaneRow* y, size_t n, double* sums) {
  for (size_t i = 0; i < n; ++i)
    for (uint32_t l = 0; l < kLanes; ++l) sums[l] += static_cast<double>(x[i].at[l]) * static_cast<double>(y[i].at[l]);
}

RETRAIN_CLONES void ExpLanes(const double* x, size_t n, double* out) {
  for (size_t k = 0; k < n; ++k) out[k] = LaneExp(x[k]);
}

double ChunkDot(const LaneRow* x, const LaneRow* y, size_t n) {
  double lanes[kLanes] = {}, total = 0;
  LaneDots(x, y, n, lanes);
  for (const double lane : lanes) total += lane;
  return total;
}

class LogisticFit final : public LinearFit {
 public:
  LogisticFit(const LinearProblem& problem, const LinearOptions& options) : problem_(problem), options_(options) {
    CheckLinearProblem(problem, options);
    if (options_.tolerance == 0) options_.tolerance = kTolerance;
    if (options_.max_epochs == 0) options_.max_epochs = kMaxIterations;
    n_ = problem.rows->rows();
    columns_ = problem.rows->columns;
    blocks_ = BlockCount(problem.n_classes);
    block_rows_ = size_t{columns_} + 1;
    for (Vector* v : {&weights_, &trial_, &gradient_, &trial_gradient_, &direction_}) v->resize(blocks_ * block_rows_);
    probabilities_.resize(n_ * blocks_);
    costs_.reserve(n_);
    for (size_t i = 0; i < n_; ++i)
      costs_.push_back(static_cast<double>(problem.row_weights[i]) * problem.class_weights[problem.labels[i]]);
    stored_ = EmptyWeights(columns_, problem.n_classes);
    if (options.folds >= 2) held_out_.resize(HeldOutRows(n_, options.held_out_rows) * problem.n_classes);
    run_ = Run();
  }

  bool Step(const StepBudget& budget) override {
    budget_ = &budget;
    return run_.Resume();
  }
  double Progress() const override { return progress_; }
  LinearWeights TakeWeights() override { return std::move(stored_); }
  LargeVector<float> TakeHeldOutMargins() override { return std::move(held_out_); }

 private:
  struct Pair {
    Vector s, y;
    double rho = 0, y_dot_y = 0;
  };

  Resumable Run();
  Resumable Minimise(int fold);
  Resumable Search(int fold, double slope, bool& lower);
  Resumable Direction();
  Resumable Remember();
  Resumable Evaluate(int fold, const Vector& weights, Vector& gradient);
  Resumable KeepHeldOut(int fold);
  Resumable Pass(Vector& out, double f, const Vector& x, double a, const Vector& y, const Vector* z);
  Resumable Tasks(size_t n_tasks, std::function<bool(size_t)> slice);

  void ScoreRows(size_t task, int fold, const Vector& weights);
  void RowMargins(std::span<const SparseEntry> row, const Vector& weights, double* margins) const;
  bool GradientSlice(uint32_t block, const Vector& weights, Vector& gradient);
  double LargestEntry() const;
  bool Trained(size_t i, int fold) const { return fold < 0 || options_.fold_of_row[i] != fold; }

  LinearProblem problem_;
  LinearOptions options_;
  size_t n_ = 0, block_rows_ = 0;
  uint32_t columns_ = 0, blocks_ = 0;
  std::vector<double> costs_;  // c_i
  Vector weights_, trial_, gradient_, trial_gradient_, direction_;
  std::vector<LaneRow> probabilities_;  // n × blocks: c_i (p_ik - [y(i) = k]), 0 in padding lanes
  std::deque<Pair> pairs_;
  std::vector<double> partial_;                 // one sum per task
  std::vector<size_t> cursor_;                  // of pass (B), per block
  double loss_ = 0, trial_loss_ = 0, dot_ = 0;  // results of Evaluate and Pass
  LinearWeights stored_;
  LargeVector<float> held_out_;
  double progress_ = 0;
  const StepBudget* budget_ = nullptr;  // of the step that is running
  Resumable run_;
};

Resumable LogisticFit::Run() {
  const double share = options_.folds >= 2 ? 1.0 / (1 + options_.folds) : 1.0;
  for (Resumable fit = Minimise(-1); !fit.Resume();) co_await Pause{};
  for (Resumable store = Tasks(blocks_,
                               [this](size_t block) {
                                 StoreBlock(weights_.data() + block * block_rows_, static_cast<uint32_t>(block),
                                            stored_);
                                 return true;
                               });
       !store.Resume();)
    co_await Pause{};
  if (options_.folds >= 2) {
    for (Resumable keep = KeepHeldOut(kNeverHeldOut); !keep.Resume();) co_await Pause{};
    const Vector full = weights_;
    for (int fold = 0; fold < options_.folds; ++fold) {
      progress_ = share * (fold + 1);
      std::copy(full.begin(), full.end(), weights_.begin());
      for (Resumable fit = Minimise(fold); !fit.Resume();) co_await Pause{};
      for (Resumable keep = KeepHeldOut(fold); !keep.Resume();) co_await Pause{};
    }
  }
  progress_ = 1;
}

// Algorithm 2.1 over the rows outside `fold`; starts at weights_ and leaves the minimum there.
Resumable LogisticFit::Minimise(int fold) {
  pairs_.clear();
  double total_cost = 0;
  for (size_t i = 0; i < n_; ++i) total_cost += Trained(i, fold) ? costs_[i] : 0;
  if (total_cost == 0) co_return;
  const double base = progress_, share = options_.folds >= 2 ? 1.0 / (1 + options_.folds) : 1.0;
  for (Resumable e = Evaluate(fold, weights_, gradient_); !e.Resume();) co_await Pause{};
  loss_ = trial_loss_;
  for (int iteration = 0; iteration < options_.max_epochs; ++iteration) {
    if (LargestEntry() <= options_.tolerance * total_cost) break;
    progress_ = base + share * iteration / options_.max_epochs;
    for (Resumable d = Direction(); !d.Resume();) co_await Pause{};
    if (!(dot_ < 0)) break;  // not a descent any more: the gradient is down to rounding
    bool lower = false;
    for (Resumable s = Search(fold, dot_, lower); !s.Resume();) co_await Pause{};
    if (!lower) break;
    for (Resumable r = Remember(); !r.Resume();) co_await Pause{};
    const double gain = loss_ - trial_loss_;
    loss_ = trial_loss_;
    if (gain <= kLossNoise * 0.1 * std::abs(loss_)) break;
  }
  pairs_.clear();
}

// Backtracks from the full step; leaves the point in trial_, its loss and gradient beside it.
Resumable LogisticFit::Search(int fold, double slope, bool& lower) {
  double length = pairs_.empty() ? std::min(1.0, 1.0 / std::sqrt(-slope)) : 1.0;
  for (int trial = 0; trial < 20 && !lower; ++trial, length /= 2) {
    for (Resumable p = Pass(trial_, 1, weights_, length, direction_, nullptr); !p.Resume();) co_await Pause{};
    for (Resumable e = Evaluate(fold, trial_, trial_gradient_); !e.Resume();) co_await Pause{};
    lower = trial_loss_ <= loss_ + 1e-4 * length * slope + kLossNoise * std::abs(loss_);
  }
}

// The two-loop recursion: direction_ = -H gradient_, dot_ = gradient_.direction_.
Resumable LogisticFit::Direction() {
  const size_t m = pairs_.size();
  std::vector<double> alpha(m);
  const Vector* first = m > 0 ? &pairs_[m - 1].s : &gradient_;
  for (Resumable p = Pass(direction_, -1, gradient_, 0, gradient_, first); !p.Resume();) co_await Pause{};
  if (m == 0) co_return;
  for (size_t i = m; i-- > 0;) {
    alpha[i] = pairs_[i].rho * dot_;
    const Vector* next = i > 0 ? &pairs_[i - 1].s : nullptr;
    for (Resumable p = Pass(direction_, 1, direction_, -alpha[i], pairs_[i].y, next); !p.Resume();) co_await Pause{};
  }
  const double scale = 1 / (pairs_[m - 1].rho * pairs_[m - 1].y_dot_y);
  for (Resumable p = Pass(direction_, scale, direction_, 0, direction_, &pairs_[0].y); !p.Resume();) co_await Pause{};
  for (size_t i = 0; i < m; ++i) {
    const double beta = pairs_[i].rho * dot_;
    const Vector* next = i + 1 < m ? &pairs_[i + 1].y : &gradient_;
    for (Resumable p = Pass(direction_, 1, direction_, alpha[i] - beta, pairs_[i].s, next); !p.Resume();)
      co_await Pause{};
  }
}

// Moves to the trial point; keeps s and y when the curvature along s is positive.
Resumable LogisticFit::Remember() {
  Pair pair;
  if (pairs_.size() == kMemory) {
    pair = std::move(pairs_.front());
    pairs_.pop_front();
  } else {
    pair.s.resize(weights_.size());
    pair.y.resize(weights_.size());
  }
  for (Resumable p = Pass(pair.s, 1, trial_, -1, weights_, nullptr); !p.Resume();) co_await Pause{};
  for (Resumable p = Pass(pair.y, 1, trial_gradient_, -1, gradient_, &pair.s); !p.Resume();) co_await Pause{};
  const double curvature = dot_;
  for (Resumable p = Pass(pair.y, 1, pair.y, 0, pair.y, &pair.y); !p.Resume();) co_await Pause{};
  weights_.swap(trial_);
  gradient_.swap(trial_gradient_);
  if (curvature <= 1e-12 * dot_) co_return;
  pair.rho = 1 / curvature;
  pair.y_dot_y = dot_;
  pairs_.push_back(std::move(pair));
}

// Sets trial_loss_ and the gradient at `weights`.
Resumable LogisticFit::Evaluate(int fold, const Vector& weights, Vector& gradient) {
  const size_t row_tasks = (n_ + kRowsPerTask - 1) / kRowsPerTask;
  partial_.assign(row_tasks, 0);
  for (Resumable a = Tasks(row_tasks, [&](size_t task) { return ScoreRows(task, fold, weights), true; }); !a.Resume();)
    co_await Pause{};
  double loss = 0;
  for (const double part : partial_) loss += part;

  cursor_.assign(blocks_, 0);
  partial_.assign(blocks_, 0);
  for (Resumable b =
           Tasks(blocks_, [&](size_t t) { return GradientSlice(static_cast<uint32_t>(t), weights, gradient); });
       !b.Resume();)
    co_await Pause{};
  for (const double part : partial_) loss += 0.5 / options_.c * part;
  trial_loss_ = loss;
}

// Pass (A) for one task of rows.
void LogisticFit::ScoreRows(size_t task, int fold, const Vector& weights) {
  const uint32_t n_classes = problem_.n_classes;
  std::vector<double> margins(blocks_ * kLanes), e(blocks_ * kLanes);
  const size_t end = std::min(n_, (task + 1) * kRowsPerTask);
  for (size_t i = task * kRowsPerTask; i < end; ++i) {
    float* out = probabilities_[i * blocks_].at;
    std::fill(out, out + blocks_ * kLanes, 0.0f);
    if (!Trained(i, fold)) continue;
    RowMargins(problem_.rows->row(i), weights, margins.data());
    const uint32_t own = problem_.labels[i];
    const double top = *std::max_element(margins.begin(), margins.begin() + n_classes), own_margin = margins[own];
    for (uint32_t k = 0; k < n_classes; ++k) margins[k] -= top;
    ExpLanes(margins.data(), n_classes, e.data());
    double sum = 0;
    for (uint32_t k = 0; k < n_classes; ++k) sum += e[k];
    const double factor = costs_[i] / sum;
    for (uint32_t k = 0; k < n_classes; ++k) out[k] = static_cast<float>(factor * e[k]);
    out[own] = static_cast<float>(costs_[i] * (e[own] / sum - 1.0));
    partial_[task] += costs_[i] * (Log(sum) + top - own_margin);
  }
}

// margins: blocks × 16.
void LogisticFit::RowMargins(std::span<const SparseEntry> row, const Vector& weights, double* margins) const {
  LaneRow lanes;
  for (uint32_t block = 0; block < blocks_; ++block) {
    LaneMargins(row, weights.data() + block * block_rows_, columns_, lanes);
    for (uint32_t l = 0; l < kLanes; ++l) margins[block * kLanes + l] = static_cast<double>(lanes.at[l]);
  }
}

// Pass (B), a slice of one block of classes: first the penalty's part feature by feature, then row by row.
bool LogisticFit::GradientSlice(uint32_t block, const Vector& weights, Vector& gradient) {
  const LaneRow* w = weights.data() + block * block_rows_;
  LaneRow* g = gradient.data() + block * block_rows_;
  size_t& at = cursor_[block];
  if (at < columns_) {
    const size_t count = std::min<size_t>(kVectorChunk, columns_ - at);
    Combine(g + at, static_cast<float>(1 / options_.c), w + at, 0.0f, w + at, count);
    partial_[block] += ChunkDot(w + at, w + at, count);
    at += count;
    return false;
  }
  if (at == columns_) g[columns_] = LaneRow{};
  uint64_t entries = 0;
  for (; at < columns_ + n_ && entries < kSliceEntries; ++at) {
    const std::span<const SparseEntry> x = problem_.rows->row(at - columns_);
    LaneAdd(x, probabilities_[(at - columns_) * blocks_ + block], g, columns_);
    entries += x.size() + 8;
  }
  return at == columns_ + n_;
}

double LogisticFit::LargestEntry() const {
  float largest = 0;
  for (const LaneRow& row : gradient_)
    for (const float value : row.at) largest = std::max(largest, std::abs(value));
  return static_cast<double>(largest);
}

// Writes the margins of the rows that the fold holds out.
Resumable LogisticFit::KeepHeldOut(int fold) {
  const auto score = [this, fold](size_t task) {
    std::vector<double> margins(blocks_ * kLanes);
    const size_t end = std::min(HeldOutRows(n_, options_.held_out_rows), (task + 1) * kRowsPerTask);
    for (size_t i = task * kRowsPerTask; i < end; ++i) {
      if (options_.fold_of_row[i] != fold) continue;
      RowMargins(RowToScore(problem_, options_, i, i), weights_, margins.data());
      std::transform(margins.begin(), margins.begin() + problem_.n_classes, held_out_.data() + i * problem_.n_classes,
                     [](double margin) { return static_cast<float>(margin); });
    }
    return true;
  };
  for (Resumable t = Tasks((n_ + kRowsPerTask - 1) / kRowsPerTask, score); !t.Resume();) co_await Pause{};
}

// out = f x + a y, and dot_ = out.z unless z is null.
Resumable LogisticFit::Pass(Vector& out, double f, const Vector& x, double a, const Vector& y, const Vector* z) {
  const size_t n_tasks = (out.size() + kVectorChunk - 1) / kVectorChunk;
  partial_.assign(n_tasks, 0);
  const auto chunk = [&, this](size_t task) {
    const size_t from = task * kVectorChunk, count = std::min(kVectorChunk, out.size() - from);
    Combine(out.data() + from, static_cast<float>(f), x.data() + from, static_cast<float>(a), y.data() + from, count);
    if (z != nullptr) partial_[task] = ChunkDot(out.data() + from, z->data() + from, count);
    return true;
  };
  for (Resumable t = Tasks(n_tasks, chunk); !t.Resume();) co_await Pause{};
  dot_ = 0;
  for (const double part : partial_) dot_ += part;
}

// Runs every task by slices until it returns true; pauses when the budget of the step has ended. Unless it is to stop,
// at least one slice is done, so that even a step whose deadline has passed before its threads have started gets on.
Resumable LogisticFit::Tasks(size_t n_tasks, std::function<bool(size_t)> slice) {
  std::vector<uint8_t> done(n_tasks);
  for (;;) {
    std::atomic<bool> advanced{budget_->stop.Requested()};
    ParallelFor(n_tasks, budget_->threads, [&](size_t task) {
      while (!done[task] && (!advanced.exchange(true) || !budget_->Expired())) done[task] = slice(task);
    });
    if (std::find(done.begin(), done.end(), uint8_t{0}) == done.end()) co_return;
    co_await Pause{};
  }
}

}  // namespace

std::unique_ptr<LinearFit> MakeLogisticFit(const LinearProblem& problem, const LinearOptions& options) {
  return std::make_unique<LogisticFit>(problem, options);
}

uint64_t LogisticFitBytes(uint64_t n_rows, uint64_t n_features, uint64_t n_classes, int folds, int threads,
                          uint64_t held_out_rows) {
  const uint64_t blocks = n_classes / kLanes + (n_classes % kLanes != 0);
  const uint64_t vectors = 2 * kMemory + 5 + (folds >= 2 ? 1 : 0);
  ByteSum sum;
  sum.Add({vectors, blocks, sizeof(LaneRow), n_features}).Add({vectors, blocks, sizeof(LaneRow)});
  sum.Add({n_rows, blocks, sizeof(LaneRow)}).Add({n_rows, sizeof(double)});
  sum.Add({n_features, blocks, kLanes}).Add({2 * sizeof(float), blocks, kLanes});
  sum.Add({static_cast<uint64_t>(std::max(threads, 1)), 2 * sizeof(double), blocks, kLanes});
  if (folds >= 2) sum.Add({HeldOutRows(n_rows, held_out_rows), n_classes, sizeof(float)});
  return sum.total();
}

}  // namespace retrain
