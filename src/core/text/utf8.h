// Reading and writing UTF-8 one code point at a time, and the white space of Unicode.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstddef>
#include <cstdint>
#include <string>

namespace retrain {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// Texts are polled for a stop request at least this often.
inline constexpr size_t kTextPollBytes = 64 * 1024;

// Reads the code point at `p` < `end` and returns the bytes it takes. Ill-formed bytes give U+FFFD once per maximal
// subpart (Unicode Standard, table 3-7 and "U+FFFD Substitution of Maximal Subparts").
inline size_t DecodeUtf8(const char* p, const char* end, char32_t* code_point) noexcept {
  const auto lead = static_cast<uint8_t>(*p);
  uint8_t low = 0x80, high = 0xBF;  // what the second byte may be
  size_t size = 0;
  char32_t value = 0;
  if (lead < 0x80) {
    *code_point = lead;
    return 1;
  } else if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
    value = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    value = lead & 0x0F;
    if (lead == 0xE0) low = 0xA0;   // shorter forms exist
    if (lead == 0xED) high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    value = lead & 0x07;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;  // above U+10FFFF
  } else {
    *code_point = kReplacementCharacter;
    return 1;
  }
  for (size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<uint8_t>(p + i < end ? p[i] : 0);
    if (byte < low || byte > high) {
      *code_point = kReplacementCharacter;
      return i;
    }
    value = value << 6 | (byte & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  *code_point = value;
  return size;
}

// Returns the bytes of the character that starts with `lead`, in text known to be well-formed.
inline size_t Utf8Size(char lead) noexcept {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// Appends a Unicode scalar value.
inline void AppendUtf8(char32_t c, std::string& out) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
    return;
  }
  char bytes[4];
  size_t size = 0;
  if (c < 0x800) {
    bytes[size++] = static_cast<char>(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) {
      bytes[size++] = static_cast<char>(0xE0 | c >> 12);
    } else {
      bytes[size++] = static_cast<char>(0xF0 | c >> 18);
      bytes[size++] = static_cast<char>(0x80 | (c >> 12 & 0x3F));
    }
    bytes[size++] = static_cast<char>(0x80 | (c >> 6 & 0x3F));
  }
  bytes[size++] = static_cast<char>(0x80 | (c & 0x3F));
  out.append(bytes, size);
}

// White space as Python's str.split() has it: bidirectional class WS, B or S, or category Zs.
inline bool IsSpace(char32_t c) noexcept {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  if (c < 0x1680) return c == 0x85 || c == 0xA0;
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace retrain
