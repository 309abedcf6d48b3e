// One series as it comes, made even: sorted, gathered onto a grid of times, gaps filled as told.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/forecast/calendar.h"
#include "core/forecast/source_times.h"

namespace retrain {

// Of values and of regressors: squares of them and their products stay numbers, and errors many times as large can be stored
// in single precision.
inline constexpr double kLargestForecastValue = 1e30;

enum class GapRule : uint8_t { kMissing, kZero };
enum class DuplicateRule : uint8_t { kError, kSum, kMean };

// One value as it comes. Not a number: nothing is known at that time.
struct TimedValue {
  int64_t time = 0;
  double y = 0;
  uint32_t row = 0;  // of the regressors
};

struct EvenOptions {
  GapRule gaps = GapRule::kMissing;
  DuplicateRule duplicates = DuplicateRule::kError;
  bool has_step = false;  // else found from the times
  TimeStep step;
  int week_begin = kMonday;   // of a step of weeks that is given
  bool has_fallback = false;  // step of series of a single time: that of most other series, else a day
  TimeStep fallback;
  int64_t end = INT64_MIN;              // zero gaps go on to here, the last time of all series
  const SourceTimes* source = nullptr;  // set: steps that the source begins or ends within are left out
  uint32_t regressors = 0;
  uint32_t max_steps = 20'000;  // the latest are kept
};

struct EvenSeries {
  TimeGrid grid;          // place 0 is the time of y[0]
  std::vector<double> y;  // every place filled
  std::vector<double>
      regressors;         // regressors for each place, in place order; the last known value fills gaps, the first
                          // those before it
  uint64_t observed = 0;  // places with a value of their own
  uint64_t filled = 0;    // places filled by the rule
  bool regular = true, known_step = true, cut = false;
  bool begun = false;       // a first step was left out
  bool unfinished = false;  // a last step was left out
  std::string duplicate;    // set: two values at this place and the rule is kError; nothing else is
};

// `values` in any order; the rows of regressors are looked up in `regressors`, options.regressors numbers for each row.
// A series without any value gives no y.
EvenSeries MakeEven(std::vector<TimedValue> values, std::span<const double> regressors, const EvenOptions& options);

// 2024-02-29 or 2024-02-29 13:00:00, for messages.
std::string FormatTime(int64_t time);

}  // namespace retrain
