// When a source has values, all series together, to tell a last step that has ended from one that goes on, and a first step
// that the source has from its beginning from one that it comes into.
//
// Rows that are gathered into longer steps rarely end with one: on the fourth of May a month of four days would count as a
// month. What an ended step looks like, the steps before it show. Let u be the last time with a value in a step [b, e). Of
// the last step
//
//   the tail e - u exceeds those of all steps before, and the usual distance of neighbouring times within steps,
//   the share (u - b) / (e - b) lies below those of all steps before
//
// when it goes on. So a month of daily rows ends on its last day, on the day before where Sundays have no rows, and on the
// first where there is one row a month that bears the first's date: that month is a whole one.
//
// The first step likewise, with the first time u that has a value in [b, e): the source comes into it when the head u - b
// exceeds those of all steps after, and the usual distance, and its share of the step those of all steps after. A head that
// is as long as the usual distance, of which months of 30 days fall short, lacks one time: that is a holiday, unless the
// step has fewer times than every whole one after. So a quarter lacks its January where monthly rows begin on 1 February.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/forecast/calendar.h"

namespace retrain {

class SourceTimes {
 public:
  // For steps of this length: times are told apart by day, by hour for days, by minute for hours, else by second.
  explicit SourceTimes(const TimeStep& step);
  // In any order, before Close().
  void Add(int64_t time);
  void Close();

  bool empty() const noexcept { return units_.empty(); }
  int64_t first() const noexcept { return units_.front() * unit_; }  // rounded down
  int64_t last() const noexcept { return units_.back() * unit_; }
  // Whether the first of the grid's steps with a value began before the source did. False for an empty one.
  bool BeginWithinStep(const TimeGrid& grid) const;
  // Whether the last of the grid's steps with a value goes on beyond what the source has. False for an empty one.
  bool EndWithinStep(const TimeGrid& grid) const;

 private:
  void Deduplicate();
  std::span<const int64_t> UnitsOf(int64_t begin, int64_t end) const;

  int64_t unit_;
  size_t limit_;
  std::vector<int64_t> units_;
};

}  // namespace retrain
