// A trained forecast model: the fitted state of every series, read from its artifact one series at a time.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/codec/bytes.h"
#include "core/codec/container.h"
#include "core/forecast/calendar.h"
#include "core/forecast/config.h"
#include "core/forecast/intervals.h"
#include "core/forecast/select.h"
#include "core/model/served_model.h"

namespace retrain {

inline constexpr uint32_t kMaxForecastHorizon = 10'000;

// A day with a name; days since 2000-01-01.
struct Holiday {
  int64_t day = 0;
  uint32_t name = 0;  // in the list of names
  bool operator==(const Holiday&) const = default;
};

// Which days have names: holiday columns of a step count its days, the day of a step shorter than one.
struct HolidayCalendar {
  std::vector<std::string> names;
  std::vector<Holiday> days;  // ascending by day, then name; each once

  // Writes names.size() numbers for the step at `place` of the grid.
  void Fill(const TimeGrid& grid, int64_t place, double* out) const;
};

// What a stored series says of itself.
struct ForecastSeriesInfo {
  TimeGrid grid;          // place 0 is the last known value's
  bool absolute = false;  // its times are on the clock of UTC, not on the wall's
  uint32_t horizon = 1;   // that intervals were calibrated for
  uint32_t group = 0;     // of quantile tables
  FallbackReason fallback = FallbackReason::kNone;
  ErrorProfile profile;
  std::vector<double> last_regressors;  // go on where the future is not told
};

// A series as training hands it over.
struct ForecastSeriesParts {
  std::string name;
  ForecastSeriesInfo info;
  std::vector<ForecastMember> members;
};
std::vector<uint8_t> EncodeForecastSeries(const ForecastSeriesParts& series);

struct ForecastModelParts {
  ForecastConfig config;
  bool unnamed = false;  // the source had no column of series: one series without a name
  bool zoned = false;    // times came with a time zone
  std::string zone;      // name of the wall clock's zone, when zoned
  uint64_t training_rows = 0;
  HolidayCalendar holidays;
  std::vector<QuantileTable> groups;
  std::vector<std::pair<std::string, std::vector<uint8_t>>> series;  // name, EncodeForecastSeries; ascending names
};
std::vector<uint8_t> EncodeForecastModel(const ForecastModelParts& parts);

struct SeriesForecast {
  bool absolute = false;
  std::vector<int64_t> times;        // of each step
  std::vector<double> yhat;          // of each step
  std::vector<double> lower, upper;  // steps × levels; not a number where no error of the series is known
};

// Regressors known of one series' future, by time.
struct FutureRegressors {
  std::vector<int64_t> times;  // ascending
  std::vector<double> values;  // times × regressors; not a number: unknown
};

// Rows that tell the future of regressors, as a query gives them.
class FutureRegressorTable {
 public:
  FutureRegressorTable(size_t regressors, uint64_t memory_budget)
      : regressors_(regressors), memory_budget_(memory_budget) {}

  // `named` false: the row is for every series. Values are one for each regressor, not a number: unknown. Throws
  // Error(kOutOfMemory) for more rows than the budget has room for.
  void Add(bool named, std::string_view series, int64_t wall, int64_t absolute, std::span<const double> values);
  // The rows of a series in time order, its own or those of every series; those of one time as they were added.
  FutureRegressors Of(std::string_view series, bool absolute) const;

 private:
  struct Row {
    int64_t wall, absolute;
    size_t values;  // place in values_
  };
  void CheckMemory(uint64_t more);

  size_t regressors_;
  uint64_t memory_budget_, held_ = 0;
  std::map<std::string, std::vector<Row>, std::less<>> rows_;
  std::vector<Row> common_;
  std::vector<double> values_;
};

class ForecastModel final : public ServedModel {
 public:
  using Scratch = PredictionScratch;

  // Checks everything but the states of the series, which are checked when they are used. The bytes must outlive it.
  explicit ForecastModel(std::span<const uint8_t> artifact, Checksum checksum = Checksum::kCompare);

  ModelKind kind() const noexcept override { return ModelKind::kForecast; }
  uint64_t own_bytes() const noexcept override;
  std::unique_ptr<PredictionScratch> NewScratch() const override { return std::make_unique<PredictionScratch>(); }
  std::string Describe() const override;

  const ForecastConfig& config() const noexcept { return config_; }
  const HolidayCalendar& holidays() const noexcept { return holidays_; }
  bool unnamed() const noexcept { return unnamed_; }
  bool zoned() const noexcept { return zoned_; }
  const std::string& zone() const noexcept { return zone_; }
  uint32_t series_count() const noexcept { return n_series_; }
  std::string_view name(uint32_t series) const;
  std::optional<uint32_t> Find(std::string_view name) const;
  ForecastSeriesInfo Info(uint32_t series) const;

  // The next `horizon` steps, 1 … kMaxForecastHorizon; levels in (0, kHighestLevel]. Throws Error(kDataCorrupted), or
  // Error(kInvalidParameter) when the steps leave the range of times.
  SeriesForecast Forecast(uint32_t series, uint32_t horizon, std::span<const float> levels,
                          const FutureRegressors& future = {}) const;

 private:
  std::span<const uint8_t> Record(uint32_t series) const;
  std::vector<double> FutureColumns(const ForecastSeriesInfo& info, uint32_t horizon,
                                    const FutureRegressors& future) const;

  ForecastConfig config_;
  bool unnamed_ = false, zoned_ = false;
  std::string zone_;
  uint64_t training_rows_ = 0;
  uint32_t n_series_ = 0;
  HolidayCalendar holidays_;
  std::vector<QuantileTable> groups_;
  UnalignedArray<uint32_t> name_ends_;    // in names_, one for each series
  UnalignedArray<uint64_t> record_ends_;  // in records_
  std::span<const uint8_t> names_, records_;
};

}  // namespace retrain
