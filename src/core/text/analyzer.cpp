// From a message to its terms: the two passes that find words and tokens (see analyzer.h).
#include "core/text/analyzer.h"

#include <utf8proc.h>

#include <algorithm>
#include <utility>

#include "core/text/normalise.h"
#include "core/text/utf8.h"

namespace retrain {
namespace {

// A rare huge message must not hold its buffers for the life of a connection: they are given back at the next small one.
constexpr size_t kKeptBufferBytes = 8 * 1024 * 1024;
constexpr size_t kSmallMessageBytes = 64 * 1024;

enum ByteClass : uint8_t { kOther = 0, kWordByte = 1, kLeadByte = 2 };

// ASCII letters, digits and underscore are word bytes; bytes from 0x80 on start a longer character.
constexpr std::array<uint8_t, 256> MakeByteClasses() {
  std::array<uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    classes[static_cast<size_t>(c)] = c >= 0x80 ? kLeadByte : word ? kWordByte : kOther;
  }
  return classes;
}
constexpr std::array<uint8_t, 256> kByteClasses = MakeByteClasses();

// Says whether a character belongs to a token: a letter or a number of any script (the underscore is ASCII).
bool IsWordCharacter(char32_t c) {
  const int category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

void CheckMessageSize(size_t bytes) {
  if (bytes <= kMaxMessageBytes) return;
  throw Error(
      ErrorCode::kLimitExceeded, "message is too long",
      "The message has " + std::to_string(bytes) + " bytes; at most " + std::to_string(kMaxMessageBytes) + " are read.",
      "Split or shorten the text, for example with left(message, 10000).");
}

}  // namespace

void Analyzer::Read(std::string_view utf8, const Stop& stop) {
  CheckMessageSize(utf8.size());
  Clear();
  if (utf8.size() <= kSmallMessageBytes && bytes() > kKeptBufferBytes) {
    Analyzer fresh(config_);
    std::swap(*this, fresh);  // assigning would keep a string's buffer
  }
  try {
    text_.push_back(' ');
    NormaliseCase(utf8, config_.folding, stop, text_);
    if (config_.char_ngrams.enabled()) ReadWords(stop);
    if (config_.word_ngrams.enabled()) ReadTokens(stop);
  } catch (...) {
    Clear();  // half a message has no terms
    throw;
  }
}

void Analyzer::Clear() noexcept {
  text_.clear();
  chars_.clear();
  word_first_char_.clear();
  tokens_.clear();
  token_begin_.clear();
  token_end_.clear();
}

// Collapses white space in place (text_ starts with one space, so writing never overtakes reading) and indexes the
// characters and words of what is left.
void Analyzer::ReadWords(const Stop& stop) {
  text_.push_back(' ');  // ends the last word
  chars_.resize(text_.size() + 1);
  char* const text = text_.data();
  uint32_t* const chars = chars_.data();
  const size_t size = text_.size();
  size_t read = 1, write = 1, count = 1, poll_at = kTextPollBytes;
  chars[0] = 0;
  bool in_word = false;
  while (read < size) {
    if (read >= poll_at) {
      stop.Poll();
      poll_at = read + kTextPollBytes;
    }
    const auto lead = static_cast<uint8_t>(text[read]);
    size_t n = 1;
    char32_t c = lead;
    if (lead >= 0x80) n = DecodeUtf8(text + read, text + size, &c);
    if (!IsSpace(c)) {
      if (!in_word) word_first_char_.push_back(static_cast<uint32_t>(count - 1));
      in_word = true;
      chars[count++] = static_cast<uint32_t>(write);
      text[write++] = text[read];
      for (size_t i = 1; i < n; ++i) text[write++] = text[read + i];
    } else if (in_word) {
      in_word = false;
      chars[count++] = static_cast<uint32_t>(write);
      text[write++] = ' ';
    }
    read += n;
  }
  word_first_char_.push_back(static_cast<uint32_t>(count - 1));
  chars[count] = static_cast<uint32_t>(write);
  chars_.resize(count + 1);
  text_.resize(write);
}

// Copies every run of two or more word characters of text_ to tokens_, one space between them.
void Analyzer::ReadTokens(const Stop& stop) {
  tokens_.resize(text_.size() + 1);
  const char* p = text_.data();
  const char* const end = p + text_.size();
  const char* poll_at = p;
  char* const tokens = tokens_.data();
  char* write = tokens;
  while (p < end) {
    if (static_cast<size_t>(p - poll_at) >= kTextPollBytes) {
      stop.Poll();
      poll_at = p;
    }
    const char* const begin = p;
    size_t characters = 0, n = 1;
    for (; p < end; p += n, ++characters) {
      const uint8_t byte_class = kByteClasses[static_cast<uint8_t>(*p)];
      n = 1;
      if (byte_class == kWordByte) continue;
      if (byte_class == kOther) break;
      char32_t c = 0;
      n = DecodeUtf8(p, end, &c);
      if (!IsWordCharacter(c)) break;
      if (static_cast<size_t>(p - poll_at) >= kTextPollBytes) {  // one token may be the whole message
        stop.Poll();
        poll_at = p;
      }
    }
    if (characters > 0 && characters >= config_.min_token_chars) {
      if (write != tokens) *write++ = ' ';
      token_begin_.push_back(static_cast<uint32_t>(write - tokens));
      write = std::copy(begin, p, write);
      token_end_.push_back(static_cast<uint32_t>(write - tokens));
    }
    p += p < end ? n : 0;  // the character that ended the run
  }
  tokens_.resize(static_cast<size_t>(write - tokens));
}

}  // namespace retrain
