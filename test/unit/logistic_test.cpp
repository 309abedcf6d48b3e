// Multinomial logistic regression against closed forms, its own optimality condition and its promises.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/linear/linear.h"
#include "core/linear/problem.h"
#include "linear_testing.h"

namespace retrain {
namespace {

LinearOptions Tight(double c = 1.0) {
  LinearOptions options;
  options.c = c;
  options.tolerance = 1e-7;
  options.max_epochs = 1000;
  return options;
}

std::vector<double> Probabilities(const OwnedProblem& p, size_t i, const DenseWeights& w) {
  std::vector<double> e(p.n_classes);
  double sum = 0;
  for (uint32_t k = 0; k < p.n_classes; ++k) sum += e[k] = std::exp(Margin(p, i, k, w));
  for (double& value : e) value /= sum;
  return e;
}

double Objective(const OwnedProblem& p, const DenseWeights& w, double c) {
  double value = 0;
  for (uint32_t j = 0; j < p.rows.columns; ++j)
    for (const double weight : w[j]) value += 0.5 / c * weight * weight;
  for (size_t i = 0; i < p.size(); ++i)
    value -= p.row_weights[i] * p.class_weights[p.labels[i]] * std::log(Probabilities(p, i, w)[p.labels[i]]);
  return value;
}

// The optimum by plain gradient descent in double with backtracking.
DenseWeights Reference(const OwnedProblem& p, double c) {
  DenseWeights w(p.rows.columns + 1, std::vector<double>(p.n_classes));
  double length = 1;
  for (int iteration = 0; iteration < 20000; ++iteration) {
    DenseWeights g = w;
    for (uint32_t j = 0; j < p.rows.columns; ++j)
      for (double& value : g[j]) value /= c;
    std::fill(g.back().begin(), g.back().end(), 0.0);
    for (size_t i = 0; i < p.size(); ++i) {
      const std::vector<double> q = Probabilities(p, i, w);
      for (uint32_t k = 0; k < p.n_classes; ++k) {
        const double r = p.row_weights[i] * p.class_weights[p.labels[i]] * (q[k] - (p.labels[i] == k ? 1 : 0));
        for (const SparseEntry& x : p.rows.row(i)) g[x.column][k] += r * x.value;
        g.back()[k] += r;
      }
    }
    double square = 0;
    for (const auto& row : g)
      for (const double value : row) square += value * value;
    if (square < 1e-14) break;
    const double now = Objective(p, w, c);
    for (length *= 2;; length /= 2) {
      DenseWeights trial = w;
      for (size_t j = 0; j < w.size(); ++j)
        for (uint32_t k = 0; k < p.n_classes; ++k) trial[j][k] -= length * g[j][k];
      if (length > 1e-12 && !(Objective(p, trial, c) <= now - 0.5 * length * square)) continue;
      w = trial;
      break;
    }
  }
  return w;
}

DenseWeights Fit(const OwnedProblem& p, const LinearOptions& options) {
  return Dequantise(Finish(MakeLogisticFit(p.view(), options)).weights);
}

void ExpectSameProbabilities(const OwnedProblem& p, const DenseWeights& a, const DenseWeights& b, double tolerance) {
  for (size_t i = 0; i < p.size(); ++i) {
    const std::vector<double> pa = Probabilities(p, i, a), pb = Probabilities(p, i, b);
    for (uint32_t k = 0; k < p.n_classes; ++k) EXPECT_NEAR(pa[k], pb[k], tolerance) << "row " << i << " class " << k;
  }
}

// Without features the probabilities are the weighted shares of the classes.
TEST(Logistic, RowsWithoutFeaturesGiveTheClassShares) {
  OwnedProblem p(0, 3);
  for (int i = 0; i < 5; ++i) p.Add({}, 0);
  for (int i = 0; i < 3; ++i) p.Add({}, 1);
  p.Add({}, 2, 2.0f);
  const std::vector<double> q = Probabilities(p, 0, Fit(p, Tight()));
  EXPECT_NEAR(q[0], 0.5, 1e-4);
  EXPECT_NEAR(q[1], 0.3, 1e-4);
  EXPECT_NEAR(q[2], 0.2, 1e-4);
}

class LogisticClasses : public testing::TestWithParam<uint32_t> {};

TEST_P(LogisticClasses, ReachesTheReferenceOptimum) {
  const OwnedProblem p = RandomProblem(50, 6, GetParam(), 21);
  const DenseWeights w = Fit(p, Tight(2.0)), reference = Reference(p, 2.0);
  ExpectSameProbabilities(p, w, reference, 0.01);
  EXPECT_NEAR(Objective(p, w, 2.0), Objective(p, reference, 2.0), 1e-3 * Objective(p, reference, 2.0));
}
INSTANTIATE_TEST_SUITE_P(Counts, LogisticClasses, testing::Values(2u, 3u, 17u));

// Where c is large a row's dual is far from a parabola and whole steps would overshoot. Of margins, not of stored weights: those
// are large here, and so is their rounding.
TEST(Logistic, ReachesTheOptimumWithLittleRegularisation) {
  const OwnedProblem p = RandomProblem(40, 4, 3, 31);
  const std::vector<uint8_t> never(p.size(), kNeverHeldOut);
  LinearOptions options = Tight(300.0);
  options.tolerance = 1e-5;
  options.max_epochs = 5000;
  options.folds = 2;
  options.fold_of_row = never;
  const LargeVector<float> margins = Finish(MakeLogisticFit(p.view(), options)).held_out;
  const DenseWeights reference = Reference(p, 300.0);
  for (size_t i = 0; i < p.size(); ++i)
    for (uint32_t k = 1; k < 3; ++k)
      EXPECT_NEAR(margins[i * 3 + k] - margins[i * 3], Margin(p, i, k, reference) - Margin(p, i, 0, reference), 0.05)
          << i;
}

// Intercepts carry no penalty, however small c is and however little of the cost is theirs.
TEST(Logistic, InterceptsAreFreeWhereWeightsAreNot) {
  OwnedProblem p(2, 3);
  for (int i = 0; i < 90; ++i) p.Add({1, 0}, 0);
  for (int i = 0; i < 9; ++i) p.Add({0, 1}, 1);
  p.Add({1, 1}, 2);
  const std::vector<double> q = Probabilities(p, 0, Fit(p, Tight(1e-6)));
  EXPECT_NEAR(q[0], 0.90, 1e-3);
  EXPECT_NEAR(q[1], 0.09, 1e-3);
  EXPECT_NEAR(q[2], 0.01, 1e-3);
}

TEST(Logistic, OneFeature) {
  OwnedProblem p(1, 2);
  for (const float x : {0.9f, 0.4f, 0.7f}) p.Add({x}, 0);
  for (const float x : {-0.2f, 0.5f, -0.8f, -0.1f}) p.Add({x}, 1);
  ExpectSameProbabilities(p, Fit(p, Tight()), Reference(p, 1.0), 0.005);
}

TEST(Logistic, DefaultToleranceIsCloseToTheOptimum) {
  const OwnedProblem p = RandomProblem(200, 10, 4, 22);
  const double best = Objective(p, Fit(p, Tight()), 1.0), value = Objective(p, Fit(p, {}), 1.0);
  EXPECT_NEAR(value, best, 1e-3 * best);
}

TEST(Logistic, WeightsOfRowsAndClassesMultiplyTheLoss) {
  OwnedProblem heavy = RandomProblem(30, 5, 3, 23), twice = heavy;
  heavy.row_weights[4] = 2;
  std::vector<float> row(5);
  for (const SparseEntry& x : twice.rows.row(4)) row[x.column] = x.value;
  twice.Add(row, twice.labels[4]);
  ExpectSameProbabilities(heavy, Fit(heavy, Tight()), Fit(twice, Tight()), 0.01);

  OwnedProblem by_class = RandomProblem(30, 5, 3, 24), by_row = by_class;
  by_class.class_weights[1] = 3;
  for (size_t i = 0; i < by_row.size(); ++i) by_row.row_weights[i] = by_row.labels[i] == 1 ? 3.0f : 1.0f;
  ExpectSameProbabilities(by_class, Fit(by_class, Tight()), Fit(by_row, Tight()), 1e-4);
}

TEST(Logistic, SameBytesForAnyThreadsAndSteps) {
  OwnedProblem p = RandomProblem(300, 30, 35, 25);
  for (size_t i = 0; i < p.size(); ++i) p.folds.push_back(i % 97 == 0 ? kNeverHeldOut : static_cast<uint8_t>(i % 2));
  LinearOptions options;
  options.folds = 2;
  options.fold_of_row = p.folds;
  const FitResult once = Finish(MakeLogisticFit(p.view(), options), 1, 60'000'000);
  EXPECT_EQ(once.steps, 1);
  for (const int threads : {1, 2, 4}) {
    const FitResult steps = Finish(MakeLogisticFit(p.view(), options), threads, 0);
    EXPECT_TRUE(SameBytes(once, steps)) << threads << " threads, " << steps.steps << " steps";
    EXPECT_GT(steps.steps, 1);
    EXPECT_FALSE(steps.progress_fell);
    EXPECT_EQ(steps.last_progress, 1.0);
  }
}

TEST(Logistic, HeldOutMarginsAreThoseOfAFitWithoutTheRows) {
  OwnedProblem p = RandomProblem(60, 6, 3, 26);
  for (size_t i = 0; i < p.size(); ++i) p.folds.push_back(static_cast<uint8_t>(i / 3 % 2));
  LinearOptions options = Tight();
  options.folds = 2;
  options.fold_of_row = p.folds;
  const LargeVector<float> held_out = Finish(MakeLogisticFit(p.view(), options)).held_out;
  ASSERT_EQ(held_out.size(), p.size() * 3);
  for (int fold = 0; fold < 2; ++fold) {
    const DenseWeights w = Reference(WithoutFold(p, fold), 1.0);
    for (size_t i = 0; i < p.size(); ++i)
      for (uint32_t k = 1; p.folds[i] == fold && k < 3; ++k)  // margins are only fixed up to a shift
        EXPECT_NEAR(held_out[i * 3 + k] - held_out[i * 3], Margin(p, i, k, w) - Margin(p, i, 0, w), 0.02);
  }
}

TEST(Logistic, HeldOutRowsMayBeTheFirstOnes) {
  OwnedProblem p = RandomProblem(61, 6, 3, 27);
  LinearOptions options = InFolds(p, 2);
  const LargeVector<float> all = Finish(MakeLogisticFit(p.view(), options)).held_out;
  options.held_out_rows = 16;
  const LargeVector<float> some = Finish(MakeLogisticFit(p.view(), options)).held_out;
  ASSERT_EQ(some.size(), 16u * 3);
  for (size_t h = 0; h < 16; ++h)
    for (size_t k = 0; k < 3; ++k) EXPECT_EQ(some[h * 3 + k], all[h * 3 + k]);
}

TEST(Logistic, ClassesWithoutRowsOrWithOneRow) {
  OwnedProblem p(2, 4);  // class 3 has no row, class 2 one
  for (int i = 0; i < 6; ++i) p.Add({1, 0.1f}, 0), p.Add({0.1f, 1}, 1);
  p.Add({-1, -1}, 2);
  const std::vector<double> q = Probabilities(p, 0, Fit(p, {}));
  EXPECT_GT(q[0], 0.5);
  EXPECT_LT(q[3], 0.01);
}

// What a fit leaves: the largest of each row's distribution, and the intercepts.
TEST(Logistic, DualsAreTheLargestOfEachDistribution) {
  const OwnedProblem p = RandomProblem(60, 6, 7, 32);
  LinearOptions options = Tight();
  EXPECT_FALSE(MakeLogisticFit(p.view(), options)->TakeDuals().has_value());
  options.keep_duals = true;
  const auto fit = MakeLogisticFit(p.view(), options);
  Finish(*fit);
  const DenseWeights w = Dequantise(fit->TakeWeights());
  const std::optional<DualSolution> duals = fit->TakeDuals();
  ASSERT_TRUE(duals.has_value());
  ASSERT_EQ(duals->begin.size(), p.size() + 1);
  ASSERT_EQ(duals->intercepts.size(), 7u);
  for (size_t i = 0; i < p.size(); ++i) {
    const std::vector<double> q = Probabilities(p, i, w);
    std::vector<double> sorted = q;
    std::sort(sorted.rbegin(), sorted.rend());
    ASSERT_EQ(duals->begin[i + 1] - duals->begin[i], 4u);
    double sum = 0, largest = 0;
    for (uint64_t e = duals->begin[i]; e < duals->begin[i + 1]; ++e) {
      const DualSolution::Entry& entry = duals->entries[e];
      if (e > duals->begin[i]) {
        EXPECT_GT(entry.label, duals->entries[e - 1].label);
      }
      EXPECT_NEAR(static_cast<double>(entry.alpha), q[entry.label], 0.01);
      sum += static_cast<double>(entry.alpha);
    }
    for (size_t k = 0; k < 4; ++k) largest += sorted[k];
    EXPECT_NEAR(sum, largest, 0.02);
  }
}

// From the solution of a problem without some rows, those are scored as that solution reads them, and the new optimum is reached.
TEST(Logistic, StartsFromTheSolutionOfOtherRows) {
  OwnedProblem p = RandomProblem(80, 6, 3, 33);
  for (size_t i = 0; i < p.size(); ++i) p.folds.push_back(i % 20 == 7 ? 0 : 1);
  const OwnedProblem known = WithoutFold(p, 0);
  LinearOptions options = Tight();
  options.keep_duals = true;
  const auto fit = MakeLogisticFit(known.view(), options);
  Finish(*fit);
  const std::optional<DualSolution> duals = fit->TakeDuals();
  DualSolution start;
  start.intercepts = duals->intercepts;
  std::vector<uint32_t> fresh;
  size_t at = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p.folds[i] == 0) {
      fresh.push_back(static_cast<uint32_t>(i));
    } else {
      for (uint64_t e = duals->begin[at]; e < duals->begin[at + 1]; ++e) start.entries.push_back(duals->entries[e]);
      ++at;
    }
    start.begin.push_back(start.entries.size());
  }
  options.start = &start;
  options.fresh_rows = fresh;
  const FitResult result = Finish(MakeLogisticFit(p.view(), options), 1, 1000);
  const DenseWeights before = Reference(known, 1.0);
  ASSERT_EQ(result.held_out.size(), fresh.size() * 3);
  for (size_t h = 0; h < fresh.size(); ++h)
    for (uint32_t k = 1; k < 3; ++k)
      EXPECT_NEAR(result.held_out[h * 3 + k] - result.held_out[h * 3],
                  Margin(p, fresh[h], k, before) - Margin(p, fresh[h], 0, before), 0.02);
  ExpectSameProbabilities(p, Dequantise(result.weights), Reference(p, 1.0), 0.01);
  // The same few passes come nearer to it than from nothing.
  options.max_epochs = 3;
  const double best = Objective(p, Reference(p, 1.0), 1.0);
  const DenseWeights early = Dequantise(Finish(MakeLogisticFit(p.view(), options)).weights);
  options.start = nullptr;
  options.fresh_rows = {};
  const DenseWeights cold = Dequantise(Finish(MakeLogisticFit(p.view(), options)).weights);
  EXPECT_LT(Objective(p, early, 1.0) - best, 0.5 * (Objective(p, cold, 1.0) - best));

  start.intercepts.pop_back();
  options.start = &start;
  EXPECT_THROW(MakeLogisticFit(p.view(), options), Error);
}

TEST(Logistic, StopEndsTheStep) {
  const OwnedProblem p = RandomProblem(200, 30, 40, 27);
  const auto fit = MakeLogisticFit(p.view(), {});
  StepBudget budget;
  budget.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
  budget.stop.requested = []() noexcept { return true; };
  EXPECT_FALSE(fit->Step(budget));
  EXPECT_LT(fit->Progress(), 1.0);
}

TEST(Logistic, BytesOverflowIsAnError) {
  // weights and distributions of all rows' fit and of two folds'
  EXPECT_GT(LogisticFitBytes(1000, 1000, 150, 5, 2), uint64_t{3} * 2000 * 160 * 4);
  EXPECT_GT(LogisticFitBytes(1000, 1000, 150, 5, 2), LogisticFitBytes(1000, 1000, 150, 0, 2));
  EXPECT_THROW(LogisticFitBytes(10, uint64_t{1} << 60, 150, 5, 1), Error);
}

}  // namespace
}  // namespace retrain
