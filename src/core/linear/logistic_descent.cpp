// Multinomial logistic regression by dual coordinate ascent, one row after the other.
//
//   min_{W,b}  f = sum_i c_i [ log sum_k exp(w_k.x_i + b_k) - (w_y(i).x_i + b_y(i)) ] + 1/(2C) sum_k |w_k|^2,
//   c_i = row_weight_i * class_weight_y(i); the intercepts b_k are not penalised (scikit-learn's LogisticRegression).
//
// With C_i = C c_i the dual has a distribution q_i over the classes for each row, and
//
//   w_k = sum_i C_i ([y(i) = k] - q_ik) x_i,   max_q  - sum_i C_i sum_k q_ik log q_ik - 1/2 sum_k |w_k|^2;
//
// at the optimum q_i is the distribution p_i that the model gives the row. A visit raises the dual over one q_i and moves
// the weights with it: Yu, Huang and Lin, "Dual coordinate descent methods for logistic regression and maximum entropy
// models", Machine Learning 85, 2011; that the whole converges linearly is shown by Shalev-Shwartz and Zhang, "Stochastic
// dual coordinate ascent methods for regularized loss minimization", JMLR 14, 2013. No vector of the size of the weights
// is kept but the weights. With u = softmax of the row's margins and a = C_i (x_i.x_i + beta^2) a visit is
//
//   (1) t_k = 1/(1 + a u_k),  rho = sum_k q_k t_k / sum_k u_k t_k,  r_k = (a q_k + rho) t_k;
//   (2) d_k = u_k r_k - q_k: where the row's dual, its entropy replaced by the parabola that touches it at u, is largest.
//       u_k r_k is positive and sums to 1, and d is a direction of ascent;
//   (3) q += s d with s = 1 where the dual still rises there, else by secants to where it stops rising.
//
// The intercepts are the weights of a feature of beta in every row that is pulled to a centre instead of to 0, and the
// centre follows the intercepts after each epoch: Rockafellar, "Augmented Lagrangians and applications of the proximal
// point algorithm in convex programming", Mathematics of Operations Research 1, 1976. At its end sum_i C_i ([y(i) = k] -
// q_ik), the steps that the intercepts have made from the centre, are 0, which says that b_k has no penalty.
//
// Rows are visited in an order drawn anew for each epoch, by one thread; lanes are summed in a fixed order.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-trapping-math")  // without the second the loops over LaneExp() are not vectorised
#endif
#include "core/linear/logistic_descent.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/clones.h"
#include "core/base/lane_math.h"
#include "core/base/math.h"
#include "core/linear/problem.h"

namespace retrain {
namespace {

constexpr int kPatience = 100;            // epochs without a smaller change: what is left is rounding
constexpr double kFoldTolerance = 10;     // held-out margins are for calibration, by a few numbers over all rows
constexpr int kMaxSecants = 8;            // of one visit
constexpr uint64_t kSliceLanes = 500000;  // features times lanes of one slice
// Over the rows that a start knows, until the weights are as near to its own as calibration asks: of each row it has but the
// largest of q.
constexpr int kSettlingPasses = 1;
constexpr float kLeastKept = 1e-6f;  // of a row's distribution

// What a visit knows of its row; the arrays have n entries.
struct RowStep {
  size_t n;
  float a;
  const float* q;
  float *u, *inverse, *direction, *slope;
};

struct RowSums {
  double slope = 0;    // of the dual at s = 1, per C_i
  double square = 0;   // sum_k d_k^2
  double log_sum = 0;  // log sum_k exp(margin_k - top)
  float top = 0;       // the largest margin
  float change = 0;    // largest |u_k - q_k|
};

RETRAIN_CLONES void Softmax(const float* __restrict margins, size_t n, float top, float* __restrict u) {
  for (size_t k = 0; k < n; ++k) u[k] = LaneExp(margins[k] - top);
}

// (1) and (2).
RETRAIN_CLONES void Direct(const RowStep& row, float over_sum, float* largest) {
  const size_t n = row.n;
  const float a = row.a;
  const float* __restrict const q = row.q;
  float* __restrict const u = row.u;
  float* __restrict const t = row.inverse;
  float* __restrict const d = row.direction;
  float* __restrict const slope = row.slope;
  for (size_t k = 0; k < n; ++k) {
    u[k] *= over_sum;
    t[k] = 1.0f / (1.0f + a * u[k]);
    d[k] = q[k] * t[k];
    slope[k] = u[k] * t[k];
  }
  const auto rho = static_cast<float>(LaneSum(d, n) / LaneSum(slope, n));
  for (size_t k = 0; k < n; ++k) {
    const float r = (a * q[k] + rho) * t[k];
    d[k] = u[k] * r - q[k];
    slope[k] = -d[k] * LaneLog(r);
    t[k] = d[k] * d[k];
    u[k] = u[k] > q[k] ? u[k] - q[k] : q[k] - u[k];
  }
  *largest = LaneMax(u, n);
}

// d_k (log u_k - log(q_k + s d_k)) with log u_k = margin_k - log_total.
RETRAIN_CLONES void SlopeTerms(const RowStep& row, const float* margins, float log_total, float s) {
  const float* __restrict const q = row.q;
  const float* __restrict const d = row.direction;
  float* __restrict const slope = row.slope;
  for (size_t k = 0; k < row.n; ++k) {
    float z = q[k] + s * d[k];
    z = z < 1e-30f ? 1e-30f : z;
    slope[k] = d[k] * (margins[k] - log_total - LaneLog(z));
  }
}

RETRAIN_CLONES void Step(float* __restrict q, const float* __restrict direction, float s, float cost, size_t n,
                         float* __restrict moved) {
  for (size_t k = 0; k < n; ++k) {
    const float z = q[k] + s * direction[k], to = z > 0.0f ? z : 0.0f;
    moved[k] = cost * (q[k] - to);
    q[k] = to;
  }
}

// (3): by the slopes of the dual along d, which fall as s grows.
double StepLength(const RowStep& row, const float* margins, double log_total, double slope, double square) {
  const auto at = [&](double s) {
    SlopeTerms(row, margins, static_cast<float>(log_total), static_cast<float>(s));
    return LaneSum(row.slope, row.n) - s * static_cast<double>(row.a) * square;
  };
  double s = 1;
  const double rising = at(0);
  if (!(rising > 0)) return slope < 0 ? 0 : 1;  // down to rounding
  for (int secant = 0; slope < -0.5 * rising && secant < kMaxSecants; ++secant) {
    s *= rising / (rising - slope);
    slope = at(s);
  }
  return slope < 0 ? s * rising / (rising - slope) : s;
}

}  // namespace

LogisticDescent::LogisticDescent(const LogisticShared& shared)
    : shared_(shared), fold_(kAllRows), rng_(shared.options.seed) {
  const size_t n = shared.costs.size();
  weights_.resize((size_t{shared.problem.rows->columns} + 1) * shared.blocks);
  std::fill(weights_.begin(), weights_.end(), LaneRow{});
  q_.resize(n * shared.blocks);
  steps_.assign(size_t{shared.blocks} * kLanes, 0);
  order_.reserve(n);
  for (std::vector<LaneRow>* of_row : {&margins_, &u_, &inverse_, &direction_, &moved_})
    of_row->assign(shared.blocks, LaneRow{});
  const DualSolution* start = shared.options.start;
  if (start != nullptr) std::copy(start->intercepts.begin(), start->intercepts.end(), Intercepts()->at);
}

LogisticDescent::LogisticDescent(const LogisticShared& shared, int fold, const LogisticDescent& all)
    : shared_(shared),
      fold_(fold),
      from_(&all),
      steps_(all.steps_),
      rng_(shared.options.seed + static_cast<uint64_t>(fold) + 1) {
  weights_.resize(all.weights_.size());
  q_.resize(all.q_.size());
  for (std::vector<LaneRow>* of_row : {&margins_, &u_, &inverse_, &direction_, &moved_})
    of_row->assign(shared.blocks, LaneRow{});
}

uint64_t LogisticDescent::Bytes(uint64_t n_rows, uint64_t n_features, uint64_t n_classes) {
  const uint64_t blocks = n_classes / kLanes + (n_classes % kLanes != 0);
  ByteSum sum;
  sum.Add({blocks, sizeof(LaneRow), n_features}).Add({n_rows, blocks, sizeof(LaneRow)});
  sum.Add({n_rows, sizeof(uint32_t)}).Add({blocks, kLanes, 5 * sizeof(float) + sizeof(double) + sizeof(float)});
  return sum.total();
}

bool LogisticDescent::Slice() {
  if (!taken_up_) {
    StartSlice();
    return false;
  }
  if (done_) return true;
  for (uint64_t lanes = 0; at_ < order_.size() && lanes < kSliceLanes; ++at_) {
    VisitRow(order_[at_]);
    lanes += Lanes(order_[at_]);
  }
  if (at_ == order_.size()) EndEpoch();
  return done_;
}

void LogisticDescent::StartSlice() {
  const size_t n = shared_.costs.size();
  for (uint64_t lanes = 0; at_ < n && lanes < kSliceLanes; ++at_) {
    const auto i = static_cast<uint32_t>(at_);
    if (from_ != nullptr)
      CopyRow(i);
    else
      TakeUpRow(i);
    lanes += Lanes(i);
  }
  if (at_ < n) return;
  taken_up_ = true;
  from_ = nullptr;
  settling_ = fold_ == kAllRows && shared_.options.start != nullptr && !order_.empty() ? kSettlingPasses : 0;
  if (settling_ == 0) TakeAllRows();
  done_ = order_.empty();
  BeginEpoch();
}

// Copies the row's part of the solution of all rows, or takes it out of the weights where the fold holds it out.
void LogisticDescent::CopyRow(uint32_t i) {
  if (i == 0) std::copy(from_->weights_.begin(), from_->weights_.end(), weights_.begin());
  const LaneRow* from = from_->q_.data() + size_t{i} * shared_.blocks;
  std::copy(from, from + shared_.blocks, q_.data() + size_t{i} * shared_.blocks);
  if (Trained(i)) {
    order_.push_back(i);
    return;
  }
  for (uint32_t k = 0; k < shared_.problem.n_classes; ++k)
    moved_.data()->at[k] = -shared_.costs[i] * ((k == shared_.problem.labels[i] ? 1.0f : 0.0f) - Row(i)[k]);
  Move(i);
}

// A row that the start does not know has no part in the weights: q is 1 for its class. Of another one the start has the largest
// of q; the rest is shared by the other classes.
void LogisticDescent::TakeUpRow(uint32_t i) {
  const uint32_t n_classes = shared_.problem.n_classes, own = shared_.problem.labels[i];
  float* q = Row(i);
  std::fill(q, q + size_t{shared_.blocks} * kLanes, 0.0f);
  q[own] = 1;
  const DualSolution* start = shared_.options.start;
  if (start == nullptr || start->begin[i] == start->begin[i + 1]) return;
  order_.push_back(i);
  const std::span<const DualSolution::Entry> known(start->entries.data() + start->begin[i],
                                                   start->entries.data() + start->begin[i + 1]);
  double sum = 0;
  for (const auto& entry : known) sum += static_cast<double>(entry.alpha);
  sum = std::max(sum, 1e-6);
  const bool all = known.size() == n_classes;
  const auto over_sum = static_cast<float>(all || sum > 1 ? 1 / sum : 1);
  const auto rest = static_cast<float>(all || sum > 1 ? 0 : (1 - sum) / static_cast<double>(n_classes - known.size()));
  std::fill(q, q + n_classes, rest);
  for (const auto& entry : known) q[entry.label] = over_sum * entry.alpha;
  for (uint32_t k = 0; k < n_classes; ++k) moved_.data()->at[k] = shared_.costs[i] * ((k == own ? 1.0f : 0.0f) - q[k]);
  Move(i);
}

void LogisticDescent::AppendLargest(uint32_t i, size_t most, std::vector<DualSolution::Entry>& entries) const {
  const float* q = q_[size_t{i} * shared_.blocks].at;
  const size_t first = entries.size();
  const auto larger = [](const DualSolution::Entry& a, const DualSolution::Entry& b) { return a.alpha > b.alpha; };
  for (uint32_t k = 0; k < shared_.problem.n_classes; ++k) {
    if (!(q[k] > kLeastKept) || (entries.size() == first + most && q[k] <= entries.back().alpha)) continue;
    if (entries.size() == first + most) entries.pop_back();
    const DualSolution::Entry entry{k, q[k]};
    entries.insert(std::upper_bound(entries.begin() + static_cast<ptrdiff_t>(first), entries.end(), entry, larger),
                   entry);
  }
  std::sort(entries.begin() + static_cast<ptrdiff_t>(first), entries.end(),
            [](const DualSolution::Entry& a, const DualSolution::Entry& b) { return a.label < b.label; });
}

void LogisticDescent::Margins(std::span<const SparseEntry> x, LaneRow* margins) const {
  LaneMarginsOfAll(x, weights_.data(), shared_.problem.rows->columns, shared_.blocks, margins);
}

void LogisticDescent::VisitRow(uint32_t i) {
  const size_t n = shared_.problem.n_classes;
  float* const margins = margins_.data()->at;
  float* const u = u_.data()->at;
  float* const moved = moved_.data()->at;
  Margins(shared_.problem.rows->row(i), margins_.data());
  const float top = LaneMax(margins, n);
  Softmax(margins, n, top, u);
  const double sum = LaneSum(u, n);
  const RowStep row{n, shared_.curvatures[i], Row(i), u, inverse_.data()->at, direction_.data()->at, moved};
  float largest = 0;
  Direct(row, static_cast<float>(1 / sum), &largest);
  const double square = LaneSum(row.inverse, n);
  const double slope = LaneSum(moved, n) - static_cast<double>(row.a) * square;
  change_ += static_cast<double>(shared_.costs[i]) * static_cast<double>(largest);
  double s = 1;
  if (slope < 0) s = StepLength(row, margins, static_cast<double>(top) + Log(sum), slope, square);
  if (s == 0) return;
  Step(Row(i), row.direction, static_cast<float>(s), shared_.costs[i], n, moved);
  Move(i);
}

// Adds moved_ × x_i to the weights, and beta times that to the intercepts.
void LogisticDescent::Move(uint32_t i) {
  const uint32_t columns = shared_.problem.rows->columns;
  LaneAddToAll(shared_.problem.rows->row(i), moved_.data(), weights_.data(), columns, shared_.blocks);
  LaneRow* intercepts = Intercepts();
  for (uint32_t block = 0; block < shared_.blocks; ++block)
    for (uint32_t l = 0; l < kLanes; ++l) {
      const float step = moved_[block].at[l];
      intercepts[block].at[l] += (shared_.pull - 1) * step;
      steps_[block * kLanes + l] += static_cast<double>(step);
    }
}

void LogisticDescent::BeginEpoch() {
  rng_.Shuffle(std::span(order_));
  at_ = 0;
  change_ = 0;
}

// From here on every row has its part, or every one outside the fold.
void LogisticDescent::TakeAllRows() {
  started_ = true;
  if (fold_ != kAllRows) return;
  order_.resize(shared_.costs.size());
  std::iota(order_.begin(), order_.end(), 0u);
}

// The centre of the intercepts goes to where they are.
void LogisticDescent::MoveCentre() {
  for (uint32_t block = 0; block < shared_.blocks; ++block)
    for (uint32_t l = 0; l < kLanes; ++l)
      Intercepts()[block].at[l] += shared_.pull * static_cast<float>(steps_[block * kLanes + l]);
}

void LogisticDescent::EndEpoch() {
  if (settling_ > 0) {
    MoveCentre();
    if (--settling_ == 0) TakeAllRows();
    BeginEpoch();
    return;
  }
  const double whole = shared_.options.c * shared_.total_cost,
               tolerance = shared_.options.tolerance * (fold_ == kAllRows ? 1 : kFoldTolerance);
  double largest_step = 0;
  for (const double step : steps_) largest_step = std::max(largest_step, std::abs(step));
  const double change = std::max(change_, largest_step) / whole;
  if (epoch_ == 0) first_change_ = best_change_ = change;
  if (change < best_change_) {
    best_change_ = change;
    best_epoch_ = epoch_;
  }
  if (change > 0 && first_change_ > tolerance)
    progress_ = std::max(progress_, Log(first_change_ / best_change_) / Log(first_change_ / tolerance));
  ++epoch_;
  done_ = change <= tolerance || epoch_ >= shared_.options.max_epochs || epoch_ - best_epoch_ > kPatience;
  if (done_) return;
  // The first epochs move the intercepts for want of weights; a centre that followed them would have to come back.
  constexpr int kWeightsFirst = 2;
  if (fold_ != kAllRows || shared_.options.start != nullptr || epoch_ > kWeightsFirst) MoveCentre();
  BeginEpoch();
}

}  // namespace retrain
