// From many texts to numbered terms, on several threads.
//
// Texts are analysed in slices, each by itself; then every slice's terms get their numbers from tables that know the terms
// of all texts so far. Word n-grams are dealt to some tables by their hash, so that each is filled by one thread. Words
// come again and again: the character n-grams of a word are listed once, and a text has the numbers of its words' lists.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/large_vector.h"
#include "core/base/stop.h"
#include "core/text/analyzer.h"
#include "core/text/vocabulary_builder.h"

namespace retrain {

// Lists of term ids, one after the other.
struct TermLists {
  std::vector<uint64_t> begin{0};  // of each list in ids, and the end of the last one
  std::vector<uint32_t> ids;

  size_t size() const noexcept { return begin.size() - 1; }
  std::span<const uint32_t> list(size_t i) const noexcept {
    return std::span(ids).subspan(begin[i], begin[i + 1] - begin[i]);
  }
  size_t bytes() const noexcept { return begin.capacity() * sizeof(uint64_t) + ids.capacity() * sizeof(uint32_t); }
};

// What a text is made of: a term's number, or with this bit that of a list of terms.
inline constexpr uint32_t kListItem = 1u << 31;

class TermReader {
 public:
  // The terms of consecutive texts. Used by one thread at a time; its buffers are kept from one batch to the next.
  class Slice {
   public:
    explicit Slice(const AnalyzerConfig& config) : config_(config), analyzer_(config) {}
    void Clear() noexcept;
    // Adds a text; throws what Analyzer::Read throws.
    void Read(std::string_view utf8, const Stop& stop);
    size_t bytes() const noexcept;

   private:
    friend class TermReader;
    struct Term {
      uint32_t hash, size;  // the high half of TermHash
      uint64_t begin;       // in text_
      uint32_t number;      // of the term, or of the word's list of them; set by Number
      uint32_t place;       // a word n-gram's among those of the slice
    };
    struct End {
      size_t word_terms, words;
    };
    void ReadWordNgrams(const Stop& stop);
    void ReadPaddedWords();

    AnalyzerConfig config_;
    Analyzer analyzer_;
    std::string text_;
    std::array<std::vector<Term>, 4> word_terms_;  // as the tables
    std::vector<Term> words_;                      // padded
    std::vector<End> ends_;                        // per text
    std::vector<uint32_t> ids_;                    // of the word n-grams, in their order
  };

  explicit TermReader(const AnalyzerConfig& config) : config_(config) {}

  // Numbers the terms of the slices, read in the order of the slices. Throws kLimitExceeded for too many distinct terms.
  void Number(std::span<Slice> slices, int threads, const Stop& stop);

  // Appends the items of a slice's text and gives how many terms they stand for. Until the next Number.
  uint64_t AppendItems(const Slice& slice, size_t text, LargeVector<uint32_t>& out) const;

  // All terms, with ids 0, 1, 2 …, and the lists of them; the numbers of terms among the items, wherever those were put, are
  // changed into ids. Nothing can be read afterwards.
  struct Terms {
    VocabularyBuilder vocabulary;
    TermLists lists;
  };
  Terms Finish(std::initializer_list<std::span<uint32_t>> items);

  size_t bytes() const noexcept;

 private:
  static constexpr size_t kWordTables = std::tuple_size_v<decltype(Slice::word_terms_)>;
  // A number is the table in its high bits and the term's id there in the others. Character n-grams are in lists alone, so
  // that their table's number may have the bit of a list.
  static constexpr uint32_t kIdBits = 29;
  static_assert(kWordTables << kIdBits <= kListItem);

  uint32_t NumberOf(size_t table, std::string_view term, uint32_t hash);
  void NumberWordNgrams(size_t table, std::span<Slice> slices, const Stop& stop);
  void NumberCharNgrams(std::span<Slice> slices, const Stop& stop);
  void ListCharNgrams(std::string_view word, const Stop& stop);

  AnalyzerConfig config_;
  std::array<VocabularyBuilder, kWordTables + 1> tables_;  // the last one for character n-grams
  VocabularyBuilder words_;                                // padded words, as their lists are numbered
  TermLists lists_;
  std::vector<uint32_t> chars_;  // scratch
};

}  // namespace retrain
