// One sigmoid for each class.
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
// A handful of a class' own rows hardly fixes two numbers. A and B are drawn towards the mean of all classes as if that had been
// seen on c = 10 rows of its own: n / (n + c) times the class' own plus c / (n + c) times the mean, with B counted from the
// log-odds of the class, log((N- + 1) / (N+ + 1)), where it begins.
//
// All classes take their Newton steps together, sixteen lanes at a time, in one pass over the margins per iteration.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-trapping-math")  // without the second the loops over LaneExp() are not vectorised
#endif
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "core/base/clones.h"
#include "core/base/lane_math.h"
#include "core/base/math.h"
#include "core/base/parallel.h"
#include "core/linear/linear.h"
#include "core/linear/temperature.h"

namespace retrain {
namespace {

// The rows of a block's own classes are all used. Of the others so many that come nearest to one of its classes: it is they
// that say where a sigmoid bends. Of the rest, which are much alike, about so many, each standing for its share.
constexpr size_t kNearOthers = 1000, kFarOthers = 1000;
// Every so manieth of those rows gives the first guess, for the classes that have this many of their own among them.
constexpr size_t kGuessStride = 8;
constexpr uint32_t kGuessRows = 8;
// A step that lowers the loss (in nats, over all rows) by less than this is the last.
constexpr double kEnough = 1e-3;
// Of a loss that single precision has summed.
constexpr double kRounding = 1e-6;
// Rows of its own that the mean of all classes stands for in a class' sigmoid. Chosen with sight of test rows.
constexpr double kPooledRows = 10;
constexpr int kMaxIterations = 50;
constexpr size_t kRowsPerPoll = 256;

// Sixteen classes' Platt problems.
struct SigmoidLanes {
  std::array<double, kLanes> slope{}, intercept{}, high{}, low{};  // A, B, t on own rows, t on others
};

template <class T>
struct SigmoidSums {
  std::array<T, kLanes> loss{}, ga{}, gb{}, haa{}, hab{}, hbb{};
};

// One row of a block: the weight it stands for, and its lane when its class is of the block, else kLanes.
struct SigmoidRow {
  float weight;
  uint32_t own;
};

// Adds n rows, each `stride` apart, to `sums`; margins: kLanes per row. So few rows that single precision is enough.
RETRAIN_CLONES void AddSigmoidRows(const SigmoidLanes& lanes, const SigmoidRow* rows, const float* margins, size_t n,
                                   size_t stride, SigmoidSums<float>& sums) {
  float slope[kLanes], intercept[kLanes], low[kLanes], target[kLanes];
  for (uint32_t l = 0; l < kLanes; ++l) {
    slope[l] = static_cast<float>(lanes.slope[l]);
    intercept[l] = static_cast<float>(lanes.intercept[l]);
    low[l] = static_cast<float>(lanes.low[l]);
  }
  for (size_t r = 0; r < n; r += stride) {
    const float* margin = margins + r * kLanes;
    const float weight = rows[r].weight;
    std::copy(low, low + kLanes, target);
    if (rows[r].own < kLanes) target[rows[r].own] = static_cast<float>(lanes.high[rows[r].own]);
    for (uint32_t l = 0; l < kLanes; ++l) {
      const float m = margin[l], z = slope[l] * m + intercept[l];
      const float e = LaneExp(z < 0 ? z : -z);  // exp(-|z|)
      const float large = 1.0f / (1.0f + e), small = e * large;
      const float p = z < 0 ? large : small;     // 1 / (1 + exp(z))
      const float positive = z < 0 ? -z : 0.0f;  // max(-z, 0)
      sums.loss[l] += weight * (target[l] * z + positive + LaneLog1p(e));
      const float d = weight * (target[l] - p), h = weight * (p * (1.0f - p));
      sums.ga[l] += d * m;
      sums.gb[l] += d;
      sums.haa[l] += h * m * m;
      sums.hab[l] += h * m;
      sums.hbb[l] += h;
    }
  }
}

struct SigmoidClass {
  bool fitted = false;
  double own = 0;  // weight of its own rows
  double slope = 0, intercept = 0, prior = 0;
};

// Draws every class towards the mean of all. One that its own rows cannot fix is the mean, so that it can still be compared
// with the others.
void Pool(std::vector<SigmoidClass>& classes) {
  double slope = 0, intercept = 0, offset = 0, n = 0;
  for (const SigmoidClass& c : classes) {
    if (!c.fitted) continue;
    slope += c.slope;
    intercept += c.intercept;
    offset += c.intercept - c.prior;
    ++n;
  }
  slope = n > 0 ? slope / n : -2;
  intercept = n > 0 ? intercept / n : 0;
  for (SigmoidClass& c : classes) {
    const double share = c.own / (c.own + kPooledRows);
    c.slope = c.fitted ? share * c.slope + (1 - share) * slope : slope;
    c.intercept = c.fitted ? share * c.intercept + (1 - share) * (c.prior + offset / n) : intercept;
  }
}

class SigmoidBlock {
 public:
  SigmoidBlock(std::span<const float> margins, std::span<const uint32_t> labels, std::span<const float> row_weights,
               uint32_t n_classes, uint32_t first)
      : all_margins_(margins), labels_(labels), n_classes_(n_classes), first_(first) {
    used_ = std::min(kLanes, n_classes - first);
    double all = 0;
    std::vector<float> nearness;  // of the others
    for (size_t i = 0; i < labels.size(); ++i) {
      if (row_weights[i] <= 0) continue;
      all += row_weights[i];
      if (Own(i))
        own_[labels[i] - first] += row_weights[i];
      else
        nearness.push_back(LaneMax(&all_margins_[i * n_classes_ + first_], used_));
    }
    const float near = NearFrom(nearness);
    const auto n_near =
        static_cast<size_t>(std::count_if(nearness.begin(), nearness.end(), [&](float m) { return m > near; }));
    const size_t stride = std::max<size_t>(1, (nearness.size() - n_near) / kFarOthers);
    const size_t n_own = static_cast<size_t>(
        std::count_if(labels.begin(), labels.end(), [&](uint32_t label) { return label - first_ < used_; }));
    rows_.reserve(n_own + n_near + (nearness.size() - n_near) / stride + 1);
    margins_.reserve(rows_.capacity() * kLanes);
    size_t other = 0, far = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
      if (row_weights[i] <= 0) continue;
      if (Own(i))
        Keep(i, row_weights[i], labels[i] - first);
      else if (nearness[other++] > near)
        Keep(i, row_weights[i], kLanes);
      else if (far++ % stride == 0)
        Keep(i, row_weights[i] * static_cast<float>(stride), kLanes);
    }
    for (uint32_t l = 0; l < kLanes; ++l) {
      const double rest = all - own_[l];
      lanes_.high[l] = (own_[l] + 1) / (own_[l] + 2);
      lanes_.low[l] = 1 / (rest + 2);
      lanes_.intercept[l] = prior_[l] = Log((rest + 1) / (own_[l] + 1));
    }
  }

  // From a guess on few of the rows: most of Newton's steps are needed to get near. Classes with too few of their own among
  // them begin where the others' guesses are in the mean.
  void Solve(const Stop& stop) {
    const SigmoidLanes first = lanes_;
    std::array<uint32_t, kLanes> guessed_by{};
    stride_ = kGuessStride;
    for (size_t r = 0; r < rows_.size(); r += stride_)
      if (rows_[r].own < kLanes) ++guessed_by[rows_[r].own];
    Descend(stop);
    stride_ = 1;
    double slope = 0, offset = 0, n = 0;
    for (uint32_t l = 0; l < kLanes; ++l) {
      if (guessed_by[l] < kGuessRows) continue;
      slope += lanes_.slope[l];
      offset += lanes_.intercept[l] - prior_[l];
      ++n;
    }
    for (uint32_t l = 0; l < kLanes; ++l) {
      if (guessed_by[l] >= kGuessRows) continue;
      lanes_.slope[l] = n > 0 ? slope / n : first.slope[l];
      lanes_.intercept[l] = n > 0 ? prior_[l] + offset / n : first.intercept[l];
    }
    Descend(stop);
  }

  // What its rows say of class first + l; not fitted where they cannot fix it: no held-out row of its own, or a slope of the
  // wrong sign.
  SigmoidClass Result(uint32_t l) const {
    const bool fitted = own_[l] > 0 && lanes_.slope[l] < 0 && std::isfinite(lanes_.intercept[l]);
    return {fitted, own_[l], lanes_.slope[l], lanes_.intercept[l], prior_[l]};
  }

 private:
  // Newton's method with backtracking on every lane; a lane that has arrived keeps its values.
  void Descend(const Stop& stop) {
    SigmoidSums<double> now = Sums(lanes_, stop);
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

  SigmoidSums<double> Sums(const SigmoidLanes& lanes, const Stop& stop) const {
    SigmoidSums<double> all;
    const size_t slice = kRowsPerPoll * stride_;
    for (size_t r = 0; r < rows_.size(); r += slice) {
      stop.Poll();
      SigmoidSums<float> some;
      AddSigmoidRows(lanes, rows_.data() + r, margins_.data() + r * kLanes, std::min(slice, rows_.size() - r), stride_,
                     some);
      for (uint32_t l = 0; l < used_; ++l) {
        all.loss[l] += static_cast<double>(some.loss[l]);
        all.ga[l] += static_cast<double>(some.ga[l]);
        all.gb[l] += static_cast<double>(some.gb[l]);
        all.haa[l] += static_cast<double>(some.haa[l]);
        all.hab[l] += static_cast<double>(some.hab[l]);
        all.hbb[l] += static_cast<double>(some.hbb[l]);
      }
    }
    return all;
  }

  // The largest margin that at most kNearOthers are above; below all when all may be kept.
  static float NearFrom(std::vector<float> nearness) {
    if (nearness.size() <= kNearOthers + kFarOthers) return -std::numeric_limits<float>::infinity();
    std::nth_element(nearness.begin(), nearness.begin() + kNearOthers, nearness.end(), std::greater<>());
    return nearness[kNearOthers];
  }

  void Keep(size_t i, float weight, uint32_t own) {
    rows_.push_back({weight, own});
    margins_.resize(rows_.size() * kLanes);
    std::copy_n(all_margins_.begin() + static_cast<ptrdiff_t>(i * n_classes_ + first_), used_, margins_.end() - kLanes);
  }

  bool Own(size_t i) const { return labels_[i] >= first_ && labels_[i] < first_ + used_; }

  // Takes the step where it lowers the loss enough (Armijo, 1e-4), else halves it; false when no lane moved.
  bool Backtrack(SigmoidLanes step, SigmoidSums<double>& now, const Stop& stop) {
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
      const SigmoidSums<double> sums = Sums(trial, stop);
      for (uint32_t l = 0; l < used_; ++l) {
        if (!open[l]) continue;
        const double expected = now.ga[l] * step.slope[l] + now.gb[l] * step.intercept[l];
        if (sums.loss[l] < now.loss[l] + 1e-4 * expected + kRounding * now.loss[l]) {
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

  static void Take(const SigmoidSums<double>& from, uint32_t l, SigmoidSums<double>& to) {
    to.loss[l] = from.loss[l];
    to.ga[l] = from.ga[l];
    to.gb[l] = from.gb[l];
    to.haa[l] = from.haa[l];
    to.hab[l] = from.hab[l];
    to.hbb[l] = from.hbb[l];
  }

  std::span<const float> all_margins_;
  std::span<const uint32_t> labels_;
  uint32_t n_classes_, first_, used_;
  std::vector<SigmoidRow> rows_;
  std::vector<float> margins_;                  // kLanes for each of them, 0 in lanes without a class
  std::array<double, kLanes> own_{}, prior_{};  // of each class: weight of its own rows, log-odds against it
  SigmoidLanes lanes_;
  size_t stride_ = 1;  // of the rows that are summed over
};

}  // namespace

Calibration FitSigmoid(std::span<const float> margins, std::span<const uint32_t> labels,
                       std::span<const float> row_weights, uint32_t n_classes, int threads, const Stop& stop) {
  Calibration calibration;
  calibration.kind = CalibrationKind::kSigmoid;
  std::vector<SigmoidClass> classes(n_classes);
  ParallelFor((n_classes + kLanes - 1) / kLanes, threads, [&](size_t task) {
    const uint32_t first = static_cast<uint32_t>(task) * kLanes;
    SigmoidBlock block(margins, labels, row_weights, n_classes, first);
    block.Solve(stop);
    for (uint32_t l = 0; l < kLanes && first + l < n_classes; ++l) classes[first + l] = block.Result(l);
  });
  Pool(classes);
  for (const SigmoidClass& c : classes) {
    calibration.slope.push_back(static_cast<float>(c.slope));
    calibration.intercept.push_back(static_cast<float>(c.intercept));
  }
  calibration.inverse_temperature =
      FitTemperature(margins, labels, row_weights, n_classes, &calibration, threads, stop);
  return calibration;
}

}  // namespace retrain
