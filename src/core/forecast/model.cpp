// Stored forecast models (see model.h).
#include "core/forecast/model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/utf8_clip.h"
#include "core/forecast/decode.h"
#include "core/forecast/gathered.h"

namespace retrain {
namespace {

// Section numbers; a number is never used again for something else.
constexpr uint32_t kSettings = 1, kGroups = 2, kNameEnds = 3, kNames = 4, kRecordEnds = 5, kRecords = 6, kHolidays = 7;
constexpr uint32_t kMaxGroups = 1000, kMaxMembers = 16, kMaxHolidayDays = 200'000;

int64_t DayOf(int64_t time) { return time / kDay - (time % kDay < 0 ? 1 : 0); }

ForecastSeriesInfo ReadInfo(ByteReader& in, uint32_t groups, uint32_t regressors) {
  ForecastSeriesInfo info;
  const auto flags = in.Get<uint8_t>(), fallback = in.Get<uint8_t>();
  if (flags > 1 || fallback > static_cast<uint8_t>(FallbackReason::kTooShortForSeason))
    CorruptedState("flags of a series that cannot be");
  info.absolute = flags == 1;
  info.fallback = static_cast<FallbackReason>(fallback);
  info.grid.step.micros = in.Get<int64_t>();
  info.grid.step.months = in.Get<int32_t>();
  info.grid.origin = in.Get<int64_t>();
  info.grid.anchor_day = in.Get<int32_t>();
  if (!IsStep(info.grid.step) || info.grid.origin < kEarliestTime || info.grid.origin > kLatestTime ||
      info.grid.anchor_day < 1 || info.grid.anchor_day > 31)
    CorruptedState("a step in time that cannot be");
  info.horizon = in.Get<uint32_t>();
  info.group = in.Get<uint32_t>();
  if (info.horizon == 0 || info.group >= groups) CorruptedState("a series outside its group");
  info.profile.growth = in.Get<float>();
  const auto profile = in.Get<uint32_t>();
  if (profile > kMaxForecastHorizon || !(info.profile.growth >= 0 && info.profile.growth <= 1))
    CorruptedState("a profile of errors that cannot be");
  const UnalignedArray<float> at(in.Take(uint64_t{profile} * sizeof(float)));
  for (uint32_t i = 0; i < profile; ++i) {
    info.profile.at.push_back(at[i]);
    if (!(at[i] >= 0) || !std::isfinite(at[i])) CorruptedState("a profile of errors that cannot be");
  }
  info.last_regressors = GetFinites(in, regressors);
  return info;
}

}  // namespace

void HolidayCalendar::Fill(const TimeGrid& grid, int64_t place, double* out) const {
  std::fill(out, out + names.size(), 0.0);
  const int64_t from = DayOf(grid.At(place));
  const int64_t until = grid.step.Within(kDay) ? from + 1 : std::max(from + 1, DayOf(grid.At(place + 1)));
  auto it = std::lower_bound(days.begin(), days.end(), from, [](const Holiday& h, int64_t day) { return h.day < day; });
  for (; it != days.end() && it->day < until; ++it) out[it->name] += 1;
}

std::vector<uint8_t> EncodeForecastSeries(const ForecastSeriesParts& series) {
  const ForecastSeriesInfo& info = series.info;
  ByteWriter out;
  out.Put(static_cast<uint8_t>(info.absolute ? 1 : 0));
  out.Put(static_cast<uint8_t>(info.fallback));
  out.Put(info.grid.step.micros);
  out.Put(info.grid.step.months);
  out.Put(info.grid.origin);
  out.Put(info.grid.anchor_day);
  out.Put(info.horizon);
  out.Put(info.group);
  out.Put(info.profile.growth);
  out.Put(static_cast<uint32_t>(info.profile.at.size()));
  out.PutArray(std::span<const float>(info.profile.at));
  out.PutArray(std::span<const double>(info.last_regressors));
  out.Put(static_cast<uint8_t>(series.members.size()));
  for (const ForecastMember& member : series.members) {
    out.Put(static_cast<uint8_t>(member.forecaster->stored_as()));
    out.Put(member.weight);
    member.forecaster->Encode(out);
  }
  return out.Take();
}

std::vector<uint8_t> EncodeForecastModel(const ForecastModelParts& parts) {
  ByteWriter settings, groups, name_ends, names, record_ends, records, holidays;
  EncodeConfig(parts.config, settings);
  settings.Put(static_cast<uint8_t>((parts.unnamed ? 1 : 0) | (parts.zoned ? 2 : 0)));
  settings.PutString(parts.zone);
  settings.Put(parts.training_rows);
  settings.Put(static_cast<uint32_t>(parts.series.size()));
  groups.Put(static_cast<uint32_t>(parts.groups.size()));
  for (const QuantileTable& table : parts.groups) table.Encode(groups);
  uint64_t name_end = 0, record_end = 0;
  for (const auto& [name, record] : parts.series) {
    names.PutBytes(name.data(), name.size());
    records.PutBytes(record.data(), record.size());
    name_end += name.size();
    record_end += record.size();
    if (name_end > kMaxArtifactBytes || record_end > kMaxArtifactBytes)
      throw Error(ErrorCode::kLimitExceeded, "trained model is too large to be stored",
                  "more than " + std::to_string(kMaxArtifactBytes) + " bytes for " +
                      std::to_string(parts.series.size()) + " series",
                  "train several models with a part of the series each");
    name_ends.Put(static_cast<uint32_t>(name_end));
    record_ends.Put(record_end);
  }
  holidays.Put(static_cast<uint32_t>(parts.holidays.names.size()));
  for (const std::string& name : parts.holidays.names) holidays.PutString(name);
  holidays.Put(static_cast<uint32_t>(parts.holidays.days.size()));
  for (const Holiday& holiday : parts.holidays.days) {
    holidays.Put(holiday.day);
    holidays.Put(holiday.name);
  }
  ContainerWriter container;
  container.Add(kSettings, settings.Take());
  container.Add(kGroups, groups.Take());
  container.Add(kNameEnds, name_ends.Take());
  container.Add(kNames, names.Take());
  container.Add(kRecordEnds, record_ends.Take());
  container.Add(kRecords, records.Take());
  container.Add(kHolidays, holidays.Take());
  return container.Finish(ModelKind::kForecast);
}

void FutureRegressorTable::Add(bool named, std::string_view series, int64_t wall, int64_t absolute,
                               std::span<const double> values) {
  for (const double x : values) {
    if (std::isinf(x))
      throw Error(ErrorCode::kInvalidParameter, "a regressor is infinite", FormatTime(wall),
                  "leave the value out or give null");
    if (std::fabs(x) > kLargestForecastValue)
      throw Error(ErrorCode::kInvalidParameter, "a regressor is out of range",
                  FormatTime(wall) + ": " + JsonWriter().Number(x).Take() + ", at most 1e30",
                  "give the values that a training takes");
  }
  // Vectors with up to twice the room that they fill, and once more in the order of their times.
  CheckMemory(4 * (sizeof(Row) + values.size_bytes()));
  const Row row{wall, absolute, values_.size()};
  if (!named) {
    common_.push_back(row);
  } else {
    const auto it = rows_.find(series);
    if (it == rows_.end()) CheckMemory(series.size() + 128);  // with a place in the map
    (it == rows_.end() ? rows_[std::string(series)] : it->second).push_back(row);
  }
  values_.insert(values_.end(), values.begin(), values.end());
}

void FutureRegressorTable::CheckMemory(uint64_t more) {
  held_ += more;
  if (held_ <= memory_budget_) return;
  throw Error(ErrorCode::kOutOfMemory, "the regressors need more memory than allowed",
              "after " + std::to_string(values_.size() / regressors_) +
                  " rows more than pg_retrain.training_memory, which is " + std::to_string(memory_budget_ >> 10) +
                  " kB",
              "give the rows of the horizon only, or raise pg_retrain.training_memory");
}

FutureRegressors FutureRegressorTable::Of(std::string_view series, bool absolute) const {
  const auto it = rows_.find(series);
  std::vector<Row> rows = it == rows_.end() ? common_ : it->second;
  std::stable_sort(rows.begin(), rows.end(), [absolute](const Row& a, const Row& b) {
    return absolute ? a.absolute < b.absolute : a.wall < b.wall;
  });
  FutureRegressors future;
  for (const Row& row : rows) {
    future.times.push_back(absolute ? row.absolute : row.wall);
    const auto first = values_.begin() + static_cast<ptrdiff_t>(row.values);
    future.values.insert(future.values.end(), first, first + static_cast<ptrdiff_t>(regressors_));
  }
  return future;
}

ForecastModel::ForecastModel(std::span<const uint8_t> artifact, Checksum checksum) {
  const ContainerReader container(artifact, checksum, ModelKind::kForecast);
  ByteReader settings(container.Section(kSettings));
  config_ = DecodeConfig(settings);
  const auto flags = settings.Get<uint8_t>();
  if (flags > 3) CorruptedState("unknown flags of a forecast model");
  unnamed_ = (flags & 1) != 0;
  zoned_ = (flags & 2) != 0;
  zone_ = std::string(settings.GetString());
  training_rows_ = settings.Get<uint64_t>();
  if (training_rows_ > std::numeric_limits<int32_t>::max()) CorruptedState("a number of training rows that cannot be");
  n_series_ = settings.Get<uint32_t>();

  ByteReader groups(container.Section(kGroups));
  const auto n_groups = groups.Get<uint32_t>();
  if (n_groups > kMaxGroups) CorruptedState(std::to_string(n_groups) + " groups of series");
  for (uint32_t i = 0; i < n_groups; ++i) groups_.push_back(QuantileTable::Decode(groups));

  const auto name_ends = container.Section(kNameEnds), record_ends = container.Section(kRecordEnds);
  if (name_ends.size() != uint64_t{n_series_} * sizeof(uint32_t) ||
      record_ends.size() != uint64_t{n_series_} * sizeof(uint64_t))
    CorruptedState("an index of another size than " + std::to_string(n_series_) + " series");
  name_ends_ = UnalignedArray<uint32_t>(name_ends);
  record_ends_ = UnalignedArray<uint64_t>(record_ends);
  names_ = container.Section(kNames);
  records_ = container.Section(kRecords);
  uint64_t name_end = 0, record_end = 0;
  for (uint32_t i = 0; i < n_series_; ++i) {
    if (name_ends_[i] < name_end || name_ends_[i] > names_.size() || record_ends_[i] < record_end ||
        record_ends_[i] > records_.size())
      CorruptedState("series " + std::to_string(i) + " lies outside");
    name_end = name_ends_[i];
    record_end = record_ends_[i];
    CheckText(name(i));
    if (i > 0 && !(name(i - 1) < name(i))) CorruptedState("series are out of order");
  }

  ByteReader holidays(container.Section(kHolidays));
  const auto n_names = holidays.Get<uint32_t>();
  if (n_names > kMaxHolidays) CorruptedState(std::to_string(n_names) + " holidays");
  for (uint32_t i = 0; i < n_names; ++i) holidays_.names.emplace_back(holidays.GetString());
  const auto n_days = holidays.Get<uint32_t>();
  if (n_days > kMaxHolidayDays) CorruptedState(std::to_string(n_days) + " days of holidays");
  for (uint32_t i = 0; i < n_days; ++i) {
    Holiday holiday;
    holiday.day = holidays.Get<int64_t>();
    holiday.name = holidays.Get<uint32_t>();
    if (holiday.name >= n_names || (i > 0 && holiday.day < holidays_.days.back().day))
      CorruptedState("a holiday without a name or out of order");
    holidays_.days.push_back(holiday);
  }
}

uint64_t ForecastModel::own_bytes() const noexcept {
  return sizeof *this + groups_.size() * sizeof(QuantileTable) + holidays_.days.size() * sizeof(Holiday) +
         holidays_.names.size() * 64 + 1024;
}

std::string ForecastModel::Describe() const {
  JsonWriter json;
  json.Object().Key("format").Integer(1).Key("task").String("forecast").Key("algorithm").String("forecast");
  json.Key("training_samples").Integer(static_cast<int64_t>(training_rows_));
  json.Key("series").Integer(n_series_);
  json.Key("config").Raw(ToJson(config_));
  return json.Key("labels").Array().Close().Close().Take();
}

std::string_view ForecastModel::name(uint32_t series) const {
  const uint32_t begin = series == 0 ? 0 : name_ends_[series - 1];
  return {reinterpret_cast<const char*>(names_.data()) + begin, name_ends_[series] - begin};
}

std::optional<uint32_t> ForecastModel::Find(std::string_view wanted) const {
  uint32_t low = 0, high = n_series_;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (name(middle) < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  if (low < n_series_ && name(low) == wanted) return low;
  return std::nullopt;
}

std::span<const uint8_t> ForecastModel::Record(uint32_t series) const {
  const uint64_t begin = series == 0 ? 0 : record_ends_[series - 1];
  return records_.subspan(static_cast<size_t>(begin), static_cast<size_t>(record_ends_[series] - begin));
}

ForecastSeriesInfo ForecastModel::Info(uint32_t series) const {
  ByteReader in(Record(series));
  return ReadInfo(in, static_cast<uint32_t>(groups_.size()), static_cast<uint32_t>(config_.regressors.size()));
}

// Rows of regressors, then holidays, for the steps 1 … horizon. A regressor goes on with its last known value.
std::vector<double> ForecastModel::FutureColumns(const ForecastSeriesInfo& info, uint32_t horizon,
                                                 const FutureRegressors& future) const {
  const size_t regressors = config_.regressors.size(), columns = regressors + holidays_.names.size();
  std::vector<double> rows(static_cast<size_t>(horizon) * columns);
  std::vector<double> last = info.last_regressors;
  std::vector<GatheredValue> of_step;
  size_t next = 0;
  for (uint32_t h = 0; h < horizon; ++h) {
    double* row = rows.data() + h * columns;
    if (regressors > 0) {
      const int64_t from = info.grid.At(int64_t{h} + 1), until = info.grid.At(int64_t{h} + 2);
      of_step.assign(regressors, {});
      for (; next < future.times.size() && future.times[next] < until; ++next) {
        // Of steps before the forecast there may be a part only, and the model knows them whole.
        if (future.times[next] < from && config_.duplicates != DuplicateRule::kError) continue;
        for (size_t k = 0; k < regressors; ++k) of_step[k].Add(future.values[next * regressors + k]);
      }
      for (size_t k = 0; k < regressors; ++k)
        if (const double value = of_step[k].As(config_.duplicates); !std::isnan(value)) last[k] = value;
      std::copy(last.begin(), last.end(), row);
    }
    holidays_.Fill(info.grid, int64_t{h} + 1, row + regressors);
  }
  return rows;
}

SeriesForecast ForecastModel::Forecast(uint32_t series, uint32_t horizon, std::span<const float> levels,
                                       const FutureRegressors& future) const {
  ByteReader in(Record(series));
  const auto n_regressors = static_cast<uint32_t>(config_.regressors.size());
  const ForecastSeriesInfo info = ReadInfo(in, static_cast<uint32_t>(groups_.size()), n_regressors);
  if (const int64_t end = info.grid.At(horizon); end > kLatestTime || end < kEarliestTime)
    throw Error(ErrorCode::kInvalidParameter, "the forecast leaves the range of timestamps",
                (unnamed_ ? "" : "series \"" + Shortened(name(series)) + "\", ") + std::to_string(horizon) +
                    " steps, " + info.grid.step.Name(),
                "ask for fewer steps");
  const auto columns = static_cast<uint32_t>(n_regressors + holidays_.names.size());
  const std::vector<double> rows = FutureColumns(info, horizon, future);
  SeriesForecast forecast;
  forecast.absolute = info.absolute;
  forecast.yhat.assign(horizon, 0.0);
  std::vector<double> values(horizon);
  const auto members = in.Get<uint8_t>();
  if (members == 0 || members > kMaxMembers) CorruptedState(std::to_string(members) + " methods of a series");
  for (uint32_t m = 0; m < members; ++m) {
    const auto method = static_cast<ForecastMethod>(in.Get<uint8_t>());
    const double weight = GetFinite(in);
    const auto forecaster = DecodeForecaster(method, in);
    const bool has_effects = method == ForecastMethod::kRegression || method == ForecastMethod::kAdjustedFromZero ||
                             method == ForecastMethod::kAdjusted;
    if (has_effects && forecaster->exogenous_columns() != columns)
      CorruptedState("effects of other columns than the model has");
    forecaster->Forecast(values, Exogenous{rows, columns});
    for (uint32_t h = 0; h < horizon; ++h) forecast.yhat[h] += weight * values[h];
  }
  for (uint32_t h = 0; h < horizon; ++h) {
    double& yhat = forecast.yhat[h];
    if (!std::isfinite(yhat)) CorruptedState("a forecast that is not finite");
    yhat = std::clamp(yhat, config_.min_value, config_.max_value);
    forecast.times.push_back(info.grid.At(int64_t{h} + 1));
    const bool known = !info.profile.at.empty();
    const double unit = info.profile.Value(h + 1);
    const uint32_t quarter = QuarterOf(h + 1, info.horizon);
    for (const float level : levels) {
      const double width = known ? groups_[info.group].Value(quarter, level) * unit : NAN;
      forecast.lower.push_back(known ? std::clamp(yhat - width, config_.min_value, config_.max_value) : NAN);
      forecast.upper.push_back(known ? std::clamp(yhat + width, config_.min_value, config_.max_value) : NAN);
    }
  }
  return forecast;
}

}  // namespace retrain
