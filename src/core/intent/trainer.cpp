// From labelled rows to an artifact, in steps: vocabulary, TF-IDF, fit with held-out margins, calibration, evaluation.
#include "core/intent/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <tuple>

#include "core/base/error.h"
#include "core/base/utf8_clip.h"
#include "core/eval/folds.h"
#include "core/eval/label_issues.h"
#include "core/eval/novelty.h"
#include "core/linear/linear.h"
#include "core/text/vocabulary.h"

namespace retrain {
namespace {

constexpr size_t kMaxMisclassified = 100;
// Held-out rows that limits are set by, evenly spaced among all: sorting so many fits into a step.
constexpr size_t kLimitRows = 65536;
// Fewer validation rows than this cannot tell a small share of them from none.
constexpr size_t kMinValidationRows = 200;
// Rows between two looks at the clock: a row costs microseconds.
constexpr size_t kRowsPerLook = 32;

// A byte of text can become tens of bytes of terms, so long rows are checked one by one.
constexpr uint64_t kBytesPerBudgetCheck = 64 * 1024;

// Share of the whole training at which each phase begins, from profiles of CLINC150 and BANKING77.
constexpr double kWeightingFrom = 10, kFittingFrom = 15, kEvaluatingFrom = 95;

// Small sets need their rare n-grams; in large ones an n-gram of one or two rows only costs time and memory.
double ChosenMinDf(const IntentConfig& config, size_t rows) {
  if (config.min_df > 0) return config.min_df;
  return rows >= 12000 ? 3 : rows >= 500 ? 2 : 1;
}

const ClassifierEntry& ClassifierOf(const IntentConfig& config) {
  for (const auto& entry : Classifiers())
    if (config.classifier == entry.name) return entry;
  throw Error(ErrorCode::kInternal, "classifier has no entry in the table", config.classifier);
}

}  // namespace

namespace {

// A row that the model had not seen, as the model sees it.
struct UnseenRow {
  NoveltyEvidence evidence;
  JudgedRow judged;
  bool is_known = false;  // of an intent that the model knows
};

}  // namespace

struct IntentTrainer::Fitting {
  std::vector<uint32_t> order;       // training rows, ascending key
  std::vector<uint32_t> validation;  // validation rows, likewise
  std::vector<uint32_t> class_of;    // dataset label -> class of the model, or UINT32_MAX
  std::vector<uint32_t> column_of;   // provisional term -> column, or kNoTerm
  IntentModelParts parts;
  SparseMatrix matrix;
  std::vector<uint32_t> row_columns;  // scratch of WeighRow
  std::vector<uint32_t> labels;
  std::vector<float> row_weights, class_weights;
  std::vector<float> known;  // KnownShare of each row, its own occurrences left out
  float unseen_idf = 0;      // of an n-gram in one row less than min_df asks for
  float lone_idf = 0;        // of a feature in just so many rows
  std::vector<uint8_t> folds;
  std::unique_ptr<LinearFit> fit;
  std::vector<float> held_out;
  std::vector<UnseenRow> unseen_rows;
};

const char* NameOf(TrainingPhase phase) {
  static constexpr const char* kNames[] = {"reading rows", "weighting features", "fitting",
                                           "calibrating",  "evaluating",         "done"};
  return kNames[static_cast<size_t>(phase)];
}

IntentTrainer::IntentTrainer(TrainingRequest request)
    : request_(std::move(request)), dataset_(request_.config), fitting_(std::make_unique<Fitting>()) {
  result_.config = request_.config;
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
  if (progress.phase == TrainingPhase::kFitting && fitting_->fit) {
    progress.done = static_cast<uint64_t>(1000 * fitting_->fit->Progress());
    progress.percent = kFittingFrom + (kEvaluatingFrom - kFittingFrom) * fitting_->fit->Progress();
  }
  return progress;
}

// In a coroutine no braced list may live across a pause: gcc before 13 keeps its array outside the coroutine's frame.
Resumable IntentTrainer::Run() {
  using Stage = Resumable (IntentTrainer::*)();
  static constexpr Stage kStages[] = {&IntentTrainer::Weigh, &IntentTrainer::Fit, &IntentTrainer::Score};
  CheckBudget(dataset_.bytes(), "reading the rows");
  MapLabels();
  if (Check()) {
    for (const Stage stage : kStages) {
      Resumable part = (this->*stage)();
      while (!part.Resume()) co_await Pause{};
      co_await Pause{};
    }
    Conclude();
  }
  progress_ = {TrainingPhase::kDone, 1, 1, 100};
}

// Sorts the rows so that nothing depends on the order in which they came, and numbers the intents.
void IntentTrainer::MapLabels() {
  const auto& rows = dataset_.rows();
  std::vector<uint32_t> all(rows.size());
  std::iota(all.begin(), all.end(), 0u);
  std::sort(all.begin(), all.end(), [&](uint32_t a, uint32_t b) {
    return std::tie(rows[a].split, rows[a].key) < std::tie(rows[b].split, rows[b].key);
  });
  const auto& labels = dataset_.labels();
  std::vector<bool> in_training(labels.size()), in_test(labels.size());
  std::string record;
  for (const uint32_t i : all) {
    const DatasetRow& row = rows[i];
    if (row.split == Split::kTrain) {
      fitting_->order.push_back(i);
      in_training[row.label] = true;
    } else if (row.split == Split::kValidation) {
      fitting_->validation.push_back(i);
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

void IntentTrainer::SelectVocabulary() {
  Fitting& f = *fitting_;
  const auto& vocabulary = dataset_.vocabulary();
  std::vector<uint32_t> document_frequency(vocabulary.size()), last_row(vocabulary.size(), UINT32_MAX);
  std::vector<uint64_t> corpus_frequency(vocabulary.size());
  for (const uint32_t i : f.order) {
    const DatasetRow& row = dataset_.rows()[i];
    for (uint64_t t = row.first_term; t < row.first_term + row.n_terms; ++t) {
      const uint32_t term = dataset_.terms()[t];
      ++corpus_frequency[term];
      if (last_row[term] == i) continue;
      last_row[term] = i;
      ++document_frequency[term];
    }
  }
  IntentConfig& config = result_.config;
  config.min_df = ChosenMinDf(config, f.order.size());
  try {
    f.column_of = SelectTerms(vocabulary, document_frequency, corpus_frequency, f.order.size(),
                              {config.min_df, config.max_df, config.max_features}, budget_->stop);
  } catch (const Error& error) {
    // Bounds that make sense, but not for so few rows: an outcome of the rows like any other.
    if (error.code() != ErrorCode::kInvalidParameter) throw;
    f.column_of.assign(vocabulary.size(), kNoTerm);
  }
  FeatureSpace& space = f.parts.space;
  for (uint32_t term = 0; term < f.column_of.size(); ++term) {
    const uint32_t column = f.column_of[term];
    if (column == kNoTerm) continue;
    ++(vocabulary.kind(term) == FeatureKind::kWord ? space.word_terms : space.char_terms);
    if (column >= f.parts.idf.size()) f.parts.idf.resize(column + 1);
    f.parts.idf[column] = SmoothIdf(f.order.size(), document_frequency[term]);
  }
  const auto min_rows = static_cast<uint64_t>(std::max(
      1.0, std::ceil(config.min_df < 1 ? config.min_df * static_cast<double>(f.order.size()) : config.min_df)));
  f.lone_idf = SmoothIdf(f.order.size(), min_rows);
  f.unseen_idf = SmoothIdf(f.order.size(), min_rows - 1);
  space.stats = config.analyzer.text_stats ? kTextStats : 0;
  f.parts.vocabulary = EncodeVocabulary(vocabulary, f.column_of);
}

// Also measures how much of the row is known to the others: a feature that would not be one without it is not.
void IntentTrainer::WeighRow(const DatasetRow& row) {
  Fitting& f = *fitting_;
  auto& columns = f.row_columns;
  columns.clear();
  for (uint64_t t = row.first_term; t < row.first_term + row.n_terms; ++t) {
    const uint32_t column = f.column_of[dataset_.terms()[t]];
    if (column != kNoTerm) columns.push_back(column);
  }
  std::sort(columns.begin(), columns.end());
  auto& entries = f.matrix.entries;
  const size_t first = entries.size();
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i > 0 && columns[i] == columns[i - 1])
      entries.back().value += 1;
    else
      entries.push_back({columns[i], 1});
  }
  const auto terms = std::span(entries).subspan(first);
  const auto is_lone = [&f](const SparseEntry& entry) { return f.parts.idf[entry.column] >= f.lone_idf; };
  uint64_t unseen = row.n_terms - columns.size();
  for (const auto& entry : terms)
    if (is_lone(entry)) unseen += static_cast<uint64_t>(entry.value);
  const double squares =
      WeightTerms(terms, request_.config.sublinear_tf, [&f](uint32_t column) { return f.parts.idf[column]; });
  double shared = 0;
  for (const auto& entry : terms)
    if (!is_lone(entry)) shared += static_cast<double>(entry.value) * static_cast<double>(entry.value);
  f.known.push_back(KnownShare(shared * squares, unseen, f.unseen_idf));
  for (uint32_t i = 0; i < f.parts.space.stats; ++i)
    entries.push_back({f.parts.space.terms() + i, dataset_.stats()[row.stats_row][i]});
  f.matrix.begin.push_back(entries.size());
}

Resumable IntentTrainer::Weigh() {
  Fitting& f = *fitting_;
  progress_ = {TrainingPhase::kWeighting, 0, f.order.size(), kWeightingFrom};
  SelectVocabulary();
  if (f.parts.space.columns() == 0) {
    result_.failed = true;
    result_.failure = "no features: min_df and max_df leave none of the n-grams of " + std::to_string(f.order.size()) +
                      " training rows";
    co_return;
  }
  co_await Pause{};
  const uint64_t kept = dataset_.terms().size() + f.order.size() * uint64_t{f.parts.space.stats};
  CheckBudget(dataset_.bytes() + kept * sizeof(SparseEntry) + f.order.size() * sizeof(float), "weighting the features");
  f.matrix.columns = f.parts.space.columns();
  f.matrix.begin.reserve(f.order.size() + 1);
  for (const uint32_t i : f.order) {
    WeighRow(dataset_.rows()[i]);
    const DatasetRow& row = dataset_.rows()[i];
    f.labels.push_back(f.class_of[row.label]);
    f.row_weights.push_back(row.weight * static_cast<float>(row.human ? request_.human_weight : 1));
    if (++progress_.done % kRowsPerLook != 0 || !Pausing()) continue;
    progress_.percent = kWeightingFrom + (kFittingFrom - kWeightingFrom) * static_cast<double>(progress_.done) /
                                             static_cast<double>(progress_.total);
    co_await Pause{};
  }
  f.column_of = {};
  dataset_.ReleaseTerms();
}

Resumable IntentTrainer::Fit() {
  if (result_.failed) co_return;
  Fitting& f = *fitting_;
  progress_ = {TrainingPhase::kFitting, 0, 1000, kFittingFrom};
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  std::vector<uint64_t> support(n_classes);
  for (const uint32_t label : f.labels) ++support[label];
  for (const uint64_t rows : support)
    f.class_weights.push_back(request_.config.balanced
                                  ? static_cast<float>(static_cast<double>(f.labels.size()) /
                                                       (static_cast<double>(n_classes) * static_cast<double>(rows)))
                                  : 1.0f);
  const bool limits = request_.config.calibration != CalibrationKind::kNone || request_.config.out_of_scope > 0 ||
                      request_.config.target_precision > 0;
  const bool held_out = limits || request_.find_label_issues;
  const int folds = held_out ? request_.config.folds : 0;
  if (held_out) f.folds = AssignFolds(f.labels, n_classes, folds, request_.config.seed);
  const ClassifierEntry& classifier = ClassifierOf(request_.config);
  CheckBudget(dataset_.bytes() + f.matrix.bytes() +
                  classifier.fit_bytes(f.labels.size(), f.matrix.columns, n_classes, folds, request_.threads),
              "fitting");
  const LinearProblem problem{&f.matrix, f.labels, f.row_weights, f.class_weights, n_classes};
  LinearOptions options;
  options.c = request_.config.c;
  options.seed = request_.config.seed;
  options.folds = folds;
  options.fold_of_row = f.folds;
  f.fit = classifier.make(problem, options);
  while (!f.fit->Step(*budget_)) co_await Pause{};
  f.parts.weights = f.fit->TakeWeights();
  f.held_out = f.fit->TakeHeldOutMargins();
  f.fit.reset();
  progress_ = {TrainingPhase::kFitting, 1000, 1000, kEvaluatingFrom};
  f.matrix = {};
  co_await Pause{};
  progress_ = {TrainingPhase::kCalibrating, 0, 1, kEvaluatingFrom};
  // Rows that no fold held out were seen by the fit that scored them: they would make it look surer than it is.
  for (size_t i = 0; i < f.folds.size(); ++i)
    if (f.folds[i] == kNeverHeldOut) f.row_weights[i] = 0;
  if (request_.config.calibration == CalibrationKind::kSoftmax)
    f.parts.calibration = FitSoftmax(f.held_out, f.labels, f.row_weights, n_classes, budget_->stop);
  else if (request_.config.calibration == CalibrationKind::kSigmoid)
    f.parts.calibration = FitSigmoid(f.held_out, f.labels, f.row_weights, n_classes, budget_->threads, budget_->stop);
  if (request_.find_label_issues) {
    Resumable part = FindLabelIssues();
    while (!part.Resume()) co_await Pause{};
  }
  if (limits) {
    Resumable part = SetLimits();
    while (!part.Resume()) co_await Pause{};
  }
  f.held_out = {};
  f.unseen_rows = {};
  Encode();
  f.parts = {};
}

// How known messages look and the confidence that is enough, from rows that the model has not seen: the validation rows as
// they will be served, or where those are few the training rows that some fold has held out.
Resumable IntentTrainer::SetLimits() {
  Fitting& f = *fitting_;
  result_.limits_from_validation = f.validation.size() >= kMinValidationRows;
  Resumable part = result_.limits_from_validation ? LookAtValidationRows() : LookAtHeldOutRows();
  while (!part.Resume()) co_await Pause{};
  const IntentConfig& config = request_.config;
  std::vector<NoveltyEvidence> known;
  for (const auto& row : f.unseen_rows)
    if (row.is_known) known.push_back(row.evidence);
  result_.limit_rows = f.unseen_rows.size();
  if (!known.empty()) f.parts.novelty = FitNovelty(known, f.unseen_idf, static_cast<float>(config.out_of_scope));
  co_await Pause{};
  if (config.target_precision == 0) co_return;
  // Rows that are out of scope are not decided, however sure the model is.
  std::vector<JudgedRow> judged;
  for (const auto& row : f.unseen_rows)
    if (!f.parts.novelty || !f.parts.novelty->OutOfScope(f.parts.novelty->Familiarity(row.evidence)))
      judged.push_back(row.judged);
  const auto kept = static_cast<double>(judged.size());
  PrecisionTarget& target = result_.precision_target;
  target = ChooseThreshold(std::move(judged), config.target_precision, request_.confidence_threshold);
  target.rows = f.unseen_rows.size();
  if (kept > 0) target.coverage *= kept / static_cast<double>(target.rows);
  result_.confidence_threshold = target.threshold;
}

Resumable IntentTrainer::LookAtHeldOutRows() {
  Fitting& f = *fitting_;
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  const size_t stride = std::max<size_t>(1, f.labels.size() / kLimitRows);
  std::vector<float> p(n_classes);
  for (size_t i = 0; i < f.labels.size(); i += stride) {
    if (i / stride % kRowsPerLook == 0 && Pausing()) co_await Pause{};
    if (f.folds[i] == kNeverHeldOut) continue;
    const auto margins = std::span<const float>(f.held_out).subspan(i * n_classes, n_classes);
    p.assign(margins.begin(), margins.end());
    Calibrate(f.parts.calibration, p);
    const auto best = std::max_element(p.begin(), p.end());
    UnseenRow row;
    row.evidence = {*std::max_element(margins.begin(), margins.end()), f.known[i]};
    row.judged = {*best, best - p.begin() == static_cast<ptrdiff_t>(f.labels[i])};
    row.is_known = true;
    f.unseen_rows.push_back(row);
  }
}

Resumable IntentTrainer::LookAtValidationRows() {
  Fitting& f = *fitting_;
  Encode();
  co_await Pause{};
  const IntentModel model(result_.artifact);
  ScoringScratch scratch;
  const size_t stride = std::max<size_t>(1, f.validation.size() / kLimitRows);
  for (size_t i = 0; i < f.validation.size(); i += stride) {
    if (i / stride % kRowsPerLook == 0 && Pausing()) co_await Pause{};
    const DatasetRow& from = dataset_.rows()[f.validation[i]];
    model.Margins(dataset_.text(from), budget_->stop, scratch);
    model.Probabilities(scratch);
    const uint32_t best = model.Best(scratch), label = f.class_of[from.label];
    UnseenRow row;
    row.evidence = model.EvidenceOf(scratch, f.unseen_idf);
    row.judged = {scratch.probabilities[best], best == label};
    row.is_known = label < model.n_classes();  // an intent without a training row is none that the model knows
    f.unseen_rows.push_back(row);
  }
}

// Both passes of LabelDoubt over the rows that some fold has held out.
Resumable IntentTrainer::FindLabelIssues() {
  Fitting& f = *fitting_;
  f.parts.calibration.kind = request_.config.calibration;
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  LabelDoubt doubt(n_classes);
  std::vector<float> p(n_classes);
  for (const bool judging : {false, true}) {
    for (size_t i = 0; i < f.labels.size(); ++i) {
      if (i % kRowsPerLook == 0 && Pausing()) co_await Pause{};
      if (f.folds[i] == kNeverHeldOut) continue;
      const auto margins = std::span<const float>(f.held_out).subspan(i * n_classes, n_classes);
      p.assign(margins.begin(), margins.end());
      Calibrate(f.parts.calibration, p);
      const uint32_t given = f.labels[i];
      if (!judging)
        doubt.Learn(p, given);
      else if (const auto suggested = doubt.Judge(p, given))
        result_.label_issues.push_back({dataset_.rows()[f.order[i]].key, given, *suggested, p[given], p[*suggested]});
    }
  }
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

void IntentTrainer::ScoreRow(const DatasetRow& row, const IntentModel& model, std::span<const uint32_t> label_of,
                             ScoringScratch& scratch, std::vector<ScoredRow>& all, std::vector<ScoredRow>& recent,
                             bool collect) {
  const std::string_view text = dataset_.text(row);
  model.Margins(text, budget_->stop, scratch);
  const uint32_t best = model.Best(scratch);
  model.Probabilities(scratch);
  ScoredRow scored{fitting_->class_of[row.label], label_of[best], scratch.probabilities[best], 0};
  for (uint32_t k = 0; k < model.n_classes(); ++k)
    if (label_of[k] == scored.truth) scored.truth_probability = scratch.probabilities[k];
  all.push_back(scored);
  if (collect) {  // the candidate
    Decisions& decisions = result_.decisions;
    ++decisions.rows;
    if (model.JudgeNovelty(scratch).out_of_scope) {
      ++decisions.out_of_scope;
    } else if (scored.confidence < result_.confidence_threshold) {
      ++decisions.low_confidence;
    } else {
      ++decisions.decided;
      decisions.right += scored.truth == scored.predicted;
    }
  }
  if (request_.recent_since != kNoTime && row.created_at >= request_.recent_since) recent.push_back(scored);
  if (collect && scored.truth != scored.predicted)
    result_.misclassified.push_back({std::string(ClipUtf8(text, 300)), result_.all_labels[scored.truth],
                                     result_.all_labels[scored.predicted], scored.confidence});
}

// Scores the test rows by the artifact as it will be served, then by the live version on the very same rows.
Resumable IntentTrainer::Score() {
  if (result_.failed || request_.find_label_issues) co_return;
  progress_ = {TrainingPhase::kEvaluating, 0, result_.test_rows * (request_.has_live ? 2 : 1), kEvaluatingFrom};
  const IntentModel candidate(result_.artifact);
  Resumable part = ScoreVersion(candidate, false);
  while (!part.Resume()) co_await Pause{};
  if (!request_.has_live) co_return;
  std::optional<IntentModel> live;
  try {
    live.emplace(request_.live_artifact);
  } catch (const Error& error) {
    result_.live_unreadable = error.message() + ": " + error.detail();
    co_return;
  }
  part = ScoreVersion(*live, true);
  while (!part.Resume()) co_await Pause{};
  result_.compared = true;
}

Resumable IntentTrainer::ScoreVersion(const IntentModel& model, bool live) {
  const std::vector<uint32_t> label_of = NumberLabels(model);
  ScoringScratch scratch;
  std::vector<ScoredRow> all, recent;
  for (const DatasetRow& row : dataset_.rows()) {
    if (row.split != Split::kTest) continue;
    ScoreRow(row, model, label_of, scratch, all, recent, !live);
    if (++progress_.done % kRowsPerLook == 0 && Pausing()) co_await Pause{};
  }
  Evaluation& evaluation = live ? result_.live : result_.candidate;
  evaluation.all = Evaluate(all);
  evaluation.recent = Evaluate(recent);
}

// The number of each of the model's labels in all_labels, which grows by those that only this model knows.
std::vector<uint32_t> IntentTrainer::NumberLabels(const IntentModel& model) {
  std::unordered_map<std::string_view, uint32_t> number;
  auto& all = result_.all_labels;
  all.reserve(all.size() + model.n_classes());
  for (uint32_t i = 0; i < all.size(); ++i) number.emplace(all[i], i);
  std::vector<uint32_t> label_of;
  for (uint32_t k = 0; k < model.n_classes(); ++k) {
    const auto [it, added] = number.try_emplace(model.label(k), static_cast<uint32_t>(all.size()));
    if (added) all.emplace_back(model.label(k));
    label_of.push_back(it->second);
  }
  return label_of;
}

void IntentTrainer::Conclude() {
  if (result_.failed) return;
  auto& wrong = result_.misclassified;
  std::sort(wrong.begin(), wrong.end(), [](const Misclassified& a, const Misclassified& b) {
    return std::tie(b.confidence, a.text, a.truth) < std::tie(a.confidence, b.text, b.truth);
  });
  if (wrong.size() > kMaxMisclassified) wrong.resize(kMaxMisclassified);
  const auto numbers = [](const Metrics& m) { return GateNumbers{m.rows, m.accuracy, m.macro_f1}; };
  result_.verdict = Judge(request_.gate, result_.compared, numbers(result_.live.all), numbers(result_.candidate.all),
                          numbers(result_.live.recent), numbers(result_.candidate.recent));
  if (own_splits_ && result_.test_rows == 0)
    result_.verdict = {
        false, "no_test_rows",
        "the source's split column marks no test rows, so nothing was measured: only p_promote => 'always' "
        "promotes"};
  else if (!result_.live_unreadable.empty())
    result_.verdict = {true, "live_unreadable", "the live version cannot be read: " + result_.live_unreadable};
}

}  // namespace retrain
