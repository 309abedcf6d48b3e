// From a message to its terms.
//
// A message is normalised once into a scratch buffer, then read as word n-grams and as character n-grams within words.
// Every term is a view into that buffer; nothing is allocated per term.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/stop.h"

namespace retrain {

enum class FeatureKind : uint8_t { kWord = 0, kChar = 1, kStat = 2 };

enum class AccentFolding : uint8_t {
  kNone = 0,
  kSpanish = 1,  // áéíóúüñ -> aeiouun and nothing else (the classic recipe)
  kUnicode = 2,  // every combining mark removed after decomposition
};

struct NgramRange {
  uint8_t min = 0;  // 0: off
  uint8_t max = 0;
  bool enabled() const noexcept { return max != 0; }
  friend bool operator==(const NgramRange&, const NgramRange&) noexcept = default;
};

struct AnalyzerConfig {
  AccentFolding folding = AccentFolding::kUnicode;
  NgramRange word_ngrams{1, 2};
  NgramRange char_ngrams{2, 4};
  bool text_stats = false;
  uint8_t min_token_chars = 2;  // shorter runs of word characters are no tokens
  friend bool operator==(const AnalyzerConfig&, const AnalyzerConfig&) noexcept = default;
};

// The statistics of the message as a whole that the router uses, each scaled into about [0, 1] by a fixed rule.
inline constexpr size_t kTextStats = 12;
extern const std::array<const char*, kTextStats> kTextStatNames;
std::array<float, kTextStats> ComputeTextStats(std::string_view utf8);

// Offsets into a normalised message are 32 bits; normalisation makes at most three bytes of one.
inline constexpr size_t kMaxMessageBytes = size_t{512} * 1024 * 1024;

// Calls sink(FeatureKind::kChar, term) for every character n-gram of one word, shortest first, left to right, as
// scikit-learn's char_wb has them: the word has a space on both sides, and one shorter than n counts once. `chars` are the
// offsets in `text` of the characters of " word " and of its end.
template <class Sink>
void ForEachCharNgramOfWord(NgramRange range, std::string_view text, std::span<const uint32_t> chars, const Stop& stop,
                            Sink&& sink) {
  const size_t size = chars.size() - 1;
  for (size_t length = range.min; length <= range.max; ++length) {
    if (size <= length) {
      sink(FeatureKind::kChar, text.substr(chars[0], chars[size] - chars[0]));
      return;
    }
    for (size_t i = 0; i + length <= size; ++i) {
      if ((i & 16383) == 16383) stop.Poll();
      sink(FeatureKind::kChar, text.substr(chars[i], chars[i + length] - chars[i]));
    }
  }
}

// Reads a message into terms. Reusable: keeps its buffers between messages. Bytes that are not UTF-8 separate words.
class Analyzer {
 public:
  explicit Analyzer(const AnalyzerConfig& config) : config_(config) {}

  // Normalises `utf8` and finds its tokens and words; polls `stop` at least every 64 KB. Throws kLimitExceeded above
  // kMaxMessageBytes. After an exception there are no terms until the next Read.
  void Read(std::string_view utf8, const Stop& stop);

  // Calls sink(FeatureKind, std::string_view term) for every occurrence of every term of the message last read, word
  // n-grams first (shortest first, left to right), then character n-grams. A term of several words joins them by one space.
  template <class Sink>
  void ForEachTerm(const Stop& stop, Sink&& sink) const {
    if (config_.word_ngrams.enabled()) ForEachWordNgram(stop, sink);
    if (config_.char_ngrams.enabled()) ForEachCharNgram(stop, sink);
  }

  // The parts of it by themselves. Word n-grams are views into tokens().
  template <class Sink>
  void ForEachWordNgram(const Stop& stop, Sink&& sink) const {
    const size_t n = token_begin_.size();
    for (size_t length = config_.word_ngrams.min; length <= config_.word_ngrams.max; ++length) {
      for (size_t i = 0; i + length <= n; ++i) {
        if ((i & 4095) == 4095) stop.Poll();
        const uint32_t from = token_begin_[i], to = token_end_[i + length - 1];
        sink(FeatureKind::kWord, std::string_view(tokens_).substr(from, to - from));
      }
    }
  }
  std::string_view tokens() const noexcept { return tokens_; }

  // Words with a space on both sides, as character n-grams are read from them: views into text(). None where the configuration
  // has no character n-grams.
  size_t padded_words() const noexcept { return word_first_char_.empty() ? 0 : word_first_char_.size() - 1; }
  std::string_view padded_word(size_t w) const noexcept {
    const uint32_t begin = chars_[word_first_char_[w]], end = chars_[word_first_char_[w + 1] + 1];
    return std::string_view(text_).substr(begin, end - begin);
  }
  std::string_view text() const noexcept { return text_; }

  // Memory held by the buffers.
  size_t bytes() const noexcept {
    return text_.capacity() + tokens_.capacity() +
           4 * (chars_.capacity() + word_first_char_.capacity() + token_begin_.capacity() + token_end_.capacity());
  }

 private:
  template <class Sink>
  void ForEachCharNgram(const Stop& stop, Sink&& sink) const {
    for (size_t w = 0; w < padded_words(); ++w) {
      if ((w & 1023) == 1023) stop.Poll();
      // The closing space is shared with the next word's opening one.
      const size_t first = word_first_char_[w], size = word_first_char_[w + 1] - first + 1;
      ForEachCharNgramOfWord(config_.char_ngrams, text_, std::span(chars_).subspan(first, size + 1), stop, sink);
    }
  }

  void Clear() noexcept;
  void ReadWords(const Stop& stop);
  void ReadTokens(const Stop& stop);

  AnalyzerConfig config_;
  std::string text_;                       // " w1 w2 … wn ": normalised, white space collapsed where words are read
  std::vector<uint32_t> chars_;            // byte offset of each character of text_, then its size
  std::vector<uint32_t> word_first_char_;  // character index of the space before each word, then of the closing space
  std::string tokens_;                     // tokens of min_token_chars or more word characters, joined by one space
  std::vector<uint32_t> token_begin_;
  std::vector<uint32_t> token_end_;
};

}  // namespace retrain
