// How the new version and the live one do on the test rows.
#include <algorithm>
#include <cstring>
#include <tuple>
#include <unordered_map>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/base/utf8_clip.h"
#include "core/intent/fitting.h"

namespace retrain {
namespace {

constexpr size_t kMaxMisclassified = 100;

// Rows between two looks at a request to stop where a row costs less than a microsecond.
constexpr size_t kRowsPerPoll = 1024;

}  // namespace

// A version that scores the test rows. column_of: the columns of the dataset's terms; empty: it reads the texts itself.
struct IntentTrainer::Scorer {
  const IntentModel& model;
  std::vector<uint32_t> label_of;  // of its labels, in all_labels
  std::span<const uint32_t> column_of;
};

void IntentTrainer::OpenLive() {
  if (!request_.has_live) return;
  try {
    fitting_->live.emplace(request_.live_artifact);
  } catch (const Error& error) {
    result_.live_unreadable = error.message() + ": " + error.detail();
  }
}

// Both versions score the very same rows, whose terms have been read once: a term is looked up in the live version's
// vocabulary, not each time that a row has it. Terms that no test row has may be left out.
void IntentTrainer::LookUpTerms() {
  Fitting& f = *fitting_;
  if (f.widened || request_.find_label_issues) f.column_of = {};
  if (!f.live || f.column_of.empty() || f.live->analyzer() != request_.config.analyzer) return;
  const VocabularyBuilder& vocabulary = dataset_.vocabulary();
  std::vector<uint8_t> is_used(vocabulary.size());
  for (size_t i = 0; i < dataset_.rows().size(); ++i) {
    if (i % kRowsPerPoll == 0) budget_->stop.Poll();
    const DatasetRow& row = dataset_.rows()[i];
    if (row.split != Split::kTest) continue;
    for (const uint32_t item : dataset_.items(row)) {
      if ((item & kListItem) == 0)
        is_used[item] = 1;
      else
        for (const uint32_t term : dataset_.lists().list(item & ~kListItem)) is_used[term] = 1;
    }
  }
  f.live_column_of.assign(vocabulary.size(), kNoTerm);
  const size_t slices = (vocabulary.size() + kSliceTerms - 1) / kSliceTerms;
  ParallelFor(slices, budget_->threads, [&](size_t slice) {
    const size_t end = std::min<size_t>(vocabulary.size(), (slice + 1) * kSliceTerms);
    for (auto term = static_cast<uint32_t>(slice * kSliceTerms); term < end && !budget_->stop.Requested(); ++term)
      if (is_used[term])
        f.live_column_of[term] = f.live->vocabulary().Find(vocabulary.kind(term), vocabulary.term(term));
  });
  budget_->stop.Poll();
}

ScoredRow IntentTrainer::ScoreRow(const DatasetRow& row, const Scorer& scorer, ScoringScratch& scratch,
                                  std::vector<uint32_t>& columns, bool* out_of_scope) const {
  const IntentModel& model = scorer.model;
  if (scorer.column_of.empty()) {
    model.Margins(dataset_.text(row), budget_->stop, scratch, dataset_.embedding(row));
  } else {
    columns.clear();
    for (const uint32_t item : dataset_.items(row)) {
      if ((item & kListItem) == 0)
        columns.push_back(scorer.column_of[item]);
      else
        for (const uint32_t term : dataset_.lists().list(item & ~kListItem)) columns.push_back(scorer.column_of[term]);
    }
    model.MarginsOfTerms(columns, dataset_.text(row), budget_->stop, scratch, dataset_.embedding(row));
  }
  const uint32_t best = model.Best(scratch);
  model.Probabilities(scratch);
  ScoredRow scored{fitting_->class_of[row.label], scorer.label_of[best], scratch.probabilities[best], 0};
  for (uint32_t k = 0; k < model.n_classes(); ++k)
    if (scorer.label_of[k] == scored.truth) scored.truth_probability = scratch.probabilities[k];
  *out_of_scope = model.JudgeNovelty(scratch).out_of_scope;
  return scored;
}

// Scores the test rows by the artifact as it will be served, then by the live version on the very same rows.
Resumable IntentTrainer::Score() {
  if (result_.failed || request_.find_label_issues) co_return;
  progress_ = {TrainingPhase::kEvaluating, 0, result_.test_rows * (request_.has_live ? 2 : 1), kEvaluatingFrom};
  const Fitting& f = *fitting_;
  const IntentModel candidate(result_.artifact);
  Resumable part = ScoreVersion(candidate, f.column_of, false);
  while (!part.Resume()) co_await Pause{};
  const std::optional<IntentModel>& live = f.live;
  if (!live) co_return;
  const uint32_t needed = live->space().embedding, given = dataset_.embedding_size();
  if (needed > 0 && needed != given) {
    result_.live_incomparable = "it needs embeddings of " + std::to_string(needed) + " numbers, these rows have " +
                                (given > 0 ? std::to_string(given) : "none");
    co_return;
  }
  part = ScoreVersion(*live, f.live_column_of, true);
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
Resumable IntentTrainer::ScoreVersion(const IntentModel& model, std::span<const uint32_t> column_of, bool live) {
  const Scorer scorer{model, NumberLabels(model), column_of};
  std::vector<const DatasetRow*> rows;
  for (const DatasetRow& row : dataset_.rows())
    if (row.split == Split::kTest) rows.push_back(&row);
  std::vector<ScoredRow> all(rows.size()), recent;
  std::unique_ptr<bool[]> out_of_scope(new bool[rows.size()]);
  std::vector<ScoringScratch> scratch(static_cast<size_t>(std::max(request_.threads, 1)));
  std::vector<std::vector<uint32_t>> columns(scratch.size());
  std::vector<size_t> begin(scratch.size() + 1);
  const size_t slice_rows = model.slow() ? kSliceRows / 32 : kSliceRows;
  for (size_t next = 0; next < rows.size();) {
    size_t used = 0;
    for (; used < scratch.size() && next < rows.size(); ++used) {
      begin[used] = next;
      for (uint64_t bytes = 0; next < rows.size() && next - begin[used] < slice_rows && bytes < kSliceBytes; ++next)
        bytes += rows[next]->text_size;
    }
    begin[used] = next;
    ParallelFor(used, budget_->threads, [&](size_t task) {
      for (size_t i = begin[task]; i < begin[task + 1]; ++i)
        all[i] = ScoreRow(*rows[i], scorer, scratch[task], columns[task], &out_of_scope[i]);
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
  else if (!result_.live_incomparable.empty())
    result_.verdict = {false, "live_incomparable",
                       "the live version cannot be scored on these rows: " + result_.live_incomparable +
                           "; only p_promote => 'always' promotes"};
}

}  // namespace retrain
