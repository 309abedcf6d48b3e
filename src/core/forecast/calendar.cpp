// Calendar arithmetic and the spacing of times (see calendar.h).
#include "core/forecast/calendar.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace retrain {
namespace {

constexpr int64_t kWeek = 7 * kDay;

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

// Steps that irregular times are gathered into.
constexpr int64_t kStandardSteps[] = {kSecond, kMinute, 5 * kMinute, 15 * kMinute, kHour, kDay, kWeek};

int64_t MonthOf(const Civil& civil) { return civil.year * 12 + civil.month - 1; }

// Whether all times are at one time of day, on one day of their months or on the last where the month is shorter.
bool FindMonths(std::span<const int64_t> times, TimeGrid& grid) {
  const int64_t clock = times[0] - FloorDivide(times[0], kDay) * kDay;
  int anchor = 0;
  bool all_last = true;
  for (const int64_t time : times) {
    const int64_t day = FloorDivide(time, kDay);
    if (time - day * kDay != clock) return false;
    const Civil civil = CivilOfDay(day);
    anchor = std::max(anchor, civil.day);
    all_last = all_last && civil.day == DaysInMonth(civil.year, civil.month);
  }
  if (all_last) anchor = 31;
  int64_t previous = 0, months = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    const Civil civil = CivilOfDay(FloorDivide(times[i], kDay));
    if (civil.day != std::min(anchor, DaysInMonth(civil.year, civil.month))) return false;
    const int64_t month = MonthOf(civil);
    if (i > 0) months = std::gcd(months, month - previous);
    previous = month;
  }
  if (months <= 0 || months > 1200) return false;
  // A few yearly steps of leap days look like months too; both are right.
  grid.step = {0, static_cast<int32_t>(months)};
  grid.origin = times[0];
  grid.anchor_day = anchor;
  return true;
}

// The most common value, the least of equals.
int64_t MostCommon(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  int64_t best = values[0];
  size_t most = 0;
  for (size_t i = 0; i < values.size();) {
    size_t end = i;
    while (end < values.size() && values[end] == values[i]) ++end;
    if (end - i > most) {
      most = end - i;
      best = values[i];
    }
    i = end;
  }
  return best;
}

// Where the clock goes forward at midnight, that midnight is no time, and comes as one o'clock. Such times of days, weeks or
// months, put where the others are; nothing if there are none.
std::vector<int64_t> WithSkippedHours(std::span<const int64_t> times) {
  for (size_t i = 1; i < times.size(); ++i)
    if (times[i] - times[i - 1] < kDay - 2 * kHour) return {};
  const auto clock = [](int64_t time) { return time - FloorDivide(time, kDay) * kDay; };
  std::vector<int64_t> clocks;
  for (const int64_t time : times) clocks.push_back(clock(time));
  const int64_t usual = MostCommon(std::move(clocks));
  std::vector<int64_t> moved(times.begin(), times.end());
  bool any = false;
  for (int64_t& time : moved)
    if (const int64_t late = clock(time) - usual; late == kHour || late == kHour / 2) {
      time -= late;
      any = true;
    }
  return any ? moved : std::vector<int64_t>{};
}

Spacing SpacingOf(std::span<const int64_t> times) {
  Spacing spacing;
  if (times.empty()) return spacing;
  spacing.grid.origin = times[0];
  if (times.size() < 2) return spacing;
  spacing.known = true;
  std::vector<int64_t> distances;
  distances.reserve(times.size() - 1);
  for (size_t i = 1; i < times.size(); ++i) distances.push_back(times[i] - times[i - 1]);
  if (*std::min_element(distances.begin(), distances.end()) >= 28 * kDay && FindMonths(times, spacing.grid))
    return spacing;
  const int64_t common = MostCommon(distances);
  if (std::all_of(distances.begin(), distances.end(), [common](int64_t d) { return d % common == 0; })) {
    spacing.grid.step = {common, 0};
    return spacing;
  }
  // A step that all distances are multiples of still tells the grid, when it is not much finer than what is common.
  int64_t finest = 0;
  for (const int64_t d : distances) finest = std::gcd(finest, d);
  if (finest * 4 >= common && finest >= kSecond) {
    spacing.grid.step = {finest, 0};
    return spacing;
  }
  spacing.regular = false;
  std::nth_element(distances.begin(), distances.begin() + static_cast<ptrdiff_t>(distances.size() / 2),
                   distances.end());
  const int64_t median = distances[distances.size() / 2];
  TimeStep step{kSecond, 0};
  for (const int64_t standard : kStandardSteps)
    if (standard <= median + median / 4) step.micros = standard;
  if (median >= 25 * kDay) step = {0, median >= 300 * kDay ? 12 : median >= 80 * kDay ? 3 : 1};
  spacing.grid = GridOf(step, times[0]);
  return spacing;
}

}  // namespace

// Days are counted in eras of 400 years from 0000-03-01, so that the leap day ends a year.
Civil CivilOfDay(int64_t day) {
  const int64_t z = day + 730425;
  const int64_t era = FloorDivide(z, 146097);
  const int64_t of_era = z - era * 146097;
  const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month = (5 * of_year + 2) / 153;  // from March
  Civil civil;
  civil.day = static_cast<int>(of_year - (153 * month + 2) / 5 + 1);
  civil.month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
  return civil;
}

int64_t DayOfCivil(const Civil& civil) {
  const int64_t year = civil.year - (civil.month <= 2 ? 1 : 0);
  const int64_t era = FloorDivide(year, 400);
  const int64_t year_of_era = year - era * 400;
  const int64_t month = civil.month > 2 ? civil.month - 3 : civil.month + 9;
  const int64_t of_year = (153 * month + 2) / 5 + civil.day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 730425;
}

int DaysInMonth(int64_t year, int month) {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

std::string TimeStep::Name() const {
  switch (months) {
    case 0:
      break;
    case 1:
      return "monthly";
    case 3:
      return "quarterly";
    case 12:
      return "yearly";
    default:
      return months % 12 == 0 ? "every " + std::to_string(months / 12) + " years"
                              : "every " + std::to_string(months) + " months";
  }
  struct Unit {
    int64_t length;
    const char *one, *many;
  };
  for (const Unit& unit : {Unit{kWeek, "weekly", "weeks"}, Unit{kDay, "daily", "days"}, Unit{kHour, "hourly", "hours"},
                           Unit{kMinute, "minutely", "minutes"}, Unit{kSecond, "secondly", "seconds"}}) {
    if (micros % unit.length != 0) continue;
    const int64_t count = micros / unit.length;
    return count == 1 ? unit.one : "every " + std::to_string(count) + " " + unit.many;
  }
  return "every " + std::to_string(micros) + " microseconds";
}

bool IsStep(const TimeStep& step) {
  return step.months > 0 ? step.micros == 0 && step.months <= 1200
                         : step.months == 0 && step.micros > 0 && step.micros <= 36'525 * kDay;
}

int64_t TimeGrid::At(int64_t place) const {
  const int64_t beyond = place < 0 ? kEarliestTime - 1 : kLatestTime + 1;
  if (step.months == 0) {
    int64_t time;
    if (__builtin_mul_overflow(place, step.micros, &time) || __builtin_add_overflow(time, origin, &time)) return beyond;
    return std::clamp(time, kEarliestTime - 1, kLatestTime + 1);
  }
  if (place > 12 * 300'000 || place < -12 * 300'000) return beyond;
  const int64_t first = FloorDivide(origin, kDay);
  const int64_t month = MonthOf(CivilOfDay(first)) + place * step.months;
  Civil civil;
  civil.year = FloorDivide(month, 12);
  civil.month = static_cast<int>(month - civil.year * 12) + 1;
  civil.day = std::min(anchor_day, DaysInMonth(civil.year, civil.month));
  if (civil.year < -4712 || civil.year > 289'999) return beyond;
  return DayOfCivil(civil) * kDay + (origin - first * kDay);
}

int64_t TimeGrid::PlaceOf(int64_t time) const {
  if (step.months == 0) return FloorDivide(time - origin, step.micros);
  const int64_t months = MonthOf(CivilOfDay(FloorDivide(time, kDay))) - MonthOf(CivilOfDay(FloorDivide(origin, kDay)));
  int64_t place = FloorDivide(months, step.months);
  if (At(place) > time) --place;
  return place;
}

Spacing FindSpacing(std::span<const int64_t> times) {
  Spacing spacing = SpacingOf(times);
  if (spacing.regular) return spacing;
  const std::vector<int64_t> moved = WithSkippedHours(times);
  if (moved.empty()) return spacing;
  const Spacing again = SpacingOf(moved);
  return again.regular ? again : spacing;
}

int WeekdayOf(int64_t time) {
  const int64_t day = FloorDivide(time, kDay);
  return static_cast<int>(day - FloorDivide(day, 7) * 7);
}

TimeGrid GridOf(TimeStep step, int64_t first, int week_begin) {
  TimeGrid grid;
  grid.step = step;
  const int64_t day = FloorDivide(first, kDay);
  if (step.months == 0 && step.micros % kWeek == 0) {
    grid.origin = (day - (WeekdayOf(first) - week_begin + 7) % 7) * kDay;
    return grid;
  }
  if (step.months == 0) {
    // At whole multiples of themselves from midnight.
    grid.origin = step.micros >= kDay ? day * kDay : day * kDay + (first - day * kDay) / step.micros * step.micros;
    return grid;
  }
  Civil civil = CivilOfDay(day);
  civil.day = 1;
  if (12 % step.months == 0) civil.month -= (civil.month - 1) % step.months;
  grid.origin = DayOfCivil(civil) * kDay;
  return grid;
}

bool ParseTimeStep(std::string_view name, TimeStep& step) {
  struct Named {
    std::string_view name;
    TimeStep step;
  };
  static constexpr Named kNamed[] = {{"minutely", {kMinute, 0}}, {"hourly", {kHour, 0}}, {"daily", {kDay, 0}},
                                     {"weekly", {kWeek, 0}},     {"monthly", {0, 1}},    {"quarterly", {0, 3}},
                                     {"yearly", {0, 12}}};
  for (const Named& named : kNamed) {
    if (name != named.name) continue;
    step = named.step;
    return true;
  }
  return false;
}

uint32_t SeasonLength(const TimeStep& step) {
  if (step.months > 0) return 12 % step.months == 0 ? static_cast<uint32_t>(12 / step.months) : 1;
  if (step.micros == kWeek) return 52;
  if (step.micros == kDay) return 7;
  if (step.micros < kDay && kDay % step.micros == 0 && kDay / step.micros <= 288)
    return static_cast<uint32_t>(kDay / step.micros);
  if (step.micros == kMinute) return 60;
  return 1;
}

std::vector<SeasonTerms> SeasonTermsFor(const TimeStep& step, size_t n) {
  std::vector<SeasonTerms> terms;
  const auto add = [&](double period, uint32_t harmonics, double seasons) {
    if (static_cast<double>(n) < seasons * period) return;
    const auto most = static_cast<uint32_t>(period / 2);
    if (most >= 1) terms.push_back({period, std::min(harmonics, most)});
  };
  if (step.months > 0) {
    if (SeasonLength(step) > 1) add(SeasonLength(step), kMaxHarmonics, 2);
    return terms;
  }
  const double day = static_cast<double>(kDay) / static_cast<double>(step.micros);
  if (step.micros < kDay) add(day, 12, 2);
  if (step.micros < kWeek) add(7 * day, step.micros < kDay ? 20 : 3, 2);
  add(365.25 * day, step.micros == kWeek ? 8 : 10, 2);
  return terms;
}

uint32_t DefaultHorizon(const TimeStep& step) {
  if (step.months > 0) return step.months >= 12 ? 6 : std::max<uint32_t>(4, 24 / static_cast<uint32_t>(step.months));
  if (step.micros == kWeek) return 26;
  if (step.micros >= kDay) return 28;
  return 48;
}

}  // namespace retrain
