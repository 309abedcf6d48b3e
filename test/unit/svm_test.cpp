// The one-vs-rest SVM against closed forms, a plain reference solver and its own promises.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/linear/linear.h"
#include "core/linear/problem.h"
#include "linear_testing.h"

namespace retrain {
namespace {

double Cost(const OwnedProblem& p, size_t i, uint32_t k, double c) {
  const bool own = p.labels[i] == k;
  const double weight = own || p.n_classes == 2 ? p.class_weights[p.labels[i]] : 1.0;
  return c * p.row_weights[i] * weight;
}

// 1/2 |w|^2 + sum_i C_i max(0, 1 - y_i w.x_i)^2 of class k.
double Primal(const OwnedProblem& p, const DenseWeights& w, uint32_t k, double c) {
  double value = 0;
  for (const auto& row : w) value += 0.5 * row[k] * row[k];
  for (size_t i = 0; i < p.size(); ++i) {
    const double slack = std::max(0.0, 1 - (p.labels[i] == k ? 1 : -1) * Margin(p, i, k, w));
    value += Cost(p, i, k, c) * slack * slack;
  }
  return value;
}

// The dual of every class by cyclic coordinate descent in double until nothing moves; also returns the dual value.
DenseWeights Reference(const OwnedProblem& p, double c, std::vector<double>* dual_values = nullptr) {
  DenseWeights w(p.rows.columns + 1, std::vector<double>(p.n_classes));
  for (uint32_t k = 0; k < p.n_classes; ++k) {
    std::vector<double> alpha(p.size());
    for (int epoch = 0; epoch < 5000; ++epoch) {
      for (size_t i = 0; i < p.size(); ++i) {
        const double y = p.labels[i] == k ? 1 : -1, d = 0.5 / Cost(p, i, k, c);
        double q = 1 + d;
        for (const SparseEntry& x : p.rows.row(i)) q += static_cast<double>(x.value) * x.value;
        const double moved = std::max(0.0, alpha[i] - (y * Margin(p, i, k, w) - 1 + d * alpha[i]) / q);
        const double step = (moved - alpha[i]) * y;
        alpha[i] = moved;
        for (const SparseEntry& x : p.rows.row(i)) w[x.column][k] += step * x.value;
        w[p.rows.columns][k] += step;
      }
    }
    double dual = 0;
    for (const auto& row : w) dual -= 0.5 * row[k] * row[k];
    for (size_t i = 0; i < p.size(); ++i) dual += alpha[i] - 0.25 * alpha[i] * alpha[i] / Cost(p, i, k, c);
    if (dual_values != nullptr) dual_values->push_back(dual);
  }
  return w;
}

LinearOptions Tight(double c = 1.0) {
  LinearOptions options;
  options.c = c;
  options.tolerance = 1e-3;
  options.max_epochs = 5000;
  return options;
}

DenseWeights Fit(const OwnedProblem& p, const LinearOptions& options) {
  return Dequantise(Finish(MakeSvmFit(p.view(), options)).weights);
}

void ExpectClose(const DenseWeights& a, const DenseWeights& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t j = 0; j < a.size(); ++j)
    for (size_t k = 0; k < a[j].size(); ++k)
      EXPECT_NEAR(a[j][k], b[j][k], tolerance) << "feature " << j << " class " << k;
}

// Without features only the bias is left: b + sum_i 2 C_i y_i (y_i b - 1) = 0.
TEST(Svm, RowsWithoutFeaturesHaveTheClosedFormBias) {
  OwnedProblem p(0, 2);
  p.Add({}, 0);
  p.Add({}, 0);
  p.Add({}, 1);
  const DenseWeights w = Fit(p, Tight());
  EXPECT_NEAR(w[0][0], 2.0 / 7, 1e-3);
  EXPECT_NEAR(w[0][1], -2.0 / 7, 1e-3);
}

TEST(Svm, OneFeatureMatchesTheReference) {
  OwnedProblem p(1, 2);
  for (const float x : {0.9f, 0.4f, 0.7f}) p.Add({x}, 0);
  for (const float x : {-0.2f, 0.5f, -0.8f, -0.1f}) p.Add({x}, 1);
  ExpectClose(Fit(p, Tight()), Reference(p, 1.0), 0.01);
}

class SvmClasses : public testing::TestWithParam<uint32_t> {};

TEST_P(SvmClasses, ReachesTheReferenceOptimum) {
  const OwnedProblem p = RandomProblem(60, 7, GetParam(), 11);
  std::vector<double> dual;
  const DenseWeights reference = Reference(p, 0.7, &dual), w = Fit(p, Tight(0.7));
  ExpectClose(w, reference, 0.02);
  for (uint32_t k = 0; k < p.n_classes; ++k) {
    const double gap = Primal(p, w, k, 0.7) - dual[k];
    EXPECT_GE(gap, -1e-6);
    EXPECT_LE(gap, 2e-3 * dual[k]) << "class " << k;  // what quantisation leaves
  }
}
INSTANTIATE_TEST_SUITE_P(Counts, SvmClasses, testing::Values(2u, 3u, 16u, 17u));

// Rows are shuffled chunk by chunk. A row written 300 times at a three-hundredth of the cost is the row once; 36 000 of them
// are three chunks, here in the order least like a sample: all of a row's copies, then those of the next.
TEST(Svm, ManyChunksReachTheSameOptimum) {
  constexpr size_t kCopies = 300;
  const OwnedProblem once = RandomProblem(120, 15, 3, 5);
  OwnedProblem often(once.rows.columns, once.n_classes);
  for (size_t i = 0; i < once.size(); ++i) {
    std::vector<float> row(once.rows.columns);
    for (const SparseEntry& x : once.rows.row(i)) row[x.column] = x.value;
    for (size_t copy = 0; copy < kCopies; ++copy) often.Add(row, once.labels[i], once.row_weights[i]);
  }
  often.class_weights = once.class_weights;
  ExpectClose(Fit(often, Tight(1.0 / kCopies)), Fit(once, Tight()), 0.02);
}

// The few hundred rows beyond the first chunk must not be visited together in every epoch: 213 epochs instead of 20 were needed.
TEST(Svm, RowsBeyondTheFirstChunkDoNotSlowTheSolution) {
  constexpr uint32_t kColumns = 3000, kClasses = 16;
  Rng rng(16);
  OwnedProblem p(kColumns, kClasses);
  for (size_t i = 0; i < 16384 + 200; ++i) {
    std::vector<float> row(kColumns);
    const uint32_t label = rng.Below(kClasses);
    for (int word = 0; word < 4; ++word) {
      const uint32_t common = rng.Below(1 + rng.Below(1 + rng.Below(kColumns)));  // most words are of the first ones
      row[rng.Below(3) == 0 ? label * 37 + rng.Below(20) : common] = 0.5f;
    }
    p.Add(row, rng.Below(10) == 0 ? rng.Below(kClasses) : label);
  }
  LinearOptions few, many;
  few.max_epochs = 40;
  many.max_epochs = 300;
  EXPECT_TRUE(SameBytes(Finish(MakeSvmFit(p.view(), few)), Finish(MakeSvmFit(p.view(), many))));
}

TEST(Svm, DefaultToleranceIsCloseToTheOptimum) {
  const OwnedProblem p = RandomProblem(300, 20, 5, 3);
  std::vector<double> dual;
  Reference(p, 1.0, &dual);
  LinearOptions options;
  const DenseWeights w = Fit(p, options);
  for (uint32_t k = 0; k < p.n_classes; ++k) EXPECT_LE(Primal(p, w, k, 1.0) - dual[k], 0.02 * dual[k]);
}

TEST(Svm, DoubleWeightIsTheRowTwice) {
  OwnedProblem heavy = RandomProblem(30, 5, 3, 5), twice = heavy;
  heavy.row_weights[4] = 2;
  std::vector<float> row(5);
  for (const SparseEntry& x : twice.rows.row(4)) row[x.column] = x.value;
  twice.Add(row, twice.labels[4]);
  ExpectClose(Fit(heavy, Tight()), Fit(twice, Tight()), 0.02);
}

TEST(Svm, ClassWeightRaisesTheCostOfOwnRowsOnly) {
  for (const uint32_t n_classes : {2u, 3u}) {
    OwnedProblem p = RandomProblem(30, 5, n_classes, 6);
    p.class_weights[1] = 4;
    ExpectClose(Fit(p, Tight()), Reference(p, 1.0), 0.02);
  }
}

// The duals of a fit over the rows before `n`, for a problem with all rows.
DualSolution DualsOfTheFirst(const OwnedProblem& p, size_t n, LinearOptions options) {
  OwnedProblem part(p.rows.columns, p.n_classes);
  part.class_weights = p.class_weights;
  for (size_t i = 0; i < n; ++i) {
    part.rows.entries.insert(part.rows.entries.end(), p.rows.row(i).begin(), p.rows.row(i).end());
    part.rows.begin.push_back(part.rows.entries.size());
    part.labels.push_back(p.labels[i]);
    part.row_weights.push_back(p.row_weights[i]);
  }
  options.keep_duals = true;
  auto fit = MakeSvmFit(part.view(), options);
  Finish(*fit);
  DualSolution duals = fit->TakeDuals().value();
  duals.begin.resize(p.size() + 1, duals.begin.back());
  return duals;
}

// Something to start from that has nothing to do with the problem.
DualSolution AnyDuals(const OwnedProblem& p) {
  Rng rng(13);
  DualSolution duals;
  for (size_t i = 0; i < p.size(); ++i) {
    for (uint32_t k = rng.Below(8); k < p.n_classes; k += 1 + rng.Below(16))
      duals.entries.push_back({k, static_cast<float>(rng.Below(100)) / 50});
    duals.begin.push_back(duals.entries.size());
  }
  return duals;
}

TEST(Svm, ARestartReachesTheOptimumFromAnywhere) {
  const OwnedProblem p = RandomProblem(60, 7, 35, 11);
  const DualSolution start = AnyDuals(p);
  const std::vector<uint32_t> fresh{3, 30, 59};
  LinearOptions options = Tight(0.7);
  options.start = &start;
  options.fresh_rows = fresh;
  ExpectClose(Fit(p, options), Reference(p, 0.7), 0.02);
}

TEST(Svm, ARestartReachesTheOptimumOfAllRows) {
  for (const uint32_t n_classes : {2u, 3u, 7u}) {
    const OwnedProblem p = RandomProblem(120, 7, n_classes, 12);
    const DualSolution start = DualsOfTheFirst(p, 110, Tight());
    std::vector<uint32_t> fresh;
    for (uint32_t i = 110; i < 120; ++i) fresh.push_back(i);
    LinearOptions options = Tight();
    options.start = &start;
    options.fresh_rows = fresh;
    auto fit = MakeSvmFit(p.view(), options);
    Finish(*fit);
    ExpectClose(Dequantise(fit->TakeWeights()), Reference(p, 1.0), 0.02);
    // Before anything is learnt of them the fresh rows are scored by the fit that has not seen them.
    const LargeVector<float> margins = fit->TakeHeldOutMargins();
    ASSERT_EQ(margins.size(), fresh.size() * n_classes);
    OwnedProblem before(p.rows.columns, n_classes);
    for (size_t i = 0; i < 110; ++i) {
      std::vector<float> row(p.rows.columns);
      for (const SparseEntry& x : p.rows.row(i)) row[x.column] = x.value;
      before.Add(row, p.labels[i]);
    }
    const DenseWeights w = Reference(before, 1.0);
    for (size_t f = 0; f < fresh.size(); ++f)
      for (uint32_t k = 0; k < n_classes; ++k) EXPECT_NEAR(margins[f * n_classes + k], Margin(p, fresh[f], k, w), 0.02);
  }
}

TEST(Svm, ARestartFromItsOwnDualsChangesNothing) {
  const OwnedProblem p = RandomProblem(300, 20, 6, 3);
  LinearOptions options = Tight();
  options.keep_duals = true;
  auto first = MakeSvmFit(p.view(), options);
  Finish(*first);
  const DualSolution duals = first->TakeDuals().value();
  options.start = &duals;
  auto second = MakeSvmFit(p.view(), options);
  Finish(*second);
  // A weight is kept in one byte: what hardly moved may be rounded the other way.
  const LinearWeights from = first->TakeWeights(), to = second->TakeWeights();
  ASSERT_EQ(to.q.size(), from.q.size());
  for (size_t j = 0; j < from.q.size(); ++j) EXPECT_LE(std::abs(to.q[j] - from.q[j]), 1) << j;
  for (size_t k = 0; k < from.n_classes; ++k) {
    EXPECT_NEAR(to.scale[k], from.scale[k], 0.001f * from.scale[k]);
    EXPECT_NEAR(to.bias[k], from.bias[k], 0.002f);
  }
}

TEST(Svm, ARestartGivesTheSameBytesForAnyThreadsAndSteps) {
  OwnedProblem p = RandomProblem(400, 30, 40, 4);
  const DualSolution start = AnyDuals(p);
  const std::vector<uint32_t> fresh{0, 1, 100, 399};
  LinearOptions options;
  options.start = &start;
  options.fresh_rows = fresh;
  const FitResult once = Finish(MakeSvmFit(p.view(), options), 1, 10'000'000);
  for (const int threads : {1, 4})
    EXPECT_TRUE(SameBytes(once, Finish(MakeSvmFit(p.view(), options), threads, 0))) << threads;
}

TEST(Svm, DualsThatDoNotFitAreRefused) {
  const OwnedProblem p = RandomProblem(20, 5, 3, 5);
  const DualSolution good = DualsOfTheFirst(p, 20, LinearOptions{});
  const std::vector<uint32_t> beyond{20}, twice{3, 3};
  const auto refused = [&p](const DualSolution& start, std::span<const uint32_t> fresh) {
    LinearOptions options;
    options.start = &start;
    options.fresh_rows = fresh;
    EXPECT_THROW(MakeSvmFit(p.view(), options), Error);
  };
  refused(good, beyond);
  refused(good, twice);
  DualSolution bad = good;
  bad.entries[0].alpha = -1;
  refused(bad, {});
  bad = good;
  bad.entries[0].alpha = NAN;
  refused(bad, {});
  bad = good;
  bad.entries[0].label = 3;
  refused(bad, {});
  bad = good;
  bad.begin.pop_back();
  refused(bad, {});
}

TEST(Svm, TooManyDualsAreNotKept) {
  // Random labels: every row is a support vector of most classes.
  OwnedProblem p = RandomProblem(200, 3, 40, 6);
  Rng rng(7);
  for (uint32_t& label : p.labels) label = rng.Below(40);
  LinearOptions options;
  options.c = 1e-3;
  options.keep_duals = true;
  auto fit = MakeSvmFit(p.view(), options);
  Finish(*fit);
  EXPECT_FALSE(fit->TakeDuals().has_value());
}

TEST(Svm, SameBytesForAnyThreadsAndSteps) {
  OwnedProblem p = RandomProblem(600, 40, 50, 8);
  for (size_t i = 0; i < p.size(); ++i) p.folds.push_back(i % 97 == 0 ? kNeverHeldOut : static_cast<uint8_t>(i % 3));
  LinearOptions options;
  options.folds = 3;
  options.fold_of_row = p.folds;
  const FitResult once = Finish(MakeSvmFit(p.view(), options), 1, 10'000'000);
  EXPECT_EQ(once.steps, 1);
  for (const int threads : {1, 2, 4}) {
    const FitResult steps = Finish(MakeSvmFit(p.view(), options), threads, 0);
    EXPECT_TRUE(SameBytes(once, steps)) << threads << " threads, " << steps.steps << " steps";
    EXPECT_GT(steps.steps, 1);
    EXPECT_FALSE(steps.progress_fell);
    EXPECT_EQ(steps.last_progress, 1.0);
  }
}

// Sixteen classes are one block. Steps that end at once are one slice of every worker's.
TEST(Svm, WorkersWithoutABlockTakeFolds) {
  OwnedProblem p = RandomProblem(600, 40, 12, 8);
  LinearOptions options = InFolds(p, 5);
  const FitResult one = Finish(MakeSvmFit(p.view(), options), 1, 0), four = Finish(MakeSvmFit(p.view(), options), 4, 0);
  EXPECT_TRUE(SameBytes(one, four));
  EXPECT_LT(four.steps, one.steps);
  options.max_threads = 1;
  EXPECT_EQ(Finish(MakeSvmFit(p.view(), options), 4, 0).steps, one.steps);
}

TEST(Svm, SeedChangesThePathButHardlyTheAnswer) {
  const OwnedProblem p = RandomProblem(100, 8, 3, 9);
  LinearOptions other = Tight();
  other.seed = 7;
  ExpectClose(Fit(p, Tight()), Fit(p, other), 0.02);
}

// The held-out margins must be those of a fit that never saw the rows. In eight dimensions any row may get an alpha once others
// are gone, and the folds leave those without out, so a few margins are further off than rounding.
TEST(Svm, HeldOutMarginsAreThoseOfAFitWithoutTheRows) {
  std::vector<double> off;
  for (const uint64_t seed : {10u, 11u, 12u, 13u, 14u, 15u, 16u, 17u, 18u, 19u, 20u, 21u}) {
    OwnedProblem p = RandomProblem(90, 8, 18, seed);
    for (size_t i = 0; i < p.size(); ++i) p.folds.push_back(static_cast<uint8_t>(i / 18 % 3));
    LinearOptions options = Tight();
    options.folds = 3;
    options.seed = seed;
    options.fold_of_row = p.folds;
    const LargeVector<float> held_out = Finish(MakeSvmFit(p.view(), options)).held_out;
    ASSERT_EQ(held_out.size(), p.size() * p.n_classes);
    for (int fold = 0; fold < 3; ++fold) {
      const DenseWeights w = Reference(WithoutFold(p, fold), 1.0);
      for (size_t i = 0; i < p.size(); ++i)
        for (uint32_t k = 0; p.folds[i] == fold && k < p.n_classes; ++k)
          off.push_back(std::abs(static_cast<double>(held_out[i * p.n_classes + k]) - Margin(p, i, k, w)));
    }
  }
  std::sort(off.begin(), off.end());
  EXPECT_LE(off[off.size() / 2], 0.0005);
  EXPECT_LE(off[off.size() * 97 / 100], 0.022);
  EXPECT_LE(off.back(), 0.4);
}

// Messages from a form differ in a number: of several that say the same one has the alpha, and in the fold that holds it out
// the others must take its place.
TEST(Svm, HeldOutMarginsOfNearDuplicates) {
  constexpr uint32_t kForms = 6, kRows = 120;
  OwnedProblem p(kForms * 4 + kRows, kForms);
  for (uint32_t i = 0; i < kRows; ++i) {
    std::vector<float> row(p.rows.columns);
    for (uint32_t word = 0; word < 4; ++word) row[i % kForms * 4 + word] = 0.49f;
    row[kForms * 4 + i] = 0.2f;
    p.Add(row, i % 24 == 0 ? (i + 1) % kForms : i % kForms);  // a form says another thing now and then
    p.folds.push_back(static_cast<uint8_t>(i / kForms % 5));
  }
  LinearOptions options;
  options.c = 3;
  options.folds = 5;
  options.fold_of_row = p.folds;
  const LargeVector<float> held_out = Finish(MakeSvmFit(p.view(), options)).held_out;
  for (int fold = 0; fold < 5; ++fold) {
    const DenseWeights w = Reference(WithoutFold(p, fold), 3.0);
    for (size_t i = 0; i < p.size(); ++i)
      for (uint32_t k = 0; p.folds[i] == fold && k < p.n_classes; ++k)
        EXPECT_NEAR(held_out[i * p.n_classes + k], Margin(p, i, k, w), 0.15);
  }
}

// Nothing of a row's own label may leak through the warm start. Labels at random can be learnt by heart, in so many
// dimensions, but not be known.
TEST(Svm, HeldOutMarginsKnowNothingOfTheRowsOwnLabels) {
  OwnedProblem p = RandomProblem(200, 400, 2, 14);
  Rng rng(15);
  for (size_t i = 0; i < p.size(); ++i) {
    p.labels[i] = rng.Below(2);
    p.folds.push_back(static_cast<uint8_t>(i % 5));
  }
  LinearOptions options;
  options.c = 10;
  options.folds = 5;
  options.fold_of_row = p.folds;
  const FitResult fit = Finish(MakeSvmFit(p.view(), options));
  double of_own = 0;
  for (size_t i = 0; i < p.size(); ++i) of_own += static_cast<double>(fit.held_out[2 * i + p.labels[i]]);
  EXPECT_NEAR(of_own / static_cast<double>(p.size()), 0, 0.15);
}

TEST(Svm, HeldOutRowsMayBeTheFirstOnes) {
  OwnedProblem p = RandomProblem(61, 6, 18, 13);
  LinearOptions options = InFolds(p, 2);
  const LargeVector<float> all = Finish(MakeSvmFit(p.view(), options)).held_out;
  options.held_out_rows = 21;
  const LargeVector<float> some = Finish(MakeSvmFit(p.view(), options)).held_out;
  ASSERT_EQ(some.size(), 21u * 18);
  for (size_t h = 0; h < 21; ++h)
    for (size_t k = 0; k < 18; ++k) EXPECT_EQ(some[h * 18 + k], all[h * 18 + k]);
  EXPECT_LT(SvmFitBytes(1000000, 30000, 150, 5, 1, 65536) + (uint64_t{500} << 20),
            SvmFitBytes(1000000, 30000, 150, 5, 1));
}

TEST(Svm, RowsThatAreNeverHeldOutGetTheFullFit) {
  OwnedProblem p = RandomProblem(40, 6, 3, 12);
  p.Add({1, 0, 0, 0, 0, 0}, 3 - 1);
  p.folds.assign(p.size(), 0);
  for (size_t i = 0; i < p.size(); ++i) p.folds[i] = static_cast<uint8_t>(i % 2);
  p.folds.back() = kNeverHeldOut;
  LinearOptions options;
  options.folds = 2;
  options.fold_of_row = p.folds;
  const FitResult fit = Finish(MakeSvmFit(p.view(), options));
  const DenseWeights w = Dequantise(fit.weights);
  for (uint32_t k = 0; k < 3; ++k)
    EXPECT_NEAR(fit.held_out[(p.size() - 1) * 3 + k], Margin(p, p.size() - 1, k, w), 0.05);
}

TEST(Svm, ClassesWithoutRowsOrWithOneRow) {
  OwnedProblem p(2, 4);  // class 3 has no row, class 2 one
  for (int i = 0; i < 6; ++i) p.Add({1, 0.1f}, 0), p.Add({0.1f, 1}, 1);
  p.Add({-1, -1}, 2);
  const DenseWeights w = Fit(p, Tight());
  ExpectClose(w, Reference(p, 1.0), 0.02);
  EXPECT_LT(Margin(p, 0, 3, w), 0);
  EXPECT_GT(Margin(p, 12, 2, w), 0);
}

TEST(Svm, PaddingLanesStayZero) {
  const LinearWeights w = Finish(MakeSvmFit(RandomProblem(40, 6, 3, 13).view(), {})).weights;
  EXPECT_EQ(w.stride, 16u);
  for (uint32_t k = 3; k < 16; ++k) {
    EXPECT_EQ(w.scale[k], 0);
    EXPECT_EQ(w.bias[k], 0);
    for (uint32_t j = 0; j < 6; ++j) EXPECT_EQ(w.q[j * 16 + k], 0);
  }
}

TEST(Svm, StopEndsTheStep) {
  const OwnedProblem p = RandomProblem(200, 30, 40, 14);
  const auto fit = MakeSvmFit(p.view(), {});
  StepBudget budget;
  budget.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
  budget.stop.requested = []() noexcept { return true; };
  EXPECT_FALSE(fit->Step(budget));
  EXPECT_LT(fit->Progress(), 1.0);
}

TEST(Svm, RefusesWhatDoesNotFitTogether) {
  const OwnedProblem good = RandomProblem(20, 4, 3, 15);
  const auto refused = [](const OwnedProblem& p, LinearOptions options = {}) {
    EXPECT_THROW(MakeSvmFit(p.view(), options), Error);
    EXPECT_THROW(MakeLogisticFit(p.view(), options), Error);
  };
  OwnedProblem p = good;
  p.labels[3] = 3;
  refused(p);
  p = good;
  p.labels.pop_back();
  refused(p);
  p = good;
  p.row_weights[0] = 0;
  refused(p);
  p = good;
  p.class_weights[0] = -1;
  refused(p);
  p = good;
  p.rows.entries[5].column = 4;
  refused(p);
  p = good;
  p.rows.entries[5].value = NAN;
  refused(p);
  p = good;
  p.n_classes = 1;
  refused(p);
  refused(OwnedProblem(4, 3));
  LinearOptions options;
  options.c = 0;
  refused(good, options);
  options = {};
  options.folds = 2;  // but no fold of any row
  refused(good, options);
  std::vector<uint8_t> folds(20, 2);
  options.fold_of_row = folds;
  refused(good, options);
}

TEST(Svm, BytesGrowWithThreadsUpToTheFoldsAndOverflowIsAnError) {
  const uint64_t one = SvmFitBytes(15000, 10000, 150, 5, 1), two = SvmFitBytes(15000, 10000, 150, 5, 2);
  EXPECT_GT(one, uint64_t{15000} * 150 * 4 + uint64_t{2} * 64 * 25000);
  EXPECT_EQ(SvmFitBytes(15000, 10000, 150, 5, 3) - two, two - one);
  EXPECT_GT(SvmFitBytes(15000, 10000, 150, 5, 50), SvmFitBytes(15000, 10000, 150, 5, 49));
  EXPECT_EQ(SvmFitBytes(15000, 10000, 150, 5, 50), SvmFitBytes(15000, 10000, 150, 5, 64));
  EXPECT_EQ(SvmFitBytes(15000, 10000, 150, 0, 10), SvmFitBytes(15000, 10000, 150, 0, 64));
  EXPECT_LT(SvmFitBytes(15000, 10000, 150, 0, 1), one);
  EXPECT_THROW(SvmFitBytes(uint64_t{1} << 60, 10, 150, 5, 1), Error);
}

TEST(Classifiers, TableNamesBoth) {
  ASSERT_EQ(Classifiers().size(), 2u);
  EXPECT_STREQ(Classifiers()[0].name, "linear_svc");
  EXPECT_STREQ(Classifiers()[1].name, "logistic_regression");
}

}  // namespace
}  // namespace retrain
