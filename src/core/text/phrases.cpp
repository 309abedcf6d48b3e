// Words, patterns and their match (see phrases.h).
#include "core/text/phrases.h"

#include <utf8proc.h>

#include <algorithm>
#include <bitset>
#include <vector>

#include "core/text/normalise.h"
#include "core/text/utf8.h"

namespace retrain {
namespace {

enum class Kind : uint8_t { kSeparator, kInWord, kSymbol };

Kind KindOf(char32_t c) {
  if (c < 0x80) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return word ? Kind::kInWord : Kind::kSeparator;
  }
  const int category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) return Kind::kInWord;
  return category == UTF8PROC_CATEGORY_SO ? Kind::kSymbol : Kind::kSeparator;
}

// Appends the words of normalised text, one space after each. A space comes before the first one already.
void AppendWords(std::string_view text, const Stop& stop, std::string& out) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const char* poll_at = p;
  bool in_word = false;
  while (p < end) {
    if (static_cast<size_t>(p - poll_at) >= kTextPollBytes) {
      stop.Poll();
      poll_at = p;
    }
    char32_t c = 0;
    const size_t n = DecodeUtf8(p, end, &c);
    const Kind kind = c == kReplacementCharacter ? Kind::kSeparator : KindOf(c);
    if (in_word && kind != Kind::kInWord) out.push_back(' ');
    in_word = kind == Kind::kInWord;
    if (kind != Kind::kSeparator) out.append(p, n);
    if (kind == Kind::kSymbol) out.push_back(' ');
    p += n;
  }
  if (in_word) out.push_back(' ');
}

[[noreturn]] void RefusePattern(std::string_view pattern, const char* detail) {
  throw Error(
      ErrorCode::kInvalidParameter, "a rule's pattern is made of phrases",
      "The pattern is \"" + std::string(pattern) + "\": " + detail,
      "Write phrases separated by \"|\", such as \"no me gusta|recomiend*|no * sirve\"; \"*\" ends a word that may "
      "go on, or stands for any one word.");
}

// Returns the next word of `text` from `*at` on, between spaces, and moves past the space that ends it; empty at the end.
std::string_view NextWord(std::string_view text, size_t* at) {
  const size_t begin = *at;
  const size_t end = std::min(text.find(' ', begin), text.size());
  *at = std::min(end + 1, text.size());
  return text.substr(begin, end - begin);
}

bool WordMatches(std::string_view word, std::string_view wanted) {
  if (!wanted.ends_with('*')) return word == wanted;
  wanted.remove_suffix(1);
  return word.substr(0, wanted.size()) == wanted;
}

// Says whether the words from `at` on, the start of a word, begin with the phrase.
bool PhraseAt(std::string_view words, size_t at, std::string_view phrase) {
  for (size_t wanted_at = 0; wanted_at < phrase.size();) {
    const std::string_view wanted = NextWord(phrase, &wanted_at);
    const std::string_view word = NextWord(words, &at);
    if (word.empty() || !WordMatches(word, wanted)) return false;
  }
  return true;
}

// Where the words of a text begin, and with which bytes: most phrases are ruled out by their first two. Those of a word of
// one byte are that and a space.
struct WordStarts {
  explicit WordStarts(std::string_view words) {
    for (size_t space = words.find(' '); space != std::string_view::npos && space + 1 < words.size();
         space = words.find(' ', space + 1)) {
      at.push_back(space + 1);
      first[static_cast<uint8_t>(words[space + 1])] = true;
      pairs[PairOf(words[space + 1], Second(words, space + 1))] = true;
    }
  }

  static char Second(std::string_view text, size_t begin) { return begin + 1 < text.size() ? text[begin + 1] : ' '; }
  // Different for different small letters, and few enough to be cleared for every rule.
  static size_t PairOf(char first, char second) { return static_cast<size_t>((first & 31) << 5 | (second & 31)); }

  std::vector<size_t> at;
  std::bitset<256> first;
  std::bitset<1024> pairs;
};

bool SaysPhrase(std::string_view words, const WordStarts& starts, std::string_view phrase, const Stop& stop) {
  const char first = phrase.front(), second = WordStarts::Second(phrase, 0);
  const bool any_first = first == '*', any_second = any_first || second == '*';
  if (!any_second && !starts.pairs[WordStarts::PairOf(first, second)]) return false;
  if (!any_first && !starts.first[static_cast<uint8_t>(first)]) return false;
  for (size_t i = 0; i < starts.at.size(); ++i) {
    if ((i & 16383) == 16383) stop.Poll();
    const size_t at = starts.at[i];
    if ((any_first || words[at] == first) && (any_second || WordStarts::Second(words, at) == second) &&
        PhraseAt(words, at, phrase))
      return true;
  }
  return false;
}

// Letters that people repeat to draw a word out. Of "w" and "x" three are something else: an address, a size.
bool IsDrawnOut(char c) { return c >= 'a' && c <= 'z' && c != 'w' && c != 'x'; }

// Of three in a row one of the last two is at an odd place.
bool HasThreeInARow(std::string_view words) {
  for (size_t i = 1; i < words.size(); i += 2) {
    const char c = words[i];
    if (c != words[i - 1]) continue;
    if ((i >= 2 && words[i - 2] == c) || (i + 1 < words.size() && words[i + 1] == c)) return true;
  }
  return false;
}

// The words with every letter once that is there three times in a row or more, which no word of Spanish or English has:
// "nooo me gustaaa" is " no me gusta ". Empty when nothing is drawn out.
std::string WithoutDrawnOutLetters(std::string_view words, const Stop& stop) {
  std::string out;
  size_t copied = 0, polled_at = 0;
  for (size_t begin = 0; begin < words.size();) {
    if (begin - polled_at >= kTextPollBytes) {
      stop.Poll();
      polled_at = begin;
    }
    size_t end = begin + 1;
    if (IsDrawnOut(words[begin])) {
      while (end < words.size() && words[end] == words[begin]) ++end;
      if (end - begin >= 3) {
        out.append(words, copied, begin + 1 - copied);
        copied = end;
      }
    }
    begin = end;
  }
  if (!out.empty()) out.append(words, copied);
  return out;
}

bool SaysOneOfWords(std::string_view words, std::string_view phrases, const Stop& stop) {
  const WordStarts starts(words);
  for (size_t begin = 0; begin < phrases.size();) {
    const size_t end = std::min(phrases.find('|', begin), phrases.size());
    if (end > begin && SaysPhrase(words, starts, phrases.substr(begin, end - begin), stop)) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

std::string WordsOf(std::string_view utf8, const Stop& stop) {
  std::string normal, words(1, ' ');
  NormaliseCase(utf8, AccentFolding::kUnicode, stop, normal);
  words.reserve(normal.size() + 2);
  AppendWords(normal, stop, words);
  return words;
}

std::string PhrasesOf(std::string_view pattern, const Stop& stop) {
  if (pattern.find_first_of("\\()[]{}^$+?") != std::string_view::npos) {
    RefusePattern(pattern, "it is no regular expression.");
  }
  std::string normal, phrases;
  NormaliseCase(pattern, AccentFolding::kUnicode, stop, normal);
  size_t polled_at = 0;
  for (size_t begin = 0; begin <= normal.size();) {
    const size_t end = std::min(normal.find('|', begin), normal.size());
    const std::string_view given = std::string_view(normal).substr(0, end);
    std::string phrase;
    bool has_word = false;
    if (begin - polled_at >= kTextPollBytes) {
      stop.Poll();
      polled_at = begin;
    }
    for (size_t at = begin; at < end;) {
      const size_t star = std::min(given.find('*', at), end);
      std::string words;
      AppendWords(given.substr(at, star - at), stop, words);
      has_word |= !words.empty();
      phrase += words;
      if (star == end) break;
      // "word*" goes on, "word *" is any one word.
      if (star > at && !words.empty() && normal[star - 1] != ' ') phrase.pop_back();
      phrase += "* ";
      at = star + 1;
    }
    if (!has_word) RefusePattern(pattern, "one of its phrases has no word.");
    phrase.back() = '|';
    phrases += phrase;
    begin = end + 1;
  }
  phrases.pop_back();
  return phrases;
}

bool SaysOneOf(std::string_view words, std::string_view phrases, const Stop& stop) {
  if (SaysOneOfWords(words, phrases, stop)) return true;
  if (!HasThreeInARow(words)) return false;
  const std::string plain = WithoutDrawnOutLetters(words, stop);
  return !plain.empty() && SaysOneOfWords(plain, phrases, stop);
}

}  // namespace retrain
