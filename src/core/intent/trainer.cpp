// From labelled rows to an artifact, in steps: vocabulary, TF-IDF, fit with held-out margins, calibration, evaluation.
#include "core/intent/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <tuple>

#include "core/base/error.h"
#include "core/base/math.h"
#include "core/base/parallel.h"
#include "core/base/utf8_clip.h"
#include "core/eval/folds.h"
#include "core/eval/label_issues.h"
#include "core/eval/novelty.h"
#include "core/intent/training_state.h"
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

// A slice of work of one thread between two looks at the clock, some milliseconds: so many rows, or so many terms or
// bytes of text.
constexpr size_t kSliceRows = 512, kSliceTerms = size_t{1} << 16, kSliceBytes = size_t{1} << 16;

// A byte of text can become tens of bytes of terms, so long rows are checked one by one.
constexpr uint64_t kBytesPerBudgetCheck = 64 * 1024;

// Share of the whole training at which each phase begins, from profiles of CLINC150 and BANKING77.
constexpr double kWeightingFrom = 10, kFittingFrom = 15, kEvaluatingFrom = 95;

// An incremental training fits the calibration again once this share of the rows has changed since it was fitted, or when
// twice the new rows' log-likelihood ratio says so: chi-square with one degree of freedom, 0.1 %.
constexpr double kMaxUncalibrated = 0.05, kContradiction = 10.83;

double NegativeLogLikelihood(const Calibration& calibration, std::span<const float> margins,
                             std::span<const uint32_t> labels, uint32_t n_classes) {
  std::vector<float> p(n_classes);
  double sum = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    std::copy_n(margins.begin() + static_cast<ptrdiff_t>(i * n_classes), n_classes, p.begin());
    Calibrate(calibration, p);
    sum -= Log(std::max(static_cast<double>(p[labels[i]]), 1e-30));
  }
  return sum;
}

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
  std::vector<uint32_t> labels;
  std::vector<float> row_weights, class_weights;
  std::vector<float> known;  // KnownShare of each row, its own occurrences left out
  float unseen_idf = 0;      // of an n-gram in one row less than min_df asks for
  float lone_idf = 0;        // of a feature in just so many rows
  std::vector<uint8_t> folds;
  std::unique_ptr<LinearFit> fit;
  double fit_from = kFittingFrom, fit_to = kEvaluatingFrom;  // the share of the training that `fit` is
  std::vector<float> held_out;
  std::vector<UnseenRow> unseen_rows;
  std::optional<DualSolution> duals;
  std::optional<TrainingState> live_state;  // of an incremental training
  Restart restart;
  std::optional<Novelty> live_novelty;
};

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
    const Fitting& f = *fitting_;
    progress.percent = f.fit_from + (f.fit_to - f.fit_from) * f.fit->Progress();
    progress.done = static_cast<uint64_t>(1000 * (progress.percent - kFittingFrom) / (kEvaluatingFrom - kFittingFrom));
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

// Appends the row's features to `entries` and gives how much of the row is known to the others: a feature that would not
// be one without it is not.
float IntentTrainer::WeighRow(const DatasetRow& row, std::vector<uint32_t>& columns,
                              std::vector<SparseEntry>& entries) const {
  const Fitting& f = *fitting_;
  columns.clear();
  for (uint64_t t = row.first_term; t < row.first_term + row.n_terms; ++t) {
    const uint32_t column = f.column_of[dataset_.terms()[t]];
    if (column != kNoTerm) columns.push_back(column);
  }
  std::sort(columns.begin(), columns.end());
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
  for (uint32_t i = 0; i < f.parts.space.stats; ++i)
    entries.push_back({f.parts.space.terms() + i, dataset_.stats()[row.stats_row][i]});
  return KnownShare(shared * squares, unseen, f.unseen_idf);
}

// Rounds of one slice of rows for each thread, put together in the order of the rows.
Resumable IntentTrainer::Weigh() {
  struct Slice {
    size_t first, last;
    std::vector<uint32_t> columns;
    std::vector<SparseEntry> entries;
    std::vector<uint64_t> ends;  // in entries, per row
    std::vector<float> known;    // likewise
  };
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
  f.matrix.entries.reserve(kept);
  const auto& rows = dataset_.rows();
  std::vector<Slice> slices(static_cast<size_t>(std::max(request_.threads, 1)));
  for (size_t next = 0; next < f.order.size();) {
    size_t used = 0;
    for (; used < slices.size() && next < f.order.size(); ++used) {
      Slice& slice = slices[used];
      slice.first = next;
      for (uint64_t terms = 0; next < f.order.size() && next - slice.first < kSliceRows && terms < kSliceTerms; ++next)
        terms += rows[f.order[next]].n_terms;
      slice.last = next;
    }
    ParallelFor(used, budget_->threads, [&](size_t task) {
      Slice& slice = slices[task];
      slice.entries.clear();
      slice.ends.clear();
      slice.known.clear();
      for (size_t i = slice.first; i < slice.last && !budget_->stop.Requested(); ++i) {
        slice.known.push_back(WeighRow(rows[f.order[i]], slice.columns, slice.entries));
        slice.ends.push_back(slice.entries.size());
      }
    });
    budget_->stop.Poll();
    for (size_t task = 0; task < used; ++task) {
      const Slice& slice = slices[task];
      for (const uint64_t end : slice.ends) f.matrix.begin.push_back(f.matrix.entries.size() + end);
      f.matrix.entries.insert(f.matrix.entries.end(), slice.entries.begin(), slice.entries.end());
      f.known.insert(f.known.end(), slice.known.begin(), slice.known.end());
    }
    progress_.done = next;
    progress_.percent = kWeightingFrom + (kFittingFrom - kWeightingFrom) * static_cast<double>(next) /
                                             static_cast<double>(progress_.total);
    if (Pausing()) co_await Pause{};
  }
  for (const uint32_t i : f.order) {
    f.labels.push_back(f.class_of[rows[i].label]);
    f.row_weights.push_back(rows[i].weight * static_cast<float>(rows[i].human ? request_.human_weight : 1));
  }
  f.column_of = {};
  dataset_.ReleaseTerms();
}

void IntentTrainer::WeighClasses() {
  Fitting& f = *fitting_;
  const size_t n_classes = result_.labels.size();
  std::vector<uint64_t> support(n_classes);
  for (const uint32_t label : f.labels) ++support[label];
  for (const uint64_t rows : support)
    f.class_weights.push_back(request_.config.balanced
                                  ? static_cast<float>(static_cast<double>(f.labels.size()) /
                                                       (static_cast<double>(n_classes) * static_cast<double>(rows)))
                                  : 1.0f);
}

// The fit over all rows, starting from the live version's where that is asked for, and what calibration needs: margins of
// held-out rows. An incremental training that may keep the live version's calibration fits no folds; where the new rows
// then contradict it, it fits them after all.
Resumable IntentTrainer::Fit() {
  if (result_.failed) co_return;
  Fitting& f = *fitting_;
  progress_ = {TrainingPhase::kFitting, 0, 1000, kFittingFrom};
  WeighClasses();
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  const bool limits = request_.config.calibration != CalibrationKind::kNone || request_.config.out_of_scope > 0 ||
                      request_.config.target_precision > 0;
  const bool held_out = limits || request_.find_label_issues;
  const int folds = held_out ? request_.config.folds : 0;
  if (held_out) f.folds = AssignFolds(f.labels, n_classes, folds, request_.config.seed);
  if (request_.incremental) FindStart();
  bool keep = held_out && MayKeepCalibration();
  if (keep) f.fit_to = (kFittingFrom + kEvaluatingFrom) / 2;
  const DualSolution* start = result_.start.from_live ? &f.restart.start : nullptr;
  Resumable part = FitOnce(keep ? 0 : folds, start, f.restart.fresh_rows);
  while (!part.Resume()) co_await Pause{};
  if (keep && !CalibrationHolds()) {
    keep = false;
    f.fit_from = f.fit_to;
    f.fit_to = kEvaluatingFrom;
    std::optional<DualSolution> duals = std::move(f.duals);
    part = FitOnce(folds, duals ? &*duals : start, std::span<const uint32_t>{});
    while (!part.Resume()) co_await Pause{};
  }
  progress_ = {TrainingPhase::kFitting, 1000, 1000, kEvaluatingFrom};
  f.matrix = {};
  co_await Pause{};
  progress_ = {TrainingPhase::kCalibrating, 0, 1, kEvaluatingFrom};
  result_.start.calibration_kept = keep;
  if (keep) {
    f.parts.calibration = f.live_state->calibration;
  } else {
    // Rows that no fold held out were seen by the fit that scored them: they would make it look surer than it is.
    for (size_t i = 0; i < f.folds.size(); ++i)
      if (f.folds[i] == kNeverHeldOut) f.row_weights[i] = 0;
    if (request_.config.calibration == CalibrationKind::kSoftmax)
      f.parts.calibration = FitSoftmax(f.held_out, f.labels, f.row_weights, n_classes, budget_->stop);
    else if (request_.config.calibration == CalibrationKind::kSigmoid)
      f.parts.calibration = FitSigmoid(f.held_out, f.labels, f.row_weights, n_classes, budget_->threads, budget_->stop);
  }
  if (request_.find_label_issues) {
    part = FindLabelIssues();
    while (!part.Resume()) co_await Pause{};
  }
  if (keep && f.validation.size() < kMinValidationRows) {
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

Resumable IntentTrainer::FitOnce(int folds, const DualSolution* start, std::span<const uint32_t> fresh_rows) {
  Fitting& f = *fitting_;
  const ClassifierEntry& classifier = ClassifierOf(request_.config);
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  const uint64_t scored = folds < 2 ? fresh_rows.size() * uint64_t{n_classes} * sizeof(float) : 0;
  CheckBudget(dataset_.bytes() + f.matrix.bytes() + f.restart.start.bytes() + request_.live_state.size() + scored +
                  classifier.fit_bytes(f.labels.size(), f.matrix.columns, n_classes, folds, request_.threads),
              "fitting");
  const LinearProblem problem{&f.matrix, f.labels, f.row_weights, f.class_weights, n_classes};
  LinearOptions options;
  options.c = request_.config.c;
  options.seed = request_.config.seed;
  options.folds = folds;
  options.fold_of_row = f.folds;
  options.start = start;
  options.fresh_rows = fresh_rows;
  options.keep_duals = classifier.has_duals && !request_.find_label_issues;
  f.fit = classifier.make(problem, options);
  while (!f.fit->Step(*budget_)) co_await Pause{};
  f.parts.weights = f.fit->TakeWeights();
  f.held_out = f.fit->TakeHeldOutMargins();
  f.duals = f.fit->TakeDuals();
  f.fit.reset();
}

// Takes up the live version's state, or says why the training starts from nothing.
void IntentTrainer::FindStart() {
  Fitting& f = *fitting_;
  TrainingStart& start = result_.start;
  result_.incremental = true;
  start.new_rows = f.labels.size();
  if (!ClassifierOf(request_.config).has_duals) {
    start.reason = "classifier " + request_.config.classifier + " starts from nothing";
  } else if (!request_.has_live) {
    start.reason = "there is no live version";
  } else if (request_.live_state.empty()) {
    start.reason = "the live version keeps no state to start from";
  } else {
    try {
      f.live_state = DecodeTrainingState(request_.live_state);
    } catch (const Error& error) {
      start.reason = error.message() + ": " + error.detail();
    }
  }
  if (!f.live_state) return;
  std::vector<uint64_t> keys;
  for (const uint32_t i : f.order) keys.push_back(ShortKey(dataset_.rows()[i].key));
  f.restart = RestartFrom(*f.live_state, keys, f.labels, result_.labels);
  start.from_live = true;
  start.new_rows = f.restart.fresh_rows.size();
  start.known_rows = f.labels.size() - start.new_rows;
  start.gone_rows = f.restart.gone_rows;
}

// Whether so little has changed since the live version's calibration was fitted that the new rows may decide about it.
bool IntentTrainer::MayKeepCalibration() {
  const Fitting& f = *fitting_;
  TrainingStart& start = result_.start;
  if (!start.from_live) return false;
  const uint64_t changed = f.live_state->uncalibrated_rows + start.new_rows + start.gone_rows;
  if (request_.config.calibration != CalibrationKind::kSoftmax)
    start.reason = "only the calibration softmax is kept";
  else if (f.live_state->config != ToJson(result_.config))
    start.reason = "the configuration changed";
  else if (static_cast<double>(changed) > kMaxUncalibrated * static_cast<double>(f.labels.size()))
    start.reason = std::to_string(changed) + " rows changed since the calibration was fitted";
  if (!start.reason.empty() || f.validation.size() >= kMinValidationRows) return start.reason.empty();
  // Too few validation rows to measure by: what is out of scope is kept with the calibration.
  if (request_.config.target_precision > 0) {
    start.reason = "target_precision needs held-out rows";
    return false;
  }
  try {
    fitting_->live_novelty = IntentModel(request_.live_artifact).novelty();
  } catch (const Error& error) {
    start.reason = error.message() + ": " + error.detail();
  }
  return start.reason.empty();
}

// The new rows under the live version's weights are held-out rows. Its temperature stays unless they contradict it: a
// likelihood-ratio test against the temperature that suits them best.
bool IntentTrainer::CalibrationHolds() {
  const Fitting& f = *fitting_;
  const std::vector<uint8_t>& known = f.restart.known_label;
  std::vector<uint32_t> class_of(known.size());  // among the labels that the live version knows
  uint32_t n_classes = 0;
  for (size_t k = 0; k < known.size(); ++k)
    if (known[k]) class_of[k] = n_classes++;
  std::vector<float> margins;
  std::vector<uint32_t> labels;
  for (size_t i = 0; i < f.restart.fresh_rows.size(); ++i) {
    const uint32_t label = f.labels[f.restart.fresh_rows[i]];
    if (!known[label]) continue;
    labels.push_back(class_of[label]);
    for (size_t k = 0; k < known.size(); ++k)
      if (known[k]) margins.push_back(f.held_out[i * known.size() + k]);
  }
  if (labels.empty() || n_classes < 2) return true;
  const std::vector<float> weights(labels.size(), 1.0f);
  const Calibration best = FitSoftmax(margins, labels, weights, n_classes, budget_->stop);
  const double gain = NegativeLogLikelihood(f.live_state->calibration, margins, labels, n_classes) -
                      NegativeLogLikelihood(best, margins, labels, n_classes);
  if (2 * gain <= kContradiction) return true;
  result_.start.reason = "the new rows contradict the live version's calibration";
  return false;
}

// What the next incremental training starts from.
void IntentTrainer::KeepState() {
  Fitting& f = *fitting_;
  if (!f.duals) return;
  TrainingState state;
  state.config = ToJson(result_.config);
  state.labels = result_.labels;
  for (const uint32_t i : f.order) state.rows.push_back(ShortKey(dataset_.rows()[i].key));
  state.label_of = std::move(f.labels);
  state.duals = std::move(*f.duals);
  if (f.parts.calibration.kind == CalibrationKind::kSoftmax) state.calibration = f.parts.calibration;
  const TrainingStart& start = result_.start;
  if (start.calibration_kept)
    state.uncalibrated_rows = f.live_state->uncalibrated_rows + start.new_rows + start.gone_rows;
  result_.state = EncodeTrainingState(state);
  f.duals.reset();
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

ScoredRow IntentTrainer::ScoreRow(const DatasetRow& row, const IntentModel& model, std::span<const uint32_t> label_of,
                                  ScoringScratch& scratch, bool* out_of_scope) const {
  model.Margins(dataset_.text(row), budget_->stop, scratch);
  const uint32_t best = model.Best(scratch);
  model.Probabilities(scratch);
  ScoredRow scored{fitting_->class_of[row.label], label_of[best], scratch.probabilities[best], 0};
  for (uint32_t k = 0; k < model.n_classes(); ++k)
    if (label_of[k] == scored.truth) scored.truth_probability = scratch.probabilities[k];
  *out_of_scope = model.JudgeNovelty(scratch).out_of_scope;
  return scored;
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

// What the candidate would have decided about a test row.
void IntentTrainer::CountDecision(const ScoredRow& scored, bool out_of_scope) {
  Decisions& decisions = result_.decisions;
  ++decisions.rows;
  if (out_of_scope) {
    ++decisions.out_of_scope;
  } else if (scored.confidence < result_.confidence_threshold) {
    ++decisions.low_confidence;
  } else {
    ++decisions.decided;
    decisions.right += scored.truth == scored.predicted;
  }
}

// Rounds of one slice of test rows for each thread.
Resumable IntentTrainer::ScoreVersion(const IntentModel& model, bool live) {
  const std::vector<uint32_t> label_of = NumberLabels(model);
  std::vector<const DatasetRow*> rows;
  for (const DatasetRow& row : dataset_.rows())
    if (row.split == Split::kTest) rows.push_back(&row);
  std::vector<ScoredRow> all(rows.size()), recent;
  std::unique_ptr<bool[]> out_of_scope(new bool[rows.size()]);
  std::vector<ScoringScratch> scratch(static_cast<size_t>(std::max(request_.threads, 1)));
  std::vector<size_t> begin(scratch.size() + 1);
  for (size_t next = 0; next < rows.size();) {
    size_t used = 0;
    for (; used < scratch.size() && next < rows.size(); ++used) {
      begin[used] = next;
      for (uint64_t bytes = 0; next < rows.size() && next - begin[used] < kSliceRows && bytes < kSliceBytes; ++next)
        bytes += rows[next]->text_size;
    }
    begin[used] = next;
    ParallelFor(used, budget_->threads, [&](size_t task) {
      for (size_t i = begin[task]; i < begin[task + 1]; ++i)
        all[i] = ScoreRow(*rows[i], model, label_of, scratch[task], &out_of_scope[i]);
    });
    progress_.done += next - begin[0];
    if (Pausing()) co_await Pause{};
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    if (request_.recent_since != kNoTime && rows[i]->created_at >= request_.recent_since) recent.push_back(all[i]);
    if (live) continue;
    CountDecision(all[i], out_of_scope[i]);
    if (all[i].truth == all[i].predicted) continue;
    result_.misclassified.push_back({std::string(ClipUtf8(dataset_.text(*rows[i]), 300)),
                                     result_.all_labels[all[i].truth], result_.all_labels[all[i].predicted],
                                     all[i].confidence});
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
