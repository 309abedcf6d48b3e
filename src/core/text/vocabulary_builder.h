// The vocabulary while it grows: terms of the training texts, numbered as they come, and the choice of those to keep.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/stop.h"
#include "core/text/analyzer.h"
#include "core/text/vocabulary.h"

namespace retrain {

// Gives every distinct (kind, term) a provisional id 0, 1, 2 … in order of first sight. The caller keeps the document
// and corpus frequencies in arrays by id. After an exception the builder can only be destroyed.
class VocabularyBuilder {
 public:
  // Returns the id of a word or character term, new or known. Amortised constant time.
  uint32_t Add(FeatureKind kind, std::string_view term);
  // The same for a caller that has the high half of the term's TermHash already.
  uint32_t Add(FeatureKind kind, std::string_view term, uint32_t hash);

  // Brings near what Add will look at for this hash, in two stages: first the slot, a few terms later the entry.
  void PrefetchSlot(uint32_t hash) const noexcept {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
  }
  void PrefetchEntry(uint32_t hash) const noexcept {
    if (slots_.empty()) return;
    const uint32_t slot = slots_[hash & (slots_.size() - 1)];
    if (slot != 0) __builtin_prefetch(&entry(slot - 1));
  }

  // The terms of all parts, which have none in common: the ids of a part go on from those of the parts before it. Leaves
  // the parts empty. Nothing can be added to the result.
  static VocabularyBuilder Join(std::span<VocabularyBuilder> parts);

  uint32_t size() const noexcept { return size_; }

  // Memory held, for the training budget. While a table grows, the old and the new one exist together for a moment.
  size_t bytes() const noexcept {
    return slots_.capacity() * sizeof(uint32_t) + blocks_.size() * kBlock * sizeof(Entry) + text_bytes_;
  }

  // For id < size().
  std::string_view term(uint32_t id) const noexcept { return {entry(id).begin, entry(id).size}; }
  FeatureKind kind(uint32_t id) const noexcept { return static_cast<FeatureKind>(entry(id).kind); }

 private:
  struct Entry {
    const char* begin;
    uint32_t hash;  // the high half of TermHash, to pass over other terms and to grow without their text
    uint32_t size : 31;
    uint32_t kind : 1;
  };
  // Entries and text lie in blocks that stay where they are: one array would be copied whenever it grows, each time into
  // memory fresh from the system.
  static constexpr uint32_t kBlock = 2048;
  static constexpr size_t kTextBlock = size_t{32} * 1024;

  const Entry& entry(uint32_t id) const noexcept { return blocks_[id / kBlock][id % kBlock]; }
  uint32_t Append(const Entry& entry);
  const char* Keep(std::string_view term);
  void Grow();

  std::vector<uint32_t> slots_;  // open addressing, linear probing: id + 1, 0 is empty; at most half full
  std::vector<std::unique_ptr<Entry[]>> blocks_;
  uint32_t size_ = 0;
  std::vector<std::unique_ptr<char[]>> texts_;
  size_t text_bytes_ = 0;  // of the blocks in texts_
  char* room_ = nullptr;   // in the last of them
  size_t room_bytes_ = 0;
};

// Which terms to keep, with the meaning scikit-learn gives these parameters. Applied to each kind by itself.
struct SelectionConfig {
  double min_df = 1;          // in at least this many documents; below 1: a share of them
  double max_df = 1.0;        // in at most this share of the documents; above 1: so many of them
  uint32_t max_features = 0;  // the most frequent in the corpus, ties by ascending bytes; 0: no limit
};

// Returns the final id of every provisional id, kNoTerm for those not kept: word terms, then character terms, each in
// ascending byte order, so the ids depend on the set of texts and never on their order. Frequencies are indexed by
// provisional id. Throws kInvalidParameter when a bound makes no sense.
std::vector<uint32_t> SelectTerms(const VocabularyBuilder& vocabulary, std::span<const uint32_t> document_frequency,
                                  std::span<const uint64_t> corpus_frequency, uint64_t documents,
                                  const SelectionConfig& config, const Stop& stop = {});

// Encodes the terms that SelectTerms kept.
std::vector<uint8_t> EncodeVocabulary(const VocabularyBuilder& vocabulary, std::span<const uint32_t> final_ids);

}  // namespace retrain
