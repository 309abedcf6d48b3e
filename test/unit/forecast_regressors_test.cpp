// Regressors from rows to steps: gathered as y is, before their first value, in the future, and where the live version is judged.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "forecast_testing.h"

namespace retrain {
namespace {

// Days of 100 with 40 more when there is a promotion, on more days of some months than of others.
constexpr int kDays = 1200;
double PromotionOn(int day) { return day * 7919 % 31 < day / 30 % 5 * 4 ? 1 : 0; }
double SalesOn(int day) { return 100 + 40 * PromotionOn(day) + day * 31 % 5; }
int64_t TimeOf(int day) { return Day(2022, 1, 1) + day * kDay; }

ForecastConfig Promoted(DuplicateRule duplicates) {
  ForecastConfig config;
  config.regressors = {"promotion"};
  config.duplicates = duplicates;
  config.has_step = true;
  config.step = {0, 1};
  return config;
}

// Forecasts of three months from the days before, with the promotions of each of their days; and what came.
struct ThreeMonths {
  SeriesForecast forecast;
  std::vector<double> truth;
};

ThreeMonths MonthsOf(DuplicateRule duplicates) {
  ForecastTrainer trainer(Request(Promoted(duplicates), false));
  const int known = static_cast<int>((Day(2025, 1, 1) - TimeOf(0)) / kDay);
  for (int day = 0; day < known; ++day) {
    const double promotion = PromotionOn(day);
    trainer.Add({"", TimeOf(day), TimeOf(day), SalesOn(day), {&promotion, 1}});
  }
  const ForecastModel model(Finish(trainer).artifact);
  FutureRegressorTable future(1, 1 << 20);
  ThreeMonths months;
  std::vector<double> days;
  // The plan begins in the last month that is known, with which the forecast has nothing to do.
  for (int day = known - 10; day < kDays && TimeOf(day) < Day(2025, 4, 1); ++day) {
    const double promotion = PromotionOn(day);
    future.Add(false, "", TimeOf(day), TimeOf(day), {&promotion, 1});
    if (day < known) continue;
    days.push_back(SalesOn(day));
    if (CivilOfDay(TimeOf(day + 1) / kDay).day != 1) continue;
    const double sum = std::accumulate(days.begin(), days.end(), 0.0);
    months.truth.push_back(duplicates == DuplicateRule::kSum ? sum : sum / static_cast<double>(days.size()));
    days.clear();
  }
  months.forecast = model.Forecast(0, 3, {}, future.Of("", false));
  return months;
}

TEST(ForecastRegressors, AreGatheredAsTheValuesAre) {
  for (const DuplicateRule rule : {DuplicateRule::kSum, DuplicateRule::kMean}) {
    const ThreeMonths months = MonthsOf(rule);
    ASSERT_EQ(months.truth.size(), 3u);
    for (size_t h = 0; h < 3; ++h)
      EXPECT_NEAR(months.forecast.yhat[h] / months.truth[h], 1, 0.03) << static_cast<int>(rule) << ", " << h;
  }
}

// Sales that fall by 2 for each unit of a price of about 1000, which is not known of the first days.
TEST(ForecastRegressors, AreTheFirstKnownOneBeforeIt) {
  ForecastConfig config;
  config.regressors = {"price"};
  const auto mase = [&](int unknown) {
    ForecastTrainer trainer(Request(config, false));
    for (int day = 0; day < 300; ++day) {
      const double price = 1000 + day * 7919 % 13;
      const double given = day < unknown ? NAN : price;
      trainer.Add({"", TimeOf(day), TimeOf(day), 3000 - 2 * price + day * 31 % 5, {&given, 1}});
    }
    return Finish(trainer).candidate.mase;
  };
  EXPECT_LT(mase(20), 1.5 * mase(0));
}

// The plan came true, and the live version's forecasts are judged with it, also where other regressors have come before it.
TEST(ForecastRegressors, AreKnownWhereTheLiveVersionIsJudged) {
  const auto train = [](std::vector<std::string> names, int days, std::vector<uint8_t> live) {
    ForecastRequest request = Request({}, false);
    request.config.regressors = std::move(names);
    request.has_live = !live.empty();
    request.live_artifact = std::move(live);
    ForecastTrainer trainer(request);
    for (int day = 0; day < days; ++day) {
      const double row[] = {day % 3 * 1.0, PromotionOn(day)};
      trainer.Add({"", TimeOf(day), TimeOf(day), SalesOn(day), std::span(row).last(request.config.regressors.size())});
    }
    return Finish(trainer);
  };
  const std::vector<uint8_t> live = train({"promotion"}, 400, {}).artifact;
  for (const auto& names : {std::vector<std::string>{"promotion"}, {"price", "promotion"}}) {
    const ForecastAccuracy since = train(names, 420, live).live_since;
    EXPECT_EQ(since.values, 20u);
    EXPECT_LT(since.rmse, 5);
    EXPECT_GE(since.coverage95, 0.9);
  }
}

}  // namespace
}  // namespace retrain
