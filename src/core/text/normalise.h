// One text, however it was typed: the form under which two messages are the same message.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/stop.h"
#include "core/text/analyzer.h"

namespace retrain {

// Lower case and NFC with invisible characters (zero width, soft hyphen, byte order mark) removed and accents folded
// as told; white space kept as it is. Invalid bytes become U+FFFD. Appends to `out`. Linear in the input, polls `stop`.
void NormaliseCase(std::string_view utf8, AccentFolding folding, const Stop& stop, std::string& out);

// The same with case and accents kept.
void ComposeText(std::string_view utf8, const Stop& stop, std::string& out);

// The identity of a text: Unicode compatibility form and case folded, accents of vowels folded (ñ stays ñ), invisible
// characters removed, white space collapsed to one space and trimmed. "¿Dónde  está?" and "¿DONDE ESTA?" are one text.
std::string IdentityText(std::string_view utf8, const Stop& stop);

// 128 bits of a text's identity: MurmurHash3 x64 128 (Appleby, public domain) of IdentityText, bytes in little-endian order.
using TextKey = std::array<uint8_t, 16>;
TextKey Hash128(std::string_view bytes);
TextKey KeyOfText(std::string_view utf8, const Stop& stop);

}  // namespace retrain
