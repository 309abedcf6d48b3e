// Collecting, choosing, encoding and finding terms; damaged bytes.
#include "core/text/vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/rng.h"
#include "core/text/term_hash.h"
#include "core/text/vocabulary_builder.h"

namespace retrain {
namespace {

constexpr FeatureKind kWord = FeatureKind::kWord, kChar = FeatureKind::kChar;

std::vector<uint8_t> Encode(std::vector<std::string_view> words, std::vector<std::string_view> chars) {
  return EncodeVocabulary(words, chars);
}

// What a caller of the builder keeps for a corpus of (document, kind, term) triples.
struct Corpus {
  VocabularyBuilder vocabulary;
  std::vector<uint32_t> document_frequency;
  std::vector<uint64_t> corpus_frequency;

  void Add(FeatureKind kind, std::string_view term, uint32_t documents, uint64_t occurrences) {
    const uint32_t id = vocabulary.Add(kind, term);
    document_frequency.resize(vocabulary.size());
    corpus_frequency.resize(vocabulary.size());
    document_frequency[id] += documents;
    corpus_frequency[id] += occurrences;
  }

  // The kept terms in the order of their final ids.
  std::vector<std::string> Select(uint64_t documents, const SelectionConfig& config) const {
    const auto ids = SelectTerms(vocabulary, document_frequency, corpus_frequency, documents, config);
    std::map<uint32_t, std::string> kept;
    for (uint32_t id = 0; id < ids.size(); ++id) {
      if (ids[id] != kNoTerm) kept[ids[id]] = std::string(vocabulary.term(id));
    }
    std::vector<std::string> terms;
    for (const auto& [id, term] : kept) {
      EXPECT_EQ(id, terms.size()) << "final ids have no gaps";
      terms.push_back(term);
    }
    return terms;
  }
};

using Strings = std::vector<std::string>;

TEST(TermHash, IsFixed) {
  EXPECT_EQ(TermHash(kWord, ""), 0ull);
  EXPECT_EQ(TermHash(kWord, "a"), 0x127A47887EEF9DDDull);
  EXPECT_EQ(TermHash(kChar, " ñ"), 0xDB257C40A1F77322ull);
  EXPECT_EQ(TermHash(kWord, "pedido"), 0x256289A384F68D25ull);
  EXPECT_EQ(TermHash(kWord, "¿dónde está mi pedido?"), 0xA41088C9BD26CA81ull);
}

TEST(TermHash, DependsOnEveryByteAndOnTheKind) {
  std::set<uint64_t> seen;
  size_t made = 0;
  for (size_t size = 0; size <= 24; ++size) {
    const std::string zeros(size, '\0');
    for (const FeatureKind kind : {kWord, kChar}) {
      seen.insert(TermHash(kind, zeros)), ++made;
      for (size_t i = 0; i < size; ++i) {
        for (int bit = 0; bit < 8; ++bit) {
          std::string term = zeros;
          term[i] = static_cast<char>(1 << bit);
          seen.insert(TermHash(kind, term)), ++made;
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), made);
}

TEST(VocabularyBuilder, NumbersTermsAsTheyCome) {
  VocabularyBuilder builder;
  EXPECT_EQ(builder.size(), 0u);
  EXPECT_EQ(builder.Add(kWord, "hola"), 0u);
  EXPECT_EQ(builder.Add(kChar, "hola"), 1u) << "the kind is part of the key";
  EXPECT_EQ(builder.Add(kWord, ""), 2u);
  EXPECT_EQ(builder.Add(kWord, "hola"), 0u);
  EXPECT_EQ(builder.term(1), "hola");
  EXPECT_EQ(builder.kind(1), kChar);
  EXPECT_EQ(builder.kind(0), kWord);
  EXPECT_THROW(builder.Add(FeatureKind::kStat, "x"), Error);
}

TEST(VocabularyBuilder, GrowsAndKeepsEveryTerm) {
  VocabularyBuilder builder;
  for (uint32_t i = 0; i < 100000; ++i) ASSERT_EQ(builder.Add(i % 2 ? kChar : kWord, "t" + std::to_string(i)), i);
  for (uint32_t i = 0; i < 100000; ++i) {
    ASSERT_EQ(builder.Add(i % 2 ? kChar : kWord, "t" + std::to_string(i)), i);
    ASSERT_EQ(builder.term(i), "t" + std::to_string(i));
  }
  EXPECT_GT(builder.bytes(), 100000u * (16 + 8 + 6));
  EXPECT_LT(builder.bytes(), 100000u * 80);
}

TEST(SelectTerms, OrdersByKindThenBytes) {
  Corpus corpus;
  for (const char* term : {"ñu", "zorro", "abeja", "Zorro", "abejas", "abejorro_largo"}) corpus.Add(kWord, term, 1, 1);
  for (const char* term : {"zz", " a"}) corpus.Add(kChar, term, 1, 1);
  EXPECT_EQ(corpus.Select(3, {}), (Strings{"Zorro", "abeja", "abejas", "abejorro_largo", "zorro", "ñu", " a", "zz"}));
}

TEST(SelectTerms, DocumentFrequencyBoundsAsScikitLearn) {
  Corpus corpus;
  for (uint32_t n = 1; n <= 10; ++n) corpus.Add(kWord, std::string(1, static_cast<char>('a' + n - 1)), n, n);
  EXPECT_EQ(corpus.Select(10, {8, 1.0, 0}), (Strings{"h", "i", "j"})) << "a count";
  EXPECT_EQ(corpus.Select(10, {0.8, 1.0, 0}), (Strings{"h", "i", "j"})) << "a share";
  EXPECT_EQ(corpus.Select(10, {0.81, 1.0, 0}), (Strings{"i", "j"}));
  EXPECT_EQ(corpus.Select(10, {1, 0.2, 0}), (Strings{"a", "b"}));
  EXPECT_EQ(corpus.Select(10, {1, 2, 0}), (Strings{"a", "b"}));
  EXPECT_EQ(corpus.Select(10, {1, 1.0, 0}).size(), 10u) << "1.0 of the documents, not one document";
  EXPECT_EQ(corpus.Select(10, {0, 1.0, 0}).size(), 10u);
}

TEST(SelectTerms, BoundsWithoutMeaningAreErrors) {
  Corpus corpus;
  corpus.Add(kWord, "a", 1, 1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const SelectionConfig& config :
       {SelectionConfig{-1, 1, 0}, SelectionConfig{1.5, 1, 0}, SelectionConfig{1, 0, 0}, SelectionConfig{1, 2.5, 0},
        SelectionConfig{nan, 1, 0}, SelectionConfig{1, nan, 0}, SelectionConfig{5, 0.1, 0}}) {
    try {
      corpus.Select(10, config);
      FAIL() << config.min_df << " " << config.max_df;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidParameter);
    }
  }
}

TEST(SelectTerms, MaxFeaturesKeepsTheMostFrequentOfEachKind) {
  Corpus corpus;
  corpus.Add(kWord, "raro", 1, 1);
  corpus.Add(kWord, "zeta", 2, 5);
  corpus.Add(kWord, "beta", 2, 5);
  corpus.Add(kWord, "alfa", 2, 5);
  corpus.Add(kWord, "mucho", 3, 9);
  corpus.Add(kChar, "ab", 1, 1);
  corpus.Add(kChar, "cd", 1, 2);
  EXPECT_EQ(corpus.Select(3, {1, 1.0, 3}), (Strings{"alfa", "beta", "mucho", "ab", "cd"})) << "ties by bytes";
  EXPECT_EQ(corpus.Select(3, {1, 1.0, 1}), (Strings{"mucho", "cd"}));
  EXPECT_EQ(corpus.Select(3, {1, 0.7, 1}), (Strings{"alfa", "cd"})) << "the bounds come first";
}

TEST(SelectTerms, DoesNotDependOnTheOrderOfRows) {
  struct Row {
    FeatureKind kind;
    std::string term;
    uint64_t count;
  };
  std::vector<Row> rows;
  Rng rng(7);
  for (int i = 0; i < 3000; ++i) {
    rows.push_back({rng.Below(2) ? kWord : kChar, "prefijo" + std::to_string(rng.Below(900)), rng.Below(4)});
  }
  std::vector<uint8_t> first;
  for (int round = 0; round < 5; ++round) {
    Corpus corpus;
    for (const Row& row : rows) corpus.Add(row.kind, row.term, 1, row.count);
    const auto ids =
        SelectTerms(corpus.vocabulary, corpus.document_frequency, corpus.corpus_frequency, 3000, {2, 1.0, 250});
    const auto encoded = EncodeVocabulary(corpus.vocabulary, ids);
    if (round == 0) first = encoded;
    EXPECT_EQ(encoded, first);
    rng.Shuffle(std::span<Row>(rows));
  }
  EXPECT_EQ(VocabularyView::Decode(first).size(), 500u);
}

TEST(VocabularyView, FindsEveryTermAndNoOther) {
  std::vector<std::string> strings;
  for (int i = 0; i < 20000; ++i) strings.push_back("término " + std::to_string(i * 7));
  std::sort(strings.begin(), strings.end());
  const std::vector<std::string_view> terms(strings.begin(), strings.end());
  const auto encoded = EncodeVocabulary(terms, std::span(terms).first(100));
  const VocabularyView view = VocabularyView::Decode(encoded);
  ASSERT_EQ(view.size(), 20100u);
  EXPECT_EQ(view.word_terms(), 20000u);
  for (uint32_t i = 0; i < terms.size(); ++i) {
    ASSERT_EQ(view.term(i), terms[i]);
    ASSERT_EQ(view.Find(kWord, terms[i]), i);
    ASSERT_EQ(view.Find(kChar, terms[i]), i < 100 ? 20000 + i : kNoTerm);
    ASSERT_EQ(view.Find(kWord, strings[i] + "x"), kNoTerm);
  }
  EXPECT_EQ(view.kind(19999), kWord);
  EXPECT_EQ(view.kind(20000), kChar);
  EXPECT_EQ(view.Find(FeatureKind::kStat, terms[0]), kNoTerm);
}

TEST(VocabularyView, TermsOfEveryLength) {
  std::vector<std::string> strings;
  for (size_t size = 0; size < 40; ++size) strings.push_back(std::string(size, 'x'));
  const std::vector<std::string_view> terms(strings.begin(), strings.end());
  const auto encoded = EncodeVocabulary(terms, {});
  const VocabularyView view = VocabularyView::Decode(encoded);
  for (uint32_t i = 0; i < 40; ++i) {
    EXPECT_EQ(view.Find(kWord, strings[i]), i);
    for (size_t at = 0; at < i; ++at) {
      std::string other = strings[i];
      other[at] = 'y';
      EXPECT_EQ(view.Find(kWord, other), kNoTerm);
    }
  }
}

TEST(VocabularyView, EmptyIsAVocabularyToo) {
  const VocabularyView none;
  EXPECT_EQ(none.size(), 0u);
  EXPECT_EQ(none.Find(kWord, "a"), kNoTerm);
  const auto encoded = Encode({}, {});
  EXPECT_EQ(VocabularyView::Decode(encoded).size(), 0u);
  EXPECT_EQ(VocabularyView::Decode(encoded).Find(kWord, ""), kNoTerm);
}

TEST(VocabularyView, AnyAlignment) {
  const auto encoded = Encode({"mañana", "pedido"}, {" m", "ña"});
  for (size_t shift = 0; shift < 8; ++shift) {
    std::vector<uint8_t> moved(shift);
    moved.insert(moved.end(), encoded.begin(), encoded.end());
    const VocabularyView view = VocabularyView::Decode(std::span<const uint8_t>(moved).subspan(shift));
    EXPECT_EQ(view.Find(kWord, "pedido"), 1u);
    EXPECT_EQ(view.Find(kChar, "ña"), 3u);
  }
}

TEST(EncodeVocabulary, WantsAscendingTerms) {
  EXPECT_THROW(Encode({"b", "a"}, {}), Error);
  EXPECT_THROW(Encode({"a", "a"}, {}), Error);
  EXPECT_NO_THROW(Encode({"a"}, {"a"}));
}

TEST(EncodeVocabulary, BytesAreFixed) {
  const auto encoded = Encode({"no"}, {" n"});
  ASSERT_EQ(encoded.size(), 20u + 12 + 16 + 4);
  const std::vector<uint8_t> header(encoded.begin(), encoded.begin() + 32);
  EXPECT_EQ(header, (std::vector<uint8_t>{1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0,
                                          4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0}));
  EXPECT_EQ(std::string(encoded.end() - 4, encoded.end()), "no n");
}

// Decodes a copy of exactly the right size (so that a sanitizer sees one byte too far) and uses all of it if it decodes.
void Use(const std::vector<uint8_t>& bytes) {
  const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
  try {
    const VocabularyView view = VocabularyView::Decode(exact);
    size_t sum = 0;
    for (uint32_t id = 0; id < view.size(); ++id) {
      for (const char c : view.term(id)) sum += static_cast<uint8_t>(c);
      const uint32_t found = view.Find(view.kind(id), view.term(id));
      ASSERT_TRUE(found == kNoTerm || found < view.size());
    }
    for (const char* term : {"", "a", "pedido", "nada de esto"}) view.Find(kWord, term);
    ASSERT_LE(sum, 255 * exact.size() * (view.size() + size_t{1}));
  } catch (const Error& error) {
    ASSERT_EQ(error.code(), ErrorCode::kDataCorrupted);
    ASSERT_FALSE(error.detail().empty());
  }
}

TEST(VocabularyView, DamagedBytesAreRefusedOrHarmless) {
  const auto encoded = Encode({"", "año", "pedido", "señor"}, {" a", "do ", "ñ"});
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_THROW(VocabularyView::Decode(std::span<const uint8_t>(encoded).first(size)), Error) << size;
  }
  std::vector<uint8_t> longer = encoded;
  longer.push_back(0);
  EXPECT_THROW(VocabularyView::Decode(longer), Error);
  for (size_t at = 0; at < encoded.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::vector<uint8_t> damaged = encoded;
      damaged[at] = static_cast<uint8_t>(value);
      Use(damaged);
      if (HasFatalFailure()) return;
    }
  }
  for (size_t at = 0; at + 4 <= encoded.size(); at += 4) {  // whole numbers
    for (const uint32_t value : {0u, 1u, 7u, 8u, 0x00FFFFFFu, 0x01000000u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu}) {
      std::vector<uint8_t> damaged = encoded;
      StoreLittle32(value, damaged.data() + at);
      Use(damaged);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(VocabularyView, AFullTableIsRefused) {
  auto encoded = Encode({"a", "b"}, {});
  for (size_t slot = 0; slot < 4; ++slot) StoreLittle32(1, encoded.data() + 20 + 12 + 4 * slot);
  EXPECT_THROW(VocabularyView::Decode(encoded), Error) << "probing for an absent term would never end";
}

}  // namespace
}  // namespace retrain
