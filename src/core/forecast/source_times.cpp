// Tells whether a source begins or ends within a step (see source_times.h).
#include "core/forecast/source_times.h"

#include <algorithm>
#include <cstdint>

namespace retrain {
namespace {

constexpr size_t kFirstLimit = 1 << 18;
// So many steps say what is usual.
constexpr int64_t kSteps = 60;

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

void AddDistances(std::span<const int64_t> units, int64_t unit, std::vector<int64_t>& distances) {
  for (size_t i = 1; i < units.size(); ++i) distances.push_back((units[i] - units[i - 1]) * unit);
}

// The distance of neighbouring times that nearly all within steps keep to; zero where no step has two times.
int64_t UsualDistance(std::vector<int64_t>& distances) {
  if (distances.empty()) return 0;
  const auto usual = distances.begin() + static_cast<ptrdiff_t>(distances.size() * 19 / 20);
  std::nth_element(distances.begin(), usual, distances.end());
  return *usual;
}

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

std::span<const int64_t> SourceTimes::UnitsOf(int64_t begin, int64_t end) const {
  const auto before = [this](int64_t unit, int64_t time) { return unit * unit_ < time; };
  const auto first = std::lower_bound(units_.begin(), units_.end(), begin, before);
  return {first, std::lower_bound(first, units_.end(), end, before)};
}

bool SourceTimes::BeginWithinStep(const TimeGrid& grid) const {
  if (units_.empty()) return false;
  const int64_t first_place = grid.PlaceOf(first());
  const int64_t last_place = grid.PlaceOf(last());
  int64_t first_head = 0;
  double first_share = 0;
  size_t first_times = 0, fewest_times = SIZE_MAX;  // of the whole steps after it
  bool any_after = false;
  std::vector<int64_t> distances;
  for (int64_t place = first_place; place < first_place + kSteps; ++place) {
    const int64_t begin = grid.At(place), end = grid.At(place + 1);
    const auto units = UnitsOf(begin, end);
    if (units.empty()) continue;
    AddDistances(units, unit_, distances);
    const int64_t head = units.front() * unit_ - begin;
    const double share = static_cast<double>(head) / static_cast<double>(end - begin);
    if (place == first_place) {
      first_head = head;
      first_share = share;
      first_times = units.size();
      continue;
    }
    if (head >= first_head || share >= first_share) return false;
    if (place < last_place) fewest_times = std::min(fewest_times, units.size());
    any_after = true;
  }
  if (!any_after) return false;
  const int64_t usual = UsualDistance(distances);
  if (first_head > usual) return true;
  // Months differ by a tenth in length.
  const bool as_long = first_head >= usual - usual / 8;
  return as_long && fewest_times != SIZE_MAX && first_times < fewest_times;
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
    const auto units = UnitsOf(begin, end);
    if (units.empty()) continue;
    AddDistances(units, unit_, distances);
    const int64_t tail = end - units.back() * unit_;
    const double share = static_cast<double>(end - begin - tail) / static_cast<double>(end - begin);
    if (place == last_place) {
      last_tail = tail;
      last_share = share;
      continue;
    }
    if (tail >= last_tail || share <= last_share) return false;
    any_before = true;
  }
  return any_before && last_tail > UsualDistance(distances);
}

}  // namespace retrain
