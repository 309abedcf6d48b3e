// Trains forecast models (see trainer.h).
#include "core/forecast/trainer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/parallel.h"
#include "core/base/utf8_clip.h"
#include "core/forecast/series_job.h"
#include "core/tabular/table.h"
#include "core/text/little_endian.h"
#include "core/text/normalise.h"

namespace retrain {
namespace {

constexpr uint32_t kMaxSeriesName = 1000;
constexpr size_t kSlice = 1 << 17;  // rows handled between two looks at the clock

// How messages call a series; a source without a column of them has one without a name.
std::string SeriesText(std::string_view name) {
  return name.empty() ? "the one series" : "series \"" + Shortened(name) + "\"";
}

uint64_t HashText(std::string_view text) { return LoadLittle64(Hash128(text).data()); }

// One word for every value that is none and for both zeros.
uint64_t WordOf(double value) {
  if (std::isnan(value)) return 0x6E6F6E65ull;
  return std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
}

}  // namespace

ForecastTrainer::ForecastTrainer(ForecastRequest request) : request_(std::move(request)) {
  result_.config = request_.config;
  result_.zone = request_.zone;
  const ForecastConfig& config = request_.config;
  if (config.has_step && config.duplicates == DuplicateRule::kSum) times_.emplace(config.step);
}
ForecastTrainer::~ForecastTrainer() = default;

void ForecastTrainer::CheckBudget(uint64_t needed) const {
  if (needed <= request_.memory_budget) return;
  throw Error(ErrorCode::kOutOfMemory, "the forecast's values need more memory than a training may use",
              "about " + std::to_string(needed >> 20) + " MB needed, pg_retrain.training_memory is " +
                  std::to_string(request_.memory_budget >> 20) + " MB",
              "raise pg_retrain.training_memory, or train on fewer series or coarser steps");
}

// A row's hash depends on the places of its words, the sum over the rows not on theirs.
void ForecastTrainer::AddToDigest(std::span<const uint64_t> words) {
  uint64_t low = words.size(), high = ~low;
  for (const uint64_t word : words) {
    low = MixBits(low + word + 0x9E3779B97F4A7C15ull);
    high = MixBits(high ^ std::rotl(word, 23));
  }
  result_.digest_low += MixBits(low);
  result_.digest_high += MixBits(high);
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
  const auto check = [&](double x, const std::string& name) {
    if (!(std::fabs(x) > kLargestForecastValue)) return;
    const std::string place = SeriesText(value.series) + ", " + FormatTime(value.wall);
    if (std::isinf(x))
      throw Error(ErrorCode::kInvalidParameter, name + " is infinite", place, "leave the value out or give null");
    throw Error(ErrorCode::kInvalidParameter, name + " is out of range",
                place + ": " + JsonWriter().Number(x).Take() + ", at most 1e30",
                "divide the values in p_source, or leave this one out");
  };
  check(value.y, "y");
  for (size_t k = 0; k < value.regressors.size(); ++k) check(value.regressors[k], request_.config.regressors[k]);
  ++result_.rows;
  // Rows of one series often follow each other.
  if (series_.empty() || names_[series_.back()] != value.series) {
    const auto [it, added] = numbers_.try_emplace(std::string(value.series), static_cast<uint32_t>(names_.size()));
    if (added) {
      names_.emplace_back(value.series);
      name_hashes_.push_back(HashText(value.series));
      name_bytes_ += 2 * value.series.size() + 160;
    }
    series_.push_back(it->second);
  } else {
    series_.push_back(series_.back());
  }
  words_ = {name_hashes_[series_.back()], static_cast<uint64_t>(value.wall), static_cast<uint64_t>(value.absolute),
            WordOf(value.y)};
  for (const double regressor : value.regressors) words_.push_back(WordOf(regressor));
  AddToDigest(words_);
  if (!std::isnan(value.y)) {
    ++result_.values;
    weekdays_ |= 1u << WeekdayOf(value.wall);
    if (times_) times_->Add(request_.zoned && request_.config.step.Within(kDay) ? value.absolute : value.wall);
  }
  wall_.push_back(value.wall);
  if (request_.zoned) absolute_.push_back(value.absolute);
  y_.push_back(value.y);
  regressors_.insert(regressors_.end(), value.regressors.begin(), value.regressors.end());
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
  words_ = {HashText(name), static_cast<uint64_t>(day)};
  AddToDigest(words_);
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
  if (times_) times_->Close();

  std::map<std::pair<int32_t, int64_t>, uint32_t> votes;
  uint32_t asked = 0, most = 0;
  for (const uint32_t series : by_name_) {
    const auto rows = RowsOf(series);
    if (rows.size() < 2 || rows.size() > 2000) continue;
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
  if (std::has_single_bit(weekdays_)) options.week_begin = std::countr_zero(weekdays_);
  options.has_fallback = true;
  options.fallback = common_step_;
  options.end = last_wall_;
  options.source = times_ ? &*times_ : nullptr;
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
  if (config.season_length == 0)
    select.terms = SeasonTermsFor(e.grid.step, n);
  else if (config.season_length > 1)
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

}  // namespace retrain
