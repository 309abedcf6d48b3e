// A frozen vocabulary: terms in a fixed order, found by their bytes, read in place from an artifact.
//
// Layout, little-endian, at any address:
//   u32 format (1), u32 terms n, u32 word terms w, u32 slots s, u32 bytes of terms b
//   u32 offsets[n + 1]   where each term begins in the bytes; offsets[0] = 0, offsets[n] = b, never falling
//   u32 slots[s]         open addressing with linear probing, s a power of two, s >= 2 n: 0 is empty, otherwise
//                        the low 24 bits are id + 1 and the high 8 bits those of TermHash
//   u8 bytes[b]          the terms one after the other: ids 0 … w - 1 word terms, then character terms, each ascending
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/text/analyzer.h"

namespace retrain {

inline constexpr uint32_t kNoTerm = std::numeric_limits<uint32_t>::max();

// A slot holds id + 1 in 24 bits.
inline constexpr uint32_t kMaxVocabularyTerms = (1u << 24) - 2;

// Encodes a vocabulary. Both lists must be in strictly ascending byte order. Throws kLimitExceeded beyond
// kMaxVocabularyTerms terms or 4 GB of bytes.
std::vector<uint8_t> EncodeVocabulary(std::span<const std::string_view> word_terms,
                                      std::span<const std::string_view> char_terms);

// A view into encoded bytes, which must outlive it. Copies freely; safe to use from any number of threads.
class VocabularyView {
 public:
  // The empty vocabulary.
  VocabularyView() = default;

  // Checks every length, offset and slot, so that no later call can leave `encoded`, and throws kDataCorrupted when one
  // is wrong. `encoded` is exactly the vocabulary. Whether a slot leads to the right term is for the artifact's checksum.
  static VocabularyView Decode(std::span<const uint8_t> encoded);

  // Returns the id of a term, or kNoTerm.
  uint32_t Find(FeatureKind kind, std::string_view term) const noexcept;

  uint32_t size() const noexcept { return size_; }
  uint32_t word_terms() const noexcept { return word_terms_; }

  // For id < size().
  std::string_view term(uint32_t id) const noexcept;
  FeatureKind kind(uint32_t id) const noexcept { return id < word_terms_ ? FeatureKind::kWord : FeatureKind::kChar; }

 private:
  uint32_t size_ = 0;
  uint32_t word_terms_ = 0;
  uint32_t slot_mask_ = 0;
  const uint8_t* offsets_ = nullptr;
  const uint8_t* slots_ = nullptr;
  const char* bytes_ = nullptr;
};

}  // namespace retrain
