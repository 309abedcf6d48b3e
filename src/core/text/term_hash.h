// The hash of a term. Part of the artifact format: frozen vocabularies store tables that were built with it, so it is
// the same on every platform and never changes under one format version.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <bit>
#include <cstdint>
#include <string_view>

#include "core/text/analyzer.h"
#include "core/text/little_endian.h"

namespace retrain {

// Hashes a term of a kind to 64 bits.
//
// The state starts from length and kind. Each 8 bytes (little-endian) are mixed by themselves, multiply, turn,
// multiply, so that no change of one word can be undone by a small change of the next; then they are added by exclusive
// or and the state is multiplied. A rest of 4 to 7 bytes is two overlapping words of 4, one of 1 to 3 bytes is spread
// over three places. The end is the finaliser of SplitMix64, so both the low bits (the slot) and the high bits (the
// tag) depend on all of the term.
inline uint64_t TermHash(FeatureKind kind, std::string_view term) noexcept {
  constexpr uint64_t kFactor = 0x9FB21C651E98DF25ull;
  const char* p = term.data();
  size_t left = term.size();
  uint64_t h = (static_cast<uint64_t>(left) << 2 | static_cast<uint64_t>(kind)) * 0xD6E8FEB86659FD93ull;
  for (; left >= 8; left -= 8, p += 8) {
    const uint64_t word = std::rotl(LoadLittle64(p) * 0xA0761D6478BD642Full, 31) * 0xE7037ED1A0B428DBull;
    h = std::rotl(h ^ word, 27) * kFactor;
  }
  if (left != 0) {
    uint64_t rest = 0;
    if (left >= 4) {
      rest = static_cast<uint64_t>(LoadLittle32(p)) << 32 | LoadLittle32(p + left - 4);
    } else {
      const auto first = static_cast<uint8_t>(p[0]), middle = static_cast<uint8_t>(p[left / 2]);
      rest =
          first | static_cast<uint64_t>(middle) << 8 | static_cast<uint64_t>(static_cast<uint8_t>(p[left - 1])) << 16;
    }
    h = (h ^ rest) * kFactor;
  }
  h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9ull;
  h = (h ^ (h >> 27)) * 0x94D049BB133111EBull;
  return h ^ (h >> 31);
}

}  // namespace retrain
