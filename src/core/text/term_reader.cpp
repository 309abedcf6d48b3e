// Numbering the terms of many texts (see term_reader.h).
#include "core/text/term_reader.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/text/term_hash.h"

namespace retrain {
namespace {

// Between two looks at a request to stop.
constexpr size_t kTermsPerPoll = 4096;

// Tables soon outgrow the caches, and the next terms are known: so many terms ahead their places are fetched.
constexpr size_t kSlotsAhead = 16, kEntriesAhead = 8;

}  // namespace

void TermReader::Slice::Clear() noexcept {
  text_.clear();
  for (auto& terms : word_terms_) terms.clear();
  words_.clear();
  ends_.clear();
  ids_.clear();
}

void TermReader::Slice::Read(std::string_view utf8, const Stop& stop) {
  analyzer_.Read(utf8, stop);
  if (config_.word_ngrams.enabled()) ReadWordNgrams(stop);
  if (config_.char_ngrams.enabled()) ReadPaddedWords();
  ends_.push_back({ids_.size(), words_.size()});
}

void TermReader::Slice::ReadWordNgrams(const Stop& stop) {
  const uint64_t base = text_.size();
  const char* const tokens = analyzer_.tokens().data();
  analyzer_.ForEachWordNgram(stop, [&](FeatureKind kind, std::string_view term) {
    const uint64_t hash = TermHash(kind, term);
    word_terms_[hash % kWordTables].push_back({static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(term.size()),
                                               base + static_cast<uint64_t>(term.data() - tokens), 0,
                                               static_cast<uint32_t>(ids_.size())});
    ids_.push_back(0);
  });
  text_ += analyzer_.tokens();
}

void TermReader::Slice::ReadPaddedWords() {
  const uint64_t base = text_.size();
  const char* const text = analyzer_.text().data();
  for (size_t w = 0; w < analyzer_.padded_words(); ++w) {
    const std::string_view word = analyzer_.padded_word(w);
    words_.push_back({static_cast<uint32_t>(TermHash(FeatureKind::kChar, word) >> 32),
                      static_cast<uint32_t>(word.size()), base + static_cast<uint64_t>(word.data() - text), 0, 0});
  }
  text_ += analyzer_.text();
}

size_t TermReader::Slice::bytes() const noexcept {
  size_t terms = words_.capacity();
  for (const auto& table : word_terms_) terms += table.capacity();
  return analyzer_.bytes() + text_.capacity() + terms * sizeof(Term) + ends_.capacity() * sizeof(End) +
         ids_.capacity() * sizeof(uint32_t);
}

uint32_t TermReader::NumberOf(size_t table, std::string_view term, uint32_t hash) {
  const uint32_t id = tables_[table].Add(table < kWordTables ? FeatureKind::kWord : FeatureKind::kChar, term, hash);
  if (id >> kIdBits != 0)
    throw Error(
        ErrorCode::kLimitExceeded, "the training texts have too many distinct terms",
        "there are more than " + std::to_string(id) + " in one of " + std::to_string(tables_.size()) + " tables",
        "use fewer or shorter n-grams");
  return static_cast<uint32_t>(table) << kIdBits | id;
}

void TermReader::NumberWordNgrams(size_t table, std::span<Slice> slices, const Stop& stop) {
  for (Slice& slice : slices) {
    const std::string_view text = slice.text_;
    std::vector<Slice::Term>& terms = slice.word_terms_[table];
    const size_t n = terms.size();
    for (size_t i = 0; i < n; ++i) {
      if (i % kTermsPerPoll == 0) stop.Poll();
      if (i + kSlotsAhead < n) tables_[table].PrefetchSlot(terms[i + kSlotsAhead].hash);
      if (i + kEntriesAhead < n) tables_[table].PrefetchEntry(terms[i + kEntriesAhead].hash);
      Slice::Term& term = terms[i];
      term.number = NumberOf(table, text.substr(term.begin, term.size), term.hash);
    }
  }
}

// Lists the character n-grams of a word that has not been seen.
void TermReader::ListCharNgrams(std::string_view word, const Stop& stop) {
  chars_.clear();
  for (size_t i = 0; i < word.size(); ++i)
    if ((word[i] & 0xC0) != 0x80) chars_.push_back(static_cast<uint32_t>(i));
  chars_.push_back(static_cast<uint32_t>(word.size()));
  ForEachCharNgramOfWord(config_.char_ngrams, word, chars_, stop, [this](FeatureKind kind, std::string_view term) {
    lists_.ids.push_back(NumberOf(kWordTables, term, static_cast<uint32_t>(TermHash(kind, term) >> 32)));
  });
  lists_.begin.push_back(lists_.ids.size());
}

void TermReader::NumberCharNgrams(std::span<Slice> slices, const Stop& stop) {
  for (Slice& slice : slices) {
    const std::string_view text = slice.text_;
    size_t until_poll = kTermsPerPoll;
    for (Slice::Term& word : slice.words_) {
      if (--until_poll == 0) {
        stop.Poll();
        until_poll = kTermsPerPoll;
      }
      const std::string_view padded = text.substr(word.begin, word.size);
      word.number = words_.Add(FeatureKind::kChar, padded, word.hash);
      if (word.number == lists_.size()) ListCharNgrams(padded, stop);
    }
  }
}

void TermReader::Number(std::span<Slice> slices, int threads, const Stop& stop) {
  ParallelFor(tables_.size(), threads, [&](size_t table) {
    if (table == 0)  // the longest task first
      NumberCharNgrams(slices, stop);
    else
      NumberWordNgrams(table - 1, slices, stop);
  });
  // Threads that wrote into one array would wait for each other's cache lines.
  for (Slice& slice : slices)
    for (const auto& terms : slice.word_terms_)
      for (const Slice::Term& term : terms) slice.ids_[term.place] = term.number;
}

uint64_t TermReader::AppendItems(const Slice& slice, size_t text, LargeVector<uint32_t>& out) const {
  const Slice::End begin = text > 0 ? slice.ends_[text - 1] : Slice::End{0, 0}, end = slice.ends_[text];
  MakeRoom(out, end.word_terms - begin.word_terms + end.words - begin.words);
  out.insert(out.end(), slice.ids_.begin() + static_cast<ptrdiff_t>(begin.word_terms),
             slice.ids_.begin() + static_cast<ptrdiff_t>(end.word_terms));
  uint64_t terms = end.word_terms - begin.word_terms;
  for (size_t w = begin.words; w < end.words; ++w) {
    const uint32_t list = slice.words_[w].number;
    out.push_back(kListItem | list);
    terms += lists_.list(list).size();
  }
  return terms;
}

TermReader::Terms TermReader::Finish(std::initializer_list<std::span<uint32_t>> items) {
  std::array<uint32_t, kWordTables + 1> first{};
  for (size_t table = 1; table < tables_.size(); ++table) first[table] = first[table - 1] + tables_[table - 1].size();
  const auto id_of = [&first](uint32_t number) { return first[number >> kIdBits] + (number & ((1u << kIdBits) - 1)); };
  for (const std::span<uint32_t> part : items)
    for (uint32_t& item : part)
      if ((item & kListItem) == 0) item = id_of(item);
  for (uint32_t& number : lists_.ids) number = id_of(number);
  words_ = VocabularyBuilder();
  return {VocabularyBuilder::Join(tables_), std::exchange(lists_, {})};
}

size_t TermReader::bytes() const noexcept {
  size_t bytes = words_.bytes() + lists_.bytes() + chars_.capacity() * sizeof(uint32_t);
  for (const VocabularyBuilder& table : tables_) bytes += table.bytes();
  return bytes;
}

}  // namespace retrain
