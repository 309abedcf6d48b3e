// How many values of simulated series fall inside their intervals: errors that last, and errors that do not.
#include <gtest/gtest.h>

#include "core/forecast/intervals.h"
#include "forecast_testing.h"

namespace retrain {
namespace {

// Days of y_t = a y_{t-1} + noise around 100.
std::vector<double> Autoregression(uint64_t number, double a, size_t n) {
  Rng rng(number * 7919 + 13);
  double level = 0;
  std::vector<double> y;
  for (int t = 0; t < 60; ++t) level = a * level + Noise(rng);
  for (size_t t = 0; t < n; ++t) y.push_back(100 + (level = a * level + Noise(rng)));
  return y;
}

struct Coverage {
  double at80 = 0, at95 = 0;
};

Coverage CoverageOf(double a, int series, size_t known) {
  constexpr size_t kAhead = 28;
  constexpr float kLevels[] = {0.8f, 0.95f};
  ForecastTrainer trainer(Request());
  for (int s = 0; s < series; ++s) {
    const auto y = Autoregression(static_cast<uint64_t>(s), a, known);
    for (size_t t = 0; t < known; ++t) {
      const int64_t time = Day(2024, 1, 1) + static_cast<int64_t>(t) * kDay;
      trainer.Add({std::to_string(s), time, time, y[t], {}});
    }
  }
  const ForecastModel model(Finish(trainer, 2).artifact);
  Coverage inside;
  for (int s = 0; s < series; ++s) {
    const auto y = Autoregression(static_cast<uint64_t>(s), a, known + kAhead);
    const auto forecast = model.Forecast(*model.Find(std::to_string(s)), kAhead, kLevels);
    for (size_t h = 0; h < kAhead; ++h) {
      const double truth = y[known + h], share = 1.0 / static_cast<double>(kAhead) / series;
      if (truth >= forecast.lower[2 * h] && truth <= forecast.upper[2 * h]) inside.at80 += share;
      if (truth >= forecast.lower[2 * h + 1] && truth <= forecast.upper[2 * h + 1]) inside.at95 += share;
    }
  }
  return inside;
}

TEST(ForecastCoverage, OfErrorsThatLast) {
  for (const size_t known : {size_t{120}, size_t{400}}) {
    const Coverage walks = CoverageOf(1, 200, known);
    EXPECT_GE(walks.at80, 0.74) << known;
    EXPECT_GE(walks.at95, 0.92) << known;
    EXPECT_LE(walks.at95, 0.97) << known;
  }
  const Coverage lasting = CoverageOf(0.8, 200, 120);
  EXPECT_GE(lasting.at80, 0.77);
  EXPECT_GE(lasting.at95, 0.935);
  EXPECT_LE(lasting.at95, 0.97);
}

TEST(ForecastCoverage, OfErrorsThatDoNotLast) {
  const Coverage noise = CoverageOf(0, 200, 120);
  EXPECT_NEAR(noise.at80, 0.8, 0.015);
  EXPECT_NEAR(noise.at95, 0.95, 0.01);
}

TEST(Intervals, ScoresByTheirOwnMeanFallShort) {
  EXPECT_NEAR(BeyondOwnMean(0.95, 1e9), 1, 1e-6);
  // t of 10 degrees 2.228, of 9 degrees 2.262: tau 1.904.
  EXPECT_NEAR(BeyondOwnMean(0.95, 10), 2.228 / 1.904, 0.002);
  EXPECT_GT(BeyondOwnMean(0.99, 10), BeyondOwnMean(0.95, 10));
  EXPECT_GT(BeyondOwnMean(0.95, 4), BeyondOwnMean(0.95, 10));
}

TEST(Intervals, DependentErrorsAreFew) {
  EXPECT_EQ(IndependentErrors(1), 3);
  EXPECT_GT(IndependentErrors(0.05), 50);
  EXPECT_GT(IndependentErrors(0), 1e6);
  EXPECT_GT(IndependentErrors(-0.5), 1e6);
  ScorePool pool, other;
  pool.AddDependence(0, 0.5);
  pool.AddDependence(0, -0.25);
  other.AddDependence(0, 0.125);
  pool.Merge(other);
  EXPECT_NEAR(pool.Dependence(0), 0.125, 1e-6);
  EXPECT_EQ(pool.Dependence(1), 0);
}

}  // namespace
}  // namespace retrain
