// Tells whether a source ends within a step (see source_times.h).
#include "core/forecast/source_times.h"

#include <algorithm>

namespace retrain {
namespace {

constexpr size_t kFirstLimit = 1 << 18;
// So many steps say what is usual.
constexpr int64_t kSteps = 60;

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

SourceTimes::SourceTimes(const TimeStep& step) : unit_(kSecond), limit_(kFirstLimit) {
  for (const int64_t unit : {kMinute, kHour, kDay})
    if (!step.Within(2 * unit)) unit_ = unit;
}

void SourceTimes::Add(int64_t time) {
  const int64_t unit = FloorDivide(time, unit_);
  if (!units_.empty() && units_.back() == unit) return;
  units_.push_back(unit);
  if (units_.size() < limit_) return;
  Deduplicate();
  limit_ = std::max(kFirstLimit, 2 * units_.size());
}

void SourceTimes::Close() {
  Deduplicate();
  units_.shrink_to_fit();
}

void SourceTimes::Deduplicate() {
  std::sort(units_.begin(), units_.end());
  units_.erase(std::unique(units_.begin(), units_.end()), units_.end());
}

bool SourceTimes::EndWithinStep(const TimeGrid& grid) const {
  if (units_.empty()) return false;
  const int64_t last_place = grid.PlaceOf(last());
  int64_t last_tail = 0;
  double last_share = 0;
  bool any_before = false;
  std::vector<int64_t> distances;
  for (int64_t place = last_place; place > last_place - kSteps; --place) {
    const int64_t begin = grid.At(place), end = grid.At(place + 1);
    const auto first = std::lower_bound(units_.begin(), units_.end(), begin,
                                        [this](int64_t unit, int64_t time) { return unit * unit_ < time; });
    const auto beyond =
        std::lower_bound(first, units_.end(), end, [this](int64_t unit, int64_t time) { return unit * unit_ < time; });
    if (first == beyond) continue;
    for (auto it = first; it + 1 != beyond; ++it) distances.push_back((it[1] - it[0]) * unit_);
    const int64_t tail = end - beyond[-1] * unit_;
    const double share = static_cast<double>(end - begin - tail) / static_cast<double>(end - begin);
    if (place == last_place) {
      last_tail = tail;
      last_share = share;
      continue;
    }
    if (tail >= last_tail || share <= last_share) return false;
    any_before = true;
  }
  if (!any_before) return false;
  if (distances.empty()) return true;
  const auto usual = distances.begin() + static_cast<ptrdiff_t>(distances.size() * 19 / 20);
  std::nth_element(distances.begin(), usual, distances.end());
  return last_tail > *usual;
}

}  // namespace retrain
