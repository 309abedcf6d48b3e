// Which first step a source begins within, and which last step it ends within.
#include <gtest/gtest.h>

#include <functional>

#include "forecast_testing.h"

namespace retrain {
namespace {

constexpr TimeStep kMonth{0, 1}, kQuarter{0, 3}, kYear{0, 12}, kADay{kDay, 0}, kAWeek{7 * kDay, 0};

// Times of `every` microseconds from 2023-01-01 on, up to and without `until`, those that `open` says.
bool EndsWithin(
    TimeStep step, int64_t every, int64_t until,
    const std::function<bool(int64_t)>& open = [](int64_t) { return true; }) {
  SourceTimes source(step);
  for (int64_t time = Day(2023, 1, 1); time < until; time += every)
    if (open(time)) source.Add(time);
  source.Close();
  return source.EndWithinStep(GridOf(step, Day(2023, 1, 1)));
}

// One row a month, dated on `day`.
bool MonthsEndWithin(TimeStep step, int months, int day) {
  SourceTimes source(step);
  const TimeGrid months_of{kMonth, Day(2023, 1, day), day};
  for (int i = 0; i < months; ++i) source.Add(months_of.At(i));
  source.Close();
  return source.EndWithinStep(GridOf(step, Day(2023, 1, 1)));
}

// 2023-01-01 is a Sunday.
bool NoSunday(int64_t time) { return (time - Day(2023, 1, 1)) / kDay % 7 != 0; }

TEST(SourceTimes, AMonthOfDaysEndsOnItsLastDay) {
  EXPECT_TRUE(EndsWithin(kMonth, kDay, Day(2024, 5, 5)));
  EXPECT_TRUE(EndsWithin(kMonth, kDay, Day(2024, 5, 30)));
  EXPECT_TRUE(EndsWithin(kMonth, kDay, Day(2024, 5, 31)));
  EXPECT_FALSE(EndsWithin(kMonth, kDay, Day(2024, 6, 1)));
  EXPECT_FALSE(EndsWithin(kMonth, kDay, Day(2024, 3, 1)));
  EXPECT_TRUE(EndsWithin(kMonth, kDay, Day(2024, 3, 2)));
  EXPECT_FALSE(EndsWithin(kMonth, kDay, Day(2023, 1, 20))) << "nothing to compare with";
}

TEST(SourceTimes, ClosedDaysAtTheEndAreNoneThatAreMissing) {
  for (int month = 1; month <= 12; ++month)
    EXPECT_FALSE(EndsWithin(kMonth, kDay, Day(2024, month, 1), NoSunday)) << month;
  EXPECT_TRUE(EndsWithin(kMonth, kDay, Day(2024, 3, 28), NoSunday));
  EXPECT_FALSE(EndsWithin(kAWeek, kDay, Day(2024, 1, 7), NoSunday));
  EXPECT_TRUE(EndsWithin(kAWeek, kDay, Day(2024, 1, 5), NoSunday));
}

TEST(SourceTimes, OneRowForEachStepIsAWholeOne) {
  for (const int day : {1, 15, 28})
    for (int months = 2; months < 30; ++months) EXPECT_FALSE(MonthsEndWithin(kMonth, months, day)) << months;
  for (int months = 4; months < 40; ++months) {
    EXPECT_EQ(MonthsEndWithin(kQuarter, months, 1), months % 3 != 0) << months;
    if (months > 12) {
      EXPECT_EQ(MonthsEndWithin(kYear, months, 1), months % 12 != 0) << months;
    }
  }
}

TEST(SourceTimes, DaysEndWithTheHoursThatTheyHave) {
  const auto open = [](int64_t time) { return time % kDay / kHour >= 9 && time % kDay / kHour < 18; };
  const int64_t last = Day(2023, 3, 1);
  EXPECT_FALSE(EndsWithin(kADay, 10 * kMinute, last + 18 * kHour, open));
  EXPECT_TRUE(EndsWithin(kADay, 10 * kMinute, last + 13 * kHour, open));
  EXPECT_FALSE(EndsWithin(kADay, kDay, last, open));
  EXPECT_TRUE(EndsWithin({kHour, 0}, kMinute, last + 20 * kMinute));
  EXPECT_FALSE(EndsWithin({kHour, 0}, kMinute, last + 60 * kMinute));
}

// Times of `every` microseconds from `from` on, until 2024-03-01, those that `open` says.
bool BeginsWithin(
    TimeStep step, int64_t every, int64_t from,
    const std::function<bool(int64_t)>& open = [](int64_t) { return true; }) {
  SourceTimes source(step);
  for (int64_t time = from; time < Day(2024, 3, 1); time += every)
    if (open(time)) source.Add(time);
  source.Close();
  return source.BeginWithinStep(GridOf(step, from));
}

TEST(SourceTimes, AMonthOfDaysBeginsOnItsFirstDays) {
  EXPECT_FALSE(BeginsWithin(kMonth, kDay, Day(2023, 1, 1)));
  EXPECT_FALSE(BeginsWithin(kMonth, kDay, Day(2023, 1, 2))) << "the first may be a holiday";
  EXPECT_TRUE(BeginsWithin(kMonth, kDay, Day(2023, 1, 3)));
  EXPECT_TRUE(BeginsWithin(kMonth, kDay, Day(2023, 1, 31)));
  EXPECT_TRUE(BeginsWithin(kQuarter, kDay, Day(2023, 2, 14)));
  EXPECT_FALSE(BeginsWithin(kMonth, kDay, Day(2024, 2, 20))) << "nothing to compare with";
  EXPECT_FALSE(BeginsWithin(kAWeek, kDay, Day(2023, 1, 2))) << "a Monday";
  EXPECT_TRUE(BeginsWithin(kAWeek, kDay, Day(2023, 1, 4)));
}

TEST(SourceTimes, ClosedDaysAtTheBeginningAreNoneThatAreMissing) {
  for (int month = 1; month <= 12; ++month)
    EXPECT_FALSE(BeginsWithin(kMonth, kDay, Day(2023, month, 1), NoSunday)) << month;
  EXPECT_TRUE(BeginsWithin(kMonth, kDay, Day(2023, 1, 5), NoSunday));
}

TEST(SourceTimes, AStepOfOneRowBeginsWithIt) {
  for (const int day : {1, 15, 28}) {
    const TimeGrid months_of{kMonth, Day(2023, 1, day), day};
    for (int first = 0; first < 12; ++first) {
      SourceTimes months(kMonth), quarters(kQuarter);
      for (int i = first; i < 30; ++i) {
        months.Add(months_of.At(i));
        quarters.Add(months_of.At(i));
      }
      months.Close();
      quarters.Close();
      EXPECT_FALSE(months.BeginWithinStep(GridOf(kMonth, Day(2023, 1, 1)))) << first;
      EXPECT_EQ(quarters.BeginWithinStep(GridOf(kQuarter, Day(2023, 1, 1))), first % 3 != 0) << first;
    }
  }
}

TEST(SourceTimes, DaysBeginWithTheHoursThatTheyHave) {
  const auto open = [](int64_t time) { return time % kDay / kHour >= 9 && time % kDay / kHour < 18; };
  EXPECT_FALSE(BeginsWithin(kADay, 10 * kMinute, Day(2023, 3, 1), open));
  EXPECT_TRUE(BeginsWithin(kADay, 10 * kMinute, Day(2023, 3, 1) + 13 * kHour, open));
  EXPECT_FALSE(BeginsWithin(kADay, kDay, Day(2023, 3, 1) + 13 * kHour));
}

TEST(SourceTimes, AnEmptyOneEndsNowhere) {
  SourceTimes source(kMonth);
  source.Close();
  EXPECT_TRUE(source.empty());
  EXPECT_FALSE(source.EndWithinStep(GridOf(kMonth, 0)));
  EXPECT_FALSE(source.BeginWithinStep(GridOf(kMonth, 0)));
}

}  // namespace
}  // namespace retrain
