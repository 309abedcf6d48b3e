// Calendars, spacings, gaps and duplicates.
#include <gtest/gtest.h>

#include "forecast_testing.h"

namespace retrain {
namespace {

std::vector<int64_t> Times(const TimeGrid& grid, int n) {
  std::vector<int64_t> times;
  for (int i = 0; i < n; ++i) times.push_back(grid.At(i));
  return times;
}

TEST(TimeGrid, StepsAreEitherMonthsOrATime) {
  EXPECT_TRUE(IsStep({.micros = kDay, .months = 0}));
  EXPECT_TRUE(IsStep({.micros = 0, .months = 1}));
  EXPECT_FALSE(IsStep({.micros = 0, .months = 0}));
  EXPECT_FALSE(IsStep({.micros = kDay, .months = 1}));
  EXPECT_FALSE(IsStep({.micros = kDay, .months = -1}));
  EXPECT_FALSE(IsStep({.micros = -1, .months = 0}));
}

TEST(Calendar, DaysAndDatesAgree) {
  EXPECT_EQ(DayOfCivil({2000, 1, 1}), 0);
  EXPECT_EQ(DayOfCivil({2000, 3, 1}), 60);
  EXPECT_EQ(DayOfCivil({1970, 1, 1}), -10957);
  EXPECT_EQ(DayOfCivil({1900, 2, 28}) + 1, DayOfCivil({1900, 3, 1}));
  for (int64_t day = -2'000'000; day < 3'000'000; day += 997) {
    const Civil civil = CivilOfDay(day);
    EXPECT_EQ(DayOfCivil(civil), day);
    EXPECT_LE(civil.day, DaysInMonth(civil.year, civil.month));
  }
}

TEST(Calendar, MonthsKeepTheirDayOrTheLast) {
  const TimeGrid ends{{0, 1}, Day(2023, 11, 30), 31}, thirtieth{{0, 1}, Day(2023, 11, 30), 30};
  EXPECT_EQ(FormatTime(ends.At(1)), "2023-12-31");
  EXPECT_EQ(FormatTime(ends.At(3)), "2024-02-29");
  EXPECT_EQ(FormatTime(ends.At(-9)), "2023-02-28");
  EXPECT_EQ(FormatTime(thirtieth.At(1)), "2023-12-30");
  EXPECT_EQ(FormatTime(thirtieth.At(3)), "2024-02-29");
  for (int64_t place = -50; place < 50; ++place) {
    EXPECT_EQ(ends.PlaceOf(ends.At(place)), place);
    EXPECT_EQ(ends.PlaceOf(ends.At(place) - 1), place - 1);
  }
}

TEST(Calendar, FindsTheSpacing) {
  struct Case {
    TimeGrid grid;
    const char* name;
  };
  const Case cases[] = {{{{0, 1}, Day(2020, 1, 31), 31}, "monthly"},
                        {{{0, 1}, Day(2020, 1, 15), 15}, "monthly"},
                        {{{0, 3}, Day(2020, 3, 31), 31}, "quarterly"},
                        {{{0, 12}, Day(2020, 6, 1), 1}, "yearly"},
                        {{{kDay, 0}, Day(2020, 1, 1), 1}, "daily"},
                        {{{7 * kDay, 0}, Day(2020, 1, 6), 1}, "weekly"},
                        {{{kHour, 0}, Day(2020, 1, 6) + 30 * kMinute, 1}, "hourly"},
                        {{{15 * kMinute, 0}, Day(2020, 1, 6), 1}, "every 15 minutes"}};
  for (const Case& c : cases) {
    const auto times = Times(c.grid, 40);
    const Spacing spacing = FindSpacing(times);
    EXPECT_TRUE(spacing.known && spacing.regular) << c.name;
    EXPECT_EQ(spacing.grid.step.Name(), c.name);
    for (int i = 0; i < 60; ++i) EXPECT_EQ(spacing.grid.At(i), c.grid.At(i)) << c.name << i;
    auto gappy = times;
    gappy.erase(gappy.begin() + 5, gappy.begin() + 8);
    gappy.erase(gappy.begin() + 20);
    EXPECT_EQ(FindSpacing(gappy).grid.step, spacing.grid.step) << c.name;
  }
  std::vector<int64_t> uneven;
  for (int i = 0; i < 40; ++i)
    uneven.push_back(Day(2024, 1, 1) + i * kDay + (i * i % 11) * 17 * kMinute + i * 13 * kSecond);
  EXPECT_FALSE(FindSpacing(uneven).regular);
  EXPECT_EQ(FindSpacing(uneven).grid.step.Name(), "daily");
  EXPECT_FALSE(FindSpacing(std::vector<int64_t>{5}).known);
}

// Chile's and Lebanon's clocks go forward at midnight: that day begins at one o'clock.
TEST(Calendar, SkippedMidnightsAreEven) {
  std::vector<int64_t> days, weeks, ends;
  for (int i = 0; i < 20; ++i) days.push_back(Day(2024, 9, 1) + i * kDay + (i == 7 ? kHour : 0));
  const Spacing daily = FindSpacing(days);
  EXPECT_TRUE(daily.regular);
  EXPECT_EQ(daily.grid.step, (TimeStep{kDay, 0}));
  EXPECT_EQ(daily.grid.PlaceOf(days[7]), 7);
  // The first of all
  const Spacing from_there = FindSpacing(std::span(days).subspan(7));
  EXPECT_TRUE(from_there.regular);
  EXPECT_EQ(from_there.grid.origin, Day(2024, 9, 8));
  for (int i = 0; i < 60; ++i) weeks.push_back(Day(2024, 1, 7) + i * 7 * kDay + (i == 35 ? kHour : 0));
  EXPECT_TRUE(FindSpacing(weeks).regular);
  EXPECT_EQ(FindSpacing(weeks).grid.step, (TimeStep{7 * kDay, 0}));
  const TimeGrid months{{0, 1}, Day(2023, 1, 31), 31};
  for (int i = 0; i < 20; ++i) ends.push_back(months.At(i) + (i == 14 ? kHour : 0));  // 2024-03-31
  const Spacing monthly = FindSpacing(ends);
  EXPECT_TRUE(monthly.regular);
  EXPECT_EQ(FormatTime(monthly.grid.At(20)), "2024-09-30");
  // Not so within days, nor at other times
  for (int64_t& time : days) time += time == days[3] ? 3 * kHour : 0;
  EXPECT_FALSE(FindSpacing(days).regular);
}

// A frequency that is given does not begin at the hour of such a day.
TEST(Even, DaysBeginAtMidnightAlsoAfterASkippedOne) {
  std::vector<TimedValue> values;
  for (int i = 0; i < 10; ++i)
    values.push_back({Day(2024, 9, 8) + i * kDay + (i == 0 ? kHour : 0), 1.0 + i, static_cast<uint32_t>(i)});
  EvenOptions options;
  options.has_step = true;
  options.step = {kDay, 0};
  const EvenSeries even = MakeEven(values, {}, options);
  EXPECT_TRUE(even.duplicate.empty());
  EXPECT_EQ(even.y.size(), 10u);
}

TEST(Calendar, SaturatesBeyondTheRangeOfTimes) {
  const TimeGrid days{{100 * kDay, 0}, Day(2020, 1, 1), 1}, years{{0, 1200}, Day(2020, 1, 1), 1};
  EXPECT_GT(days.At(INT64_MAX / 2), kLatestTime);
  EXPECT_LT(days.At(INT64_MIN / 2), kEarliestTime);
  EXPECT_GT(years.At(1'000'000), kLatestTime);
  EXPECT_GT(years.At(100'000), kLatestTime);
}

TEST(Even, FillsGapsAsTold) {
  const int64_t start = Day(2024, 1, 1);
  const std::vector<TimedValue> values = {
      {start + 5 * kDay, 6, 0}, {start, 1, 1}, {start + kDay, 2, 2}, {start + 2 * kDay, NAN, 3}};
  EvenOptions options;
  EvenSeries even = MakeEven(values, {}, options);
  EXPECT_EQ(even.y, (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(even.observed, 3u);
  EXPECT_EQ(even.filled, 3u);
  options.gaps = GapRule::kZero;
  options.end = start + 7 * kDay;
  even = MakeEven(values, {}, options);
  EXPECT_EQ(even.y, (std::vector<double>{1, 2, 0, 0, 0, 6, 0, 0}));
}

TEST(Even, JoinsDuplicatesAsTold) {
  const int64_t start = Day(2024, 1, 1);
  const std::vector<TimedValue> values = {
      {start, 1, 0}, {start + kDay, 2, 1}, {start + kDay, 5, 2}, {start + 2 * kDay, 3, 3}};
  EvenOptions options;
  EXPECT_EQ(MakeEven(values, {}, options).duplicate, "2024-01-02");
  options.duplicates = DuplicateRule::kSum;
  EXPECT_EQ(MakeEven(values, {}, options).y[1], 7);
  options.duplicates = DuplicateRule::kMean;
  EXPECT_EQ(MakeEven(values, {}, options).y[1], 3.5);
  // Months of invoices: gathered by the month when told so.
  options.duplicates = DuplicateRule::kSum;
  options.has_step = true;
  options.step = {0, 1};
  const EvenSeries months =
      MakeEven({{Day(2024, 1, 5), 1, 0}, {Day(2024, 1, 20), 2, 1}, {Day(2024, 3, 2), 4, 2}}, {}, options);
  EXPECT_EQ(months.y, (std::vector<double>{3, 3.5, 4}));
  EXPECT_EQ(FormatTime(months.grid.At(0)), "2024-01-01");
}

TEST(Even, KeepsTheLatestOfALongHistory) {
  EvenOptions options;
  options.max_steps = 100;
  std::vector<TimedValue> values;
  for (int i = 0; i < 300; ++i) values.push_back({Day(2024, 1, 1) + i * kDay, static_cast<double>(i), 0});
  EvenSeries even = MakeEven(values, {}, options);
  EXPECT_TRUE(even.cut);
  ASSERT_EQ(even.y.size(), 100u);
  EXPECT_EQ(even.y.front(), 200);
  EXPECT_EQ(even.grid.At(99), values.back().time);
  // Two values a lifetime apart by the hour: no memory for what lies between.
  options.has_step = true;
  options.step = {kHour, 0};
  even = MakeEven({{Day(1900, 1, 1), 1, 0}, {Day(2024, 1, 1), 2, 0}}, {}, options);
  EXPECT_EQ(even.y, (std::vector<double>{2}));
}

TEST(Even, CarriesRegressorsOver) {
  EvenOptions options;
  options.regressors = 1;
  const std::vector<double> regressors = {10, NAN, 30};
  const EvenSeries even =
      MakeEven({{Day(2024, 1, 1), 1, 0}, {Day(2024, 1, 2), 2, 1}, {Day(2024, 1, 4), 3, 2}}, regressors, options);
  EXPECT_EQ(even.regressors, (std::vector<double>{10, 10, 10, 30}));
}

}  // namespace
}  // namespace retrain
