// Time as series are spaced: steps of a fixed length or of calendar months, found from the times themselves.
//
// Times are microseconds since 2000-01-01 00:00 on the wall clock of the series, without zones or leap seconds: a day is
// 24 hours and a daylight saving change never moves a step.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/forecast/regression.h"

namespace retrain {

inline constexpr int64_t kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
// Times outside are refused: 4713 BC to 290000 AD, within what PostgreSQL has.
inline constexpr int64_t kEarliestTime = -211'813'488'000'000'000, kLatestTime = 9'088'000'000'000'000'000;

struct Civil {
  int64_t year = 2000;
  int month = 1, day = 1;  // from 1
};
Civil CivilOfDay(int64_t day);  // days since 2000-01-01
int64_t DayOfCivil(const Civil& civil);
int DaysInMonth(int64_t year, int month);

// The distance of two values: `months` calendar months, or `micros` when months is 0.
struct TimeStep {
  int64_t micros = kDay;
  int32_t months = 0;

  bool operator==(const TimeStep&) const = default;
  bool Within(int64_t length) const { return months == 0 && micros < length; }
  std::string Name() const;  // daily, monthly, every 2 weeks, …
};

// Whether a step is one that series can have: months or microseconds, up to a century.
bool IsStep(const TimeStep& step);

// Places in time, numbered. Monthly places keep the day of the month, or its last day where the month is shorter.
struct TimeGrid {
  TimeStep step;
  int64_t origin = 0;      // time of place 0
  int32_t anchor_day = 1;  // day of the month, for steps of months; 31 is the last day of each

  // Saturates at kEarliestTime - 1 and kLatestTime + 1 beyond them.
  int64_t At(int64_t place) const;
  // The last place that is not after `time`.
  int64_t PlaceOf(int64_t time) const;
};

// What the spacing of ascending distinct times says. `regular`: every time lies on the grid.
struct Spacing {
  TimeGrid grid;
  bool known = false;  // two times or more
  bool regular = true;
};
Spacing FindSpacing(std::span<const int64_t> times);

// Days of the week are days since 2000-01-01, modulo 7.
int WeekdayOf(int64_t time);
inline constexpr int kMonday = 2;

// A grid of the given step through `first`: its places are aligned to whole units, as hours to the hour, and weeks begin on
// the day told.
TimeGrid GridOf(TimeStep step, int64_t first, int week_begin = kMonday);
// Reads hourly, daily, weekly, monthly, quarterly, yearly, minutely; false for anything else.
bool ParseTimeStep(std::string_view name, TimeStep& step);

// The seasons that a spacing can have: the one of smoothing methods, in steps, 1 for none, and the Fourier terms of
// regressions for `n` values, shortest period first.
uint32_t SeasonLength(const TimeStep& step);
std::vector<SeasonTerms> SeasonTermsFor(const TimeStep& step, size_t n);
// How many steps ahead methods are compared and intervals calibrated, unless told: a season or two.
uint32_t DefaultHorizon(const TimeStep& step);

}  // namespace retrain
