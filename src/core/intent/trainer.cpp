// From labelled rows to an artifact, in steps; the steps themselves are in trainer_*.cpp.
#include "core/intent/trainer.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "core/base/error.h"
#include "core/intent/fitting.h"

namespace retrain {
namespace {

// A byte of text can become tens of bytes of terms, so long rows are checked one by one.
constexpr uint64_t kBytesPerBudgetCheck = 64 * 1024;

// Tuning tries n-grams beyond those that are configured, so they are all read.
IntentConfig WidenedFor(const IntentConfig& config) {
  IntentConfig wide = config;
  if (!config.tune) return wide;
  NgramRange &words = wide.analyzer.word_ngrams, &chars = wide.analyzer.char_ngrams;
  words = {1, std::max(words.max, kTunedWords.max)};
  chars = {chars.enabled() ? std::min(chars.min, kTunedChars.min) : kTunedChars.min,
           std::max(chars.max, kTunedChars.max)};
  return wide;
}

}  // namespace

IntentTrainer::IntentTrainer(TrainingRequest request)
    : request_(std::move(request)),
      tuned_(TakeUpTuning(request_)),
      dataset_(WidenedFor(request_.config), request_.threads),
      fitting_(std::make_unique<Fitting>()) {
  result_.config = request_.config;
  result_.start.tuning_kept = tuned_.has_value();
  result_.confidence_threshold = request_.confidence_threshold;
}

IntentTrainer::~IntentTrainer() = default;

void IntentTrainer::CheckBudget(uint64_t needed, const char* what) const {
  if (needed <= request_.memory_budget) return;
  const auto megabytes = [](uint64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MB"; };
  throw Error(ErrorCode::kOutOfMemory, "training needs more memory than allowed",
              std::string(what) + " needs " + megabytes(needed) + ", pg_retrain.training_memory is " +
                  megabytes(request_.memory_budget),
              "raise pg_retrain.training_memory, raise min_df, lower max_features, or train on fewer rows");
}

void IntentTrainer::Add(const LabelledMessage& message, const Stop& stop) {
  dataset_.Add(message, stop);
  unchecked_bytes_ += message.text.size();
  if (++progress_.done % 256 != 0 && unchecked_bytes_ < kBytesPerBudgetCheck) return;
  unchecked_bytes_ = 0;
  CheckBudget(dataset_.bytes(), "reading the rows");
}

bool IntentTrainer::Step(const StepBudget& budget) {
  budget_ = &budget;
  if (!started_) {
    started_ = true;
    run_ = Run();
  }
  const bool done = run_.Resume();
  budget_ = nullptr;
  budget.stop.Poll();
  return done;
}

TrainingProgress IntentTrainer::Progress() const {
  TrainingProgress progress = progress_;
  const Fitting& f = *fitting_;
  if (progress.phase == TrainingPhase::kFitting && (f.fit || f.ensemble)) {
    const double done = f.fit ? f.fit->Progress() : f.ensemble->Progress();
    progress.percent = f.fit_from + (f.fit_to - f.fit_from) * done;
    progress.done = static_cast<uint64_t>(1000 * (progress.percent - kFittingFrom) / (kEvaluatingFrom - kFittingFrom));
  }
  // Half of a training that tunes is the tuning.
  if (f.tuning)
    progress.percent = 50 * f.tuned;
  else if (f.widened)
    progress.percent = 50 + progress.percent / 2;
  return progress;
}

// In a coroutine no braced list may live across a pause: gcc before 13 keeps its array outside the coroutine's frame.
Resumable IntentTrainer::Run() {
  using Stage = Resumable (IntentTrainer::*)();
  static constexpr Stage kStages[] = {&IntentTrainer::Tune, &IntentTrainer::Weigh, &IntentTrainer::Fit,
                                      &IntentTrainer::Score};
  dataset_.Finish(budget_->stop);
  CheckBudget(dataset_.bytes(), "reading the rows");
  Resumable part = MapLabels();
  while (!part.Resume()) co_await Pause{};
  if (Check()) {
    for (const Stage stage : kStages) {
      part = (this->*stage)();
      while (!part.Resume()) co_await Pause{};
      co_await Pause{};
    }
    Conclude();
  }
  progress_ = {TrainingPhase::kDone, 1, 1, 100};
}

// Sorts the rows so that nothing depends on the order in which they came, and numbers the intents. Keys are hashes, so
// their first bytes deal the rows into buckets that a moment sorts.
Resumable IntentTrainer::MapLabels() {
  static constexpr Split kSplits[] = {Split::kTrain, Split::kValidation, Split::kTest};
  constexpr size_t kBuckets = 256, kRowsPerPause = 16384;
  const auto& rows = dataset_.rows();
  std::vector<uint32_t> all;
  all.reserve(rows.size());
  for (const Split split : kSplits) {
    std::vector<std::vector<uint32_t>> buckets(kBuckets);
    for (uint32_t i = 0; i < rows.size(); ++i) {
      if (rows[i].split == split) buckets[rows[i].key[0]].push_back(i);
      if (i % kRowsPerPause == 0 && Pausing()) co_await Pause{};
    }
    for (std::vector<uint32_t>& bucket : buckets) {
      std::sort(bucket.begin(), bucket.end(), [&](uint32_t x, uint32_t y) { return rows[x].key < rows[y].key; });
      all.insert(all.end(), bucket.begin(), bucket.end());
      if (Pausing()) co_await Pause{};
    }
  }
  const auto& labels = dataset_.labels();
  std::vector<bool> in_training(labels.size()), in_validation(labels.size()), in_test(labels.size());
  std::string record;
  for (size_t at = 0; at < all.size(); ++at) {
    if (at % kRowsPerPause == 0 && Pausing()) co_await Pause{};
    const uint32_t i = all[at];
    const DatasetRow& row = rows[i];
    if (row.split == Split::kTrain) {
      fitting_->order.push_back(i);
      in_training[row.label] = true;
    } else if (row.split == Split::kValidation) {
      fitting_->validation.push_back(i);
      in_validation[row.label] = true;
    } else if (row.split == Split::kTest) {
      in_test[row.label] = true;
    }
    record.assign(reinterpret_cast<const char*>(result_.dataset_digest.data()), result_.dataset_digest.size());
    record.append(reinterpret_cast<const char*>(row.key.data()), row.key.size());
    record.append(reinterpret_cast<const char*>(&row.text_hash), sizeof row.text_hash);
    record.append(reinterpret_cast<const char*>(&row.weight), sizeof row.weight);
    record += static_cast<char>(row.split);
    record += static_cast<char>(row.human);
    record += labels[row.label];
    result_.dataset_digest = Hash128(record);
  }
  std::vector<uint32_t> by_name(labels.size());
  std::iota(by_name.begin(), by_name.end(), 0u);
  std::sort(by_name.begin(), by_name.end(), [&](uint32_t a, uint32_t b) { return labels[a] < labels[b]; });
  fitting_->class_of.assign(labels.size(), UINT32_MAX);
  for (const bool training : {true, false}) {
    for (const uint32_t label : by_name) {
      if (in_training[label] != training || (!training && !in_test[label])) continue;
      fitting_->class_of[label] = static_cast<uint32_t>(result_.all_labels.size());
      result_.all_labels.push_back(labels[label]);
    }
    if (training) result_.labels = result_.all_labels;
  }
  for (const uint32_t label : by_name) {
    if (!in_training[label] && (in_validation[label] || in_test[label]))
      result_.held_out_labels.push_back(labels[label]);
  }
  result_.training_rows = dataset_.rows_of(Split::kTrain);
  result_.validation_rows = dataset_.rows_of(Split::kValidation);
  result_.test_rows = dataset_.rows_of(Split::kTest);
  result_.duplicates = dataset_.duplicates();
  result_.ignored = dataset_.ignored();
}

// False when no model can come of these rows: an expected outcome that is recorded, not an error.
bool IntentTrainer::Check() {
  const uint64_t rows = dataset_.rows().size();
  if (rows < request_.min_samples) {
    result_.failure = "not enough samples: " + std::to_string(rows) + " distinct labelled messages, at least " +
                      std::to_string(request_.min_samples) + " are needed";
  } else if (result_.training_rows == 0) {
    result_.failure =
        "no training rows: all " + std::to_string(rows) + " labelled messages are validation or test rows";
  } else if (result_.labels.size() < 2) {
    result_.failure = "only one intent: every training row has the intent \"" + result_.labels[0] +
                      "\", at least two intents are needed";
  }
  result_.failed = !result_.failure.empty();
  return !result_.failed;
}

}  // namespace retrain
