// Writing, checking and reading a frozen vocabulary (layout in vocabulary.h).
#include "core/text/vocabulary.h"

#include <bit>
#include <cstring>
#include <string>

#include "core/text/little_endian.h"
#include "core/text/term_hash.h"

namespace retrain {
namespace {

constexpr uint32_t kFormat = 1;
constexpr size_t kHeaderBytes = 20;
constexpr uint32_t kIdMask = 0x00FFFFFFu;
constexpr uint32_t kTagMask = 0xFF000000u;

uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 32) & kTagMask; }

// At most half of the slots are taken and at least one is empty, so probing is short and ends.
uint64_t SlotsFor(uint64_t terms) { return std::bit_ceil(terms < 1 ? uint64_t{2} : 2 * terms); }

[[noreturn]] void ThrowCorrupted(const std::string& detail) {
  throw Error(ErrorCode::kDataCorrupted, "the vocabulary of the model is corrupt", detail,
              "Train the model again, or roll back to a version that still verifies.");
}

// Appends the terms of one kind: their ends to the offsets, their slots to the table, their bytes at `bytes`.
class Encoder {
 public:
  Encoder(uint8_t* offsets, uint8_t* slots, uint64_t n_slots, uint8_t* bytes)
      : offsets_(offsets), slots_(slots), slot_mask_(n_slots - 1), bytes_(bytes) {
    StoreLittle32(0, offsets_);
  }

  void Append(FeatureKind kind, std::span<const std::string_view> terms) {
    for (size_t i = 0; i < terms.size(); ++i) {
      if (i > 0 && !(terms[i - 1] < terms[i])) {
        throw Error(ErrorCode::kInternal, "the terms of a vocabulary are not in ascending order");
      }
      const std::string_view term = terms[i];
      if (!term.empty()) std::memcpy(bytes_ + used_, term.data(), term.size());
      used_ += term.size();
      const uint64_t hash = TermHash(kind, term);
      uint64_t slot = hash & slot_mask_;
      while (LoadLittle32(slots_ + 4 * slot) != 0) slot = (slot + 1) & slot_mask_;
      StoreLittle32(TagOf(hash) | ++count_, slots_ + 4 * slot);
      StoreLittle32(static_cast<uint32_t>(used_), offsets_ + 4 * size_t{count_});
    }
  }

 private:
  uint8_t* const offsets_;
  uint8_t* const slots_;
  const uint64_t slot_mask_;
  uint8_t* const bytes_;
  uint64_t used_ = 0;
  uint32_t count_ = 0;
};

// Checks that the offsets start at 0, never fall and end at `bytes`.
void CheckOffsets(const uint8_t* offsets, uint32_t terms, uint32_t bytes) {
  uint32_t previous = 0;
  bool falls = LoadLittle32(offsets) != 0;
  for (size_t i = 1; i <= terms; ++i) {
    const uint32_t offset = LoadLittle32(offsets + 4 * i);
    falls |= offset < previous;
    previous = offset;
  }
  if (falls) ThrowCorrupted("The offsets of its terms are not in ascending order.");
  if (previous != bytes) ThrowCorrupted("The offsets of its terms do not end where its bytes end.");
}

// Checks that every slot is empty or names a term and that as many are taken as there are terms: at least one is empty.
void CheckSlots(const uint8_t* slots, uint32_t n_slots, uint32_t terms) {
  uint32_t empty = 0;
  unsigned outside = 0;
  for (size_t i = 0; i < n_slots; ++i) {
    const uint32_t slot = LoadLittle32(slots + 4 * i);
    empty += slot == 0;
    // id + 1 must be 1 … terms; a tag without an id is no empty slot and would read term -1. Without a branch: half of
    // the slots are empty in no order a processor could guess.
    outside |= static_cast<unsigned>(slot != 0) & static_cast<unsigned>((slot & kIdMask) - 1 >= terms);
  }
  if (outside != 0) ThrowCorrupted("A slot of its table names a term that does not exist.");
  if (empty != n_slots - terms) ThrowCorrupted("Its table does not have one entry for each term.");
}

}  // namespace

std::vector<uint8_t> EncodeVocabulary(std::span<const std::string_view> word_terms,
                                      std::span<const std::string_view> char_terms) {
  const uint64_t terms = uint64_t{word_terms.size()} + char_terms.size();
  uint64_t bytes = 0;
  for (const std::string_view term : word_terms) bytes += term.size();
  for (const std::string_view term : char_terms) bytes += term.size();
  if (terms > kMaxVocabularyTerms || bytes > std::numeric_limits<uint32_t>::max()) {
    throw Error(ErrorCode::kLimitExceeded, "the vocabulary is too large",
                "It has " + std::to_string(terms) + " terms of " + std::to_string(bytes) + " bytes together; at most " +
                    std::to_string(kMaxVocabularyTerms) + " terms and 4294967295 bytes can be stored.",
                "Set max_features, or raise min_df.");
  }
  const uint64_t n_slots = SlotsFor(terms);
  std::vector<uint8_t> out(kHeaderBytes + 4 * (terms + 1) + 4 * n_slots + bytes);
  uint8_t* const header = out.data();
  StoreLittle32(kFormat, header);
  StoreLittle32(static_cast<uint32_t>(terms), header + 4);
  StoreLittle32(static_cast<uint32_t>(word_terms.size()), header + 8);
  StoreLittle32(static_cast<uint32_t>(n_slots), header + 12);
  StoreLittle32(static_cast<uint32_t>(bytes), header + 16);
  uint8_t* const offsets = header + kHeaderBytes;
  uint8_t* const slots = offsets + 4 * (terms + 1);
  Encoder encoder(offsets, slots, n_slots, slots + 4 * n_slots);
  encoder.Append(FeatureKind::kWord, word_terms);
  encoder.Append(FeatureKind::kChar, char_terms);
  return out;
}

VocabularyView VocabularyView::Decode(std::span<const uint8_t> encoded) {
  if (encoded.size() < kHeaderBytes) ThrowCorrupted("It has " + std::to_string(encoded.size()) + " bytes.");
  const uint8_t* const header = encoded.data();
  const uint32_t format = LoadLittle32(header), terms = LoadLittle32(header + 4), words = LoadLittle32(header + 8);
  const uint32_t n_slots = LoadLittle32(header + 12), bytes = LoadLittle32(header + 16);
  if (format != kFormat) ThrowCorrupted("Its format is " + std::to_string(format) + ", not 1.");
  if (terms > kMaxVocabularyTerms || words > terms) ThrowCorrupted("Its numbers of terms are out of range.");
  if (n_slots != SlotsFor(terms)) ThrowCorrupted("Its table has " + std::to_string(n_slots) + " slots.");
  const uint64_t expected = kHeaderBytes + 4 * (uint64_t{terms} + 1) + 4 * uint64_t{n_slots} + bytes;
  if (expected != encoded.size()) {
    ThrowCorrupted("It has " + std::to_string(encoded.size()) + " bytes instead of " + std::to_string(expected) + ".");
  }
  VocabularyView view;
  view.size_ = terms;
  view.word_terms_ = words;
  view.slot_mask_ = n_slots - 1;
  view.offsets_ = header + kHeaderBytes;
  view.slots_ = view.offsets_ + 4 * (size_t{terms} + 1);
  view.bytes_ = reinterpret_cast<const char*>(view.slots_ + 4 * size_t{n_slots});
  CheckOffsets(view.offsets_, terms, bytes);
  CheckSlots(view.slots_, n_slots, terms);
  return view;
}

uint32_t VocabularyView::Find(FeatureKind kind, std::string_view wanted) const noexcept {
  if (size_ == 0) return kNoTerm;
  const uint64_t hash = TermHash(kind, wanted);
  const uint32_t tag = TagOf(hash);
  for (uint32_t at = static_cast<uint32_t>(hash) & slot_mask_;; at = (at + 1) & slot_mask_) {
    const uint32_t slot = LoadLittle32(slots_ + 4 * size_t{at});
    if (slot == 0) return kNoTerm;
    if ((slot & kTagMask) != tag) continue;
    const uint32_t id = (slot & kIdMask) - 1;
    if (this->kind(id) == kind && SameBytes(term(id), wanted)) return id;
  }
}

std::string_view VocabularyView::term(uint32_t id) const noexcept {
  const uint8_t* const offset = offsets_ + 4 * size_t{id};
  const uint32_t begin = LoadLittle32(offset);
  return std::string_view(bytes_ + begin, LoadLittle32(offset + 4) - begin);
}

}  // namespace retrain
