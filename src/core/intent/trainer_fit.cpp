// From weighted features to weights and their calibration.
#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/eval/folds.h"
#include "core/intent/fitting.h"
#include "core/intent/unseen.h"
#include "core/linear/problem.h"

namespace retrain {
namespace {

// Held-out rows of the rarest intent, on average, that are enough for its sigmoid. Fewer cost accuracy: with 50 of CLINC150's 100
// rows an intent it is 0.3 points lower (eight seeds). Where there are more than so many times as many, more are held out.
constexpr size_t kSigmoidRows = 400, kMostTimes = 16;

}  // namespace

const ClassifierEntry& ClassifierOf(const IntentConfig& config) {
  for (const auto& entry : Classifiers())
    if (config.classifier == entry.name) return entry;
  throw Error(ErrorCode::kInternal, "classifier has no entry in the table", config.classifier);
}

void IntentTrainer::WeighClasses() {
  Fitting& f = *fitting_;
  const size_t n_classes = result_.labels.size();
  std::vector<uint64_t> support(n_classes);
  for (const uint32_t label : f.labels) ++support[label];
  f.class_weights.clear();
  for (const uint64_t rows : support)  // a sample may have none of some
    f.class_weights.push_back(request_.config.balanced && rows > 0
                                  ? static_cast<float>(static_cast<double>(f.labels.size()) /
                                                       (static_cast<double>(n_classes) * static_cast<double>(rows)))
                                  : 1.0f);
}

std::vector<uint64_t> IntentTrainer::RowKeys() const {
  std::vector<uint64_t> keys;
  keys.reserve(fitting_->order.size());
  for (const uint32_t i : fitting_->order) keys.push_back(ShortKey(dataset_.rows()[i].key));
  return keys;
}

// Of very many rows only some are ever held out: they fix the calibration and the limits, cost the folds less, and keep the
// margins of all rows out of memory. Sigmoids need some rows of every intent. They are the first ones: rows are in the order of
// a hash of their text, so that these are a sample, and the same ones but for a few when rows have come or gone.
void IntentTrainer::DealFolds(int folds) {
  Fitting& f = *fitting_;
  f.folds = AssignFolds(f.labels, RowKeys(), static_cast<uint32_t>(result_.labels.size()), folds, request_.config.seed);
  const size_t n = f.labels.size();
  f.held_out_rows = n;
  if (request_.find_label_issues) return;
  if (request_.config.calibration == CalibrationKind::kSigmoid) {
    std::vector<size_t> support(result_.labels.size());
    for (const uint32_t label : f.labels) ++support[label];
    const size_t rarest = *std::min_element(support.begin(), support.end());
    f.held_out_rows = n * kSigmoidRows / std::clamp(rarest, kSigmoidRows, kMostTimes * kSigmoidRows);
  } else {
    f.held_out_rows = std::min(n, kLimitRows);
  }
  std::fill(f.folds.begin() + static_cast<ptrdiff_t>(f.held_out_rows), f.folds.end(), kNeverHeldOut);
}

// The fit over all rows, starting from the live version's where that is asked for, and what calibration needs: margins of
// held-out rows. An incremental training that may keep the live version's calibration fits no folds; where the new rows
// then contradict it, it fits them after all. Networks go on from the live version's where the calibration is kept; else they
// begin at nothing and are weighed on validation rows where there are enough.
Resumable IntentTrainer::Fit() {
  if (result_.failed) co_return;
  Fitting& f = *fitting_;
  progress_ = {TrainingPhase::kFitting, 0, 1000, kFittingFrom};
  WeighClasses();
  const IntentConfig& config = request_.config;
  const bool networks = config.networks > 0 && !request_.find_label_issues;
  const bool limits =
      config.calibration != CalibrationKind::kNone || config.out_of_scope > 0 || config.target_precision > 0;
  const bool held_out = request_.find_label_issues || (limits && !(networks && EnoughValidationRows()));
  const int folds = held_out ? config.folds : 0;
  if (held_out) DealFolds(folds);
  if (request_.incremental) FindStart();
  bool keep = (held_out || networks) && !request_.find_label_issues && MayKeepCalibration();
  if (keep || networks) f.fit_to = networks ? 35 : (kFittingFrom + kEvaluatingFrom) / 2;
  const DualSolution* start = result_.start.from_live ? &f.restart.start : nullptr;
  Resumable part = FitOnce(keep ? 0 : folds, start, f.restart.fresh_rows, config.c);
  while (!part.Resume()) co_await Pause{};
  if (keep && networks) {
    part = BlendFreshRows();
    while (!part.Resume()) co_await Pause{};
  }
  if (keep && !CalibrationHolds()) {
    keep = false;
    f.fit_from = f.fit_to;
    f.fit_to = networks ? 50 : kEvaluatingFrom;
    std::optional<DualSolution> duals = std::move(f.duals);
    part = FitOnce(folds, duals ? &*duals : start, std::span<const uint32_t>{}, config.c);
    while (!part.Resume()) co_await Pause{};
  }
  if (networks) {
    part = FitNetworks(keep);
    while (!part.Resume()) co_await Pause{};
  }
  progress_ = {TrainingPhase::kFitting, 1000, 1000, kEvaluatingFrom};
  f.matrix = {};
  f.stand_ins = {};
  f.restart.start = {};
  co_await Pause{};
  progress_ = {TrainingPhase::kCalibrating, 0, 1, kEvaluatingFrom};
  result_.start.calibration_kept = keep;
  if (keep)
    f.parts.calibration = LiveCalibration(false);
  else
    FitCalibration();
  co_await Pause{};
  if (request_.find_label_issues) {
    part = FindLabelIssues();
    while (!part.Resume()) co_await Pause{};
  }
  if (keep && !EnoughValidationRows()) {
    f.parts.novelty = std::move(f.live_novelty);
  } else if (limits) {
    part = SetLimits();
    while (!part.Resume()) co_await Pause{};
  }
  f.held_out = {};
  f.unseen_rows = {};
  KeepState();
  Encode();
  f.parts = {};
}

// Rows that are scored unseen, held out by a fold or fresh, as they would be read had they not been among the training rows.
Resumable IntentTrainer::ReadAsUnseen(int folds, std::span<const uint32_t> fresh_rows) {
  Fitting& f = *fitting_;
  const bool held_out = folds >= 2;
  const size_t n = held_out ? HeldOutRows(f.labels.size(), f.held_out_rows) : fresh_rows.size();
  const auto row_of = [&](size_t h) { return held_out ? h : fresh_rows[h]; };
  const LoneTerms lone{f.parts.idf, f.lone_idf};
  StandIns& others = f.stand_ins;
  others = {};
  others.rows.columns = f.matrix.columns;
  others.at.assign(n, StandIns::kItself);
  uint32_t n_others = 0;
  uint64_t entries = 0;
  for (size_t h = 0; h < n; ++h) {
    if (h % kRowsPerLook == 0 && Pausing()) co_await Pause{};
    const size_t i = row_of(h);
    const bool seen = held_out && f.folds[i] == kNeverHeldOut;
    if (seen || !DiffersUnseen(f.matrix.row(i), lone)) continue;
    others.at[h] = n_others++;
    entries += f.matrix.row(i).size();
  }
  CheckBudget(dataset_.bytes() + f.matrix.bytes() + others.bytes() + n_others * sizeof(uint64_t) +
                  entries * sizeof(SparseEntry),
              "fitting");
  others.rows.begin.reserve(n_others + 1);
  others.rows.entries.reserve(entries);
  for (size_t h = 0; h < n; ++h) {
    if (h % kRowsPerLook == 0 && Pausing()) co_await Pause{};
    if (others.at[h] != StandIns::kItself) AppendUnseen(f.matrix.row(row_of(h)), lone, others.rows);
  }
}

Resumable IntentTrainer::FitOnce(int folds, const DualSolution* start, std::span<const uint32_t> fresh_rows, double c) {
  Fitting& f = *fitting_;
  const ClassifierEntry& classifier = ClassifierOf(request_.config);
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  const uint64_t other_start = start != nullptr && start != &f.restart.start ? start->bytes() : 0;
  const uint64_t scored = folds < 2 ? fresh_rows.size() * uint64_t{n_classes} * sizeof(float) : 0;
  const uint64_t columns = (f.column_of.capacity() + f.live_column_of.capacity()) * sizeof(uint32_t);
  Resumable part = ReadAsUnseen(folds, fresh_rows);
  while (!part.Resume()) co_await Pause{};
  const uint64_t held = dataset_.bytes() + columns + f.matrix.bytes() + f.stand_ins.bytes() + f.restart.start.bytes() +
                        other_start + scored;
  const auto needed = [&](int threads) {
    return held + classifier.fit_bytes(f.labels.size(), f.matrix.columns, n_classes, folds, threads, f.held_out_rows);
  };
  // Every thread has arrays of its own: as many as memory allows.
  int threads = std::max(request_.threads, 1);
  while (threads > 1 && needed(threads) > request_.memory_budget) --threads;
  CheckBudget(needed(threads), "fitting");
  const LinearProblem problem{&f.matrix, f.labels, f.row_weights, f.class_weights, n_classes};
  LinearOptions options;
  options.c = c;
  options.seed = request_.config.seed;
  options.folds = folds;
  options.max_threads = threads;
  options.fold_of_row = f.folds;
  options.held_out_rows = f.held_out_rows;
  options.start = start;
  options.fresh_rows = fresh_rows;
  options.stand_ins = &f.stand_ins;
  options.keep_duals = f.tuning || !request_.find_label_issues;
  f.fit = classifier.make(problem, options);
  while (!f.fit->Step(*budget_)) co_await Pause{};
  f.parts.weights = f.fit->TakeWeights();
  f.held_out = f.fit->TakeHeldOutMargins();
  f.duals = f.fit->TakeDuals();
  f.fit.reset();
  progress_.percent = f.fit_to;
}

// From the margins of held-out rows to probabilities. With networks the blend is the calibration.
void IntentTrainer::FitCalibration() {
  Fitting& f = *fitting_;
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  if (!f.parts.networks.empty()) {
    f.parts.calibration.kind = CalibrationKind::kSoftmax;
    f.parts.calibration.inverse_temperature = 1;
    return;
  }
  // Rows that no fold held out were seen by the fit that scored them: they would make it look surer than it is.
  std::vector<uint32_t> labels;
  std::vector<float> weights;
  for (size_t i = 0; i < std::min(f.folds.size(), f.held_out_rows); ++i) {
    labels.push_back(f.labels[i]);
    weights.push_back(f.folds[i] == kNeverHeldOut ? 0 : f.row_weights[i]);
  }
  if (request_.config.calibration == CalibrationKind::kSoftmax)
    f.parts.calibration = FitSoftmax(f.held_out, labels, weights, n_classes, budget_->threads, budget_->stop);
  else if (request_.config.calibration == CalibrationKind::kSigmoid)
    f.parts.calibration = FitSigmoid(f.held_out, labels, weights, n_classes, budget_->threads, budget_->stop);
}

void IntentTrainer::Encode() {
  Fitting& f = *fitting_;
  f.parts.config = result_.config;
  f.parts.labels = result_.labels;
  f.parts.training_rows = result_.training_rows;
  f.parts.confidence_threshold = result_.confidence_threshold;
  result_.artifact = EncodeIntentModel(f.parts);
  result_.features = f.parts.space.columns();
}

}  // namespace retrain
