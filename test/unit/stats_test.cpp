// Tests of experiments against R 4.2.2 (t.test, prop.test, chisq.test, power.t.test and power.prop.test with strict = TRUE)
// and textbook numbers; NumPy's least squares for CUPED.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/stats/comparison.h"
#include "core/stats/distributions.h"
#include "core/stats/power.h"
#include "core/stats/sequential.h"

namespace retrain {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Moments Of(const std::vector<double>& values) {
  Moments m;
  for (const double y : values) m.Add(y);
  return m;
}

PairedMoments Of(const std::vector<double>& y, const std::vector<double>& x) {
  PairedMoments m;
  for (size_t i = 0; i < y.size(); ++i) m.Add(y[i], x[i]);
  return m;
}

// Mean and m2 of `successes` ones among n.
Moments Binary(double n, double successes) {
  const double p = successes / n;
  return {n, p, n * p * (1 - p)};
}

TEST(Moments, AreThoseOfTheTwoPassFormulas) {
  const Moments m = Of({2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_EQ(m.n, 8);
  EXPECT_DOUBLE_EQ(m.mean, 5);
  EXPECT_DOUBLE_EQ(m.m2, 32);
  EXPECT_DOUBLE_EQ(m.Variance(), 32.0 / 7);
  EXPECT_TRUE(std::isnan(Of({1}).Variance()));
  EXPECT_TRUE(std::isnan(Moments{}.Variance()));
}

TEST(Moments, SurviveALargeOffset) {
  Moments m;
  for (int i = 0; i < 1000; ++i) m.Add(1e9 + i % 2);
  EXPECT_NEAR(m.Variance(), 250.0 / 999, 1e-9);
}

TEST(Moments, MergedInAnyPartitionAreThoseOfTheWhole) {
  Rng rng(1);
  std::vector<double> y(1000), x(1000);
  for (size_t i = 0; i < y.size(); ++i) {
    x[i] = rng.Below(1000);
    y[i] = 3 * x[i] + rng.Below(500) - 1e6;
  }
  const PairedMoments whole = Of(y, x);
  for (const size_t parts : {1, 2, 7, 1000}) {
    PairedMoments merged;
    merged.Merge(PairedMoments{});
    for (size_t part = 0; part < parts; ++part) {
      PairedMoments one;
      for (size_t i = part; i < y.size(); i += parts) one.Add(y[i], x[i]);
      merged.Merge(one);
    }
    EXPECT_EQ(merged.y.n, whole.y.n);
    EXPECT_NEAR(merged.y.mean, whole.y.mean, 1e-6);
    EXPECT_NEAR(merged.y.m2 / whole.y.m2, 1, 1e-10);
    EXPECT_NEAR(merged.x.m2 / whole.x.m2, 1, 1e-10);
    EXPECT_NEAR(merged.cxy / whole.cxy, 1, 1e-10);
  }
}

TEST(Distributions, Quantiles) {
  EXPECT_NEAR(NormalQuantile(0.8), 0.841621233572914, 1e-13);
  EXPECT_NEAR(NormalQuantile(0.9), 1.281551565544601, 1e-13);
  EXPECT_NEAR(NormalQuantile(0.95), 1.644853626951472, 1e-13);
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-13);
  EXPECT_NEAR(NormalQuantile(1e-10), -6.361340902404056, 1e-12);
  EXPECT_NEAR(StudentCritical(0.05, 1), 12.70620473617469, 1e-10);
  EXPECT_NEAR(StudentCritical(0.05, 2.5), 3.57465484200369, 1e-11);
  EXPECT_NEAR(StudentCritical(0.05, 10), 2.22813885198627, 1e-12);
  EXPECT_NEAR(StudentCritical(0.05, 1000), 1.96233908082641, 1e-12);
  EXPECT_NEAR(StudentCritical(0.05, kInfinity), 1.959963984540054, 1e-12);
}

TEST(Distributions, Tails) {
  EXPECT_NEAR(NormalTwoSided(1), 0.317310507862914, 1e-14);
  EXPECT_NEAR(NormalTwoSided(-8) / 1.24419211485436e-15, 1, 1e-12);
  EXPECT_LT(NormalTwoSided(38), 1e-300);
  EXPECT_EQ(NormalTwoSided(1000), 0);
  EXPECT_NEAR(StudentTwoSided(2.22813885198627, 10), 0.05, 1e-12);
  EXPECT_EQ(StudentTwoSided(kInfinity, 10), 0);
  EXPECT_NEAR(StudentTwoSided(1.959963984540054, kInfinity), 0.05, 1e-12);
  EXPECT_NEAR(ChiSquareUpper(3.841458820694124, 1), 0.05, 1e-13);
  EXPECT_EQ(ChiSquareUpper(0, 3), 1);
  EXPECT_EQ(ChiSquareUpper(kInfinity, 3), 0);
}

TEST(Distributions, NoNumberGivesNoNumber) {
  for (const double value :
       {NormalTwoSided(kNaN), NormalQuantile(kNaN), NormalCdf(kNaN), StudentTwoSided(kNaN, 3), StudentTwoSided(1, kNaN),
        StudentCritical(kNaN, 1), ChiSquareUpper(kNaN, 1), NoncentralTCdf(1, kNaN, 1), NoncentralTUpper(1, 3, kNaN)})
    EXPECT_TRUE(std::isnan(value));
}

// Boost.Math would end the process or throw a type of its own.
TEST(Distributions, ImpossibleParametersAreErrors) {
  EXPECT_THROW(NormalQuantile(0), Error);
  EXPECT_THROW(NormalQuantile(1), Error);
  EXPECT_THROW(NormalQuantile(2), Error);
  EXPECT_THROW(StudentTwoSided(1, 0), Error);
  EXPECT_THROW(StudentTwoSided(1, -1), Error);
  EXPECT_THROW(StudentCritical(0, 10), Error);
  EXPECT_THROW(ChiSquareUpper(-1, 2), Error);
  EXPECT_THROW(ChiSquareUpper(1, 0), Error);
  EXPECT_THROW(NoncentralTCdf(1, -1, 0), Error);
}

TEST(Comparison, Welch) {
  const Difference d = Compare(Estimate(Of({29.89, 29.93, 29.72, 29.98, 30.02, 29.98})),
                               Estimate(Of({30.02, 29.99, 30.11, 29.97, 30.01, 29.99})));
  EXPECT_NEAR(d.value / d.standard_error, 1.95900580810807, 1e-9);
  EXPECT_NEAR(d.df, 7.03055995988432, 1e-8);
  EXPECT_NEAR(WelchPValue(d), 0.090773324285671, 1e-10);
  const Interval interval = d.Around(StudentCritical(0.05, d.df));
  EXPECT_NEAR(interval.low, -0.0195690896460436, 1e-10);
  EXPECT_NEAR(interval.high, 0.2095690896460414, 1e-10);
}

TEST(Comparison, UpliftByFieller) {
  // Fieller's g = q^2 v_c / c^2: the interval is (u + g -+ q / c sqrt(v_t (1 - g) + (1 + u)^2 v_c)) / (1 - g).
  const Difference d = Compare({100, 10, 4}, {100, 11, 9});
  EXPECT_NEAR(d.uplift, 0.1, 1e-15);
  const double q = 2, g = q * q * 0.04 / 100;
  const double half = q / 10 * std::sqrt(0.09 * (1 - g) + 1.21 * 0.04);
  EXPECT_NEAR(d.UpliftAround(q).low, (0.1 + g - half) / (1 - g), 1e-14);
  EXPECT_NEAR(d.UpliftAround(q).high, (0.1 + g + half) / (1 - g), 1e-14);
}

TEST(Comparison, UpliftAndDifferenceAgreeOnZero) {
  Rng rng(3);
  for (int i = 0; i < 1000; ++i) {
    const double sign = rng.Below(2) == 0 ? 1 : -1;
    const Difference d = Compare({50, sign * (10 + rng.Below(100) / 50.0), 1 + rng.Below(90) / 10.0},
                                 {70, sign * (10 + rng.Below(100) / 50.0), 1 + rng.Below(90) / 10.0});
    const double q = StudentCritical(0.05, d.df);
    const Interval by_difference = d.Around(q), by_uplift = d.UpliftAround(q);
    EXPECT_EQ(by_difference.low > 0, by_uplift.low > 0) << i;
    EXPECT_EQ(by_difference.high < 0, by_uplift.high < 0) << i;
    EXPECT_EQ(WelchPValue(d) < 0.05, by_uplift.low > 0 || by_uplift.high < 0) << i;
  }
}

TEST(Comparison, UpliftIsRelativeToTheSizeOfTheControl) {
  const Difference loss = Compare({100, -10, 4}, {100, -8, 4});  // a loss that shrinks is an uplift
  EXPECT_NEAR(loss.uplift, 0.2, 1e-15);
  EXPECT_GT(loss.UpliftAround(2).low, 0);
  EXPECT_TRUE(std::isnan(Compare({100, 0, 4}, {100, 1, 4}).uplift));
  // A control mean within its error has no ratio to it.
  EXPECT_TRUE(std::isnan(Compare({100, 0.1, 4}, {100, 1, 4}).UpliftAround(2).high));
}

TEST(Comparison, TwoProportions) {
  EXPECT_NEAR(TwoProportionPValue(Estimate(Binary(50, 15)), Estimate(Binary(50, 25))), 0.0412268333371636, 1e-12);
  EXPECT_NEAR(TwoProportionPValue(Estimate(Binary(2400, 120)), Estimate(Binary(2350, 156))), 0.0158171479396991, 1e-12);
  EXPECT_EQ(TwoProportionPValue(Estimate(Binary(50, 0)), Estimate(Binary(60, 0))), 1);
  EXPECT_EQ(TwoProportionPValue(Estimate(Binary(50, 50)), Estimate(Binary(60, 60))), 1);
  EXPECT_LT(TwoProportionPValue(Estimate(Binary(50, 0)), Estimate(Binary(60, 60))), 1e-20);
}

TEST(Comparison, NothingToCompareIsNoNumber) {
  const Difference one = Compare(Estimate(Of({1})), Estimate(Of({1, 2, 3})));
  EXPECT_TRUE(std::isnan(WelchPValue(one)));
  EXPECT_TRUE(std::isnan(Compare(Estimate(Moments{}), Estimate(Of({1, 2, 3}))).standard_error));
  for (const Difference& none :
       {Compare(Estimate(Moments{}), Estimate(Of({1, 2, 3}))), Compare(Estimate(Of({1, 2, 3})), Estimate(Moments{}))}) {
    EXPECT_TRUE(std::isnan(none.value));
    EXPECT_TRUE(std::isnan(none.uplift));
  }
  const Difference constant = Compare(Estimate(Of({1, 1, 1})), Estimate(Of({1, 1, 1})));
  EXPECT_EQ(constant.value, 0);
  EXPECT_TRUE(std::isnan(WelchPValue(constant)));
}

TEST(Comparison, CupedIsLeastSquaresWithinTheArms) {
  const PairedMoments arms[] = {Of({3, 5, 4, 8, 10, 2}, {1, 2, 2, 4, 5, 0}), Of({6, 5, 9, 12, 4}, {2, 1, 4, 5, 1})};
  ArmEstimate adjusted[2];
  const Cuped cuped = Adjust(arms, adjusted);
  EXPECT_NEAR(cuped.theta, 1.69432314, 1e-8);
  EXPECT_NEAR(adjusted[0].mean, 5.53870583564907, 1e-12);
  EXPECT_NEAR(adjusted[1].mean, 6.95355299722112, 1e-12);
  EXPECT_NEAR(adjusted[0].variance, 0.216204877862741, 1e-12);
  EXPECT_NEAR(adjusted[1].variance, 0.349831238916116, 1e-12);
  EXPECT_NEAR(cuped.variance_reduction, 0.972481331231875, 1e-12);
}

TEST(Comparison, CupedWithoutACovariateChangesNothing) {
  const PairedMoments arms[] = {Of({3, 5, 4}, {7, 7, 7}), Of({6, 5, 9}, {7, 7, 7})};
  ArmEstimate adjusted[2];
  const Cuped cuped = Adjust(arms, adjusted);
  EXPECT_EQ(cuped.theta, 0);
  EXPECT_EQ(cuped.variance_reduction, 0);
  EXPECT_DOUBLE_EQ(adjusted[1].mean, 20.0 / 3);
  EXPECT_DOUBLE_EQ(adjusted[1].variance, Of({6, 5, 9}).Variance());
}

TEST(Sequential, IntervalAndPValueAgree) {
  const SequentialBoundary boundary(0.05, 10000);
  for (const double units : {60.0, 1000.0, 10000.0, 1e6, 1e9}) {
    const double z = boundary.Multiplier(units);
    EXPECT_NEAR(boundary.PValue(z, units), 0.05, 1e-12) << units;
    EXPECT_NEAR(boundary.PValue(-z, units), 0.05, 1e-12) << units;
    EXPECT_GT(z, 1.96);
  }
  EXPECT_EQ(boundary.PValue(0, 100), 1);
  EXPECT_TRUE(std::isnan(boundary.PValue(kNaN, 100)));
  EXPECT_LT(boundary.PValue(40, 1e6), 1e-100);
}

// Waudby-Smith et al. (2024): alpha = 0.05 and optimised at t, the sequence is about 1.6 times a fixed-sample interval.
TEST(Sequential, IsNarrowestWhereItWasPlanned) {
  const double planned = SequentialBoundary(0.05, 1000).Multiplier(1000);
  EXPECT_NEAR(planned / NormalQuantile(0.975), 1.51, 0.05);
  for (const double other : {100.0, 300.0, 3000.0, 10000.0})
    EXPECT_GE(SequentialBoundary(0.05, other).Multiplier(1000), planned * 0.999) << other;
}

TEST(Sequential, EqualArmsHaveOneError) {
  const SequentialBoundary boundary(0.05, 1000);
  const Difference d = Compare({500, 10, 4}, {500, 11, 9});
  EXPECT_NEAR(d.pooled_error, d.standard_error, 1e-15);
  const SequentialComparison c = CompareSequentially(boundary, d);
  EXPECT_NEAR(c.p_value, boundary.PValue(d.value / d.standard_error, 1000), 1e-15);
  EXPECT_NEAR(c.difference.low, d.Around(boundary.Multiplier(1000)).low, 1e-12);
  EXPECT_NEAR(c.uplift.high, d.UpliftAround(boundary.Multiplier(1000)).high, 1e-12);
}

TEST(Sequential, ASmallArmThatHasSeenNothingIsNotBelieved) {
  const SequentialBoundary boundary(0.05, 10000);
  const Difference d = Compare(Estimate(Binary(1900, 95)), Estimate(Binary(100, 1)));
  EXPECT_LT(boundary.PValue(d.value / d.standard_error, 2000), 0.05);
  const SequentialComparison c = CompareSequentially(boundary, d);
  EXPECT_GT(c.p_value, 0.5);
  EXPECT_GT(c.difference.high, 0);
  EXPECT_NEAR(d.pooled_error,
              std::sqrt((1899 * 0.0475 * 1900 / 1899 + 99 * 0.0099 * 100 / 99) / 1998 * (1 / 100. + 1 / 1900.)), 1e-12);
}

TEST(Sequential, NothingIsClaimedTooEarly) {
  const SequentialBoundary boundary(0.05, 1000);
  EXPECT_TRUE(std::isnan(CompareSequentially(boundary, Compare({29, 1, 1}, {1000, 9, 1})).p_value));
  EXPECT_FALSE(std::isnan(CompareSequentially(boundary, Compare({30, 1, 1}, {1000, 9, 1})).p_value));
  EXPECT_TRUE(std::isnan(CompareSequentially(boundary, Compare({50, 1, 0}, {50, 9, 0})).p_value));
  EXPECT_TRUE(std::isnan(CompareSequentially(boundary, Compare({}, {1000, 9, 1})).uplift.low));
}

TEST(SampleRatio, ChiSquare) {
  const double even[] = {1, 1};
  EXPECT_NEAR(TestSampleRatio(std::vector<double>{5050, 4950}, even).p_value, 0.317310507862914, 1e-12);
  EXPECT_NEAR(TestSampleRatio(std::vector<double>{4800, 5200}, even).p_value, 6.33424836662398e-05, 1e-15);
  const SampleRatio three = TestSampleRatio(std::vector<double>{821, 792, 1587}, std::vector<double>{1, 1, 2});
  EXPECT_EQ(three.df, 2);
  EXPECT_NEAR(three.p_value, 0.69181444664986, 1e-12);
  EXPECT_LT(TestSampleRatio(std::vector<double>{0, 1000}, even).sequential_p_value, 1e-50);
  EXPECT_EQ(TestSampleRatio(std::vector<double>{1, 0}, even).sequential_p_value, 1);
  EXPECT_LT(TestSampleRatio(std::vector<double>{495000, 505000}, even).sequential_p_value, 1e-15);
}

TEST(SampleRatio, NeedsUnits) {
  const double even[] = {1, 1};
  EXPECT_THROW(TestSampleRatio(std::vector<double>{0, 0}, even), Error);
  EXPECT_THROW(TestSampleRatio(std::vector<double>{1}, std::vector<double>{1}), Error);
  EXPECT_THROW(TestSampleRatio(std::vector<double>{1, 2, 3}, even), Error);
}

PowerQuestion Means(double effect) { return {0, effect, 1, false, 0.05}; }
PowerQuestion Proportions(double from, double to) { return {from, to, 0, true, 0.05}; }

TEST(Power, CurvesOfTheTextbooks) {
  EXPECT_NEAR(Power(Means(1), 20, 20), 0.868953027724586, 1e-9);
  EXPECT_NEAR(Power(Means(0.5), 64, 64), 0.801459557922328, 1e-9);
  EXPECT_NEAR(Power(Means(0.2), 10, 10), 0.0708213451894975, 1e-9);
  EXPECT_NEAR(Power(Means(0.2), 394, 394), 0.800593128402797, 1e-9);
  EXPECT_NEAR(Power(Means(0), 50, 50), 0.05, 1e-9);
  EXPECT_NEAR(Power(Proportions(0.50, 0.75), 50, 50), 0.740167193453611, 1e-9);
  EXPECT_NEAR(Power(Proportions(0.05, 0.08), 1000, 1000), 0.777133758896876, 1e-9);
  // Cohen (1988), table 2.3.5: alpha .05 in both tails, two decimals.
  const double cohen[][3] = {{0.2, 50, 0.17}, {0.2, 100, 0.29}, {0.2, 500, 0.88}, {0.5, 20, 0.33}, {0.5, 30, 0.47},
                             {0.5, 50, 0.70}, {0.5, 100, 0.94}, {0.8, 10, 0.39},  {0.8, 20, 0.69}, {0.8, 30, 0.86}};
  for (const auto& [d, n, power] : cohen) EXPECT_NEAR(Power(Means(d), n, n), power, 0.0101) << d << " " << n;
  // Nothing jumps where the normal takes over, and the direction does not matter.
  EXPECT_NEAR(Power(Means(0.01), 50000, 50000), Power(Means(0.01), 50002, 50002), 1e-5);
  EXPECT_DOUBLE_EQ(Power(Means(-0.5), 64, 64), Power(Means(0.5), 64, 64));
}

TEST(Power, SampleSizesOfTheTextbooks) {
  EXPECT_EQ(SampleSize(Means(1), 0.9), 23);     // R: 22.02
  EXPECT_EQ(SampleSize(Means(0.5), 0.8), 64);   // Cohen (1988), table 2.4.1
  EXPECT_EQ(SampleSize(Means(0.2), 0.8), 394);  // the same: 393 by his rounding
  EXPECT_EQ(SampleSize(Proportions(0.50, 0.75), 0.9), 77);
  EXPECT_EQ(SampleSize(Proportions(0.10, 0.12), 0.8), 3841);
  // Cohen's tables: d = 0.8 needs 26, d = 0.5 at 0.9 needs 86.
  EXPECT_EQ(SampleSize(Means(0.8), 0.8), 26);
  EXPECT_EQ(SampleSize(Means(0.5), 0.9), 86);
}

TEST(Power, UnequalArmsNeedMoreInAll) {
  const double control = SampleSize(Means(0.5), 0.8, 3), even = SampleSize(Means(0.5), 0.8);
  EXPECT_LT(control, even);
  EXPECT_GT(control * 4, even * 2);
  EXPECT_GE(Power(Means(0.5), control, 3 * control), 0.8);
  EXPECT_LT(Power(Means(0.5), control - 1, 3 * (control - 1)), 0.8);
}

TEST(Power, NoEffectNeedsMoreThanThereIs) { EXPECT_THROW(SampleSize(Means(0), 0.8), Error); }

TEST(Power, ExtremesAreNumbers) {
  EXPECT_EQ(Power(Means(1e6), 10, 10), 1);
  EXPECT_EQ(Power(Proportions(0, 1), 10, 10), 1);
  EXPECT_GE(SampleSize(Means(1e-5), 0.8), 1e11);
  EXPECT_EQ(SampleSize(Means(1e9), 0.8), 2);
}

}  // namespace
}  // namespace retrain
