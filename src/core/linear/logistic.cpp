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
// Both are cut into tasks that write disjoint places; sums over tasks are taken in their order, so the result is the same
// on any number of threads.
#include <algorithm>
#include <cmath>
#include <deque>
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

constexpr int kMemory = 8;
constexpr int kMaxIterations = 200;
constexpr double kTolerance = 1e-4;  // of the largest gradient entry, times the rows
constexpr size_t kRowsPerTask = 64;
constexpr size_t kVectorChunk = 1 << 14;

// One vector of the optimisation: for every block of 16 classes (columns + 1) rows of 16 lanes, the last the intercepts.
using Vector = std::vector<LaneRow>;

RETRAIN_CLONES void ScaleAdd(const LaneRow* x, double a, size_t n, LaneRow* y) {
  const auto factor = static_cast<float>(a);
  for (size_t i = 0; i < n; ++i)
    for (uint32_t l = 0; l < kLanes; ++l) y[i].at[l] += factor * x[i].at[l];
}

RETRAIN_CLONES void LaneDots(const LaneRow* x, const LaneRow* y, size_t n, double* sums) {
  for (size_t i = 0; i < n; ++i)
    for (uint32_t l = 0; l < kLanes; ++l) sums[l] += static_cast<double>(x[i].at[l]) * static_cast<double>(y[i].at[l]);
}

RETRAIN_CLONES void ExpLanes(const double* x, size_t n, double* out) {
  for (size_t k = 0; k < n; ++k) out[k] = LaneExp(x[k]);
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
    weights_.resize(blocks_ * block_rows_);
    probabilities_.resize(n_ * blocks_ * kLanes);
    losses_.resize((n_ + kRowsPerTask - 1) / kRowsPerTask);
    for (size_t i = 0; i < n_; ++i)
      costs_.push_back(static_cast<double>(problem.row_weights[i]) * problem.class_weights[problem.labels[i]]);
    stored_ = EmptyWeights(columns_, problem.n_classes);
    if (options.folds >= 2) held_out_.resize(n_ * problem.n_classes);
    run_ = Run();
  }

  bool Step(const StepBudget& budget) override {
    budget_ = &budget;
    return run_.Resume();
  }
  double Progress() const override { return progress_; }
  LinearWeights TakeWeights() override { return std::move(stored_); }
  std::vector<float> TakeHeldOutMargins() override { return std::move(held_out_); }

 private:
  struct Pair {
    Vector s, y;
    double rho;
  };

  Resumable Run();
  Resumable Minimise(int fold);
  Resumable Evaluate(int fold, const Vector& weights, Vector& gradient);
  void ScoreRows(size_t task, int fold, const Vector& weights);
  void GradientBlock(uint32_t block, const Vector& weights, Vector& gradient) const;
  double Dot(const Vector& a, const Vector& b) const;
  void Direction(const Vector& gradient, Vector& direction) const;
  void Remember(const Vector& old_weights, const Vector& old_gradient, const Vector& gradient);
  double LargestEntry(const Vector& gradient) const;
  void KeepHeldOut(int fold);
  bool Trained(size_t i, int fold) const { return fold < 0 || options_.fold_of_row[i] != fold; }

  LinearProblem problem_;
  LinearOptions options_;
  size_t n_ = 0, block_rows_ = 0;
  uint32_t columns_ = 0, blocks_ = 0;
  std::vector<double> costs_;  // c_i
  Vector weights_;
  std::vector<float> probabilities_;  // n × blocks × 16: c_i (p_ik - [y(i) = k]), 0 in padding lanes
  std::vector<double> losses_;        // per task of rows
  double loss_ = 0;
  std::deque<Pair> pairs_;
  LinearWeights stored_;
  std::vector<float> held_out_;
  double progress_ = 0, progress_step_ = 0;
  const StepBudget* budget_ = nullptr;
  Resumable run_;
};

Resumable LogisticFit::Run() {
  const int fits = options_.folds >= 2 ? 1 + options_.folds : 1;
  progress_step_ = 1.0 / fits;
  for (Resumable fit = Minimise(-1); !fit.Resume();) co_await Pause{};
  for (uint32_t block = 0; block < blocks_; ++block) StoreBlock(weights_.data() + block * block_rows_, block, stored_);
  if (options_.folds < 2) {
    progress_ = 1;
    co_return;
  }
  KeepHeldOut(kNeverHeldOut);
  const Vector full = weights_;
  for (int fold = 0; fold < options_.folds; ++fold) {
    progress_ = progress_step_ * (fold + 1);
    weights_ = full;
    for (Resumable fit = Minimise(fold); !fit.Resume();) co_await Pause{};
    KeepHeldOut(fold);
    co_await Pause{};
  }
  progress_ = 1;
}

// Algorithm 2.1; starts at weights_ and leaves the minimum there.
Resumable LogisticFit::Minimise(int fold) {
  Vector gradient(weights_.size()), next_gradient(weights_.size()), direction(weights_.size());
  pairs_.clear();
  for (Resumable e = Evaluate(fold, weights_, gradient); !e.Resume();) co_await Pause{};
  double rows = 0;
  for (size_t i = 0; i < n_; ++i) rows += Trained(i, fold) ? costs_[i] : 0;
  const double base = progress_;
  for (int iteration = 0; iteration < options_.max_epochs; ++iteration) {
    if (LargestEntry(gradient) <= options_.tolerance * std::max(rows, 1.0) * 1e-2) break;
    progress_ = base + progress_step_ * iteration / options_.max_epochs;
    Direction(gradient, direction);
    double slope = Dot(gradient, direction);
    if (!(slope < 0)) {  // rounding spoilt the curvature: begin again with steepest descent
      pairs_.clear();
      Direction(gradient, direction);
      slope = Dot(gradient, direction);
      if (!(slope < 0)) break;
    }
    const double old_loss = loss_;
    const Vector old_weights = weights_;
    double length = pairs_.empty() ? std::min(1.0, 1.0 / std::sqrt(-slope)) : 1.0;
    bool lower = false;
    for (int trial = 0; trial < 20 && !lower; ++trial, length /= 2) {
      weights_ = old_weights;
      ScaleAdd(direction.data(), length, direction.size(), weights_.data());
      for (Resumable e = Evaluate(fold, weights_, next_gradient); !e.Resume();) co_await Pause{};
      lower = loss_ <= old_loss + 1e-4 * length * slope;
    }
    if (!lower) {
      weights_ = old_weights;
      break;
    }
    Remember(old_weights, gradient, next_gradient);
    gradient.swap(next_gradient);
    if (old_loss - loss_ <= 1e-9 * std::max(std::abs(old_loss), 1.0)) break;
    co_await Pause{};
  }
  pairs_.clear();
}

// Sets loss_ and the gradient at `weights`.
Resumable LogisticFit::Evaluate(int fold, const Vector& weights, Vector& gradient) {
  const size_t tasks = losses_.size();
  const auto wave = static_cast<size_t>(std::max(budget_->threads, 1)) * 4;
  for (size_t from = 0; from < tasks; from += wave) {
    const size_t count = std::min(wave, tasks - from);
    ParallelFor(count, budget_->threads, [&](size_t t) { ScoreRows(from + t, fold, weights); });
    if (budget_->Expired()) co_await Pause{};
  }
  loss_ = 0;
  for (const double loss : losses_) loss_ += loss;
  const double strength = 1 / options_.c;
  for (uint32_t from = 0; from < blocks_; ++from) {
    const size_t count = std::min<size_t>(static_cast<size_t>(std::max(budget_->threads, 1)), blocks_ - from);
    ParallelFor(count, budget_->threads,
                [&](size_t t) { GradientBlock(from + static_cast<uint32_t>(t), weights, gradient); });
    from += static_cast<uint32_t>(count) - 1;
    if (budget_->Expired()) co_await Pause{};
  }
  for (uint32_t block = 0; block < blocks_; ++block) {
    double squares[kLanes] = {};
    const LaneRow* w = weights.data() + block * block_rows_;
    LaneDots(w, w, columns_, squares);
    for (const double square : squares) loss_ += 0.5 * strength * square;
  }
}

// Pass A for one task of rows.
void LogisticFit::ScoreRows(size_t task, int fold, const Vector& weights) {
  const uint32_t n_classes = problem_.n_classes;
  std::vector<double> x(blocks_ * kLanes), e(x.size());
  double loss = 0;
  const size_t end = std::min(n_, (task + 1) * kRowsPerTask);
  for (size_t i = task * kRowsPerTask; i < end; ++i) {
    float* out = probabilities_.data() + i * blocks_ * kLanes;
    std::fill(out, out + blocks_ * kLanes, 0.0f);
    LaneRow margins;
    for (uint32_t block = 0; block < blocks_; ++block) {
      LaneMargins(problem_.rows->row(i), weights.data() + block * block_rows_, columns_, margins);
      for (uint32_t l = 0; l < kLanes; ++l) x[block * kLanes + l] = static_cast<double>(margins.at[l]);
    }
    const uint32_t own = problem_.labels[i];
    const double top = *std::max_element(x.begin(), x.begin() + n_classes), own_margin = x[own];
    if (!Trained(i, fold)) continue;
    for (uint32_t k = 0; k < n_classes; ++k) x[k] -= top;
    ExpLanes(x.data(), n_classes, e.data());
    double sum = 0;
    for (uint32_t k = 0; k < n_classes; ++k) sum += e[k];
    for (uint32_t k = 0; k < n_classes; ++k)
      out[k] = static_cast<float>(costs_[i] * (e[k] / sum - (k == own ? 1.0 : 0.0)));
    loss += costs_[i] * (Log(sum) + top - own_margin);
  }
  losses_[task] = loss;
}

// Pass B for one block of classes.
void LogisticFit::GradientBlock(uint32_t block, const Vector& weights, Vector& gradient) const {
  const LaneRow* w = weights.data() + block * block_rows_;
  LaneRow* g = gradient.data() + block * block_rows_;
  const auto strength = static_cast<float>(1 / options_.c);
  for (size_t j = 0; j < columns_; ++j)
    for (uint32_t l = 0; l < kLanes; ++l) g[j].at[l] = strength * w[j].at[l];
  g[columns_] = LaneRow{};
  LaneRow step;
  for (size_t i = 0; i < n_; ++i) {
    if (i % 1024 == 0) budget_->stop.Poll();
    const float* p = probabilities_.data() + (i * blocks_ + block) * kLanes;
    std::copy(p, p + kLanes, step.at);
    LaneAdd(problem_.rows->row(i), step, g, columns_);
  }
}

double LogisticFit::Dot(const Vector& a, const Vector& b) const {
  double total = 0;
  for (size_t from = 0; from < a.size(); from += kVectorChunk) {
    double sums[kLanes] = {};
    LaneDots(a.data() + from, b.data() + from, std::min(kVectorChunk, a.size() - from), sums);
    for (const double sum : sums) total += sum;
  }
  return total;
}

// The two-loop recursion: direction = -H gradient.
void LogisticFit::Direction(const Vector& gradient, Vector& direction) const {
  direction = gradient;
  std::vector<double> alpha(pairs_.size());
  for (size_t i = pairs_.size(); i-- > 0;) {
    alpha[i] = pairs_[i].rho * Dot(pairs_[i].s, direction);
    ScaleAdd(pairs_[i].y.data(), -alpha[i], direction.size(), direction.data());
  }
  double scale = 1;
  if (!pairs_.empty()) scale = 1 / (pairs_.back().rho * Dot(pairs_.back().y, pairs_.back().y));
  for (LaneRow& row : direction)
    for (float& value : row.at) value *= static_cast<float>(-scale);
  for (size_t i = 0; i < pairs_.size(); ++i) {
    const double beta = pairs_[i].rho * Dot(pairs_[i].y, direction);
    ScaleAdd(pairs_[i].s.data(), -alpha[i] - beta, direction.size(), direction.data());
  }
}

void LogisticFit::Remember(const Vector& old_weights, const Vector& old_gradient, const Vector& gradient) {
  Pair pair;
  if (pairs_.size() == kMemory) {
    pair = std::move(pairs_.front());
    pairs_.pop_front();
  }
  pair.s = weights_;
  ScaleAdd(old_weights.data(), -1, pair.s.size(), pair.s.data());
  pair.y = gradient;
  ScaleAdd(old_gradient.data(), -1, pair.y.size(), pair.y.data());
  const double curvature = Dot(pair.s, pair.y);
  if (curvature > 1e-12 * Dot(pair.y, pair.y)) {
    pair.rho = 1 / curvature;
    pairs_.push_back(std::move(pair));
  }
}

double LogisticFit::LargestEntry(const Vector& gradient) const {
  float largest = 0;
  for (const LaneRow& row : gradient)
    for (const float value : row.at) largest = std::max(largest, std::abs(value));
  return static_cast<double>(largest);
}

void LogisticFit::KeepHeldOut(int fold) {
  LaneRow margins;
  for (size_t i = 0; i < n_; ++i) {
    if (options_.fold_of_row[i] != fold) continue;
    for (uint32_t block = 0; block < blocks_; ++block) {
      LaneMargins(problem_.rows->row(i), weights_.data() + block * block_rows_, columns_, margins);
      const uint32_t lanes = std::min(kLanes, problem_.n_classes - block * kLanes);
      std::copy(margins.at, margins.at + lanes, held_out_.data() + i * problem_.n_classes + block * kLanes);
    }
  }
}

}  // namespace

std::unique_ptr<LinearFit> MakeLogisticFit(const LinearProblem& problem, const LinearOptions& options) {
  return std::make_unique<LogisticFit>(problem, options);
}

uint64_t LogisticFitBytes(uint64_t n_rows, uint64_t n_features, uint64_t n_classes, int folds, int threads) {
  const uint64_t blocks = n_classes / kLanes + (n_classes % kLanes != 0);
  constexpr uint64_t kVectors = 2 * kMemory + 7;  // pairs, weights, gradients, directions and their copies
  ByteSum sum;
  sum.Add({kVectors, blocks, sizeof(LaneRow), n_features}).Add({n_rows, blocks, kLanes, sizeof(float)});
  sum.Add({n_features, blocks, kLanes}).Add({n_rows, sizeof(double)});
  if (folds >= 2) sum.Add({n_rows, n_classes, sizeof(float)});
  return sum.total() + static_cast<uint64_t>(threads) * blocks * kLanes * 2 * sizeof(double);
}

}  // namespace retrain
