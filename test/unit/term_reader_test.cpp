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
  LargeVector<uint32_t> items;
  std::vector<size_t> ends, counts;
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
      counts.push_back(reader.AppendItems(slices[s], text, items));
      ends.push_back(items.size());
    }
  }
  EXPECT_GT(reader.bytes(), 0u);
  const TermReader::Terms found = reader.Finish({items});
  const VocabularyBuilder& vocabulary = found.vocabulary;
  std::vector<bool> seen(vocabulary.size());
  std::vector<Terms> all;
  for (size_t i = 0, at = 0; i < texts.size(); ++i) {
    Terms terms;
    const auto take = [&](uint32_t id) {
      seen.at(id) = true;
      terms.emplace_back(vocabulary.kind(id), vocabulary.term(id));
    };
    for (; at < ends[i]; ++at) {
      if ((items[at] & kListItem) == 0)
        take(items[at]);
      else
        for (const uint32_t id : found.lists.list(items[at] & ~kListItem)) take(id);
    }
    EXPECT_EQ(terms.size(), counts[i]);
    all.push_back(Sorted(std::move(terms)));
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), false), 0) << "a number without a text";
  if (numbers != nullptr) numbers->assign(items.begin(), items.end());
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

// A word that comes again costs one number, however long it is.
TEST(TermReader, TheNgramsOfAWordAreListedOnce) {
  const AnalyzerConfig config{AccentFolding::kNone, {0, 0}, {1, 5}, false};
  TermReader reader(config);
  std::vector<TermReader::Slice> slices(1, TermReader::Slice(config));
  LargeVector<uint32_t> items;
  const std::string long_word(1 << 20, 'x');
  for (int round = 0; round < 3; ++round) {
    slices[0].Clear();
    slices[0].Read("hola " + long_word, Stop());
    reader.Number(slices, 2, Stop());
    // " hola " has 6 + 5 + 4 + 3 + 2 of them.
    EXPECT_EQ(reader.AppendItems(slices[0], 0, items), 20 + 5 * ((1u << 20) + 2) - 10);
  }
  ASSERT_EQ(items.size(), 6u);
  EXPECT_EQ(items[0], items[4]);
  const TermReader::Terms terms = reader.Finish({items});
  ASSERT_EQ(terms.lists.size(), 2u);
  EXPECT_EQ(terms.vocabulary.term(terms.lists.list(0)[0]), " ");
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
