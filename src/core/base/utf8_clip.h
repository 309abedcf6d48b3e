// The head of a UTF-8 text, cut at the edge of a character.
#pragma once

#include <string>
#include <string_view>

namespace retrain {

inline std::string_view ClipUtf8(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

// For error texts: at most `bytes` bytes, with "..." where something was left out: LATIN1 has no ellipsis.
inline std::string Shortened(std::string_view text, size_t bytes = 60) {
  return std::string(ClipUtf8(text, bytes)) + (text.size() > bytes ? "..." : "");
}

}  // namespace retrain
