// Statistics of a message as a whole, the twelve extra features of a router of prompts (see analyzer.h).
//
// Counts without a bound are scaled by n / (n + k), where k is the count that gives 0.5; shares of characters that are
// small in ordinary text are multiplied by a fixed factor and cut at 1. Nothing depends on the training data, so a
// value means the same in every model. Letters and their marks are composed first and invisible characters left out: how a text
// was typed changes no count.
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "core/text/analyzer.h"
#include "core/text/normalise.h"
#include "core/text/utf8.h"

namespace retrain {
namespace {

// Every statistic is saturated or stable long before, so the rest of a longer text is not read: the cost has a bound.
constexpr size_t kSampleBytes = 64 * 1024;

// Distinct words are counted among the first 256: with more words the share falls by the length alone.
constexpr size_t kUniqueSample = 256;
constexpr size_t kUniqueSlots = 1024;

bool IsOneOf(char32_t c, std::string_view ascii) {
  return c < 0x80 && ascii.find(static_cast<char>(c)) != std::string_view::npos;
}

// Full stop, exclamation and question mark, ellipsis, and their full-width forms.
bool IsTerminator(char32_t c) { return IsOneOf(c, ".!?") || c == 0x2026 || c == 0x3002 || c == 0xFF01 || c == 0xFF1F; }

// Quotes and brackets that may stand between the end of a sentence and the next space.
bool ClosesQuote(char32_t c) { return IsOneOf(c, "\"')]}") || c == 0xBB || c == 0x2019 || c == 0x201D; }

// What one pass over a text counts.
class Counter {
 public:
  void Read(char32_t c) {
    ++characters_;
    const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
    const bool digit = category == UTF8PROC_CATEGORY_ND;
    letters_ += letter;
    upper_ += category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LT;
    digits_ += digit;
    questions_ += c == '?' || c == 0xFF1F;
    inverted_questions_ += c == 0xBF;
    exclamations_ += c == '!' || c == 0xFF01;
    inverted_exclamations_ += c == 0xA1;
    brackets_ += IsOneOf(c, "()[]{}");
    code_ += IsOneOf(c, "{}()[];=<>_`\\/|&#$*+^~@%");
    newlines_ += c == '\n';
    ReadWord(c, letter || digit || c == '_' || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO);
    ReadSentence(c);
  }

  std::array<float, kTextStats> Finish() {
    ReadWord(' ', false);
    ReadSentence(' ');
    if (characters_ == 0) return {};
    sentences_ += open_sentence_;
    const double n = characters_;
    const double average = words_ == 0 ? 0.0 : word_characters_ / static_cast<double>(words_);
    return {Saturate(n, 100),
            Saturate(words_, 20),
            Saturate(average, 5),
            Saturate(sentences_, 3),
            Saturate(std::max(questions_, inverted_questions_), 1),
            Saturate(std::max(exclamations_, inverted_exclamations_), 1),
            Share(brackets_, n, 10),
            Share(code_, n, 5),
            Share(digits_, n, 3),
            Share(upper_, letters_, 1),
            Saturate(newlines_, 4),
            Share(unique_, static_cast<double>(std::min<size_t>(words_, kUniqueSample)), 1)};
  }

 private:
  static float Saturate(double count, double half) { return static_cast<float>(count / (count + half)); }
  static float Share(double part, double whole, double factor) {
    return whole > 0 ? static_cast<float>(std::min(1.0, factor * part / whole)) : 0.0f;
  }

  // Words are runs of letters, numbers and underscores; their identity is a hash of their lower case.
  void ReadWord(char32_t c, bool word_character) {
    if (word_character) {
      ++word_characters_;
      word_hash_ = (word_hash_ ^ static_cast<uint64_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)))) *
                   0x9E3779B97F4A7C15ull;
      word_hash_ ^= word_hash_ >> 29;
      in_word_ = true;
    } else if (in_word_) {
      if (words_ < kUniqueSample) unique_ += InsertWord(word_hash_ | 1);
      ++words_;
      open_sentence_ = true;
      in_word_ = false;
      word_hash_ = 0;
    }
  }

  // Returns whether the hash (never 0) is new.
  bool InsertWord(uint64_t hash) {
    size_t slot = (hash >> 40) % kUniqueSlots;
    for (; seen_[slot] != 0; slot = (slot + 1) % kUniqueSlots) {
      if (seen_[slot] == hash) return false;
    }
    seen_[slot] = hash;
    return true;
  }

  // A sentence ends at a terminator before white space ("3.5" is none) and has at least one word.
  void ReadSentence(char32_t c) {
    if (IsTerminator(c)) {
      stopped_ = true;
    } else if (IsSpace(c)) {
      if (stopped_ && open_sentence_) {
        ++sentences_;
        open_sentence_ = false;
      }
      stopped_ = false;
    } else if (!ClosesQuote(c)) {
      stopped_ = false;
    }
  }

  uint32_t characters_ = 0, letters_ = 0, upper_ = 0, digits_ = 0, brackets_ = 0, code_ = 0, newlines_ = 0;
  uint32_t questions_ = 0, inverted_questions_ = 0, exclamations_ = 0, inverted_exclamations_ = 0;
  uint32_t words_ = 0, word_characters_ = 0, unique_ = 0, sentences_ = 0;
  bool in_word_ = false, open_sentence_ = false, stopped_ = false;
  uint64_t word_hash_ = 0;
  std::array<uint64_t, kUniqueSlots> seen_{};
};

}  // namespace

const std::array<const char*, kTextStats> kTextStatNames = {
    "length",           "words",  "average_word_length", "sentences", "questions",   "exclamations", "brackets",
    "code_punctuation", "digits", "upper_case",          "lines",     "unique_words"};

std::array<float, kTextStats> ComputeTextStats(std::string_view utf8) {
  // A character on the edge is read as a whole.
  size_t size = std::min(utf8.size(), kSampleBytes);
  for (int i = 0; i < 3 && size < utf8.size() && (static_cast<uint8_t>(utf8[size]) & 0xC0) == 0x80; ++i) ++size;
  std::string text;
  ComposeText(utf8.substr(0, size), Stop(), text);
  const char* p = text.data();
  const char* const end = p + text.size();
  Counter counter;
  while (p < end) {
    char32_t c = 0;
    p += DecodeUtf8(p, end, &c);
    counter.Read(c);
  }
  return counter.Finish();
}

}  // namespace retrain
