// Makes series even (see series.h).
#include "core/forecast/series.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/forecast/gathered.h"

namespace retrain {
namespace {

// Several values at one place become one, as told, and so do their regressors, whose rows are then in the order of the
// values. False: they may not. `several`: of different times.
bool Gather(std::vector<TimedValue>& values, std::vector<double>& gathered, std::span<const double> regressors,
            const TimeGrid& grid, const EvenOptions& options, EvenSeries& even, bool& several) {
  const size_t columns = options.regressors;
  std::vector<GatheredValue> of_step(columns);
  uint32_t kept = 0;
  for (size_t i = 0; i < values.size();) {
    const size_t first = i;
    const int64_t place = grid.PlaceOf(values[i].time);
    GatheredValue y;
    of_step.assign(columns, {});
    for (; i < values.size() && grid.PlaceOf(values[i].time) == place; ++i) {
      y.Add(values[i].y);
      for (size_t k = 0; k < columns; ++k) of_step[k].Add(regressors[values[i].row * columns + k]);
    }
    if (i - first > 1 && options.duplicates == DuplicateRule::kError) {
      even.duplicate = FormatTime(values[first].time);
      return false;
    }
    several = several || values[first].time != values[i - 1].time;
    for (const GatheredValue& value : of_step) gathered.push_back(value.As(options.duplicates));
    values[kept] = {place, y.As(options.duplicates), kept};
    ++kept;
  }
  values.resize(kept);
  return true;
}

// Straight lines between the values that are known.
void Interpolate(std::vector<double>& y) {
  size_t known = y.size();
  for (size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(y[i])) continue;
    if (known < y.size() && i - known > 1)
      for (size_t k = known + 1; k < i; ++k) {
        const double share = static_cast<double>(k - known) / static_cast<double>(i - known);
        y[k] = y[known] + share * (y[i] - y[known]);
      }
    known = i;
  }
}

// The last known value goes on; before the first one it is that one, and zero where none is known.
void FillRegressor(std::vector<double>& rows, size_t column, size_t columns) {
  double last = 0;
  for (size_t i = column; i < rows.size(); i += columns)
    if (!std::isnan(rows[i])) {
      last = rows[i];
      break;
    }
  for (size_t i = column; i < rows.size(); i += columns) {
    if (std::isnan(rows[i])) rows[i] = last;
    last = rows[i];
  }
}

}  // namespace

std::string FormatTime(int64_t time) {
  int64_t day = time / kDay;
  if (time % kDay < 0) --day;
  const int64_t clock = time - day * kDay;
  const Civil civil = CivilOfDay(day);
  char text[64];
  const int date =
      std::snprintf(text, sizeof text, "%04lld-%02d-%02d", static_cast<long long>(civil.year), civil.month, civil.day);
  if (clock != 0)
    std::snprintf(text + date, sizeof text - static_cast<size_t>(date), " %02d:%02d:%02d",
                  static_cast<int>(clock / kHour), static_cast<int>(clock / kMinute % 60),
                  static_cast<int>(clock / kSecond % 60));
  return text;
}

EvenSeries MakeEven(std::vector<TimedValue> values, std::span<const double> regressors, const EvenOptions& options) {
  EvenSeries even;
  // By value within one time, then by regressors, so that nothing depends on the order in which a query gives its rows.
  const auto less = [](double a, double b) {
    return std::isnan(a) || std::isnan(b) ? std::isnan(a) && !std::isnan(b) : a < b;
  };
  const auto before = [&](const TimedValue& a, const TimedValue& b) {
    if (a.time != b.time) return a.time < b.time;
    if (less(a.y, b.y) || less(b.y, a.y)) return less(a.y, b.y);
    const auto of = [&](const TimedValue& v) {
      return regressors.subspan(static_cast<size_t>(v.row) * options.regressors, options.regressors);
    };
    const auto x = of(a), z = of(b);
    return std::lexicographical_compare(x.begin(), x.end(), z.begin(), z.end(), less);
  };
  if (!std::is_sorted(values.begin(), values.end(), before)) std::sort(values.begin(), values.end(), before);
  // Nothing is known before the first value or, unless gaps are zero, after the last.
  const auto is_known = [](const TimedValue& v) { return !std::isnan(v.y); };
  const auto first = std::find_if(values.begin(), values.end(), is_known);
  if (first == values.end()) return even;
  values.erase(values.begin(), first);
  while (!is_known(values.back()) && options.gaps == GapRule::kMissing) values.pop_back();

  if (options.has_step) {
    even.grid = GridOf(options.step, values.front().time, options.week_begin);
    // Months keep the day that all their times have.
    std::vector<int64_t> times;
    for (const TimedValue& v : values)
      if (times.empty() || times.back() != v.time) times.push_back(v.time);
    const Spacing spacing = FindSpacing(times);
    if (options.step.months > 0 && spacing.regular && spacing.known &&
        spacing.grid.step.months % options.step.months == 0 && spacing.grid.step.months > 0) {
      even.grid = spacing.grid;
      even.grid.step = options.step;
    } else if (options.step.months > 0 && times.size() == 1) {
      even.grid.origin = times[0];
      even.grid.anchor_day = CivilOfDay(times[0] / kDay - (times[0] % kDay < 0 ? 1 : 0)).day;
    } else if (options.step.months == 0 && spacing.regular && spacing.known && spacing.grid.step.months == 0 &&
               spacing.grid.step.micros % options.step.micros == 0 && spacing.grid.origin - even.grid.origin < kDay) {
      even.grid.origin = spacing.grid.origin;
    }
  } else {
    std::vector<int64_t> times;
    times.reserve(values.size());
    for (const TimedValue& v : values)
      if (times.empty() || times.back() != v.time) times.push_back(v.time);
    const Spacing spacing = FindSpacing(times);
    even.regular = spacing.regular;
    even.known_step = spacing.known;
    even.grid = spacing.grid;
    if (!spacing.known && options.has_fallback) {
      even.grid.step = options.fallback;
      even.grid.anchor_day = CivilOfDay(times[0] / kDay - (times[0] % kDay < 0 ? 1 : 0)).day;
    }
  }

  bool several = false;
  std::vector<double> gathered;
  if (!Gather(values, gathered, regressors, even.grid, options, even, several)) return even;
  int64_t begin = values.front().time, end = values.back().time;
  if (options.gaps == GapRule::kZero && options.end != INT64_MIN) end = std::max(end, even.grid.PlaceOf(options.end));
  // Values of a step that are not gathered are whole ones.
  if (options.source != nullptr && begin < end && even.grid.PlaceOf(options.source->last()) == end &&
      (several || values.back().time < end) && options.source->EndWithinStep(even.grid)) {
    even.unfinished = true;
    --end;
    while (values.back().time > end || (options.gaps == GapRule::kMissing && !is_known(values.back())))
      values.pop_back();
    if (options.gaps == GapRule::kMissing) end = values.back().time;
  }
  if (options.source != nullptr && begin < end && several && even.grid.PlaceOf(options.source->first()) == begin &&
      options.source->BeginWithinStep(even.grid)) {
    even.begun = true;
    ++begin;
    values.erase(values.begin());
    if (options.gaps == GapRule::kMissing) {
      values.erase(values.begin(), std::find_if(values.begin(), values.end(), is_known));
      begin = values.front().time;
    }
  }
  if (end - begin >= static_cast<int64_t>(options.max_steps)) {
    even.cut = true;
    begin = end - options.max_steps + 1;
    values.erase(values.begin(),
                 std::find_if(values.begin(), values.end(), [begin](const TimedValue& v) { return v.time >= begin; }));
    if (values.empty()) values.push_back({end, options.gaps == GapRule::kZero ? 0.0 : NAN, UINT32_MAX});
    // A straight line needs a value to start from.
    if (options.gaps == GapRule::kMissing) {
      while (!values.empty() && !is_known(values.front())) values.erase(values.begin());
      if (values.empty()) return even;
      begin = values.front().time;
    }
  }
  const size_t n = static_cast<size_t>(end - begin + 1);
  even.y.assign(n, options.gaps == GapRule::kZero ? 0.0 : NAN);
  even.regressors.assign(n * options.regressors, NAN);
  for (const TimedValue& v : values) {
    const auto at = static_cast<size_t>(v.time - begin);
    if (is_known(v)) {
      even.y[at] = v.y;
      ++even.observed;
    }
    for (uint32_t k = 0; k < options.regressors && v.row != UINT32_MAX; ++k)
      even.regressors[at * options.regressors + k] = gathered[static_cast<size_t>(v.row) * options.regressors + k];
  }
  even.filled = n - even.observed;
  if (options.gaps == GapRule::kMissing) Interpolate(even.y);
  for (uint32_t k = 0; k < options.regressors; ++k) FillRegressor(even.regressors, k, options.regressors);
  even.grid.origin = even.grid.At(begin);
  return even;
}

}  // namespace retrain
