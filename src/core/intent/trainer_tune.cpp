// The choice of n-grams and of C by cross-validation, for "tune": true.
//
// First the n-grams, with the configured C; then C, with the n-grams that won. A candidate takes the place of the best so far
// when it is right on more of the held-out rows by more than 2.6 standard errors of that difference, sqrt(rows on which just one
// of the two is right): the configured values stay unless something is better (McNemar, "Note on the sampling error of the
// difference between correlated proportions or percentages", Psychometrika 12, 1947). Each fit starts from the duals of the one
// before.
#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/eval/folds.h"
#include "core/intent/fitting.h"
#include "core/linear/problem.h"

namespace retrain {
namespace {

// More rows than this are tuned on a sample: time is bounded, and so many tell candidates apart.
constexpr size_t kTuningRows = 20000;

// Nearest to the default first.
constexpr double kCandidates[] = {3, 1, 0.5, 0.25, 0.1, 10};
// Chance may choose in one training of twenty, whichever of the nine or ten comparisons it picks (0.05 / 10, one-sided: Bonferroni).
// With two standard errors two trainings that differ in one row in a hundred often chose otherwise.
constexpr double kStandardErrors = 2.576;

// N-grams to try beside the configured ones, those with the fewest features first.
std::vector<TuningTrial> FeatureSets(const IntentConfig& config) {
  static constexpr std::pair<NgramRange, NgramRange> kSets[] = {
      {{1, 2}, {0, 0}}, {{1, 2}, {2, 4}}, {{1, 2}, {2, 5}}, {{1, 3}, {2, 5}}};
  std::vector<TuningTrial> sets(1);
  sets[0].word_ngrams = config.analyzer.word_ngrams;
  sets[0].char_ngrams = config.analyzer.char_ngrams;
  for (const auto& [words, chars] : kSets) {
    if (words == sets[0].word_ngrams && chars == sets[0].char_ngrams) continue;
    sets.push_back({words, chars, 0, 0, 0, false});
  }
  for (TuningTrial& set : sets) set.c = config.c;
  return sets;
}

}  // namespace

std::optional<TunedChoice> TakeUpTuning(TrainingRequest& request) {
  if (!request.config.tune || !request.incremental || !request.has_live || request.live_state.empty())
    return std::nullopt;
  std::optional<TunedChoice> tuned;
  try {
    tuned = DecodeTunedChoice(request.live_state);
  } catch (const Error&) {
    return std::nullopt;  // FindStart() says what is wrong with it
  }
  if (!tuned || tuned->asked_for != ComparableConfig(request.config) ||
      static_cast<double>(tuned->changed_rows) > kMostChanged * static_cast<double>(tuned->rows))
    return std::nullopt;
  request.config.analyzer.word_ngrams = tuned->word_ngrams;
  request.config.analyzer.char_ngrams = tuned->char_ngrams;
  request.config.c = tuned->c;
  request.config.tune = false;
  return tuned;
}

Resumable IntentTrainer::Tune() {
  Fitting& f = *fitting_;
  f.all_rows = f.order.size();
  if (!request_.config.tune) co_return;
  f.widened = f.tuning = true;
  const std::vector<uint32_t> all = f.order;
  const size_t stride = (all.size() + kTuningRows - 1) / kTuningRows;
  if (stride > 1) {
    f.order.clear();
    for (size_t i = 0; i < all.size(); i += stride) f.order.push_back(all[i]);
  }
  result_.tuning_rows = f.order.size();
  const std::vector<TuningTrial> sets = FeatureSets(request_.config);
  const auto n_trials = static_cast<double>(sets.size() + std::size(kCandidates));
  TuningTrial best;
  std::vector<uint8_t> best_right;
  for (const TuningTrial& set : sets) {
    Resumable part = Compare(set, best, best_right);
    while (!part.Resume()) co_await Pause{};
    f.tuned += 1 / n_trials;
    if (result_.failed) co_return;
  }
  for (const double c : kCandidates) {
    f.tuned += 1 / n_trials;
    if (c == request_.config.c) continue;
    TuningTrial candidate = best;
    candidate.c = c;
    Resumable part = Compare(candidate, best, best_right);
    while (!part.Resume()) co_await Pause{};
  }
  for (TuningTrial& trial : result_.tuning)
    trial.chosen = trial.c == best.c && trial.word_ngrams == best.word_ngrams && trial.char_ngrams == best.char_ngrams;
  f.tuning = false;
  progress_ = {TrainingPhase::kWeighting, 0, all.size(), kWeightingFrom};
  f.duals.reset();
  f.held_out = {};
  f.folds = {};
  f.class_weights = {};
  f.order = all;
  tuned_ = TunedChoice{ComparableConfig(request_.config), best.word_ngrams, best.char_ngrams, best.c, all.size(), 0};
  // What follows, and what verifies the version, trains with what was chosen and tunes no more.
  for (IntentConfig* config : {&request_.config, &result_.config}) {
    config->analyzer.word_ngrams = best.word_ngrams;
    config->analyzer.char_ngrams = best.char_ngrams;
    config->c = best.c;
    config->tune = false;
  }
}

// Tries a candidate and puts it in the place of the best where it is better.
Resumable IntentTrainer::Compare(const TuningTrial& candidate, TuningTrial& best, std::vector<uint8_t>& best_right) {
  Fitting& f = *fitting_;
  TuningTrial trial = candidate;
  AnalyzerConfig& analyzer = result_.config.analyzer;
  const bool weigh =
      f.matrix.rows() == 0 || analyzer.word_ngrams != trial.word_ngrams || analyzer.char_ngrams != trial.char_ngrams;
  if (weigh) {
    analyzer.word_ngrams = trial.word_ngrams;
    analyzer.char_ngrams = trial.char_ngrams;
    Resumable part = Weigh();
    while (!part.Resume()) co_await Pause{};
    if (result_.failed) {
      // No features of this kind: no candidate, unless it is the one that was asked for.
      if (result_.tuning.empty()) co_return;
      result_.failed = false;
      result_.failure.clear();
      f.matrix = {};
      co_return;
    }
  }
  std::vector<uint8_t> right;
  Resumable part = CrossValidate(trial, right);
  while (!part.Resume()) co_await Pause{};
  result_.tuning.push_back(trial);
  double only_new = 0, only_best = 0;
  for (size_t i = 0; i < best_right.size(); ++i) {
    only_new += right[i] > best_right[i];
    only_best += right[i] < best_right[i];
  }
  if (!best_right.empty() && !(only_new - only_best > kStandardErrors * std::sqrt(only_new + only_best))) co_return;
  best = trial;
  best_right = std::move(right);
}

// right: of each row, whether the fit that did not see it has the answer.
Resumable IntentTrainer::CrossValidate(TuningTrial& trial, std::vector<uint8_t>& right) {
  Fitting& f = *fitting_;
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  if (f.folds.empty())
    f.folds = AssignFolds(f.labels, RowKeys(), n_classes, request_.config.folds, request_.config.seed);
  WeighClasses();
  const std::optional<DualSolution> duals = std::move(f.duals);
  f.duals.reset();
  Resumable part = FitOnce(request_.config.folds, duals ? &*duals : nullptr, std::span<const uint32_t>{}, trial.c);
  while (!part.Resume()) co_await Pause{};
  std::vector<float> weights(f.row_weights);
  right.assign(f.labels.size(), 0);
  double n = 0;
  for (size_t i = 0; i < f.labels.size(); ++i) {
    if (i % kRowsPerLook == 0 && Pausing()) co_await Pause{};
    if (f.folds[i] == kNeverHeldOut) {
      weights[i] = 0;
      continue;
    }
    const auto margins = std::span<const float>(f.held_out).subspan(i * n_classes, n_classes);
    right[i] =
        std::max_element(margins.begin(), margins.end()) - margins.begin() == static_cast<ptrdiff_t>(f.labels[i]);
    trial.accuracy += right[i];
    ++n;
  }
  co_await Pause{};
  const Calibration softmax = FitSoftmax(f.held_out, f.labels, weights, n_classes, budget_->threads, budget_->stop);
  co_await Pause{};
  double loss = 0;
  for (size_t i = 0; i < f.labels.size(); i += kSliceRows) {
    if (Pausing()) co_await Pause{};
    const size_t rows = std::min(kSliceRows, f.labels.size() - i);
    loss += NegativeLogLikelihood(softmax, std::span<const float>(f.held_out).subspan(i * n_classes, rows * n_classes),
                                  std::span<const uint32_t>(f.labels).subspan(i, rows), n_classes, budget_->stop);
  }
  trial.accuracy = n > 0 ? trial.accuracy / n : 0;
  trial.log_loss = loss / static_cast<double>(f.labels.size());
  f.held_out = {};
  f.stand_ins = {};
}

}  // namespace retrain
