// The networks of a model, and how much they and the classifier say.
//
// Networks are trained on all training rows. Where the validation rows are too few to weigh them by, half as many are
// trained once more without some of the folds, and stand in for them on the rows that are held out. An incremental training
// that keeps the live version's calibration goes on from its networks and keeps their weight too.
#include <algorithm>
#include <numeric>

#include "core/base/parallel.h"
#include "core/intent/fitting.h"
#include "core/linear/problem.h"
#include "core/neural/blend.h"

namespace retrain {
namespace {

// Networks differ most when they read different things: of each eight, four read all columns, two only words and two only
// characters. Eight that all read everything are 0.1 to 0.3 points worse on CLINC150 and BANKING77.
enum class Reads { kAll, kWords, kChars };
constexpr Reads kReads[] = {Reads::kAll, Reads::kWords, Reads::kChars, Reads::kAll,
                            Reads::kAll, Reads::kWords, Reads::kChars, Reads::kAll};

// So many visits in all, as far as the number of passes stays reasonable: on more than 24 passes nothing was gained at
// 10 000 rows, and few rows need many.
constexpr double kVisits = 240000;
constexpr double kFewestPasses = 4, kMostPasses = 40;

// Held-out rows that two weights are fitted on, and their margins at most: one look at them fits into a step.
constexpr size_t kBlendRows = 6000, kFewestBlendRows = 2000, kBlendMargins = size_t{1} << 20;

std::vector<ColumnRange> RangesOf(const FeatureSpace& space, uint32_t networks) {
  std::vector<ColumnRange> ranges;
  for (uint32_t m = 0; m < networks; ++m) {
    Reads reads = kReads[m % std::size(kReads)];
    if (space.word_terms == 0 || space.char_terms == 0) reads = Reads::kAll;
    // An embedding may tell more than all n-grams: every network reads it.
    if (space.embedding > 0 && reads == Reads::kWords) reads = Reads::kAll;
    const uint32_t end_of_chars = space.embedding > 0 ? space.columns() : space.terms();
    ranges.push_back(reads == Reads::kWords   ? ColumnRange{0, space.word_terms}
                     : reads == Reads::kChars ? ColumnRange{space.word_terms, end_of_chars}
                                              : ColumnRange{0, space.columns()});
  }
  return ranges;
}

uint32_t ChosenPasses(const IntentConfig& config, size_t rows) {
  if (config.passes > 0) return config.passes;
  return static_cast<uint32_t>(std::clamp(kVisits / static_cast<double>(rows), kFewestPasses, kMostPasses));
}

size_t BlendRows(uint32_t n_classes) { return std::clamp(kBlendMargins / n_classes, size_t{200}, kBlendRows); }

}  // namespace

bool IntentTrainer::EnoughValidationRows() const { return fitting_->validation.size() >= kMinValidationRows; }

// go_on: from the live version's, whose weight beside the classifier stays too.
Resumable IntentTrainer::FitNetworks(bool go_on) {
  Fitting& f = *fitting_;
  const size_t n = f.labels.size();
  result_.config.passes = ChosenPasses(request_.config, n);
  std::vector<uint32_t> rows(n), corrected;
  std::iota(rows.begin(), rows.end(), 0u);
  NetworkRestart restart;
  if (go_on) {
    for (size_t h = 0; h < f.restart.fresh_rows.size(); ++h)
      if (f.restart.was_other[h]) corrected.push_back(f.restart.fresh_rows[h]);
    restart = {f.live->networks(), f.live_state->networks, f.live_columns, f.restart.label_in_state, corrected};
  }
  const bool twice = !go_on && !EnoughValidationRows();
  f.fit_from = f.fit_to;
  f.fit_to = go_on ? kEvaluatingFrom : twice ? 75 : 90;
  Resumable part = FitEnsemble(std::move(rows), request_.config.networks, go_on ? &restart : nullptr);
  while (!part.Resume()) co_await Pause{};
  f.parts.networks = std::move(f.networks);
  f.kept_squares = std::move(f.squares);
  if (go_on) {
    f.parts.blend = f.live->blend();
    co_return;
  }
  if (twice) {
    // As many folds as it takes for the rows to suffice, but never all of the rows at once.
    const auto folds = static_cast<size_t>(request_.config.folds);
    const auto held = static_cast<uint8_t>(std::clamp<size_t>(kFewestBlendRows * folds / n, 1, folds / 2));
    std::vector<uint32_t> seen, unseen;
    for (uint32_t i = 0; i < n; ++i) (f.folds[i] < held ? unseen : seen).push_back(i);
    f.fit_from = f.fit_to;
    f.fit_to = kEvaluatingFrom;
    if (unseen.empty() || seen.empty()) {
      f.parts.blend = kUnmeasuredBlend;
      co_return;
    }
    part = FitEnsemble(std::move(seen), (request_.config.networks + 1) / 2, nullptr);
    while (!part.Resume()) co_await Pause{};
    part = ScoreHeldOutRows(std::move(unseen));
  } else {
    part = ScoreValidationRows();
  }
  while (!part.Resume()) co_await Pause{};
  BlendFit blend(f.blend_margins, f.blend_scores, f.blend_labels, static_cast<uint32_t>(result_.labels.size()));
  while (!blend.Next(budget_->threads, budget_->stop)) co_await Pause{};
  f.parts.blend = blend.best();
}

// Empty when they can.
std::string IntentTrainer::WhyNetworksCannotGoOn() const {
  const Fitting& f = *fitting_;
  if (!f.live) return result_.live_unreadable;
  const std::span<const NetworkView> networks = f.live->networks();
  const std::vector<NetworkSquares>& squares = f.live_state->networks;
  bool kept =
      networks.size() == request_.config.networks && squares.size() == networks.size() && !f.live_columns.empty();
  for (size_t m = 0; kept && m < networks.size(); ++m)
    kept = networks[m].hidden == request_.config.hidden_units && AreOf(squares[m], networks[m]);
  return kept ? "" : "the live version keeps nothing that its networks could go on from";
}

// Which of the live version's columns each column is.
void IntentTrainer::MapColumnsToLive() {
  Fitting& f = *fitting_;
  if (!request_.incremental || !f.live || f.live->networks().empty() || f.live->analyzer() != result_.config.analyzer)
    return;
  const VocabularyBuilder& vocabulary = dataset_.vocabulary();
  const FeatureSpace &space = f.parts.space, &live = f.live->space();
  f.live_columns.assign(space.columns(), NetworkRestart::kNotThere);
  const size_t slices = (vocabulary.size() + kSliceTerms - 1) / kSliceTerms;
  ParallelFor(slices, budget_->threads, [&](size_t slice) {
    const size_t end = std::min<size_t>(vocabulary.size(), (slice + 1) * kSliceTerms);
    for (auto term = static_cast<uint32_t>(slice * kSliceTerms); term < end && !budget_->stop.Requested(); ++term) {
      if (f.column_of[term] == kNoTerm) continue;
      const uint32_t column = f.live->vocabulary().Find(vocabulary.kind(term), vocabulary.term(term));
      if (column != kNoTerm) f.live_columns[f.column_of[term]] = column;
    }
  });
  budget_->stop.Poll();
  if (space.stats == live.stats)
    for (uint32_t i = 0; i < space.stats; ++i) f.live_columns[space.terms() + i] = live.terms() + i;
  if (space.embedding == live.embedding)
    for (uint32_t i = 0; i < space.embedding; ++i)
      f.live_columns[space.terms() + space.stats + i] = live.terms() + live.stats + i;
}

// Turns the live version's margins of the fresh rows in f.held_out into those that it would answer by.
Resumable IntentTrainer::BlendFreshRows() {
  Fitting& f = *fitting_;
  const std::span<const NetworkView> networks = f.live->networks();
  const Blend blend = f.live->blend();
  const float part = blend.networks / static_cast<float>(networks.size());
  const std::vector<uint32_t>& class_of = f.restart.label_in_state;
  const size_t n_classes = class_of.size();
  NetworkScratch scratch;
  std::vector<SparseEntry> features;
  std::vector<float> scores;
  for (size_t h = 0; h < f.restart.fresh_rows.size(); ++h) {
    if (Pausing()) co_await Pause{};
    features.clear();
    for (const SparseEntry& entry : f.stand_ins.row(h, f.matrix.row(f.restart.fresh_rows[h])))
      if (f.live_columns[entry.column] != NetworkRestart::kNotThere)
        features.push_back({f.live_columns[entry.column], entry.value});
    scores.assign(networks[0].stride, 0);
    for (const NetworkView& network : networks) AddScores(network, features, budget_->stop, scratch, scores.data());
    for (size_t k = 0; k < n_classes; ++k)
      if (float& margin = f.held_out[h * n_classes + k]; class_of[k] != kNotInState)
        margin = blend.classifier * margin + part * scores[class_of[k]];
  }
}

// Trains networks on some rows, into f.networks and f.squares.
Resumable IntentTrainer::FitEnsemble(std::vector<uint32_t> rows, uint32_t networks, const NetworkRestart* restart) {
  Fitting& f = *fitting_;
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  NetworkOptions options;
  options.hidden = request_.config.hidden_units;
  options.passes = result_.config.passes;
  options.seed = request_.config.seed;
  options.ranges = RangesOf(f.parts.space, networks);
  options.restart = restart;
  uint64_t stored = 0;
  for (const Network& network : f.parts.networks)
    stored += NetworkBytes(network.last - network.first, network.hidden, network.stride);
  const NetworkProblem problem{&f.matrix, f.labels, f.row_weights, rows, n_classes};
  CheckBudget(dataset_.bytes() + f.matrix.bytes() + f.held_out.size() * sizeof(float) + f.parts.weights.q.size() +
                  (f.duals ? f.duals->bytes() : 0) + stored +
                  EnsembleFitBytes(RowsOfPass(problem, options), n_classes, options, request_.threads),
              "fitting the networks");
  f.ensemble = MakeEnsembleFit(problem, options);
  while (!f.ensemble->Step(*budget_)) co_await Pause{};
  f.networks = f.ensemble->TakeNetworks();
  f.squares = f.ensemble->TakeSquares();
  f.ensemble.reset();
  progress_.percent = f.fit_to;
}

// Margins and scores of rows that neither the networks in f.networks nor the fold's classifier have seen.
Resumable IntentTrainer::ScoreHeldOutRows(std::vector<uint32_t> rows) {
  Fitting& f = *fitting_;
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  std::vector<NetworkView> views;
  for (const Network& network : f.networks) views.push_back(ViewOf(network));
  NetworkScratch scratch;
  const float part = 1.0f / static_cast<float>(views.size());
  const size_t stride = std::max<size_t>(1, (rows.size() + BlendRows(n_classes) - 1) / BlendRows(n_classes));
  std::vector<float> scores;
  for (size_t r = 0; r < rows.size(); r += stride) {
    if (Pausing()) co_await Pause{};
    const size_t i = rows[r];
    const auto row = f.stand_ins.row(i, f.matrix.row(i));
    scores.assign(f.parts.weights.stride, 0);
    for (const NetworkView& view : views) AddScores(view, row, budget_->stop, scratch, scores.data());
    for (uint32_t k = 0; k < n_classes; ++k) {
      f.blend_margins.push_back(f.held_out[i * n_classes + k]);
      f.blend_scores.push_back(part * scores[k]);
    }
    f.blend_labels.push_back(f.labels[i]);
    f.blend_rows.push_back(static_cast<uint32_t>(i));
  }
  f.networks = {};
}

// The same of validation rows, by the model as it will be served.
Resumable IntentTrainer::ScoreValidationRows() {
  Fitting& f = *fitting_;
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  f.parts.blend = kUnmeasuredBlend;
  Encode();
  co_await Pause{};
  const IntentModel model(result_.artifact);
  co_await Pause{};
  ScoringScratch scratch;
  const size_t n = f.validation.size(),
               stride = std::max<size_t>(1, (n + BlendRows(n_classes) - 1) / BlendRows(n_classes));
  for (size_t i = 0; i < n; i += stride) {
    if (Pausing()) co_await Pause{};
    const DatasetRow& row = dataset_.rows()[f.validation[i]];
    const uint32_t label = f.class_of[row.label];
    if (label >= n_classes) continue;  // an intent without a training row
    model.Margins(dataset_.text(row), budget_->stop, scratch, dataset_.embedding(row));
    f.blend_margins.insert(f.blend_margins.end(), scratch.classifier_margins.begin(),
                           scratch.classifier_margins.begin() + n_classes);
    f.blend_scores.insert(f.blend_scores.end(), scratch.network_scores.begin(),
                          scratch.network_scores.begin() + n_classes);
    f.blend_labels.push_back(label);
  }
}

}  // namespace retrain
