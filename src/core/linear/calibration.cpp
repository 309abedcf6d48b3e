// Fits and applies the maps from margins to probabilities.
//
// Softmax, one temperature (Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017):
//
//   min_b  F(b) = sum_i w_i [ log sum_k exp(b m_ik) - b t_i ],   b = 1 / temperature,
//   F'(b)  = sum_i w_i (E_i[m] - t_i),   F''(b) = sum_i w_i Var_i[m]   under p_i = softmax(b m_i): convex, Newton,
//   t_i    = (1 - e) m_i,y(i) + e mean_k m_ik,   e = 1 / (n + 2): Platt's target for n rows that all were right. Without
//   it a few dozen rows that are separated without an error would make the model sure of everything.
//
// Sigmoid, per class k (Platt 1999, in the form of Lin, Lin, Weng, "A note on Platt's probabilistic outputs for support
// vector machines", Machine Learning 68, 2007):
//
//   min_{A,B}  sum_i w_i [ t_i z_i + log(1 + exp(-z_i)) ],   z_i = A m_ik + B,   p_i = 1 / (1 + exp(z_i)),
//   t_i = (N+ + 1) / (N+ + 2) on the class' own rows, 1 / (N- + 2) on the others: Newton with backtracking.
//
// Divided by their sum the sigmoids are under-confident, the more so the more classes there are: each was asked about its own
// class alone, and what the others leave over adds up. So their logarithms get a temperature as margins do: p_ik is
// proportional to exp(b log p_i). It changes no order, and b = 1 is the plain quotient.
//
// All classes take their Newton steps together, sixteen lanes at a time, in one pass over the margins per iteration.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-trapping-math")  // without the second the loops over LaneExp() are not vectorised
#endif
#include "core/linear/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/base/clones.h"
#include "core/base/lane_math.h"
#include "core/base/math.h"
#include "core/base/parallel.h"
#include "core/linear/linear.h"

namespace retrain {
namespace {

// A temperature is one number: this many rows fix it to a fraction of a percent.
constexpr size_t kSoftmaxRows = 6000;
// Rows of other classes that a block of sigmoids looks at, each standing for its share of all of them; the rows of the
// block's own classes are all used.
constexpr size_t kSigmoidOthers = 4000;
// A step that lowers the loss (in nats, over all rows) by less than this is the last.
constexpr double kEnough = 1e-3;
constexpr double kMinInverse = 1e-3, kMaxInverse = 1e3;
constexpr int kMaxIterations = 50;
constexpr size_t kRowsPerPoll = 256;

RETRAIN_CLONES void ExpRow(const double* x, size_t n, double* out) {
  for (size_t k = 0; k < n; ++k) out[k] = LaneExp(x[k]);
}

struct SoftmaxSums {
  double slope = 0, curvature = 0;
};

SoftmaxSums SoftmaxDerivatives(double b, std::span<const float> margins, std::span<const uint32_t> labels,
                               std::span<const float> row_weights, uint32_t n_classes, size_t stride,
                               const Stop& stop) {
  SoftmaxSums sums;
  const double doubt = 1 / (static_cast<double>(labels.size()) + 2);
  std::vector<double> x(n_classes), e(n_classes);
  size_t visited = 0;
  for (size_t i = 0; i < labels.size(); i += stride) {
    if (++visited % kRowsPerPoll == 0) stop.Poll();
    if (row_weights[i] <= 0) continue;
    const float* m = margins.data() + i * n_classes;
    const double top = *std::max_element(m, m + n_classes);
    for (uint32_t k = 0; k < n_classes; ++k) x[k] = b * (m[k] - top);
    ExpRow(x.data(), n_classes, e.data());
    double sum = 0, first = 0, second = 0, plain = 0;
    for (uint32_t k = 0; k < n_classes; ++k) {
      plain += m[k];
      sum += e[k];
      first += e[k] * m[k];
      second += e[k] * m[k] * m[k];
    }
    const double mean = first / sum;
    const double target = (1 - doubt) * m[labels[i]] + doubt * plain / n_classes;
    sums.slope += row_weights[i] * (mean - target);
    sums.curvature += row_weights[i] * std::max(second / sum - mean * mean, 0.0);
  }
  return sums;
}

// Sixteen classes' Platt problems.
struct SigmoidLanes {
  std::array<double, kLanes> slope{}, intercept{}, high{}, low{};  // A, B, t on own rows, t on others
};

struct SigmoidSums {
  std::array<double, kLanes> loss{}, ga{}, gb{}, haa{}, hab{}, hbb{};
};

// Adds one row; target[l] and margin[l] per lane.
RETRAIN_CLONES void AddSigmoidRow(const SigmoidLanes& lanes, const double* margin, const double* target, double weight,
                                  SigmoidSums& sums) {
  for (uint32_t l = 0; l < kLanes; ++l) {
    const double m = margin[l], z = lanes.slope[l] * m + lanes.intercept[l];
    const double e = LaneExp(z < 0 ? z : -z);  // exp(-|z|)
    const double small = e / (1.0 + e), large = 1.0 / (1.0 + e);
    const double p = z < 0 ? large : small;    // 1 / (1 + exp(z))
    const double positive = z < 0 ? -z : 0.0;  // max(-z, 0)
    sums.loss[l] += weight * (target[l] * z + positive + LaneLog1p(e));
    const double d = weight * (target[l] - p), h = weight * (p * (1.0 - p));
    sums.ga[l] += d * m;
    sums.gb[l] += d;
    sums.haa[l] += h * m * m;
    sums.hab[l] += h * m;
    sums.hbb[l] += h;
  }
}

class SigmoidBlock {
 public:
  SigmoidBlock(std::span<const float> margins, std::span<const uint32_t> labels, std::span<const float> row_weights,
               uint32_t n_classes, uint32_t first)
      : margins_(margins), labels_(labels), n_classes_(n_classes), first_(first) {
    used_ = std::min(kLanes, n_classes - first);
    double all = 0;
    size_t others = 0, seen = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
      if (row_weights[i] <= 0) continue;
      all += row_weights[i];
      if (Own(i))
        own_[labels[i] - first] += row_weights[i];
      else
        ++others;
    }
    const size_t stride = std::max<size_t>(1, others / kSigmoidOthers);
    for (size_t i = 0; i < labels.size(); ++i) {
      if (row_weights[i] <= 0) continue;
      if (Own(i))
        rows_.push_back({i, row_weights[i]});
      else if (seen++ % stride == 0)
        rows_.push_back({i, row_weights[i] * static_cast<double>(stride)});
    }
    for (uint32_t l = 0; l < kLanes; ++l) {
      const double rest = all - own_[l];
      lanes_.high[l] = (own_[l] + 1) / (own_[l] + 2);
      lanes_.low[l] = 1 / (rest + 2);
      lanes_.intercept[l] = Log((rest + 1) / (own_[l] + 1));
    }
  }

  // Newton's method with backtracking on every lane; a lane that has arrived keeps its values.
  void Solve(const Stop& stop) {
    SigmoidSums now = Sums(lanes_, stop);
    for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
      SigmoidLanes step{};
      bool moving = false;
      for (uint32_t l = 0; l < used_; ++l) {
        const double haa = now.haa[l] + 1e-12, hbb = now.hbb[l] + 1e-12, det = haa * hbb - now.hab[l] * now.hab[l];
        if (!(det > 0)) continue;
        const double slope = -(hbb * now.ga[l] - now.hab[l] * now.gb[l]) / det;
        const double intercept = -(haa * now.gb[l] - now.hab[l] * now.ga[l]) / det;
        if (-(now.ga[l] * slope + now.gb[l] * intercept) < kEnough) continue;
        step.slope[l] = slope;
        step.intercept[l] = intercept;
        moving = true;
      }
      if (!moving || !Backtrack(step, now, stop)) return;
    }
  }

  // False for a class that its rows cannot fix: no held-out row of its own, or a slope of the wrong sign.
  bool Fitted(uint32_t l) const { return own_[l] > 0 && lanes_.slope[l] < 0 && std::isfinite(lanes_.intercept[l]); }
  float slope(uint32_t l) const { return static_cast<float>(lanes_.slope[l]); }
  float intercept(uint32_t l) const { return static_cast<float>(lanes_.intercept[l]); }

 private:
  SigmoidSums Sums(const SigmoidLanes& lanes, const Stop& stop) const {
    SigmoidSums sums;
    std::array<double, kLanes> margin{}, target{};
    for (size_t r = 0; r < rows_.size(); ++r) {
      if (r % kRowsPerPoll == 0) stop.Poll();
      const auto [i, weight] = rows_[r];
      const float* m = margins_.data() + i * n_classes_ + first_;
      for (uint32_t l = 0; l < used_; ++l) {
        margin[l] = m[l];
        target[l] = labels_[i] == first_ + l ? lanes.high[l] : lanes.low[l];
      }
      AddSigmoidRow(lanes, margin.data(), target.data(), weight, sums);
    }
    return sums;
  }

  bool Own(size_t i) const { return labels_[i] >= first_ && labels_[i] < first_ + used_; }

  // Takes the step where it lowers the loss enough (Armijo, 1e-4), else halves it; false when no lane moved.
  bool Backtrack(SigmoidLanes step, SigmoidSums& now, const Stop& stop) {
    bool any = false;
    std::array<bool, kLanes> open{};
    for (uint32_t l = 0; l < used_; ++l) open[l] = step.slope[l] != 0 || step.intercept[l] != 0;
    for (int halving = 0; halving < 12 && std::count(open.begin(), open.end(), true) > 0; ++halving) {
      SigmoidLanes trial = lanes_;
      for (uint32_t l = 0; l < used_; ++l) {
        if (!open[l]) continue;
        trial.slope[l] += step.slope[l];
        trial.intercept[l] += step.intercept[l];
      }
      const SigmoidSums sums = Sums(trial, stop);
      for (uint32_t l = 0; l < used_; ++l) {
        if (!open[l]) continue;
        const double expected = now.ga[l] * step.slope[l] + now.gb[l] * step.intercept[l];
        if (sums.loss[l] < now.loss[l] + 1e-4 * expected) {
          lanes_.slope[l] = trial.slope[l];
          lanes_.intercept[l] = trial.intercept[l];
          Take(sums, l, now);
          open[l] = false;
          any = true;
        } else {
          step.slope[l] /= 2;
          step.intercept[l] /= 2;
        }
      }
    }
    return any;
  }

  static void Take(const SigmoidSums& from, uint32_t l, SigmoidSums& to) {
    to.loss[l] = from.loss[l];
    to.ga[l] = from.ga[l];
    to.gb[l] = from.gb[l];
    to.haa[l] = from.haa[l];
    to.hab[l] = from.hab[l];
    to.hbb[l] = from.hbb[l];
  }

  std::span<const float> margins_;
  std::span<const uint32_t> labels_;
  uint32_t n_classes_, first_, used_;
  std::vector<std::pair<size_t, double>> rows_;  // row and the weight it stands for
  std::array<double, kLanes> own_{};
  SigmoidLanes lanes_;
};

// log 1 / (1 + exp(z)) = -(max(z, 0) + log(1 + exp(-|z|))).
RETRAIN_CLONES void LogSigmoids(const float* slope, const float* intercept, std::span<float> values) {
  for (size_t k = 0; k < values.size(); ++k) {
    const double z = static_cast<double>(slope[k] * values[k] + intercept[k]);
    const double e = LaneExp(z < 0 ? z : -z), positive = z < 0 ? 0.0 : z;
    values[k] = static_cast<float>(-(positive + LaneLog1p(e)));
  }
}

// The temperature of the sigmoids' logarithms, on a sample of the rows.
void FitSharpness(std::span<const float> margins, std::span<const uint32_t> labels, std::span<const float> row_weights,
                  uint32_t n_classes, const Stop& stop, Calibration& calibration) {
  const size_t stride = std::max<size_t>(1, labels.size() / kSoftmaxRows);
  std::vector<float> logs, weights;
  std::vector<uint32_t> sample;
  for (size_t i = 0; i < labels.size(); i += stride) {
    if (row_weights[i] <= 0) continue;
    const auto row = margins.subspan(i * n_classes, n_classes);
    logs.insert(logs.end(), row.begin(), row.end());
    LogSigmoids(calibration.slope.data(), calibration.intercept.data(), std::span(logs).last(n_classes));
    sample.push_back(labels[i]);
    weights.push_back(row_weights[i]);
  }
  if (!sample.empty())
    calibration.inverse_temperature = FitSoftmax(logs, sample, weights, n_classes, stop).inverse_temperature;
}

}  // namespace

Calibration FitSoftmax(std::span<const float> margins, std::span<const uint32_t> labels,
                       std::span<const float> row_weights, uint32_t n_classes, const Stop& stop) {
  Calibration calibration;
  calibration.kind = CalibrationKind::kSoftmax;
  const size_t stride = std::max<size_t>(1, labels.size() / kSoftmaxRows);
  double low = kMinInverse, high = kMaxInverse, b = 4;
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    const SoftmaxSums d = SoftmaxDerivatives(b, margins, labels, row_weights, n_classes, stride, stop);
    (d.slope > 0 ? high : low) = b;
    double next = d.curvature > 0 ? b - d.slope / d.curvature : b;
    if (!(next > low && next < high)) next = std::sqrt(low * high);  // Newton left the bracket
    if (std::abs(next - b) <= 1e-6 * b) break;
    b = next;
  }
  calibration.inverse_temperature = b;
  return calibration;
}

Calibration FitSigmoid(std::span<const float> margins, std::span<const uint32_t> labels,
                       std::span<const float> row_weights, uint32_t n_classes, int threads, const Stop& stop) {
  Calibration calibration;
  calibration.kind = CalibrationKind::kSigmoid;
  calibration.slope.assign(n_classes, 0);
  calibration.intercept.assign(n_classes, 0);
  std::vector<uint8_t> fitted(n_classes);
  ParallelFor((n_classes + kLanes - 1) / kLanes, threads, [&](size_t task) {
    const uint32_t first = static_cast<uint32_t>(task) * kLanes;
    SigmoidBlock block(margins, labels, row_weights, n_classes, first);
    block.Solve(stop);
    for (uint32_t l = 0; l < kLanes && first + l < n_classes; ++l) {
      if (!block.Fitted(l)) continue;
      fitted[first + l] = 1;
      calibration.slope[first + l] = block.slope(l);
      calibration.intercept[first + l] = block.intercept(l);
    }
  });
  double slope = 0, intercept = 0;
  size_t n_fitted = 0;
  for (uint32_t k = 0; k < n_classes; ++k) {
    slope += calibration.slope[k];
    intercept += calibration.intercept[k];
    n_fitted += fitted[k];
  }
  // A class that its own rows cannot fix takes the mean of the others, so that it can still be compared with them.
  const float mean_slope = n_fitted > 0 ? static_cast<float>(slope / static_cast<double>(n_fitted)) : -2.0f;
  const float mean_intercept = n_fitted > 0 ? static_cast<float>(intercept / static_cast<double>(n_fitted)) : 0.0f;
  for (uint32_t k = 0; k < n_classes; ++k) {
    if (fitted[k]) continue;
    calibration.slope[k] = mean_slope;
    calibration.intercept[k] = mean_intercept;
  }
  FitSharpness(margins, labels, row_weights, n_classes, stop, calibration);
  return calibration;
}

namespace {

RETRAIN_CLONES void ExpScaled(float top, double b, std::span<float> values) {
  for (float& value : values) value = static_cast<float>(LaneExp(b * static_cast<double>(value - top)));
}

RETRAIN_CLONES void Sigmoids(const float* slope, const float* intercept, std::span<float> values) {
  for (size_t k = 0; k < values.size(); ++k) {
    const float z = slope[k] * values[k] + intercept[k];
    values[k] = static_cast<float>(1.0 / (1.0 + LaneExp(static_cast<double>(z))));
  }
}

}  // namespace

void Calibrate(const Calibration& calibration, std::span<float> margins) {
  if (calibration.kind == CalibrationKind::kSigmoid && calibration.inverse_temperature != 1.0) {
    LogSigmoids(calibration.slope.data(), calibration.intercept.data(), margins);
    ExpScaled(*std::max_element(margins.begin(), margins.end()), calibration.inverse_temperature, margins);
  } else if (calibration.kind == CalibrationKind::kSigmoid) {
    Sigmoids(calibration.slope.data(), calibration.intercept.data(), margins);
  } else {
    const double b = calibration.kind == CalibrationKind::kSoftmax ? calibration.inverse_temperature : 1.0;
    const auto [lowest, highest] = std::minmax_element(margins.begin(), margins.end());
    ExpScaled(b < 0 ? *lowest : *highest, b, margins);
  }
  double sum = 0;
  for (const float p : margins) sum += static_cast<double>(p);
  if (sum <= 0) {
    std::fill(margins.begin(), margins.end(), 1.0f / static_cast<float>(margins.size()));
    return;
  }
  const auto scale = static_cast<float>(1 / sum);
  for (float& p : margins) p *= scale;
}

double NegativeLogLikelihood(const Calibration& calibration, std::span<const float> margins,
                             std::span<const uint32_t> labels, uint32_t n_classes, const Stop& stop) {
  std::vector<float> p(n_classes);
  double sum = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (i % kRowsPerPoll == 0) stop.Poll();
    std::copy_n(margins.begin() + static_cast<ptrdiff_t>(i * n_classes), n_classes, p.begin());
    Calibrate(calibration, p);
    sum -= Log(std::max(static_cast<double>(p[labels[i]]), 1e-30));
  }
  return sum;
}

}  // namespace retrain
