// The vocabulary while it grows: terms of the training texts, numbered as they come, and the choice of those to keep.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
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
    if (slot != 0) __builtin_prefetch(&entries_[slot - 1]);
  }

  // The terms of all parts, which have none in common: the ids of a part go on from those of the parts before it. Leaves
  // the parts empty. Nothing can be added to the result.
  static VocabularyBuilder Join(std::span<VocabularyBuilder> parts);

  uint32_t size() const noexcept { return static_cast<uint32_t>(entries_.size()); }

  // Memory held, for the training budget. While a table grows, the old and the new one exist together for a moment.
  size_t bytes() const noexcept {
    return slots_.capacity() * sizeof(uint32_t) + entries_.capacity() * sizeof(Entry) + arena_.capacity();
  }

  // For id < size(). The view holds until the next Add.
  std::string_view term(uint32_t id) const noexcept {
    return std::string_view(arena_.data() + entries_[id].begin, entries_[id].size);
  }
  FeatureKind kind(uint32_t id) const noexcept { return static_cast<FeatureKind>(entries_[id].kind); }

 private:
  struct Entry {
    uint64_t begin;  // of the term in the arena
    uint32_t hash;   // the high half of TermHash, to pass over other terms and to grow without the arena
    uint32_t size : 31;
    uint32_t kind : 1;
  };

  uint32_t Append(FeatureKind kind, std::string_view term, uint32_t hash);
  void Grow();

  std::vector<uint32_t> slots_;  // open addressing, linear probing: id + 1, 0 is empty; at most half full
  std::vector<Entry> entries_;
  std::vector<char> arena_;
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
