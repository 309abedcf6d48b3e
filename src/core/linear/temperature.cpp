// One temperature for all classes.
//
// Softmax, one temperature (Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017):
//
//   min_b  F(b) = sum_i w_i [ log sum_k exp(b m_ik) - b t_i ],   b = 1 / temperature,
//   F'(b)  = sum_i w_i (E_i[m] - t_i),   F''(b) = sum_i w_i Var_i[m]   under p_i = softmax(b m_i): convex, Newton,
//   t_i    = (1 - e) m_i,y(i) + e mean_k m_ik,   e = 1 / (n + 2): Platt's target for n rows that all were right. Without
//   it a few dozen rows that are separated without an error would make the model sure of everything.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-trapping-math")  // without the second the loops over LaneExp() are not vectorised
#endif
#include "core/linear/temperature.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "core/base/clones.h"
#include "core/base/lane_math.h"
#include "core/base/large_vector.h"
#include "core/base/parallel.h"

namespace retrain {
namespace {

// A temperature is one number: this many rows fix it to about a percent.
constexpr size_t kSoftmaxRows = 4000;
// Relative; a step that was this small was the last: the error that Newton leaves is about its square.
constexpr double kLastStep = 2e-2;
// The first of the rows give the first guess, where there are some times as many.
constexpr size_t kGuessRows = 1024, kGuessShare = 4;
constexpr double kMinInverse = 1e-3, kMaxInverse = 1e3, kFirstInverse = 4;
constexpr int kMaxIterations = 50;
constexpr size_t kRowsPerPoll = 256;
// Lanes that are summed apart, so that the sums are the same on every vector width.
constexpr size_t kSums = 16;
// Below every margin by so much that nothing is left of it.
constexpr float kPadding = -1e9f;

struct SoftmaxSums {
  double slope = 0, curvature = 0;
};

// Sums of e, e u and e u u over the n values of u, n a multiple of kSums, with e = exp(b u).
RETRAIN_CLONES void SumExps(const float* u, size_t n, float b, double* sum, double* first, double* second) {
  float s0[kSums] = {}, s1[kSums] = {}, s2[kSums] = {};
  for (size_t k = 0; k < n; k += kSums) {
    for (size_t l = 0; l < kSums; ++l) {
      const float x = u[k + l], e = LaneExp(b * x), ex = e * x;
      s0[l] += e;
      s1[l] += ex;
      s2[l] += ex * x;
    }
  }
  *sum = *first = *second = 0;
  for (size_t l = 0; l < kSums; ++l) {
    *sum += static_cast<double>(s0[l]);
    *first += static_cast<double>(s1[l]);
    *second += static_cast<double>(s2[l]);
  }
}

// The rows that a temperature is fitted on, each relative to its largest margin.
class TemperatureRows {
 public:
  // Writes row `r` of the sample, n_classes values that may be changed in place.
  using Read = std::function<void(size_t r, std::span<float> values)>;

  TemperatureRows(std::vector<uint32_t> labels, std::vector<double> weights, uint32_t n_classes, double doubt,
                  const Read& read, int threads, const Stop& stop)
      : weights_(std::move(weights)), stride_((n_classes + kSums - 1) / kSums * kSums), threads_(threads), stop_(stop) {
    values_.resize(labels.size() * stride_);
    targets_.resize(labels.size());
    ForSlices(labels.size(), [&](size_t, size_t r) {
      const auto values = std::span(values_).subspan(r * stride_, n_classes);
      read(r, values);
      std::fill(values_.data() + r * stride_ + n_classes, values_.data() + (r + 1) * stride_, kPadding);
      const float top = LaneMax(values.data(), values.size());
      double plain = 0;
      for (float& value : values) plain += static_cast<double>(value -= top);
      targets_[r] = (1 - doubt) * static_cast<double>(values[labels[r]]) + doubt * plain / n_classes;
    });
  }

  // argmin F; without rows the margins as they are. Most of Newton's steps are needed to get near, and few rows show the way.
  double Solve() const {
    const size_t n = weights_.size();
    if (n == 0) return 1;
    return Descend(n >= kGuessShare * kGuessRows ? Descend(kFirstInverse, kGuessRows) : kFirstInverse, n);
  }

 private:
  // Newton's method inside a bracket over the first n rows.
  double Descend(double b, size_t n) const {
    double low = kMinInverse, high = kMaxInverse;
    for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
      const SoftmaxSums d = Derivatives(b, n);
      (d.slope > 0 ? high : low) = b;
      double next = d.curvature > 0 ? b - d.slope / d.curvature : b;
      if (!(next > low && next < high)) next = std::sqrt(low * high);  // Newton left the bracket
      const bool arrived = std::abs(next - b) <= kLastStep * b;
      b = next;
      if (arrived) break;
    }
    return b;
  }

  SoftmaxSums Derivatives(double b, size_t n) const {
    std::vector<SoftmaxSums> slices((n + kRowsPerPoll - 1) / kRowsPerPoll);
    ForSlices(n, [&](size_t slice, size_t r) {
      double sum, first, second;
      SumExps(values_.data() + r * stride_, stride_, static_cast<float>(b), &sum, &first, &second);
      const double mean = first / sum;
      slices[slice].slope += weights_[r] * (mean - targets_[r]);
      slices[slice].curvature += weights_[r] * std::max(second / sum - mean * mean, 0.0);
    });
    SoftmaxSums all;
    for (const SoftmaxSums& slice : slices) {
      all.slope += slice.slope;
      all.curvature += slice.curvature;
    }
    return all;
  }

  // Calls work(slice, row) for the first n rows; a slice is one thread's.
  template <class Work>
  void ForSlices(size_t n, const Work& work) const {
    ParallelFor((n + kRowsPerPoll - 1) / kRowsPerPoll, threads_, [&](size_t slice) {
      stop_.Poll();
      for (size_t r = slice * kRowsPerPoll; r < std::min(n, (slice + 1) * kRowsPerPoll); ++r) work(slice, r);
    });
  }

  LargeVector<float> values_;  // rows × stride
  std::vector<double> targets_, weights_;
  size_t stride_;
  int threads_;
  const Stop& stop_;
};

}  // namespace

double FitTemperature(std::span<const float> margins, std::span<const uint32_t> labels,
                      std::span<const float> row_weights, uint32_t n_classes, const Calibration* sigmoids, int threads,
                      const Stop& stop) {
  const size_t stride = std::max<size_t>(1, labels.size() / kSoftmaxRows);
  std::vector<size_t> rows;
  std::vector<uint32_t> sampled;
  std::vector<double> weights;
  for (size_t i = 0; i < labels.size(); i += stride) {
    if (row_weights[i] <= 0) continue;
    rows.push_back(i);
    sampled.push_back(labels[i]);
    weights.push_back(static_cast<double>(row_weights[i]));
  }
  const double doubt = 1 / (static_cast<double>(labels.size()) + 2);
  const auto read = [&](size_t r, std::span<float> values) {
    std::copy_n(margins.begin() + static_cast<ptrdiff_t>(rows[r] * n_classes), n_classes, values.begin());
    if (sigmoids != nullptr) LogSigmoids(*sigmoids, values);
  };
  return TemperatureRows(std::move(sampled), std::move(weights), n_classes, doubt, read, threads, stop).Solve();
}

Calibration FitSoftmax(std::span<const float> margins, std::span<const uint32_t> labels,
                       std::span<const float> row_weights, uint32_t n_classes, int threads, const Stop& stop) {
  Calibration calibration;
  calibration.kind = CalibrationKind::kSoftmax;
  calibration.inverse_temperature = FitTemperature(margins, labels, row_weights, n_classes, nullptr, threads, stop);
  return calibration;
}

double BestInverseTemperature(const Calibration& calibration, std::span<const float> margins,
                              std::span<const uint32_t> labels, std::span<const float> row_weights, uint32_t n_classes,
                              int threads, const Stop& stop) {
  const Calibration* sigmoids = calibration.kind == CalibrationKind::kSigmoid ? &calibration : nullptr;
  return FitTemperature(margins, labels, row_weights, n_classes, sigmoids, threads, stop);
}

}  // namespace retrain
