// From rows to weighted features: the vocabulary, then TF-IDF.
#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/intent/fitting.h"
#include "core/intent/unseen.h"
#include "core/text/embedding.h"
#include "core/text/vocabulary.h"

namespace retrain {
namespace {

// Terms that are counted between two looks at the clock: some milliseconds.
constexpr uint64_t kRoundTerms = uint64_t{1} << 20;

// Threads that count terms: each has a table of all terms.
constexpr int kMaxCounters = 4;

// Lists of terms between two looks at the clock.
constexpr size_t kListsPerLook = 1024;

// Small sets need their rare n-grams; in large ones an n-gram of one or two rows only costs time and memory.
double ChosenMinDf(const IntentConfig& config, size_t rows) {
  if (config.min_df > 0) return config.min_df;
  return rows >= 12000 ? 3 : rows >= 500 ? 2 : 1;
}

}  // namespace

// Whether the configuration has n-grams of this length; a tuned dataset holds more than the configuration asks for.
bool IntentTrainer::IsWanted(uint32_t term) const {
  const VocabularyBuilder& vocabulary = dataset_.vocabulary();
  const std::string_view bytes = vocabulary.term(term);
  const bool is_word = vocabulary.kind(term) == FeatureKind::kWord;
  // Words stand between spaces; characters begin with a byte that continues none.
  const auto length = static_cast<size_t>(
      is_word ? 1 + std::count(bytes.begin(), bytes.end(), ' ')
              : std::count_if(bytes.begin(), bytes.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  const NgramRange& range = is_word ? result_.config.analyzer.word_ngrams : result_.config.analyzer.char_ngrams;
  return range.enabled() && length >= range.min && length <= range.max;
}

Resumable IntentTrainer::SelectVocabulary() {
  Fitting& f = *fitting_;
  const auto& vocabulary = dataset_.vocabulary();
  f.unwanted.clear();
  if (f.widened) {
    f.unwanted.resize(vocabulary.size());
    for (uint32_t term = 0; term < vocabulary.size(); ++term) {
      if (term % kSliceTerms == 0 && Pausing()) co_await Pause{};
      f.unwanted[term] = !IsWanted(term);
    }
  }
  // What counting touches of a term lies together: most of the time goes by waiting for it.
  struct Count {
    uint64_t times = 0;
    uint32_t rows = 0, last_row = UINT32_MAX;
  };
  const auto shares = static_cast<size_t>(std::clamp(request_.threads, 1, kMaxCounters));
  CheckBudget(dataset_.bytes() + vocabulary.size() * (shares * sizeof(Count) + sizeof(uint32_t) + sizeof(uint64_t)),
              "counting the n-grams");
  std::vector<LargeVector<Count>> counts(shares);
  for (LargeVector<Count>& share : counts) share.assign(vocabulary.size(), Count{});
  for (size_t first = 0, next = 0; first < f.order.size(); first = next) {
    for (uint64_t terms = 0; next < f.order.size() && terms < shares * kRoundTerms; ++next)
      terms += dataset_.rows()[f.order[next]].n_terms;
    // Every thread counts the terms of some rows by itself.
    ParallelFor(shares, budget_->threads, [&](size_t share) {
      Count* const of = counts[share].data();
      const size_t end = first + (next - first) * (share + 1) / shares;
      for (size_t i = first + (next - first) * share / shares; i < end && !budget_->stop.Requested(); ++i) {
        const uint32_t row = f.order[i];
        const auto count = [&](uint32_t term) {
          if (f.widened && f.unwanted[term]) return;
          ++of[term].times;
          of[term].rows += of[term].last_row != row;
          of[term].last_row = row;
        };
        for (const uint32_t item : dataset_.items(dataset_.rows()[row])) {
          if ((item & kListItem) == 0)
            count(item);
          else
            for (const uint32_t term : dataset_.lists().list(item & ~kListItem)) count(term);
        }
      }
    });
    budget_->stop.Poll();
    if (Pausing()) co_await Pause{};
  }
  std::vector<uint32_t> document_frequency(vocabulary.size());
  std::vector<uint64_t> corpus_frequency(vocabulary.size());
  for (const LargeVector<Count>& share : counts) {
    for (uint32_t term = 0; term < vocabulary.size(); ++term) {
      document_frequency[term] += share[term].rows;
      corpus_frequency[term] += share[term].times;
    }
    if (Pausing()) co_await Pause{};
  }
  counts = {};
  IntentConfig& config = result_.config;
  config.min_df = ChosenMinDf(request_.config, f.all_rows);
  co_await Pause{};
  try {
    f.column_of = SelectTerms(vocabulary, document_frequency, corpus_frequency, f.order.size(),
                              {config.min_df, config.max_df, config.max_features}, budget_->stop);
  } catch (const Error& error) {
    // Bounds that make sense, but not for so few rows: an outcome of the rows like any other.
    if (error.code() != ErrorCode::kInvalidParameter) throw;
    f.column_of.assign(vocabulary.size(), kNoTerm);
  }
  co_await Pause{};
  FeatureSpace& space = f.parts.space;
  space = {};
  f.parts.idf.clear();
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
  space.embedding = dataset_.embedding_size();
  f.parts.vocabulary = EncodeVocabulary(vocabulary, f.column_of);
  f.list_columns = {};
  f.list_terms.clear();
  for (size_t i = 0; i < dataset_.lists().size(); ++i) {
    uint32_t wanted = 0;
    for (const uint32_t term : dataset_.lists().list(i)) {
      if (f.widened && f.unwanted[term]) continue;
      ++wanted;
      if (f.column_of[term] != kNoTerm) f.list_columns.ids.push_back(f.column_of[term]);
    }
    std::sort(f.list_columns.ids.begin() + static_cast<ptrdiff_t>(f.list_columns.begin.back()),
              f.list_columns.ids.end());
    f.list_columns.begin.push_back(f.list_columns.ids.size());
    f.list_terms.push_back(wanted);
    if (i % kListsPerLook == 0 && Pausing()) co_await Pause{};
  }
}

// Appends the row's features to `entries`, terms in the order in which the row has them first, and gives how much of the row
// is known to the others: a feature that would not be one without it is not. `place` is 0 for every column, before as after.
float IntentTrainer::WeighRow(const DatasetRow& row, LargeVector<uint32_t>& place,
                              std::vector<SparseEntry>& entries) const {
  const Fitting& f = *fitting_;
  const size_t first = entries.size();
  uint64_t unseen = 0;
  const auto count = [&](uint32_t column) {
    uint32_t& at = place[column];
    if (at != 0) {
      entries[first + at - 1].value += 1;
      return;
    }
    entries.push_back({column, 1});
    at = static_cast<uint32_t>(entries.size() - first);
  };
  for (const uint32_t item : dataset_.items(row)) {
    if ((item & kListItem) != 0) {
      const std::span<const uint32_t> list = f.list_columns.list(item & ~kListItem);
      for (const uint32_t column : list) count(column);
      unseen += f.list_terms[item & ~kListItem] - list.size();
    } else if (!f.widened || !f.unwanted[item]) {
      if (f.column_of[item] != kNoTerm)
        count(f.column_of[item]);
      else
        ++unseen;
    }
  }
  const auto terms = std::span(entries).subspan(first);
  const LoneTerms lone{f.parts.idf, f.lone_idf};
  for (const auto& entry : terms) {
    place[entry.column] = 0;
    if (lone.Has(entry)) unseen += static_cast<uint64_t>(entry.value);
  }
  const double squares =
      WeightTerms(terms, request_.config.sublinear_tf, [&f](uint32_t column) { return f.parts.idf[column]; });
  double shared = 0;
  for (const auto& entry : terms)
    if (!lone.Has(entry)) shared += static_cast<double>(entry.value) * static_cast<double>(entry.value);
  for (uint32_t i = 0; i < f.parts.space.stats; ++i)
    entries.push_back({f.parts.space.terms() + i, dataset_.stats()[row.stats_row][i]});
  AppendEmbedding(dataset_.embedding(row), f.parts.space.terms() + f.parts.space.stats, entries);
  return KnownShare(shared * squares, unseen, f.unseen_idf);
}

// Rounds of one slice of rows for each thread, put together in the order of the rows.
Resumable IntentTrainer::Weigh() {
  struct Slice {
    size_t first, last;
    LargeVector<uint32_t> place;  // per term that is a feature
    std::vector<SparseEntry> entries;
    std::vector<uint64_t> ends;  // in entries, per row
    std::vector<float> known;    // likewise
    size_t first_entry = 0;      // in the matrix
  };
  Fitting& f = *fitting_;
  progress_ = {TrainingPhase::kWeighting, 0, f.order.size(), kWeightingFrom};
  f.matrix = {};
  f.labels.clear();
  f.row_weights.clear();
  f.known.clear();
  Resumable part = SelectVocabulary();
  while (!part.Resume()) co_await Pause{};
  if (f.parts.space.columns() == 0) {
    result_.failed = true;
    result_.failure = "no features: min_df and max_df leave none of the n-grams of " + std::to_string(f.order.size()) +
                      " training rows";
    co_return;
  }
  co_await Pause{};
  uint64_t all_terms = 0;
  for (const uint32_t i : f.order) all_terms += dataset_.rows()[i].n_terms;
  const uint64_t kept = all_terms + f.order.size() * (uint64_t{f.parts.space.stats} + f.parts.space.embedding);
  const uint64_t places = static_cast<uint64_t>(std::max(request_.threads, 1)) * f.parts.space.terms();
  CheckBudget(dataset_.bytes() + f.list_columns.bytes() + (f.list_terms.capacity() + places) * sizeof(uint32_t) +
                  kept * sizeof(SparseEntry) + f.order.size() * sizeof(float),
              "weighting the features");
  f.matrix.columns = f.parts.space.columns();
  f.matrix.begin.reserve(f.order.size() + 1);
  f.matrix.entries.reserve(kept);
  const auto& rows = dataset_.rows();
  std::vector<Slice> slices(static_cast<size_t>(std::max(request_.threads, 1)));
  for (Slice& slice : slices) slice.place.assign(f.parts.space.terms(), 0);
  for (size_t next = 0; next < f.order.size();) {
    size_t used = 0;
    for (; used < slices.size() && next < f.order.size(); ++used) {
      Slice& slice = slices[used];
      slice.first = next;
      for (uint64_t terms = 0; next < f.order.size() && next - slice.first < kSliceRows && terms < kSliceTerms; ++next)
        terms += rows[f.order[next]].n_terms + f.parts.space.embedding;
      slice.last = next;
    }
    ParallelFor(used, budget_->threads, [&](size_t task) {
      Slice& slice = slices[task];
      slice.entries.clear();
      slice.ends.clear();
      slice.known.clear();
      for (size_t i = slice.first; i < slice.last && !budget_->stop.Requested(); ++i) {
        slice.known.push_back(WeighRow(rows[f.order[i]], slice.place, slice.entries));
        slice.ends.push_back(slice.entries.size());
      }
    });
    budget_->stop.Poll();
    size_t all = f.matrix.entries.size();
    for (size_t task = 0; task < used; ++task) {
      Slice& slice = slices[task];
      slice.first_entry = all;
      for (const uint64_t end : slice.ends) f.matrix.begin.push_back(all + end);
      all += slice.entries.size();
      f.known.insert(f.known.end(), slice.known.begin(), slice.known.end());
    }
    f.matrix.entries.resize(all);
    ParallelFor(used, budget_->threads, [&](size_t task) {
      const Slice& slice = slices[task];
      std::copy(slice.entries.begin(), slice.entries.end(),
                f.matrix.entries.begin() + static_cast<ptrdiff_t>(slice.first_entry));
    });
    progress_.done = next;
    progress_.percent = kWeightingFrom + (kFittingFrom - kWeightingFrom) * static_cast<double>(next) /
                                             static_cast<double>(progress_.total);
    if (Pausing()) co_await Pause{};
  }
  for (const uint32_t i : f.order) {
    f.labels.push_back(f.class_of[rows[i].label]);
    f.row_weights.push_back(rows[i].weight * static_cast<float>(rows[i].human ? request_.human_weight : 1));
  }
  f.list_columns = {};
  f.list_terms = {};
  if (f.tuning) co_return;
  f.unwanted = {};
  OpenLive();
  co_await Pause{};
  MapColumnsToLive();
  co_await Pause{};
  LookUpTerms();
  dataset_.ReleaseTerms();
}

}  // namespace retrain
