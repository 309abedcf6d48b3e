// What comes of the fits: warnings, the version's record of each series, its errors on held-out values, the verdict.
#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/forecast/series_job.h"

namespace retrain {
namespace {

constexpr uint32_t kMostReports = 100;

// Kinds of spacing that share their quantiles. Stored: append only.
constexpr uint32_t kGroupCount = 7;
uint32_t GroupOf(const TimeStep& step) {
  if (step.months > 0) return step.months == 1 ? 4 : step.months < 12 ? 5 : 6;
  if (step.micros < kHour) return 0;
  if (step.micros < kDay) return 1;
  return step.micros < 7 * kDay ? 2 : 3;
}

struct WarningText {
  const char *code, *message;
};
constexpr WarningText kShort{"short", "fewer than four values: the forecast is the last value"};
constexpr WarningText kConstant{"constant", "all values are the same: the forecast is that value, without an interval"};
constexpr WarningText kNoSeason{"short_for_season", "too few values to learn a season: forecast without one"};
constexpr WarningText kNoEffects{
    "no_effects",
    "holidays and regressors have no effect on the forecast: there are fewer than 20 values to "
    "learn from beside those of the backtest, or most values are zero and methods leave out "
    "regression"};
constexpr WarningText kIrregular{"irregular", "times are not evenly spaced: values were gathered into steps"};
constexpr WarningText kNoSpacing{"one_time",
                                 "a single time says nothing of the spacing: that of most other series is taken, "
                                 "else a day"};
constexpr WarningText kFilled{"gaps_filled",
                              "steps without a value were interpolated; set gaps to zero where no row means "
                              "zero"};
constexpr WarningText kFilledWithZero{
    "gaps_filled",
    "steps without a value were taken for zero, up to the last time of all series; set gaps to missing where they are "
    "unknown"};
constexpr WarningText kBegun{"begun_step", "the source begins after the first step does: that step is left out"};
constexpr WarningText kUnfinished{
    "unfinished_step",
    "the source ends before the last step does: that step is left out, and the forecast begins with it"};
constexpr WarningText kCut{"history_cut", "only the latest 20000 steps are learnt from"};
constexpr WarningText kOutside{"out_of_bounds",
                               "all values lie below min_value or above max_value: the forecast is that bound"};
constexpr WarningText kEmpty{"no_values", "no value at all: the series has no forecast"};
constexpr WarningText kLiveUnreadable{
    "live_unreadable",
    "the live version's state of the series is corrupt: what it forecast since is not "
    "judged"};

}  // namespace

// Takes over what a fit has found. In the order in which series happen to be done: nothing here depends on it.
void ForecastTrainer::Conclude(Job& job, Pass pass) {
  Outcome& outcome = outcomes_[job.place];
  const std::string& name = names_[by_name_[job.place]];
  const HeldOut& held = job.fit.held_out;
  if (pass == Pass::kLive) {
    if (held.values == 0) return;
    outcome.live_smape = 100 * held.smape / held.values;
    if (held.scale > 0) outcome.live_mase = held.absolute / held.values / held.scale;
    return;
  }
  const auto warn = [&](const WarningText& text) {
    ForecastWarning& warning = warnings_[text.code];
    if (warning.series++ == 0 || name < warning.example) warning.example = name;
    warning.code = text.code;
    warning.message = text.message;
  };
  const EvenSeries& even = job.even;
  if (even.y.empty()) return warn(kEmpty);
  if (job.fit.fallback == FallbackReason::kShort) warn(kShort);
  if (job.fit.fallback == FallbackReason::kConstant) warn(kConstant);
  if (job.fit.fallback == FallbackReason::kTooShortForSeason) warn(kNoSeason);
  const bool last_value = job.fit.fallback == FallbackReason::kShort || job.fit.fallback == FallbackReason::kConstant;
  if (job.n_columns > 0 && !job.fit.effects && !last_value) warn(kNoEffects);
  if (!even.regular) warn(kIrregular);
  if (!even.known_step && !request_.config.has_step) warn(kNoSpacing);
  if (even.filled > 0) warn(request_.config.gaps == GapRule::kMissing ? kFilled : kFilledWithZero);
  if (even.begun) warn(kBegun);
  if (even.unfinished) warn(kUnfinished);
  if (even.cut) warn(kCut);
  // A gap is neither below nor above.
  const auto outside = [&](auto beyond) {
    return std::none_of(even.y.begin(), even.y.end(), [&](double y) { return !std::isnan(y) && !beyond(y); });
  };
  const double least = request_.config.min_value, most = request_.config.max_value;
  if (outside([&](double y) { return y < least; }) || outside([&](double y) { return y > most; })) warn(kOutside);
  if (live_ != nullptr && !ScoreLive(job, outcome.since)) warn(kLiveUnreadable);

  ForecastSeriesParts parts;
  const size_t n = even.y.size(), regressors = request_.config.regressors.size();
  parts.info.grid = even.grid;
  parts.info.grid.origin = even.grid.At(static_cast<int64_t>(n) - 1);
  parts.info.absolute = job.absolute;
  parts.info.horizon = request_.config.horizon > 0 ? request_.config.horizon : DefaultHorizon(even.grid.step);
  parts.info.group = outcome.group = GroupOf(even.grid.step);
  parts.info.fallback = job.fit.fallback;
  parts.info.profile = job.fit.profile;
  parts.info.last_regressors.assign(even.regressors.end() - static_cast<ptrdiff_t>(regressors), even.regressors.end());
  parts.members = std::move(job.fit.members);
  outcome.record = EncodeForecastSeries(parts);
  Group& group = groups_[std::to_string(outcome.group)];
  group.pool.Merge(job.fit.scores);
  if (job.fit.scores.series() > 0) group.windows += job.fit.windows;

  outcome.held_values = held.values;
  outcome.absolute = held.absolute;
  outcome.squares = held.squares;
  outcome.smape = held.smape;
  outcome.scale = held.scale;
  for (uint32_t h = 0; h < held.values && !held.profile.at.empty(); ++h) {
    const double unit = held.profile.Value(h + 1), error = std::fabs(held.errors[h]);
    outcome.scores.push_back(static_cast<float>(unit > 0 ? error / unit : error > 0 ? 1e9 : 0));
  }
  std::string method;
  for (const ForecastMember& member : parts.members) {
    const char* member_name = NameOf(member.forecaster->method());
    if (method.find(member_name) != std::string::npos) continue;
    method += (method.empty() ? "" : "+") + std::string(member_name);
    ++result_.members[member_name];
  }
  ++result_.methods[NameOf(parts.members.front().forecaster->method())];
  ++result_.frequencies[even.grid.step.Name()];
  result_.horizon = std::max(result_.horizon, parts.info.horizon);
  if (job.place < kMostReports) {
    SeriesReport report{name, even.grid.step.Name(), method, even.observed, -1, -1, job.fit.fallback};
    if (held.values > 0) report.smape = 100 * held.smape / held.values;
    if (held.values > 0 && held.scale > 0) report.mase = held.absolute / held.values / held.scale;
    result_.reports.push_back(report);
  }
}

// The live version's regressors as the rows since its last value, which is at place `known`, tell them; those that this
// source does not give are not told.
FutureRegressors ForecastTrainer::RegressorsSince(const EvenSeries& even, int64_t known, const TimeGrid& live) const {
  const std::vector<std::string>&own = request_.config.regressors, &wanted = live_config_.regressors;
  FutureRegressors future;
  if (wanted.empty()) return future;
  for (int64_t place = known + 1; place < static_cast<int64_t>(even.y.size()); ++place) {
    future.times.push_back(live.At(place - known));
    const double* row = even.regressors.data() + static_cast<size_t>(place) * own.size();
    for (const std::string& name : wanted) {
      const auto at = std::find(own.begin(), own.end(), name);
      future.values.push_back(at == own.end() ? NAN : row[at - own.begin()]);
    }
  }
  return future;
}

// The live version's forecasts of what has come since; false when its state of the series is corrupt.
bool ForecastTrainer::ScoreLive(const Job& job, ForecastAccuracy& since) const {
  const auto series = live_->Find(names_[by_name_[job.place]]);
  if (!series) return true;
  ForecastSeriesInfo info;
  try {
    info = live_->Info(*series);
  } catch (const Error&) {
    return false;
  }
  const EvenSeries& even = job.even;
  if (info.absolute != job.absolute || !(info.grid.step == even.grid.step)) return true;
  // The place in this series of the live version's last value.
  const int64_t known = even.grid.PlaceOf(info.grid.origin);
  const int64_t fresh = static_cast<int64_t>(even.y.size()) - 1 - known;
  if (known < 1 || fresh < 1 || even.grid.At(known) != info.grid.origin) return true;
  const auto horizon = static_cast<uint32_t>(std::min<int64_t>(fresh, info.horizon));
  const float levels[] = {0.8f, 0.95f};
  SeriesForecast forecast;
  try {
    forecast = live_->Forecast(*series, std::min(horizon, kMaxForecastHorizon), levels,
                               RegressorsSince(even, known, info.grid));
  } catch (const Error&) {
    return false;
  }
  const auto lag = std::min<size_t>(SeasonLength(even.grid.step), static_cast<size_t>(known));
  double scale = 0, absolute = 0, smape = 0;
  for (size_t t = lag; t <= static_cast<size_t>(known); ++t)
    scale += std::fabs(even.y[t] - even.y[t - lag]) / static_cast<double>(static_cast<size_t>(known) + 1 - lag);
  for (uint32_t h = 0; h < forecast.yhat.size(); ++h) {
    const double truth = even.y[static_cast<size_t>(known) + 1 + h], error = std::fabs(truth - forecast.yhat[h]);
    const double size = std::fabs(truth) + std::fabs(forecast.yhat[h]);
    absolute += error;
    if (size > 0) smape += 200 * error / size;
    since.rmse += error * error;
    since.coverage80 += truth >= forecast.lower[2 * h] && truth <= forecast.upper[2 * h] ? 1 : 0;
    since.coverage95 += truth >= forecast.lower[2 * h + 1] && truth <= forecast.upper[2 * h + 1] ? 1 : 0;
  }
  since.values += forecast.yhat.size();
  if (!(scale > 0)) return true;
  ++since.series;
  since.mase += absolute / static_cast<double>(forecast.yhat.size()) / scale;
  since.smape += smape / static_cast<double>(forecast.yhat.size());
  return true;
}

void ForecastTrainer::Finish() {
  ScorePool all;
  uint64_t windows = 0;
  for (const auto& [key, group] : groups_) {
    all.Merge(group.pool);
    windows += group.windows;
  }
  const double freedom = all.series() > 0 ? static_cast<double>(windows) / static_cast<double>(all.series()) : 3;
  ForecastModelParts parts;
  parts.config = request_.config;
  parts.unnamed = !request_.named;
  parts.zoned = request_.zoned;
  if (request_.zoned) parts.zone = request_.zone;
  parts.training_rows = result_.values;
  parts.holidays = holidays_;
  const ScorePool none;
  for (uint32_t g = 0; g < kGroupCount; ++g) {
    const auto it = groups_.find(std::to_string(g));
    parts.groups.push_back(BlendQuantiles(it == groups_.end() ? none : it->second.pool, all, freedom));
  }
  ForecastAccuracy& own = result_.candidate;
  uint64_t judged = 0, held_series = 0, live_held = 0;
  for (uint32_t i = 0; i < outcomes_.size(); ++i) {
    Outcome& outcome = outcomes_[i];
    if (outcome.record.empty()) continue;
    ForecastAccuracy& since = result_.live_since;
    since.series += outcome.since.series;
    since.values += outcome.since.values;
    since.mase += outcome.since.mase;
    since.smape += outcome.since.smape;
    since.rmse += outcome.since.rmse;
    since.coverage80 += outcome.since.coverage80;
    since.coverage95 += outcome.since.coverage95;
    if (outcome.live_smape >= 0) {
      ++live_held;
      result_.live.values += outcome.held_values;
      result_.live.smape += outcome.live_smape;
    }
    if (outcome.live_mase >= 0) {
      ++result_.live.series;
      result_.live.mase += outcome.live_mase;
    }
    parts.series.emplace_back(names_[by_name_[i]], std::move(outcome.record));
    if (outcome.held_values == 0) continue;
    own.values += outcome.held_values;
    own.rmse += outcome.squares;
    for (uint32_t h = 0; h < outcome.scores.size(); ++h) {
      const uint32_t quarter = QuarterOf(h + 1, outcome.held_values);
      own.coverage80 += outcome.scores[h] <= parts.groups[outcome.group].Value(quarter, 0.8) ? 1 : 0;
      own.coverage95 += outcome.scores[h] <= parts.groups[outcome.group].Value(quarter, 0.95) ? 1 : 0;
      ++judged;
    }
    own.smape += 100 * outcome.smape / outcome.held_values;
    ++held_series;
    if (!(outcome.scale > 0)) continue;  // without a change in its history a series has no scaled error
    ++own.series;
    own.mase += outcome.absolute / outcome.held_values / outcome.scale;
  }
  const auto mean = [](double& sum, uint64_t count) { sum = count > 0 ? sum / static_cast<double>(count) : NAN; };
  const auto means = [&](ForecastAccuracy& a, uint64_t measured, uint64_t covered) {
    mean(a.mase, a.series);
    mean(a.smape, measured);
    mean(a.rmse, a.values);
    a.rmse = std::sqrt(a.rmse);
    mean(a.coverage80, covered);
    mean(a.coverage95, covered);
  };
  means(own, held_series, judged);
  means(result_.live_since, result_.live_since.series, result_.live_since.values);
  result_.held_out = own.values;
  const bool same = result_.compared && live_config_ == request_.config;
  if (same) {
    result_.live = own;
  } else {
    mean(result_.live.mase, result_.live.series);
    mean(result_.live.smape, live_held);
  }
  result_.verdict = JudgeForecast(request_.tolerance, result_.compared, same, result_.live, own);
  if (result_.has_live && !result_.compared)
    result_.verdict = {true, "live_unreadable", "the live version cannot be read: " + result_.live_unreadable};
  if (parts.series.empty()) {
    result_.failed = true;
    result_.failure = "no series has a value";
    return;
  }
  result_.artifact = EncodeForecastModel(parts);
  for (auto& [code, warning] : warnings_) result_.warnings.push_back(warning);
  std::sort(result_.reports.begin(), result_.reports.end(),
            [](const SeriesReport& a, const SeriesReport& b) { return a.name < b.name; });
}

}  // namespace retrain
