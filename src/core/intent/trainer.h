// Trains an intent model from labelled messages: read rows, then step until done, then take the result.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/resumable.h"
#include "core/base/stop.h"
#include "core/base/training.h"
#include "core/eval/gate.h"
#include "core/eval/metrics.h"
#include "core/eval/precision_target.h"
#include "core/intent/config.h"
#include "core/intent/dataset.h"
#include "core/intent/model.h"
#include "core/intent/training_state.h"
#include "core/neural/ensemble_fit.h"

namespace retrain {

struct TrainingRequest {
  IntentConfig config;
  uint64_t min_samples = 20;       // distinct labelled messages, all splits together
  double human_weight = 2;         // multiplies the weight of rows with a person's label
  float confidence_threshold = 0;  // stored with the model
  uint64_t memory_budget = 0;      // bytes; work that needs more is refused before it starts
  int threads = 1;
  GatePolicy gate;
  int64_t recent_since = kNoTime;  // test rows from here on are the recent ones; kNoTime: none is recent
  bool has_live = false;
  std::vector<uint8_t> live_artifact;  // the live version to compare with, when has_live
  bool find_label_issues = false;      // fill label_issues; test rows are then not scored
  bool incremental = false;            // start from live_state
  std::vector<uint8_t> live_state;     // TrainingState of the live version; empty: it has none
};

// How an incremental training began.
struct TrainingStart {
  bool from_live = false;  // false: from nothing, for the reason given
  uint64_t known_rows = 0, new_rows = 0, gone_rows = 0;
  bool calibration_kept = false;  // false: fitted on folds, for the reason given
  bool tuning_kept = false;       // with "tune": what the live version's tuning chose is taken, and nothing is tuned
  std::string reason;
};

// What a version would have decided on the test rows: a row that is out of scope is not also counted as too uncertain.
struct Decisions {
  uint64_t rows = 0, decided = 0, right = 0, low_confidence = 0, out_of_scope = 0;
};

// How a version did on the test rows.
struct Evaluation {
  Metrics all, recent;
};

struct Misclassified {
  std::string text, truth, predicted;
  float confidence = 0;
};

// A training row whose label the fit that did not see it contradicts (core/eval/label_issues.h).
struct LabelIssue {
  TextKey key;
  uint32_t given = 0, suggested = 0;  // in TrainingResult::labels
  float given_probability = 0, suggested_probability = 0;
};

// What one candidate of a tuning did on rows that its fits had not seen.
struct TuningTrial {
  NgramRange word_ngrams, char_ngrams;
  double c = 0, accuracy = 0, log_loss = 0;
  bool chosen = false;
};

struct TrainingResult {
  bool failed = false;
  std::string failure;  // one sentence: why a model could not be trained from these rows
  uint64_t training_rows = 0, validation_rows = 0, test_rows = 0, duplicates = 0, ignored = 0;
  std::vector<std::string> labels;           // of the model
  std::vector<std::string> all_labels;       // model's labels, then labels that only test rows or the live version have
  std::vector<std::string> held_out_labels;  // labels that no training row has, by name
  std::vector<uint8_t> artifact;
  std::vector<uint8_t> state;  // TrainingState; empty: the classifier has none, or too large a one
  TrainingStart start;         // of an incremental training
  bool incremental = false;
  IntentConfig config;
  uint64_t features = 0;
  float confidence_threshold = 0;  // of the version: the one given, or a higher one for the target precision
  PrecisionTarget precision_target;
  std::vector<TuningTrial> tuning;  // in the order in which they were tried; empty: nothing was tuned
  uint64_t tuning_rows = 0;
  uint64_t limit_rows = 0;              // rows that familiarity and the threshold are measured by; 0: none could be
  bool limits_from_validation = false;  // they are validation rows, not held-out training rows
  Decisions decisions;
  TextKey dataset_digest{};  // over every row that took part, independent of their order
  Evaluation candidate, live;
  bool compared = false;          // the live version was scored on the same rows
  std::string live_unreadable;    // why not, when its artifact is corrupt
  std::string live_incomparable;  // why not, when it needs what these rows lack
  GateVerdict verdict;
  std::vector<Misclassified> misclassified;  // most confident first, at most 100
  std::vector<LabelIssue> label_issues;      // in the order of their keys
};

class IntentTrainer final : public Training {
 public:
  explicit IntentTrainer(TrainingRequest request);
  ~IntentTrainer() override;
  IntentTrainer(const IntentTrainer&) = delete;

  // Adds a row; throws Error, Cancelled. Not after the first Step().
  void Add(const LabelledMessage& message, const Stop& stop);
  // The column that messages' embeddings come from; empty: they need none.
  const std::string& embedding_column() const noexcept { return request_.config.embedding_column; }
  // The caller's rows came with splits of their own: without test rows among them nothing passes the gate.
  void TakeSplitsAtTheirWord() noexcept { own_splits_ = true; }
  bool Step(const StepBudget& budget) override;
  TrainingProgress Progress() const override;
  const TrainingResult& result() const noexcept { return result_; }

 private:
  struct Fitting;  // everything between rows and artifact

  Resumable Run();
  Resumable Weigh();
  Resumable Fit();
  Resumable ReadAsUnseen(int folds, std::span<const uint32_t> fresh_rows);
  Resumable FitOnce(int folds, const DualSolution* start, std::span<const uint32_t> fresh_rows, double c);
  std::vector<uint64_t> RowKeys() const;
  void DealFolds(int folds);
  void FitCalibration();
  Resumable FitNetworks(bool go_on);
  Resumable FitEnsemble(std::vector<uint32_t> rows, uint32_t networks, const NetworkRestart* restart);
  std::string WhyNetworksCannotGoOn() const;
  void MapColumnsToLive();
  Resumable BlendFreshRows();
  Resumable ScoreHeldOutRows(std::vector<uint32_t> rows);
  Resumable ScoreValidationRows();
  bool EnoughValidationRows() const;
  JudgedRow JudgeMargins(std::span<const float> margins, uint32_t label) const;
  Resumable FindLabelIssues();
  Resumable SetLimits();
  Resumable LookAtHeldOutRows();
  Resumable LookAtValidationRows();
  Resumable Score();
  Resumable ScoreVersion(const IntentModel& model, std::span<const uint32_t> column_of, bool live);
  std::vector<uint32_t> NumberLabels(const IntentModel& model);
  bool Check();
  Resumable MapLabels();
  Resumable Tune();
  Resumable Compare(const TuningTrial& candidate, TuningTrial& best, std::vector<uint8_t>& best_right);
  Resumable CrossValidate(TuningTrial& trial, std::vector<uint8_t>& right);
  bool IsWanted(uint32_t term) const;
  Resumable SelectVocabulary();
  float WeighRow(const DatasetRow& row, LargeVector<uint32_t>& place, std::vector<SparseEntry>& entries) const;
  void WeighClasses();
  void FindStart();
  bool MayKeepCalibration();
  Calibration LiveCalibration(bool known_only) const;
  bool CalibrationHolds();
  void KeepState();
  void CheckBudget(uint64_t needed, const char* what) const;
  void Encode();
  void OpenLive();
  void LookUpTerms();
  struct Scorer;
  ScoredRow ScoreRow(const DatasetRow& row, const Scorer& scorer, ScoringScratch& scratch,
                     std::vector<uint32_t>& columns, bool* out_of_scope) const;
  void CountDecision(const ScoredRow& scored, bool out_of_scope);
  void Conclude();
  bool Pausing() const noexcept { return budget_->Expired(); }

  TrainingRequest request_;
  std::optional<TunedChoice> tuned_;  // what the request's n-grams and c come from; none: it says them itself
  Dataset dataset_;
  TrainingResult result_;
  TrainingProgress progress_;
  std::unique_ptr<Fitting> fitting_;
  Resumable run_;
  bool started_ = false, own_splits_ = false;
  uint64_t unchecked_bytes_ = 0;
  const StepBudget* budget_ = nullptr;
};

// The result as JSON text with the keys that the run and the version store (src/sql/: retrain_finish_run).
std::string ToJson(const TrainingResult& result);

}  // namespace retrain
