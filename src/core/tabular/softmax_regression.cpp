// Logistic regression by L-BFGS.
#include <algorithm>
#include <cmath>
#include <deque>

#include "core/base/math.h"
#include "core/tabular/table_linear.h"

namespace retrain {
namespace {

constexpr size_t kGroup = 16;   // blocks between two looks at the clock
constexpr size_t kMemory = 10;  // pairs that L-BFGS remembers
constexpr double kTolerance = 1e-7;

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// log(1 + exp(m)) without overflow.
double SoftPlus(double m) { return m > 0 ? m + Log(1 + Exp(-m)) : Log(1 + Exp(m)); }

// Turns a row's margins into the derivative of its loss; gives the loss.
double LossOfRow(size_t truth, double weight, std::span<double> margins) {
  if (margins.size() == 1) {
    const double m = margins[0];
    const double probability = m >= 0 ? 1 / (1 + Exp(-m)) : Exp(m) / (1 + Exp(m));
    margins[0] = weight * (probability - (truth == 1 ? 1 : 0));
    return weight * (truth == 1 ? SoftPlus(-m) : SoftPlus(m));
  }
  const double largest = *std::max_element(margins.begin(), margins.end()), own = margins[truth];
  double sum = 0;
  for (double& m : margins) sum += m = Exp(m - largest);
  for (double& m : margins) m *= weight / sum;
  margins[truth] -= weight;
  return weight * (Log(sum) + largest - own);
}

// Mean loss and penalty at a point, with its gradient.
class Objective {
 public:
  Objective(const EncodedRows& rows, size_t n_classes, const LogisticOptions& options)
      : rows_(rows), k_(n_classes == 2 ? 1 : n_classes), p_(rows.encoder().n_features()) {
    class_weights_.assign(n_classes, 1);
    if (options.balanced) {
      std::vector<double> counts(n_classes);
      for (size_t i = 0; i < rows.rows(); ++i) counts[static_cast<size_t>(rows.target(i))] += 1;
      for (size_t c = 0; c < n_classes; ++c)
        if (counts[c] > 0)
          class_weights_[c] = static_cast<double>(rows.rows()) / (static_cast<double>(n_classes) * counts[c]);
    }
    penalty_ = 1 / (options.c * static_cast<double>(rows.rows()));
    scratch_.resize(kGroup);
    losses_.resize(kGroup);
    gradients_.assign(kGroup, std::vector<double>((p_ + 1) * k_));
  }

  size_t k() const noexcept { return k_; }
  size_t p() const noexcept { return p_; }

  // point: p × k weights, then k biases.
  Resumable Evaluate(const std::vector<double>& point, const Pace& pace, double& value, std::vector<double>& gradient) {
    value = 0;
    gradient.assign(point.size(), 0);
    for (size_t first = 0; first < rows_.n_blocks(); first += kGroup) {
      const size_t group = std::min(kGroup, rows_.n_blocks() - first);
      ParallelFor(group, pace.threads(), [&](size_t i) { AddBlock(first + i, i, point); });
      for (size_t i = 0; i < group; ++i) {  // in the order of the blocks
        value += losses_[i];
        for (size_t j = 0; j < gradient.size(); ++j) gradient[j] += gradients_[i][j];
      }
      if (pace.Expired()) co_await Pause{};
    }
    const double scale = 1 / static_cast<double>(rows_.rows());
    value *= scale;
    for (double& g : gradient) g *= scale;
    for (size_t j = 0; j < p_ * k_; ++j) {
      value += 0.5 * penalty_ * point[j] * point[j];
      gradient[j] += penalty_ * point[j];
    }
  }

 private:
  void AddBlock(size_t block_number, size_t slot, const std::vector<double>& point) {
    const EncodedBlock& block = rows_.Block(block_number, scratch_[slot]);
    const std::span all(point);
    std::vector<double> margins;
    BlockMargins(rows_.encoder(), block, all.first(p_ * k_), all.subspan(p_ * k_), k_, margins);
    std::vector<double>& gradient = gradients_[slot];
    std::fill(gradient.begin(), gradient.end(), 0.0);
    double loss = 0;
    for (size_t r = 0; r < block.rows; ++r) {
      const auto truth = static_cast<size_t>(rows_.target(rows_.first_of(block_number) + r));
      const std::span row(margins.data() + r * k_, k_);
      loss += LossOfRow(truth, class_weights_[truth], row);
      for (size_t j = 0; j < k_; ++j) gradient[p_ * k_ + j] += row[j];
    }
    losses_[slot] = loss;
    AddBlockGradient(rows_.encoder(), block, margins, k_, gradient);
  }

  const EncodedRows& rows_;
  size_t k_, p_;
  double penalty_ = 0;
  std::vector<double> class_weights_;
  std::vector<EncodedBlock> scratch_;
  std::vector<double> losses_;
  std::vector<std::vector<double>> gradients_;
};

struct Pair {
  std::vector<double> s, y;
  double rho = 0;
};

// Algorithm 7.4: the two loops that apply the inverse Hessian of the remembered pairs to the gradient.
std::vector<double> Direction(const std::deque<Pair>& pairs, const std::vector<double>& gradient) {
  std::vector<double> q = gradient, alpha(pairs.size());
  for (size_t i = pairs.size(); i-- > 0;) {
    alpha[i] = pairs[i].rho * Dot(pairs[i].s, q);
    for (size_t j = 0; j < q.size(); ++j) q[j] -= alpha[i] * pairs[i].y[j];
  }
  if (!pairs.empty()) {
    const double gamma = Dot(pairs.back().s, pairs.back().y) / Dot(pairs.back().y, pairs.back().y);
    for (double& x : q) x *= gamma;
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    const double beta = pairs[i].rho * Dot(pairs[i].y, q);
    for (size_t j = 0; j < q.size(); ++j) q[j] += (alpha[i] - beta) * pairs[i].s[j];
  }
  for (double& x : q) x = -x;
  return q;
}

// The mean of each feature over the rows: what contributions are measured from.
void FeatureMeans(const EncodedRows& rows, size_t first, size_t last, std::vector<double>& sums) {
  EncodedBlock scratch;
  for (size_t b = first; b < last; ++b) {
    const EncodedBlock& block = rows.Block(b, scratch);
    AddBlockGradient(rows.encoder(), block, std::vector<double>(block.rows, 1.0), 1, sums);
  }
}

}  // namespace

uint64_t LogisticBytes(size_t n_features, size_t n_outputs) noexcept {
  return (uint64_t{n_features} + 1) * n_outputs * sizeof(double) * (kGroup + 2 * kMemory + 6);
}

Resumable FitLogistic(const EncodedRows& rows, size_t n_classes, const LogisticOptions& options, const Pace& pace,
                      TableLinear& model, double& done) {
  Objective objective(rows, n_classes, options);
  const size_t size = (objective.p() + 1) * objective.k();
  std::vector<double> point(size), gradient(size), next(size), next_gradient(size);
  double value = 0, next_value = 0;
  for (auto part = objective.Evaluate(point, pace, value, gradient); !part.Resume();) co_await Pause{};
  std::deque<Pair> pairs;
  for (uint32_t iteration = 0; iteration < options.max_iterations; ++iteration) {
    double largest = 0;
    for (const double g : gradient) largest = std::max(largest, std::abs(g));
    if (largest <= kTolerance) break;
    std::vector<double> direction = Direction(pairs, gradient);
    double slope = Dot(direction, gradient);
    if (!(slope < 0)) {  // rounding: start again from the steepest descent
      pairs.clear();
      direction = Direction(pairs, gradient);
      slope = Dot(direction, gradient);
    }
    // Backtracking until the value falls by a share of what the slope promises.
    double step = pairs.empty() ? std::min(1.0, 1 / std::sqrt(-slope)) : 1;
    bool accepted = false;
    for (int attempt = 0; attempt < 30 && !accepted; ++attempt, step *= 0.5) {
      for (size_t j = 0; j < size; ++j) next[j] = point[j] + step * direction[j];
      for (auto part = objective.Evaluate(next, pace, next_value, next_gradient); !part.Resume();) co_await Pause{};
      accepted = next_value <= value + 1e-4 * step * slope;
    }
    if (!accepted) {
      if (pairs.empty()) break;  // as low as doubles go
      pairs.clear();
      continue;
    }
    Pair pair{std::vector<double>(size), std::vector<double>(size), 0};
    for (size_t j = 0; j < size; ++j) {
      pair.s[j] = next[j] - point[j];
      pair.y[j] = next_gradient[j] - gradient[j];
    }
    const double curvature = Dot(pair.s, pair.y);
    if (curvature > 1e-14 * Dot(pair.y, pair.y)) {
      pair.rho = 1 / curvature;
      pairs.push_back(std::move(pair));
      if (pairs.size() > kMemory) pairs.pop_front();
    }
    point.swap(next);
    gradient.swap(next_gradient);
    value = next_value;
    done = 1 - 1 / (1 + 0.05 * iteration);
  }
  model.n_outputs = objective.k();
  const auto split = static_cast<ptrdiff_t>(objective.p() * objective.k());
  model.weights.assign(point.begin(), point.begin() + split);
  model.bias.assign(point.begin() + split, point.end());
  model.means.assign(objective.p(), 0);
  for (size_t first = 0; first < rows.n_blocks(); first += kGroup) {
    FeatureMeans(rows, first, std::min(first + kGroup, rows.n_blocks()), model.means);
    if (pace.Expired()) co_await Pause{};
  }
  for (double& mean : model.means) mean /= static_cast<double>(rows.rows());
  done = 1;
}

}  // namespace retrain
