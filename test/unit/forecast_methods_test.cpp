// Each forecasting method against published values and against series whose parameters are known.
#include <gtest/gtest.h>

#include <numeric>

#include "core/base/error.h"
#include "core/forecast/adjusted.h"
#include "core/forecast/ets.h"
#include "core/forecast/intermittent.h"
#include "core/forecast/naive.h"
#include "core/forecast/seasonal.h"
#include "core/forecast/simplex.h"
#include "core/forecast/theta.h"
#include "core/forecast/waves.h"
#include "forecast_testing.h"

namespace retrain {
namespace {

std::vector<double> Ask(const Forecaster& forecaster, size_t horizon, const Exogenous& x = {}) {
  std::vector<double> out(horizon);
  forecaster.Forecast(out, x);
  return out;
}

// R 4.2.2, forecast 8.20: thetaf(AirPassengers), thetaf(Nile).
TEST(Theta, GivesThePublishedForecasts) {
  const Theta air = Theta::Fit(AirPassengers(), 12);
  EXPECT_EQ(air.season_kind(), SeasonKind::kMultiplicative);
  const double expected[] = {440.07819, 428.38428, 489.70710, 475.70463, 479.67039, 545.36627};
  const auto forecast = Ask(air, 6);
  for (size_t h = 0; h < 6; ++h) EXPECT_NEAR(forecast[h], expected[h], 0.05) << h;
  const auto nile = Ask(Theta::Fit(Nile(), 1), 3);
  EXPECT_NEAR(nile[0], 799.812, 0.2);
  EXPECT_NEAR(nile[2] - nile[1], -1.35715, 0.001);
}

TEST(Theta, FollowsALineAndItsSeason) {
  std::vector<double> y;
  for (int t = 0; t < 48; ++t) y.push_back((100 + 2 * t) * (t % 4 == 0 ? 1.3 : 0.9));
  const auto forecast = Ask(Theta::Fit(y, 4), 8);
  for (size_t h = 0; h < 8; ++h)
    EXPECT_NEAR(forecast[h] / ((100 + 2.0 * static_cast<double>(48 + h)) * (h % 4 == 0 ? 1.3 : 0.9)), 1, 0.05) << h;
}

// R: ets(Nile, "ANN"), ets(Nile, "MNN"), ets(Nile, "AAN", damped = TRUE).
TEST(Ets, FindsThePublishedOptimum) {
  const EtsFit simple = FitEts(Nile(), 1, {}, 300);
  EXPECT_NEAR(simple.parameters.alpha, 0.24553, 0.002);
  EXPECT_NEAR(simple.initial.level, 1110.687, 2);
  EXPECT_NEAR(simple.likelihood, 1452.78104, 0.001);
  EXPECT_NEAR(simple.aicc, 1459.031, 0.001);
  const EtsFit relative = FitEts(Nile(), 1, {true, false, false, SeasonKind::kNone}, 300);
  EXPECT_NEAR(relative.likelihood, 1452.3019, 0.001);
  const EtsFit damped = FitEts(Nile(), 1, {false, true, true, SeasonKind::kNone}, 500);
  EXPECT_LE(damped.likelihood, 1453.0041 + 0.01);
}

// R: ets(AirPassengers, "MAM", damped = FALSE): -2 log L 1364.8072. Another start finds another valley: near is enough.
TEST(Ets, ComesNearThePublishedSeasonalOptimum) {
  const EtsFit fit = FitEts(AirPassengers(), 12, {true, true, false, SeasonKind::kMultiplicative}, 300);
  EXPECT_LT(fit.likelihood, 1364.8072 + 2);
  const auto forecast = Ask(Ets(fit), 4);
  const double expected[] = {448.97377, 425.22782, 484.21371, 504.61107};
  for (size_t h = 0; h < 4; ++h) EXPECT_NEAR(forecast[h] / expected[h], 1, 0.03) << h;
}

TEST(Ets, RecoversTheParametersOfASimulatedSeries) {
  Rng rng(7);
  const double alpha = 0.5, beta = 0.1, gamma = 0.2;
  double level = 200, trend = 1, season[] = {20, -5, -30, 15};
  std::vector<double> y;
  for (int t = 0; t < 2000; ++t) {
    const double e = 3 * Noise(rng);
    y.push_back(level + trend + season[t % 4] + e);
    level += trend + alpha * e;
    trend += beta * e;
    season[t % 4] += gamma * e;
  }
  const EtsFit fit = FitEts(y, 4, {false, true, false, SeasonKind::kAdditive}, 400);
  EXPECT_NEAR(fit.parameters.alpha, alpha, 0.06);
  EXPECT_NEAR(fit.parameters.beta, beta, 0.03);
  EXPECT_NEAR(fit.parameters.gamma, gamma, 0.06);
  EXPECT_NEAR(std::sqrt(fit.sigma2), 3, 0.15);
}

TEST(Ets, LeavesOutShapesThatASeriesCannotHave) {
  std::vector<double> y(40, 1.0);
  y[3] = 0;
  for (const EtsShape& shape : EtsShapes(y, 12)) {
    EXPECT_FALSE(shape.multiplicative_error);
    EXPECT_NE(shape.season, SeasonKind::kMultiplicative);
  }
  for (const EtsShape& shape : EtsShapes(std::span(y).first(20), 12)) EXPECT_EQ(shape.season, SeasonKind::kNone);
}

// Moving on value by value is the filter over all of them.
TEST(Ets, MovesOnAsItsFilterDoes) {
  for (const EtsShape& shape : EtsShapes(AirPassengers(), 12)) {
    const std::span<const double> y(AirPassengers());
    const EtsFit fit = FitEts(y.first(120), 12, shape, 30);
    Ets moved(fit);
    for (const double v : y.subspan(120)) moved.Update(v);
    EtsState state = fit.final;
    ASSERT_LT(FilterEts(y.subspan(120), shape, fit.parameters, state), 1e299) << shape.Name();
    const auto expected = Ask(Ets(shape, fit.parameters, state), 24), got = Ask(moved, 24);
    for (size_t h = 0; h < 24; ++h) EXPECT_NEAR(got[h], expected[h], 1e-9 * std::fabs(expected[h])) << shape.Name();
  }
}

TEST(Naive, RepeatsWhatWasLast) {
  EXPECT_EQ(Ask(SeasonalNaive::Fit(AirPassengers(), 12), 14)[12], 417);
  EXPECT_EQ(Ask(SeasonalNaive::Fit(AirPassengers(), 1), 2)[1], 432);
  // R: rwf(Nile, drift = TRUE).
  EXPECT_NEAR(Ask(Drift::Fit(Nile()), 3)[2], 728.48485, 1e-5);
  EXPECT_NEAR(Ask(Mean::Fit(Nile()), 1)[0], std::accumulate(Nile().begin(), Nile().end(), 0.0) / 100, 1e-9);
  SeasonalNaive seasonal = SeasonalNaive::Fit(std::vector<double>{1, 2, 3}, 3);
  seasonal.Update(4);
  EXPECT_EQ(Ask(seasonal, 4), (std::vector<double>{2, 3, 4, 2}));
}

TEST(Intermittent, ForecastsTheRateOfDemand) {
  std::vector<double> y;
  for (int t = 0; t < 400; ++t) y.push_back(t % 4 == 0 ? 8 : 0);
  EXPECT_TRUE(IsIntermittent(y));
  EXPECT_NEAR(Ask(Intermittent::Fit(y), 1)[0], 2, 0.3);
  // Nothing is sold any more: the forecast falls.
  Intermittent fading = Intermittent::Fit(y);
  for (int t = 0; t < 400; ++t) fading.Update(0);
  EXPECT_LT(Ask(fading, 1)[0], 0.5);
  EXPECT_FALSE(IsIntermittent(std::vector<double>{0, 0, 0, -1}));
  EXPECT_FALSE(IsIntermittent(Nile()));
}

TEST(Regression, LearnsTrendSeasonsAndHolidays) {
  std::vector<double> y, x;
  for (int t = 0; t < 900; ++t) {
    const bool holiday = t % 50 == 7;
    x.push_back(holiday ? 1 : 0);
    y.push_back(100 + 0.2 * t + 10 * WaveAt(t / 7.0).sin + 25 * WaveAt(t / 365.25).cos + (holiday ? 60 : 0));
  }
  const std::span<const double> known(y);
  RegressionOptions options;
  options.seasons = {{7, 3}, {365.25, 10}};
  const Exogenous columns{x, 1};
  Regression fit = Regression::Fit(known.first(800), columns, options);
  const auto forecast = Ask(fit, 60, columns.From(800));
  for (size_t h = 0; h < 60; ++h) EXPECT_NEAR(forecast[h], y[800 + h], 6) << h;
  EXPECT_GT(forecast[7], forecast[0] + 40);
  for (size_t t = 800; t < 860; ++t) fit.Update(y[t], columns.From(t));
  EXPECT_NEAR(Ask(fit, 40, columns.From(860))[39], y[899], 6);
}

TEST(Regression, StaysWithinReachOfWhatItSaw) {
  std::vector<double> y;
  for (int t = 0; t < 60; ++t) y.push_back(std::exp(0.2 * t));
  RegressionOptions options;
  options.logarithm = true;
  const auto forecast = Ask(Regression::Fit(y, {}, options), 5000);
  for (const double v : forecast) EXPECT_TRUE(std::isfinite(v));
}

TEST(Seasonal, TestsAndDecomposes) {
  EXPECT_NEAR(Autocorrelation(AirPassengers(), 12)[11], 0.76039504, 1e-7);  // R: acf(AirPassengers)
  EXPECT_TRUE(HasSeason(AirPassengers(), 12));
  EXPECT_FALSE(HasSeason(Nile(), 12));
  EXPECT_FALSE(HasSeason(std::span<const double>(AirPassengers()).first(30), 12));
  const auto indices = SeasonalIndices(AirPassengers(), 12, SeasonKind::kMultiplicative);
  EXPECT_NEAR(std::accumulate(indices.begin(), indices.end(), 0.0), 12, 1e-9);
  EXPECT_NEAR(indices[6], 1.2265555, 1e-6);  // R: decompose(AirPassengers, "multiplicative")$figure
  std::vector<double> cycle;
  for (int t = 0; t < 200; ++t) cycle.push_back(t % 9 == 0 ? 5 : t % 9 == 4 ? -3 : 0);
  EXPECT_EQ(FindSeason(cycle), 9u);
  Rng rng(3);
  std::vector<double> noise;
  for (int t = 0; t < 300; ++t) noise.push_back(Noise(rng));
  EXPECT_EQ(FindSeason(noise), 1u);
}

TEST(Waves, AreSinesAndCosines) {
  for (int i = -500; i < 500; ++i) {
    const double x = i * 0.0137;
    EXPECT_NEAR(WaveAt(x).sin, std::sin(2 * M_PI * x), 1e-14);
    EXPECT_NEAR(WaveAt(x).cos, std::cos(2 * M_PI * x), 1e-14);
  }
}

TEST(Simplex, FindsTheValleyOfRosenbrock) {
  Simplex simplex;
  simplex.n = 2;
  simplex.low = {-3, -3};
  simplex.high = {3, 3};
  simplex.max_evaluations = 1000;
  simplex.tolerance = 1e-14;
  Simplex::Point x{-1.2, 1};
  const double least = simplex.Minimise(x, {0.5, 0.5}, [](const Simplex::Point& p) {
    return 100 * (p[1] - p[0] * p[0]) * (p[1] - p[0] * p[0]) + (1 - p[0]) * (1 - p[0]);
  });
  EXPECT_LT(least, 1e-8);
  EXPECT_NEAR(x[0], 1, 1e-3);
  simplex.high = {0.5, 3};  // the valley's floor is outside: the best corner of the box
  x = {-1.2, 1};
  simplex.Minimise(x, {0.5, 0.5}, [](const Simplex::Point& p) { return (1 - p[0]) * (1 - p[0]) + p[1] * p[1]; });
  EXPECT_NEAR(x[0], 0.5, 1e-6);
}

// A method that knows of no holidays forecasts the series without their effects, which join its forecasts.
TEST(Adjusted, GivesTheEffectsBack) {
  const std::vector<double> plain = {10, 20, 10, 20}, x = {1, 0, 1, 1};
  Adjusted adjusted({{5}, 0}, std::make_unique<SeasonalNaive>(SeasonalNaive::Fit(plain, 2)));
  EXPECT_EQ(adjusted.method(), ForecastMethod::kSeasonalNaive);
  EXPECT_EQ(Ask(adjusted, 4, {x, 1}), (std::vector<double>{15, 20, 15, 25}));
  adjusted.Update(36, {x, 1});  // 31 without the effect
  EXPECT_EQ(Ask(adjusted, 2, {x, 1}), (std::vector<double>{25, 31}));
}

// Errors and seasons in proportion stay possible: what is left of the series does not leave its size.
TEST(Adjusted, AConstantAddedToARegressorChangesNothing) {
  double mase[2];
  for (const int base : {0, 1000}) {
    ForecastConfig config;
    config.regressors = {"price"};
    ForecastTrainer trainer(Request(config));
    const TimeGrid months{{0, 1}, Day(1949, 1, 1), 1};
    for (int t = 0; t < 144; ++t) {
      const double price = t * 7919 % 11, y = AirPassengers()[static_cast<size_t>(t)] - 5 * price,
                   shifted = base + price;
      trainer.Add({"", months.At(t), months.At(t), y, {&shifted, 1}});
    }
    mase[base > 0] = Finish(trainer).candidate.mase;
  }
  EXPECT_NEAR(mase[0], mase[1], 1e-6);
}

// Effects used to be stored without what they are counted from.
TEST(Adjusted, EffectsFromZeroAreRead) {
  const std::vector<double> plain = {10, 20, 10, 20}, x = {1, 0};
  const SeasonalNaive inner = SeasonalNaive::Fit(plain, 2);
  ByteWriter out;
  out.Put(uint32_t{1});
  out.Put(5.0);
  out.Put(static_cast<uint8_t>(inner.method()));
  inner.Encode(out);
  const std::vector<uint8_t> bytes = out.Take();
  ByteReader in(bytes);
  EXPECT_EQ(Ask(*DecodeForecaster(ForecastMethod::kAdjustedFromZero, in), 2, {x, 1}), (std::vector<double>{15, 20}));
  EXPECT_TRUE(in.empty());
}

TEST(Adjusted, HoldsNoMethodWithEffectsOfItsOwn) {
  for (const ForecastMethod method :
       {ForecastMethod::kAdjustedFromZero, ForecastMethod::kAdjusted, ForecastMethod::kRegression}) {
    ByteWriter out;
    out.Put(uint32_t{0});
    out.Put(0.0);
    out.Put(static_cast<uint8_t>(method));
    const std::vector<uint8_t> bytes = out.Take();
    ByteReader in(bytes);
    EXPECT_THROW(DecodeForecaster(ForecastMethod::kAdjusted, in), Error);
  }
}

// Every method's state read back forecasts the same.
TEST(Forecasters, SurviveBeingStored) {
  std::vector<double> x(200, 0.5);
  std::vector<std::unique_ptr<Forecaster>> all;
  for (const EtsShape& shape : EtsShapes(AirPassengers(), 12))
    all.push_back(std::make_unique<Ets>(FitEts(AirPassengers(), 12, shape, 20)));
  all.push_back(std::make_unique<Theta>(Theta::Fit(AirPassengers(), 12)));
  all.push_back(std::make_unique<Theta>(Theta::Fit(Nile(), 1)));
  all.push_back(std::make_unique<SeasonalNaive>(SeasonalNaive::Fit(AirPassengers(), 12)));
  all.push_back(std::make_unique<SeasonalNaive>(SeasonalNaive::Fit(AirPassengers(), 1)));
  all.push_back(std::make_unique<Drift>(Drift::Fit(Nile())));
  all.push_back(std::make_unique<Mean>(Mean::Fit(Nile())));
  all.push_back(std::make_unique<Intermittent>(Intermittent::Fit(std::vector<double>{0, 0, 3, 0, 0, 1})));
  all.push_back(std::make_unique<Regression>(Regression::Fit(AirPassengers(), {x, 1}, {{{12, 6}}, 25, true})));
  all.push_back(std::make_unique<Adjusted>(ExogenousEffects{{40}, 15},
                                           std::make_unique<SeasonalNaive>(SeasonalNaive::Fit(AirPassengers(), 12))));
  for (const auto& forecaster : all) {
    forecaster->Update(400, {x, 1});
    ByteWriter out;
    forecaster->Encode(out);
    const std::vector<uint8_t> bytes = out.Take();
    ByteReader in(bytes);
    const auto read = DecodeForecaster(forecaster->stored_as(), in);
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(read->method(), forecaster->method());
    EXPECT_EQ(Ask(*read, 30, {x, 1}), Ask(*forecaster, 30, {x, 1})) << NameOf(forecaster->method());
    for (size_t size = 0; size < bytes.size(); ++size) {
      ByteReader cut(std::span<const uint8_t>(bytes).first(size));
      EXPECT_THROW(DecodeForecaster(forecaster->stored_as(), cut), Error);
    }
  }
}

}  // namespace
}  // namespace retrain
