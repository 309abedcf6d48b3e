// Trains a forecast model from many series: add values, then step until done, then take the result.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/resumable.h"
#include "core/base/training.h"
#include "core/forecast/config.h"
#include "core/forecast/gate.h"
#include "core/forecast/model.h"
#include "core/forecast/select.h"

namespace retrain {

struct ForecastRequest {
  ForecastConfig config;
  bool named = false;          // values come with the name of their series
  bool zoned = false;          // times come with a zone: shorter steps than a day run on the clock of UTC
  std::string zone;            // of the wall clock
  uint64_t memory_budget = 0;  // bytes; work that needs more is refused
  int threads = 1;
  double tolerance = 0.05;  // of the gate, relative
  bool has_live = false;
  std::vector<uint8_t> live_artifact;
};

// One value as the source gives it. Not a number: no value.
struct ForecastValue {
  std::string_view series;
  int64_t wall = 0;      // microseconds since 2000-01-01 on the wall clock
  int64_t absolute = 0;  // the same on UTC's; equal without a zone
  double y = 0;
  std::span<const double> regressors;  // one for each of the configuration, not a number: unknown
};

struct ForecastWarning {
  std::string code, message;
  uint64_t series = 0;
  std::string example;  // name of one of them
};

struct SeriesReport {
  std::string name, frequency, method;
  uint64_t values = 0;
  double mase = -1, smape = -1;  // below 0: nothing was held out
  FallbackReason fallback = FallbackReason::kNone;
};

struct ForecastResult {
  bool failed = false;
  std::string failure;
  uint64_t rows = 0, values = 0, series = 0, held_out = 0;
  uint64_t digest_high = 0, digest_low = 0;  // over rows and holidays, independent of their order
  std::string zone;                          // of the wall clock that the rows were read by
  uint32_t horizon = 0;                      // the longest
  ForecastConfig config;
  std::vector<uint8_t> artifact;
  ForecastAccuracy candidate, live, live_since;
  bool has_live = false, compared = false;
  std::string live_unreadable;  // why, when its artifact is corrupt
  GateVerdict verdict;
  std::map<std::string, uint64_t> methods, members, frequencies;
  std::vector<ForecastWarning> warnings;
  std::vector<SeriesReport> reports;  // of at most 100 series: the first by name
};

class ForecastTrainer final : public Training {
 public:
  explicit ForecastTrainer(ForecastRequest request);
  ~ForecastTrainer() override;
  ForecastTrainer(const ForecastTrainer&) = delete;

  // Neither after the first Step(). Add throws Error(kInvalidParameter) for a value or time that is infinite or out of
  // range, Error(kOutOfMemory) above the budget.
  void Add(const ForecastValue& value);
  void AddHoliday(int64_t day, std::string_view name);

  bool Step(const StepBudget& budget) override;
  TrainingProgress Progress() const override { return progress_; }
  const ForecastResult& result() const noexcept { return result_; }

 private:
  struct Job;
  struct Outcome;
  struct Group;
  enum class Pass { kCandidate, kLive };

  Resumable Run();
  Resumable FitAll(Pass pass);
  void AddToDigest(std::span<const uint64_t> words);
  void Gather();
  void OpenLive();
  std::unique_ptr<Job> Begin(uint32_t series, Pass pass) const;
  void Conclude(Job& job, Pass pass);
  bool ScoreLive(const Job& job, ForecastAccuracy& since) const;
  FutureRegressors RegressorsSince(const EvenSeries& even, int64_t known, const TimeGrid& live) const;
  void Finish();
  void CheckBudget(uint64_t needed) const;
  std::span<const uint32_t> RowsOf(uint32_t series) const;

  ForecastRequest request_;
  ForecastResult result_;
  TrainingProgress progress_;
  Resumable run_;
  bool started_ = false;
  const StepBudget* budget_ = nullptr;

  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<std::string> names_;
  std::vector<uint64_t> name_hashes_;
  std::vector<uint64_t> words_;  // of the row that is added to the digest
  uint64_t name_bytes_ = 0, unchecked_ = 0;
  std::vector<uint32_t> series_;
  std::vector<int64_t> wall_, absolute_;  // absolute_ stays empty without a zone
  std::vector<double> y_, regressors_;
  std::map<std::string, uint32_t, std::less<>> holiday_numbers_;
  std::vector<Holiday> holiday_days_;

  HolidayCalendar holidays_;
  std::vector<uint32_t> by_name_;  // numbers of series, ascending names
  std::vector<uint64_t> begin_;    // of each series in rows_
  std::vector<uint32_t> rows_;
  TimeStep common_step_;
  std::optional<SourceTimes> times_;  // of values that are added up into steps
  uint32_t weekdays_ = 0;             // that values lie on, a bit each: weeks of a source that has one begin on it
  int64_t last_wall_ = INT64_MIN, last_absolute_ = INT64_MIN;

  std::unique_ptr<ForecastModel> live_;
  std::vector<Outcome> outcomes_;  // by place in by_name_
  std::map<std::string, Group> groups_;
  std::map<std::string, ForecastWarning> warnings_;
  ForecastConfig live_config_;
};

// The result as JSON text with the keys that the run and the version store (src/sql/: retrain_finish_run).
std::string ToJson(const ForecastResult& result);

}  // namespace retrain
