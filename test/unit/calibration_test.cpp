// Calibration against brute force, optimality conditions and libm.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/rng.h"
#include "core/base/stop.h"
#include "core/linear/calibration.h"

namespace retrain {
namespace {

struct Sample {
  std::vector<float> margins, weights;
  std::vector<uint32_t> labels;
  uint32_t n_classes;
};

// Labels drawn from softmax(truth * margins).
Sample Draw(size_t n, uint32_t n_classes, double truth, uint64_t seed) {
  Rng rng(seed);
  Sample s{{}, std::vector<float>(n, 1.0f), {}, n_classes};
  for (size_t i = 0; i < n; ++i) {
    std::vector<double> e;
    for (uint32_t k = 0; k < n_classes; ++k) {
      s.margins.push_back(static_cast<float>(rng.Below(2001)) / 1000.0f - 1.0f);
      e.push_back(std::exp(truth * s.margins.back()));
    }
    double u = static_cast<double>(rng.Below(1u << 30)) / (1u << 30) * std::accumulate(e.begin(), e.end(), 0.0);
    uint32_t label = 0;
    while (label + 1 < n_classes && u >= e[label]) u -= e[label++];
    s.labels.push_back(label);
  }
  return s;
}

double SoftmaxLoss(const Sample& s, double b) {
  double loss = 0;
  for (size_t i = 0; i < s.labels.size(); ++i) {
    const float* m = s.margins.data() + i * s.n_classes;
    double sum = 0;
    for (uint32_t k = 0; k < s.n_classes; ++k) sum += std::exp(b * (m[k] - m[s.labels[i]]));
    loss += s.weights[i] * std::log(sum);
  }
  return loss;
}

Calibration Softmax(const Sample& s) { return FitSoftmax(s.margins, s.labels, s.weights, s.n_classes, 1, {}); }
Calibration Sigmoid(const Sample& s) { return FitSigmoid(s.margins, s.labels, s.weights, s.n_classes, 1, {}); }

TEST(SoftmaxCalibration, MinimisesTheLossAndFindsTheTruth) {
  const Sample s = Draw(3000, 5, 3.0, 31);
  const Calibration c = Softmax(s);
  EXPECT_EQ(c.kind, CalibrationKind::kSoftmax);
  EXPECT_NEAR(c.inverse_temperature, 3.0, 0.2);
  const double best = SoftmaxLoss(s, c.inverse_temperature);
  for (double b = 0.5; b < 8; b *= 1.01) EXPECT_LE(best, SoftmaxLoss(s, b) + 1e-2) << b;
}

// Up to the prior, which goes by the number of rows.
TEST(SoftmaxCalibration, WeightsCountAndZeroLeavesOut) {
  Sample s = Draw(400, 3, 2.0, 32), doubled = s, fewer = s;
  for (size_t i = 0; i < 100; ++i) s.weights[i] = 2;
  for (size_t i = 0; i < 100; ++i) {
    doubled.labels.push_back(s.labels[i]);
    doubled.weights.push_back(1);
    doubled.margins.insert(doubled.margins.end(), s.margins.begin() + 3 * i, s.margins.begin() + 3 * (i + 1));
  }
  EXPECT_NEAR(Softmax(s).inverse_temperature, Softmax(doubled).inverse_temperature, 0.01);
  for (size_t i = 0; i < 100; ++i) s.weights[i] = 0;
  fewer.margins.erase(fewer.margins.begin(), fewer.margins.begin() + 300);
  fewer.labels.erase(fewer.labels.begin(), fewer.labels.begin() + 100);
  fewer.weights.resize(300);
  EXPECT_NEAR(Softmax(s).inverse_temperature, Softmax(fewer).inverse_temperature, 0.01);
}

TEST(SoftmaxCalibration, ExtremeMarginsStayFinite) {
  Sample right{{}, {1, 1, 1}, {0, 1, 2}, 3};  // always right: without a prior the best factor would be infinite
  for (uint32_t i = 0; i < 3; ++i)
    for (uint32_t k = 0; k < 3; ++k) right.margins.push_back(i == k ? 1.0f : -1.0f);
  // Platt's target for three rows, e = 1/5, keeps it finite: E[m] = (1 - e) + e mean(m) = 11/15 with E[m] = 2 p - 1.
  const double p = 13.0 / 15;
  EXPECT_NEAR(Softmax(right).inverse_temperature, -0.5 * std::log((1 / p - 1) / 2), 1e-3);
  right.labels = {1, 2, 0};  // always wrong: the best factor that keeps the order is zero
  const double doubtful = Softmax(right).inverse_temperature;
  EXPECT_GT(doubtful, 0);
  EXPECT_LT(doubtful, 0.1);
}

// Every intent of a training may have one row: none is held out.
TEST(SoftmaxCalibration, NothingToLearnFromLeavesTheMargins) {
  Sample none = Draw(30, 30, 1.0, 39);
  std::fill(none.weights.begin(), none.weights.end(), 0.0f);
  EXPECT_EQ(Softmax(none).inverse_temperature, 1);
  EXPECT_EQ(Softmax({{}, {}, {}, 3}).inverse_temperature, 1);
}

// Undoes what is drawn towards the mean of all classes: with shares w_k, c_k = w_k a_k + (1 - w_k) mean(a).
std::vector<double> Unpooled(std::span<const float> pooled, const std::vector<double>& shares) {
  double by_share = 0, rest = 0;
  for (size_t k = 0; k < shares.size(); ++k) {
    by_share += pooled[k] / shares[k];
    rest += (1 - shares[k]) / shares[k];
  }
  const auto n = static_cast<double>(shares.size());
  const double mean = by_share / n / (1 + rest / n);
  std::vector<double> own;
  for (size_t k = 0; k < shares.size(); ++k) own.push_back((pooled[k] - (1 - shares[k]) * mean) / shares[k]);
  return own;
}

TEST(SigmoidCalibration, SolvesPlattsEquations) {
  const Sample s = Draw(1500, 4, 2.5, 33);
  const Calibration c = Sigmoid(s);
  ASSERT_EQ(c.slope.size(), 4u);
  std::vector<double> own, priors, shares;
  std::vector<float> offsets;
  for (uint32_t k = 0; k < 4; ++k) {
    own.push_back(static_cast<double>(std::count(s.labels.begin(), s.labels.end(), k)));
    shares.push_back(own[k] / (own[k] + 10));
    priors.push_back(std::log((1500 - own[k] + 1) / (own[k] + 1)));
    offsets.push_back(c.intercept[k] - static_cast<float>(priors[k]));
  }
  const std::vector<double> slope = Unpooled(c.slope, shares), offset = Unpooled(offsets, shares);
  for (uint32_t k = 0; k < 4; ++k) {
    const double others = 1500 - own[k];
    double by_intercept = 0, by_slope = 0;
    for (size_t i = 0; i < 1500; ++i) {
      const double m = s.margins[4 * i + k], t = s.labels[i] == k ? (own[k] + 1) / (own[k] + 2) : 1 / (others + 2);
      const double p = 1 / (1 + std::exp(slope[k] * m + priors[k] + offset[k]));
      by_intercept += t - p;
      by_slope += (t - p) * m;
    }
    EXPECT_NEAR(by_intercept, 0, 0.5);  // of 1500 rows
    EXPECT_NEAR(by_slope, 0, 0.5);
    EXPECT_LT(slope[k], 0);
  }
}

// Of two classes alike in all but the number of rows the small one, whose rows all lie beyond -0.2, must not get a sigmoid as
// steep as they would have it.
TEST(SigmoidCalibration, FewRowsFollowTheOtherClasses) {
  const Sample many = Draw(4000, 3, 2.5, 38);
  Sample few{{}, {}, {}, 3};
  size_t of_the_last = 0;
  for (size_t i = 0; i < many.labels.size(); ++i) {
    if (many.labels[i] == 2 && (many.margins[3 * i + 2] < -0.2f || of_the_last++ >= 4)) continue;
    few.labels.push_back(many.labels[i]);
    few.weights.push_back(1);
    few.margins.insert(few.margins.end(), many.margins.begin() + 3 * static_cast<ptrdiff_t>(i),
                       many.margins.begin() + 3 * static_cast<ptrdiff_t>(i + 1));
  }
  const Calibration c = Sigmoid(few);
  const float mean = (c.slope[0] + c.slope[1]) / 2;
  EXPECT_NEAR(c.slope[2] / mean, 1, 0.25);
}

TEST(SigmoidCalibration, ThreadsDoNotMatter) {
  const Sample s = Draw(800, 37, 3.0, 34);
  const Calibration one = Sigmoid(s), two = FitSigmoid(s.margins, s.labels, s.weights, s.n_classes, 2, {});
  EXPECT_EQ(one.slope, two.slope);
  EXPECT_EQ(one.intercept, two.intercept);
}

TEST(SigmoidCalibration, ClassWithoutHeldOutRowsFollowsTheOthers) {
  Sample s = Draw(600, 3, 3.0, 35);
  for (size_t i = 0; i < s.labels.size(); ++i)
    if (s.labels[i] == 2) s.weights[i] = 0;
  const Calibration c = Sigmoid(s);
  // The mean of what the others' own rows say.
  std::vector<double> priors, shares;
  std::vector<float> offsets;
  double all = 0;
  for (const float weight : s.weights) all += static_cast<double>(weight);
  for (uint32_t k = 0; k < 2; ++k) {
    const auto own = static_cast<double>(std::count(s.labels.begin(), s.labels.end(), k));
    shares.push_back(own / (own + 10));
    priors.push_back(std::log((all - own + 1) / (own + 1)));
    offsets.push_back(c.intercept[k] - static_cast<float>(priors[k]));
  }
  const std::vector<double> slope = Unpooled(std::span(c.slope).first(2), shares), offset = Unpooled(offsets, shares);
  EXPECT_NEAR(c.slope[2], (slope[0] + slope[1]) / 2, 1e-5);
  EXPECT_NEAR(c.intercept[2], (priors[0] + offset[0] + priors[1] + offset[1]) / 2, 1e-5);
}

TEST(SigmoidCalibration, NothingToLearnFromIsStillUsable) {
  Sample s = Draw(10, 3, 1.0, 36);
  std::fill(s.weights.begin(), s.weights.end(), 0.0f);
  const Calibration c = Sigmoid(s);
  EXPECT_EQ(c.inverse_temperature, 1);
  std::vector<float> p = {0.5f, -0.5f, -1.0f};
  Calibrate(c, p);
  EXPECT_GT(p[0], p[1]);
  EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-6);
}

TEST(Calibration, StopIsPolled) {
  const Sample s = Draw(5000, 3, 2.0, 37);
  Stop stop;
  stop.requested = []() noexcept { return true; };
  EXPECT_THROW(FitSoftmax(s.margins, s.labels, s.weights, 3, 1, stop), Cancelled);
  EXPECT_THROW(FitSigmoid(s.margins, s.labels, s.weights, 3, 1, stop), Cancelled);
}

TEST(Calibrate, SoftmaxMatchesLibm) {
  for (const uint32_t n : {1u, 2u, 15u, 16u, 17u, 150u}) {
    const Sample s = Draw(20, n, 1.0, 38 + n);
    for (size_t i = 0; i < 20; ++i) {
      std::vector<float> p(s.margins.begin() + i * n, s.margins.begin() + (i + 1) * n);
      std::vector<double> e;
      for (const float m : p) e.push_back(std::exp(7.0 * m));
      const double sum = std::accumulate(e.begin(), e.end(), 0.0);
      Calibrate({CalibrationKind::kSoftmax, 7.0, {}, {}}, p);
      for (uint32_t k = 0; k < n; ++k) EXPECT_NEAR(p[k], e[k] / sum, 1e-6);
      EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1, 1e-5);
    }
  }
}

TEST(Calibrate, NoneIsSoftmaxOfTheMargins) {
  std::vector<float> p = {0, std::log(3.0f)};
  Calibrate({}, p);
  EXPECT_NEAR(p[0], 0.25, 1e-6);
  EXPECT_NEAR(p[1], 0.75, 1e-6);
}

TEST(Calibrate, SigmoidIsNormalised) {
  std::vector<float> p = {1, -1, 0};
  Calibrate({CalibrationKind::kSigmoid, 1.0, {-2, -2, -2}, {0, 0, 0}}, p);
  const double a = 1 / (1 + std::exp(-2.0)), b = 1 / (1 + std::exp(2.0)), sum = a + b + 0.5;
  EXPECT_NEAR(p[0], a / sum, 1e-6);
  EXPECT_NEAR(p[1], b / sum, 1e-6);
  EXPECT_NEAR(p[2], 0.5 / sum, 1e-6);
}

TEST(Calibrate, HugeMarginsDoNotOverflow) {
  std::vector<float> p = {3e38f, -3e38f, 0};
  Calibrate({CalibrationKind::kSoftmax, 1000.0, {}, {}}, p);
  EXPECT_EQ(p[0], 1);
  p = {-3e38f, -3e38f, -3e38f};
  Calibrate({CalibrationKind::kSigmoid, 1.0, {-1, -1, -1}, {0, 0, 0}}, p);
  for (const float value : p) EXPECT_NEAR(value, 1.0 / 3, 1e-6);
}

TEST(Calibration, RowsContradictByWhatIsSignificantAndMatters) {
  EXPECT_FALSE(Contradicts(5.4, 165));
  EXPECT_TRUE(Contradicts(5.5, 165));
  EXPECT_FALSE(Contradicts(5.5, 2339));  // significant, and worth next to nothing to a row
  EXPECT_TRUE(Contradicts(12, 2339));
}

// Only some of the rows of other classes are looked at. Which ones must not matter: without every hundredth row the sigmoids
// are the same as far as anybody could tell.
TEST(Calibration, SigmoidsHardlyMoveWithARowInAHundred) {
  constexpr uint32_t kClasses = 32, kRows = 16000;
  Rng rng(5);
  const auto noise = [&rng] {  // about normal, variance 1
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(rng.Next() >> 11) * 0x1p-53;
    return static_cast<float>(sum);
  };
  std::vector<float> all, some;
  std::vector<uint32_t> all_labels, some_labels;
  for (uint32_t i = 0; i < kRows; ++i) {
    std::vector<float> margins(kClasses);
    const uint32_t label = i % 160 < kClasses ? i % 160 : kClasses - 1;  // a hundred rows of each but the last one
    for (float& margin : margins) margin = -1.1f + 0.3f * noise();
    margins[label] = 0.4f + 0.6f * noise();
    all.insert(all.end(), margins.begin(), margins.end());
    all_labels.push_back(label);
    if (i % 101 == 37) continue;
    some.insert(some.end(), margins.begin(), margins.end());
    some_labels.push_back(label);
  }
  const auto fit = [](const std::vector<float>& margins, const std::vector<uint32_t>& labels) {
    return FitSigmoid(margins, labels, std::vector<float>(labels.size(), 1), kClasses, 1, Stop());
  };
  const Calibration a = fit(all, all_labels), b = fit(some, some_labels);
  double moved = 0;
  for (uint32_t k = 0; k < 16; ++k) moved += std::abs(static_cast<double>(a.intercept[k] - b.intercept[k])) / 16;
  EXPECT_LT(moved, 0.08) << "on average, in log-odds";
}

}  // namespace
}  // namespace retrain
