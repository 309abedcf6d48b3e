// Terms of many texts, compared with one text after the other read by the analyser.
#include "core/text/term_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/rng.h"

namespace retrain {
namespace {

using Term = std::pair<FeatureKind, std::string>;
using Terms = std::vector<Term>;

std::vector<std::string> Texts(size_t n) {
  Rng rng(7);
  std::vector<std::string> words;
  for (size_t i = 0; i < 300; ++i) {
    std::string word;
    for (uint32_t c = 0, size = 1 + rng.Below(9); c < size; ++c) word += static_cast<char>('a' + rng.Below(6));
    words.push_back(i % 10 == 0 ? word + "ñé" : i % 17 == 0 ? "\xF0\x9F\x98\x80" + word : word);
  }
  std::vector<std::string> texts{"", "   ", "¿?", "\xFF\xFE", "a"};
  while (texts.size() < n) {
    std::string text;
    for (uint32_t w = 0, size = rng.Below(12); w < size; ++w) text += words[rng.Below(300)] + (w % 3 ? " " : ", ");
    texts.push_back(text);
  }
  return texts;
}

Terms Sorted(Terms terms) {
  std::sort(terms.begin(), terms.end());
  return terms;
}

std::vector<Terms> OneByOne(const AnalyzerConfig& config, const std::vector<std::string>& texts) {
  Analyzer analyzer(config);
  std::vector<Terms> all;
  for (const std::string& text : texts) {
    Terms terms;
    analyzer.Read(text, Stop());
    analyzer.ForEachTerm(Stop(), [&](FeatureKind kind, std::string_view term) { terms.emplace_back(kind, term); });
    all.push_back(Sorted(std::move(terms)));
  }
  return all;
}

// In batches of `batch` texts, each cut into slices of different sizes.
std::vector<Terms> InBatches(const AnalyzerConfig& config, const std::vector<std::string>& texts, size_t batch,
                             size_t n_slices, int threads, std::vector<uint32_t>* numbers = nullptr) {
  TermReader reader(config);
  std::vector<TermReader::Slice> slices(n_slices, TermReader::Slice(config));
  LargeVector<uint32_t> ids;
  std::vector<size_t> ends;
  for (size_t first = 0; first < texts.size(); first += batch) {
    const size_t last = std::min(texts.size(), first + batch);
    std::vector<std::pair<size_t, size_t>> place;
    std::vector<size_t> in_slice(n_slices);
    for (TermReader::Slice& slice : slices) slice.Clear();
    for (size_t i = first; i < last; ++i) {
      const size_t s = (i - first) * n_slices / (last - first);
      slices[s].Read(texts[i], Stop());
      place.emplace_back(s, in_slice[s]++);
    }
    reader.Number(slices, threads, Stop());
    for (const auto& [s, text] : place) {
      reader.AppendTerms(slices[s], text, ids);
      ends.push_back(ids.size());
    }
  }
  EXPECT_GT(reader.bytes(), 0u);
  const VocabularyBuilder vocabulary = reader.Finish(ids);
  std::vector<bool> seen(vocabulary.size());
  std::vector<Terms> all;
  for (size_t i = 0, at = 0; i < texts.size(); ++i) {
    Terms terms;
    for (; at < ends[i]; ++at) {
      EXPECT_LT(ids[at], vocabulary.size());
      seen.at(ids[at]) = true;
      terms.emplace_back(vocabulary.kind(ids[at]), vocabulary.term(ids[at]));
    }
    all.push_back(Sorted(std::move(terms)));
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), false), 0) << "a number without a text";
  if (numbers != nullptr) numbers->assign(ids.begin(), ids.end());
  return all;
}

TEST(TermReader, GivesTheTermsOfEveryText) {
  const std::vector<std::string> texts = Texts(2000);
  const AnalyzerConfig configs[] = {{AccentFolding::kUnicode, {1, 2}, {2, 4}, false},
                                    {AccentFolding::kSpanish, {1, 3}, {0, 0}, false},
                                    {AccentFolding::kNone, {0, 0}, {3, 5}, false}};
  for (const AnalyzerConfig& config : configs) {
    const std::vector<Terms> expected = OneByOne(config, texts);
    EXPECT_EQ(InBatches(config, texts, 700, 8, 3), expected);
    EXPECT_EQ(InBatches(config, texts, 1, 1, 1), expected);
  }
}

TEST(TermReader, NumbersDoNotDependOnThreads) {
  const std::vector<std::string> texts = Texts(1500);
  std::vector<uint32_t> one, four;
  InBatches({}, texts, 400, 8, 1, &one);
  InBatches({}, texts, 400, 8, 4, &four);
  EXPECT_EQ(one, four);
}

// More distinct words than lists are kept for: what was forgotten is listed again, with the same numbers.
TEST(TermReader, ForgottenListsKeepTheirNumbers) {
  const AnalyzerConfig config{AccentFolding::kNone, {0, 0}, {1, 5}, false};
  TermReader reader(config);
  std::vector<TermReader::Slice> slices(1, TermReader::Slice(config));
  LargeVector<uint32_t> ids;
  const std::string long_word(1 << 20, 'x');  // five million n-grams, nine of them distinct
  std::vector<size_t> ends;
  for (int round = 0; round < 3; ++round) {
    for (const std::string& text : {std::string("hola"), long_word}) {
      slices[0].Clear();
      slices[0].Read(text, Stop());
      reader.Number(slices, 2, Stop());
      reader.AppendTerms(slices[0], 0, ids);
      ends.push_back(ids.size());
    }
  }
  const size_t round = ends[1];
  ASSERT_EQ(ids.size(), 3 * round);
  EXPECT_TRUE(std::equal(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(round),
                         ids.begin() + static_cast<ptrdiff_t>(2 * round)));
  EXPECT_LT(reader.bytes(), size_t{100} << 20);
  const VocabularyBuilder vocabulary = reader.Finish(ids);
  EXPECT_EQ(vocabulary.term(ids[0]), " ");
}

TEST(TermReader, StopsInALongText) {
  static int asked = 0;
  const Stop stop{[]() noexcept { return ++asked > 3; }};
  const AnalyzerConfig config;
  TermReader reader(config);
  std::vector<TermReader::Slice> slices(1, TermReader::Slice(config));
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "palabra" + std::to_string(i) + " ";
  slices[0].Read(text, Stop());
  EXPECT_THROW(reader.Number(slices, 1, stop), Cancelled);
}

}  // namespace
}  // namespace retrain
