// Trains forecast models (see trainer.h).
#include "core/forecast/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/base/utf8_clip.h"

namespace retrain {
namespace {

constexpr uint32_t kMaxSeriesName = 1000, kMostReports = 100;
constexpr size_t kSlice = 1 << 17;  // rows handled between two looks at the clock

// Kinds of spacing that share their quantiles. Stored: append only.
constexpr uint32_t kGroupCount = 7;
uint32_t GroupOf(const TimeStep& step) {
  if (step.months > 0) return step.months == 1 ? 4 : step.months < 12 ? 5 : 6;
  if (step.micros < kHour) return 0;
  if (step.micros < kDay) return 1;
  return step.micros < 7 * kDay ? 2 : 3;
}

// How messages call a series; a source without a column of them has one without a name.
std::string SeriesText(std::string_view name) {
  return name.empty() ? "the one series" : "series \"" + Shortened(name) + "\"";
}

struct WarningText {
  const char *code, *message;
};
constexpr WarningText kShort{"short", "fewer than four values: the forecast is the last value"};
constexpr WarningText kConstant{"constant", "all values are the same: the forecast is that value, without an interval"};
constexpr WarningText kNoSeason{"short_for_season", "too few values to learn a season: forecast without one"};
constexpr WarningText kIrregular{"irregular", "times are not evenly spaced: values were gathered into steps"};
constexpr WarningText kNoSpacing{"one_time",
                                 "a single time says nothing of the spacing: that of most other series is taken, "
                                 "else a day"};
constexpr WarningText kFilled{"gaps_filled",
                              "steps without a value were interpolated; set gaps to zero where no row means "
                              "zero"};
constexpr WarningText kCut{"history_cut", "only the latest 20000 steps are learnt from"};
constexpr WarningText kEmpty{"no_values", "no value at all: the series has no forecast"};

}  // namespace

// One series on its way.
struct ForecastTrainer::Job {
  uint32_t place = 0;  // in by_name_
  EvenSeries even;
  bool absolute = false, done = false;
  std::vector<double> columns;  // regressors and holidays of each step
  uint32_t n_columns = 0;
  std::unique_ptr<SeriesFitter> fitter;  // none: the series has no value
  SeriesFit fit;
};

// What of a series goes into the model and the metrics.
struct ForecastTrainer::Outcome {
  std::vector<uint8_t> record;
  uint32_t group = 0;
  std::vector<float> scores;  // of the held-out values by the profile before them; empty: no profile
  uint32_t held_values = 0;
  double absolute = 0, squares = 0, smape = 0, scale = 0;
  // Sums of series come together at the end, in the order of names: additions in the order of work would not be the same
  // twice.
  double live_mase = -1;   // of the live configuration on the held-out values; below 0: none
  ForecastAccuracy since;  // sums of this series
};

struct ForecastTrainer::Group {
  ScorePool pool;
  uint64_t windows = 0;
};

ForecastTrainer::ForecastTrainer(ForecastRequest request) : request_(std::move(request)) {
  result_.config = request_.config;
}
ForecastTrainer::~ForecastTrainer() = default;

void ForecastTrainer::CheckBudget(uint64_t needed) const {
  if (needed <= request_.memory_budget) return;
  throw Error(ErrorCode::kOutOfMemory, "the forecast's values need more memory than a training may use",
              "about " + std::to_string(needed >> 20) + " MB needed, pg_retrain.training_memory is " +
                  std::to_string(request_.memory_budget >> 20) + " MB",
              "raise pg_retrain.training_memory, or train on fewer series or coarser steps");
}

void ForecastTrainer::Add(const ForecastValue& value) {
  if (value.series.size() > kMaxSeriesName)
    throw Error(ErrorCode::kInvalidParameter, "the name of a series is too long",
                std::to_string(value.series.size()) + " bytes, at most " + std::to_string(kMaxSeriesName) + ": " +
                    SeriesText(value.series),
                "give a shorter text or a number as series");
  for (const int64_t time : {value.wall, value.absolute})
    if (time < kEarliestTime || time > kLatestTime)
      throw Error(ErrorCode::kInvalidParameter, "ds is infinite or out of range", SeriesText(value.series),
                  "leave such rows out of p_source");
  if (std::isinf(value.y))
    throw Error(ErrorCode::kInvalidParameter, "y is infinite", SeriesText(value.series) + ", " + FormatTime(value.wall),
                "leave the value out or give null");
  ++result_.rows;
  const auto [it, added] = numbers_.try_emplace(std::string(value.series), static_cast<uint32_t>(names_.size()));
  if (added) {
    names_.emplace_back(value.series);
    name_bytes_ += 2 * value.series.size() + 160;
  }
  if (!std::isnan(value.y)) ++result_.values;
  series_.push_back(it->second);
  wall_.push_back(value.wall);
  if (request_.zoned) absolute_.push_back(value.absolute);
  y_.push_back(value.y);
  for (const double x : value.regressors) regressors_.push_back(std::isfinite(x) ? x : NAN);
  last_wall_ = std::max(last_wall_, value.wall);
  last_absolute_ = std::max(last_absolute_, value.absolute);
  if (++unchecked_ < kSlice) return;
  unchecked_ = 0;
  // Vectors double: while one grows, half as much again is held.
  CheckBudget(name_bytes_ + (series_.size() * (32 + 8 * request_.config.regressors.size())) * 3 / 2);
}

void ForecastTrainer::AddHoliday(int64_t day, std::string_view name) {
  if (day < kEarliestTime / kDay || day > kLatestTime / kDay)
    throw Error(ErrorCode::kInvalidParameter, "the day of a holiday is infinite or out of range",
                "holiday \"" + Shortened(name) + "\"", "leave such rows out of holidays");
  auto it = holiday_numbers_.find(name);
  if (it == holiday_numbers_.end()) {
    if (holiday_numbers_.size() >= kMaxHolidays)
      throw Error(ErrorCode::kLimitExceeded, "there are too many different holidays",
                  "at most " + std::to_string(kMaxHolidays) + " names", "give holidays of one effect one name");
    it = holiday_numbers_.emplace(std::string(name), static_cast<uint32_t>(holiday_numbers_.size())).first;
  }
  holiday_days_.push_back({day, it->second});
  if (holiday_days_.size() > 200'000)
    throw Error(ErrorCode::kLimitExceeded, "there are too many days of holidays", "at most 200000",
                "leave out years that are neither learnt from nor forecast");
}

bool ForecastTrainer::Step(const StepBudget& budget) {
  budget_ = &budget;
  if (!started_) {
    started_ = true;
    run_ = Run();
  }
  const bool done = run_.Resume();
  budget.stop.Poll();
  return done;
}

Resumable ForecastTrainer::Run() {
  CheckBudget(name_bytes_ + series_.size() * (32 + 8 * request_.config.regressors.size()));
  result_.series = names_.size();
  if (result_.values == 0) {
    result_.failed = true;
    result_.failure = result_.rows == 0 ? "the source gives no rows" : "no row of the source has a value of y";
    progress_ = {TrainingPhase::kDone, 0, 0, 100};
    co_return;
  }
  OpenLive();
  // Rows by series: counted, then placed.
  std::vector<uint64_t> next;
  begin_.assign(names_.size() + 1, 0);
  for (size_t i = 0; i < series_.size(); ++i) {
    ++begin_[series_[i] + 1];
    if (i % kSlice == 0 && budget_->Expired()) co_await Pause{};
  }
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  next.assign(begin_.begin(), begin_.end() - 1);
  rows_.resize(series_.size());
  for (size_t i = 0; i < series_.size(); ++i) {
    rows_[next[series_[i]]++] = static_cast<uint32_t>(i);
    if (i % kSlice == 0 && budget_->Expired()) co_await Pause{};
  }
  Gather();
  co_await Pause{};
  Resumable candidate = FitAll(Pass::kCandidate);
  while (!candidate.Resume()) co_await Pause{};
  if (result_.compared && !(live_config_ == request_.config)) {
    Resumable live = FitAll(Pass::kLive);
    while (!live.Resume()) co_await Pause{};
  }
  co_await Pause{};
  Finish();
  progress_ = {TrainingPhase::kDone, result_.series, result_.series, 100};
}

std::span<const uint32_t> ForecastTrainer::RowsOf(uint32_t series) const {
  return {rows_.data() + begin_[series], begin_[series + 1] - begin_[series]};
}

// Order of the series, holidays in theirs, and the step that most series have.
void ForecastTrainer::Gather() {
  by_name_.resize(names_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0u);
  std::sort(by_name_.begin(), by_name_.end(), [this](uint32_t a, uint32_t b) { return names_[a] < names_[b]; });
  std::vector<uint32_t> place(holiday_numbers_.size());
  for (const auto& [name, number] : holiday_numbers_) {
    place[number] = static_cast<uint32_t>(holidays_.names.size());
    holidays_.names.push_back(name);
  }
  for (Holiday holiday : holiday_days_) holidays_.days.push_back({holiday.day, place[holiday.name]});
  std::sort(holidays_.days.begin(), holidays_.days.end(),
            [](const Holiday& a, const Holiday& b) { return a.day != b.day ? a.day < b.day : a.name < b.name; });
  holidays_.days.erase(std::unique(holidays_.days.begin(), holidays_.days.end()), holidays_.days.end());
  outcomes_.resize(names_.size());

  std::map<std::pair<int32_t, int64_t>, uint32_t> votes;
  uint32_t asked = 0, most = 0;
  for (const uint32_t series : by_name_) {
    const auto rows = RowsOf(series);
    if (rows.size() < 2 || rows.size() > 100'000) continue;
    std::vector<int64_t> times;
    for (const uint32_t row : rows) times.push_back(wall_[row]);
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    const Spacing spacing = FindSpacing(times);
    if (!spacing.known) continue;
    const uint32_t count = ++votes[{spacing.grid.step.months, spacing.grid.step.micros}];
    if (count > most) {
      most = count;
      common_step_ = spacing.grid.step;
    }
    if (++asked == 100) break;
  }
}

void ForecastTrainer::OpenLive() {
  result_.has_live = request_.has_live;
  if (!request_.has_live) return;
  try {
    live_ = std::make_unique<ForecastModel>(request_.live_artifact);
    live_config_ = live_->config();
    result_.compared = true;
  } catch (const Error& error) {
    result_.live_unreadable = error.message() + (error.detail().empty() ? "" : ": " + error.detail());
  }
}

// Makes a series even and sets up its fit. Runs on any thread.
std::unique_ptr<ForecastTrainer::Job> ForecastTrainer::Begin(uint32_t place, Pass pass) const {
  const ForecastConfig& data = request_.config;  // what the values are; a live configuration only says how to forecast
  const ForecastConfig& config = pass == Pass::kLive ? live_config_ : request_.config;
  const auto regressors = static_cast<uint32_t>(data.regressors.size());
  auto job = std::make_unique<Job>();
  job->place = place;
  const auto rows = RowsOf(by_name_[place]);
  const auto values = [&](const std::vector<int64_t>& times) {
    std::vector<TimedValue> out;
    out.reserve(rows.size());
    for (const uint32_t row : rows) out.push_back({times[row], y_[row], row});
    return out;
  };
  EvenOptions options;
  options.gaps = data.gaps;
  options.duplicates = data.duplicates;
  options.has_step = data.has_step;
  options.step = data.step;
  options.has_fallback = true;
  options.fallback = common_step_;
  options.end = last_wall_;
  options.regressors = regressors;
  // Days and months are those of the wall clock; shorter steps go on through a change of the clock.
  EvenSeries even;
  if (request_.zoned && data.has_step && data.step.Within(kDay)) {
    job->absolute = true;
  } else {
    even = MakeEven(values(wall_), regressors_, options);
    job->absolute = request_.zoned && even.grid.step.Within(kDay);
  }
  if (job->absolute) {
    options.end = last_absolute_;
    even = MakeEven(values(absolute_), regressors_, options);
  }
  if (!even.duplicate.empty())
    throw Error(ErrorCode::kInvalidParameter, "a series has several values in one step",
                SeriesText(names_[by_name_[place]]) + ", " + even.duplicate + ", steps: " + even.grid.step.Name(),
                "group the source by series and ds, or set duplicates to sum or mean in p_config");
  job->even = std::move(even);
  if (job->even.y.empty()) {
    job->done = true;
    return job;
  }

  const EvenSeries& e = job->even;
  const size_t n = e.y.size();
  // The live configuration may name other regressors: it is judged with those that this source has in common.
  const bool use_regressors = pass == Pass::kCandidate || config.regressors == data.regressors;
  const bool use_holidays = pass == Pass::kCandidate || !config.holidays.empty();
  const uint32_t own = use_regressors ? regressors : 0;
  const auto named = static_cast<uint32_t>(use_holidays ? holidays_.names.size() : 0);
  job->n_columns = own + named;
  job->columns.resize(n * job->n_columns);
  for (size_t t = 0; t < n && job->n_columns > 0; ++t) {
    double* row = job->columns.data() + t * job->n_columns;
    for (uint32_t k = 0; k < own; ++k) row[k] = e.regressors[t * regressors + k];
    if (named > 0) holidays_.Fill(e.grid, static_cast<int64_t>(t), row + own);
  }
  SelectOptions select;
  select.season = config.season_length > 0 ? config.season_length : SeasonLength(e.grid.step);
  const bool of_calendar = e.grid.step.months > 0 || select.season > 1 || e.grid.step.micros % (7 * kDay) == 0;
  if (config.season_length == 0 && !of_calendar)
    select.season = FindSeason(std::span(e.y).last(std::min<size_t>(n, 4000)));
  select.terms = SeasonTermsFor(e.grid.step, n);
  if (config.season_length > 1)
    select.terms = {
        {static_cast<double>(config.season_length), std::min<uint32_t>(config.season_length / 2, kMaxHarmonics)}};
  select.regression = job->n_columns > 0 || (e.grid.step.months == 0 && !select.terms.empty()) ||
                      config.methods[static_cast<size_t>(ForecastMethod::kRegression)];
  select.horizon = data.horizon > 0 ? data.horizon : DefaultHorizon(e.grid.step);
  select.min_value = data.min_value;
  select.max_value = data.max_value;
  select.allowed = config.methods;
  select.choose_one = config.best;
  select.held_out_only = pass == Pass::kLive;
  job->fitter = std::make_unique<SeriesFitter>(e.y, Exogenous{job->columns, job->n_columns}, std::move(select));
  return job;
}

Resumable ForecastTrainer::FitAll(Pass pass) {
  const auto threads = static_cast<size_t>(std::max(request_.threads, 1));
  const size_t window = 16 * threads;
  std::vector<std::unique_ptr<Job>> jobs;
  std::vector<uint32_t> places;
  uint32_t next = 0;
  const double from = pass == Pass::kLive ? 60 : 0;
  const double share = result_.compared && !(live_config_ == request_.config) ? (pass == Pass::kLive ? 40 : 60) : 100;
  uint64_t done = 0;
  for (;;) {
    while (places.size() < window && next < by_name_.size()) {
      places.push_back(next++);
      jobs.push_back(nullptr);
    }
    if (places.empty()) break;
    ParallelFor(places.size(), budget_->threads, [&](size_t i) {
      while (!budget_->Expired() && (jobs[i] == nullptr || !jobs[i]->done)) {
        if (jobs[i] == nullptr) {
          jobs[i] = Begin(places[i], pass);
        } else if (jobs[i]->fitter->Advance()) {
          jobs[i]->fit = jobs[i]->fitter->Take();
          jobs[i]->fitter.reset();
          jobs[i]->done = true;
        }
      }
    });
    size_t kept = 0;
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i] != nullptr && jobs[i]->done) {
        Conclude(*jobs[i], pass);
        ++done;
      } else {
        places[kept] = places[i];
        jobs[kept++] = std::move(jobs[i]);
      }
    }
    places.resize(kept);
    jobs.resize(kept);
    progress_ = {TrainingPhase::kFitting, done, by_name_.size(),
                 from + share * static_cast<double>(done) / static_cast<double>(by_name_.size())};
    if (budget_->Expired()) co_await Pause{};
  }
}

// Takes over what a fit has found. In the order in which series happen to be done: nothing here depends on it.
void ForecastTrainer::Conclude(Job& job, Pass pass) {
  Outcome& outcome = outcomes_[job.place];
  const std::string& name = names_[by_name_[job.place]];
  const HeldOut& held = job.fit.held_out;
  if (pass == Pass::kLive) {
    if (held.values == 0 || !(held.scale > 0)) return;
    outcome.live_mase = held.absolute / held.values / held.scale;
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
  if (!even.regular) warn(kIrregular);
  if (!even.known_step && !request_.config.has_step) warn(kNoSpacing);
  if (even.filled > 0 && request_.config.gaps == GapRule::kMissing) warn(kFilled);
  if (even.cut) warn(kCut);
  if (live_ != nullptr) ScoreLive(job, outcome.since);

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

// The live version's forecasts of what has come since.
void ForecastTrainer::ScoreLive(const Job& job, ForecastAccuracy& since) const {
  const auto series = live_->Find(names_[by_name_[job.place]]);
  if (!series) return;
  ForecastSeriesInfo info;
  try {
    info = live_->Info(*series);
  } catch (const Error&) {
    return;  // a state that is corrupt forecasts nothing
  }
  const EvenSeries& even = job.even;
  if (info.absolute != job.absolute || !(info.grid.step == even.grid.step)) return;
  // The place in this series of the live version's last value.
  const int64_t known = even.grid.PlaceOf(info.grid.origin);
  const int64_t fresh = static_cast<int64_t>(even.y.size()) - 1 - known;
  if (known < 1 || fresh < 1 || even.grid.At(known) != info.grid.origin) return;
  const auto horizon = static_cast<uint32_t>(std::min<int64_t>(fresh, info.horizon));
  const float levels[] = {0.8f, 0.95f};
  SeriesForecast forecast;
  try {
    forecast = live_->Forecast(*series, std::min(horizon, kMaxForecastHorizon), levels);
  } catch (const Error&) {
    return;
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
  if (!(scale > 0)) return;
  ++since.series;
  since.mase += absolute / static_cast<double>(forecast.yhat.size()) / scale;
  since.smape += smape / static_cast<double>(forecast.yhat.size());
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
  parts.zone = request_.zone;
  parts.training_rows = result_.values;
  parts.holidays = holidays_;
  const ScorePool none;
  for (uint32_t g = 0; g < kGroupCount; ++g) {
    const auto it = groups_.find(std::to_string(g));
    parts.groups.push_back(BlendQuantiles(it == groups_.end() ? none : it->second.pool, all, freedom));
  }
  ForecastAccuracy& own = result_.candidate;
  uint64_t judged = 0, held_series = 0;
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
    if (outcome.live_mase >= 0) {
      ++result_.live.series;
      result_.live.values += outcome.held_values;
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
