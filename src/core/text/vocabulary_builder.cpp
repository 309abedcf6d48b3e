// Collecting terms and choosing those to keep (see vocabulary_builder.h).
#include "core/text/vocabulary_builder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "core/text/little_endian.h"
#include "core/text/term_hash.h"

namespace retrain {
namespace {

constexpr size_t kFirstSlots = 1024;
constexpr size_t kMaxTerms = size_t{1} << 31;
constexpr size_t kMaxTermBytes = (size_t{1} << 31) - 1;

// The builder's slot of a hash: its high half, so that an entry's 32 stored bits are enough to grow the table.
size_t SlotOf(uint32_t hash, size_t n_slots) { return hash & (n_slots - 1); }

// A term with its first eight bytes as a number that orders as they do; most comparisons need no more.
struct SortedTerm {
  uint64_t prefix;
  uint32_t id;
};

uint64_t PrefixOf(std::string_view term) {
  uint64_t prefix = 0;
  for (size_t i = 0; i < 8; ++i) prefix = prefix << 8 | (i < term.size() ? static_cast<uint8_t>(term[i]) : 0);
  return prefix;
}

// The least and most documents a kept term may be in.
struct DocumentBounds {
  double low;
  double high;
};

[[noreturn]] void ThrowInvalid(const char* name, double value, const char* range) {
  throw Error(ErrorCode::kInvalidParameter, std::string(name) + " is out of range",
              std::string(name) + " is " + std::to_string(value) + "; it must be " + range + ".");
}

DocumentBounds BoundsOf(const SelectionConfig& config, uint64_t documents) {
  const double min = config.min_df, max = config.max_df, n = static_cast<double>(documents);
  if (!(min >= 0) || (min >= 1 && min != std::floor(min))) {
    ThrowInvalid("min_df", min, "a share of the documents below 1 or a whole number of them");
  }
  if (!(max > 0) || (max > 1 && max != std::floor(max))) {
    ThrowInvalid("max_df", max, "a share of the documents above 0 and at most 1.0, or a whole number of them");
  }
  const DocumentBounds bounds{min < 1 ? min * n : min, max > 1 ? max : max * n};
  if (documents > 0 && bounds.high < bounds.low) {
    throw Error(ErrorCode::kInvalidParameter, "max_df admits fewer documents than min_df requires",
                "min_df asks for at least " + std::to_string(bounds.low) + " of " + std::to_string(documents) +
                    " documents, max_df for at most " + std::to_string(bounds.high) + ".",
                "Lower min_df or raise max_df.");
  }
  return bounds;
}

// The terms of a kind within the bounds.
template <class Take>
void ForEachCandidate(const VocabularyBuilder& vocabulary, FeatureKind kind,
                      std::span<const uint32_t> document_frequency, const DocumentBounds& bounds, const Stop& stop,
                      const Take& take) {
  for (uint32_t id = 0; id < vocabulary.size(); ++id) {
    if ((id & 65535) == 65535) stop.Poll();
    const double df = document_frequency[id];
    if (vocabulary.kind(id) == kind && df >= bounds.low && df <= bounds.high) take(id);
  }
}

// The corpus frequency of the last of the `limit` most frequent candidates, or a lower one: there is no need to sort the
// terms that are rarer. Most terms are rare, so frequencies are counted up to a bound.
uint64_t LeastFrequency(const VocabularyBuilder& vocabulary, FeatureKind kind,
                        std::span<const uint32_t> document_frequency, std::span<const uint64_t> corpus_frequency,
                        const DocumentBounds& bounds, uint32_t limit, const Stop& stop) {
  if (limit == 0) return 0;
  std::array<uint32_t, 1024> with{};  // candidates of each frequency, the last of so many or more
  ForEachCandidate(vocabulary, kind, document_frequency, bounds, stop,
                   [&](uint32_t id) { ++with[std::min<uint64_t>(corpus_frequency[id], with.size() - 1)]; });
  uint64_t so_many = 0;
  for (uint64_t frequency = with.size() - 1; frequency > 0; --frequency) {
    so_many += with[frequency];
    if (so_many >= limit) return frequency;
  }
  return 0;
}

// Returns the terms of a kind within the bounds, in ascending byte order; of those beyond `limit` at least the ones that are
// as frequent as one within it.
std::vector<SortedTerm> TermsInOrder(const VocabularyBuilder& vocabulary, FeatureKind kind,
                                     std::span<const uint32_t> document_frequency,
                                     std::span<const uint64_t> corpus_frequency, const DocumentBounds& bounds,
                                     uint32_t limit, const Stop& stop) {
  const uint64_t least = LeastFrequency(vocabulary, kind, document_frequency, corpus_frequency, bounds, limit, stop);
  std::vector<SortedTerm> terms;
  ForEachCandidate(vocabulary, kind, document_frequency, bounds, stop, [&](uint32_t id) {
    if (corpus_frequency[id] >= least) terms.push_back({PrefixOf(vocabulary.term(id)), id});
  });
  uint32_t comparisons = 0;
  std::sort(terms.begin(), terms.end(), [&](const SortedTerm& a, const SortedTerm& b) {
    if ((++comparisons & 65535) == 0) stop.Poll();
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return vocabulary.term(a.id) < vocabulary.term(b.id);
  });
  return terms;
}

// Keeps the `limit` terms of highest corpus frequency, ties to the earlier term; the order stays.
void KeepMostFrequent(std::vector<SortedTerm>& terms, std::span<const uint64_t> corpus_frequency, uint32_t limit,
                      const Stop& stop) {
  if (limit == 0 || terms.size() <= limit) return;
  std::vector<uint32_t> rank(terms.size());
  for (uint32_t i = 0; i < rank.size(); ++i) rank[i] = i;
  uint32_t comparisons = 0;
  std::nth_element(rank.begin(), rank.begin() + limit, rank.end(), [&](uint32_t a, uint32_t b) {
    if ((++comparisons & 65535) == 0) stop.Poll();
    const uint64_t frequency_a = corpus_frequency[terms[a].id], frequency_b = corpus_frequency[terms[b].id];
    return frequency_a != frequency_b ? frequency_a > frequency_b : a < b;
  });
  rank.resize(limit);
  std::sort(rank.begin(), rank.end());
  for (uint32_t i = 0; i < limit; ++i) terms[i] = terms[rank[i]];  // rank[i] >= i: read before it is overwritten
  terms.resize(limit);
}

}  // namespace

uint32_t VocabularyBuilder::Add(FeatureKind kind, std::string_view wanted) {
  return Add(kind, wanted, static_cast<uint32_t>(TermHash(kind, wanted) >> 32));
}

uint32_t VocabularyBuilder::Add(FeatureKind kind, std::string_view wanted, uint32_t hash) {
  if (kind != FeatureKind::kWord && kind != FeatureKind::kChar) {
    throw Error(ErrorCode::kInternal, "only words and character n-grams are terms of a vocabulary");
  }
  if (2 * (size_t{size_} + 1) > slots_.size()) Grow();
  size_t slot = SlotOf(hash, slots_.size());
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const uint32_t id = slots_[slot] - 1;
    if (entry(id).hash == hash && this->kind(id) == kind && SameBytes(term(id), wanted)) return id;
  }
  if (size_ >= kMaxTerms || wanted.size() > kMaxTermBytes) {
    throw Error(
        ErrorCode::kLimitExceeded, "the training texts have too many distinct terms",
        "There are " + std::to_string(size_) + " terms; the next one has " + std::to_string(wanted.size()) + " bytes.",
        "Use fewer or shorter n-grams.");
  }
  const uint32_t id = Append(
      {Keep(wanted), hash, static_cast<uint32_t>(wanted.size()) & 0x7FFFFFFFu, static_cast<uint32_t>(kind) & 1u});
  slots_[slot] = id + 1;
  return id;
}

uint32_t VocabularyBuilder::Append(const Entry& entry) {
  if (size_ == blocks_.size() * kBlock) blocks_.push_back(std::make_unique_for_overwrite<Entry[]>(kBlock));
  blocks_.back()[size_ % kBlock] = entry;
  return size_++;
}

// Copies the term's bytes to where they stay.
const char* VocabularyBuilder::Keep(std::string_view term) {
  if (term.size() > room_bytes_) {
    room_bytes_ = std::max(term.size(), kTextBlock);
    texts_.push_back(std::make_unique_for_overwrite<char[]>(room_bytes_));
    text_bytes_ += room_bytes_;
    room_ = texts_.back().get();
  }
  char* const kept = room_;
  std::copy(term.begin(), term.end(), kept);
  room_ += term.size();
  room_bytes_ -= term.size();
  return kept;
}

VocabularyBuilder VocabularyBuilder::Join(std::span<VocabularyBuilder> parts) {
  VocabularyBuilder all;
  for (VocabularyBuilder& part : parts) {
    for (uint32_t id = 0; id < part.size_; ++id) all.Append(part.entry(id));
    for (auto& text : part.texts_) all.texts_.push_back(std::move(text));
    all.text_bytes_ += part.text_bytes_;
    part = VocabularyBuilder();
  }
  return all;
}

// Doubles the table and puts every term in again by its stored hash.
void VocabularyBuilder::Grow() {
  std::vector<uint32_t> slots(slots_.empty() ? kFirstSlots : 2 * slots_.size());
  for (uint32_t id = 0; id < size_; ++id) {
    size_t slot = SlotOf(entry(id).hash, slots.size());
    while (slots[slot] != 0) slot = (slot + 1) & (slots.size() - 1);
    slots[slot] = id + 1;
  }
  slots_ = std::move(slots);
}

std::vector<uint32_t> SelectTerms(const VocabularyBuilder& vocabulary, std::span<const uint32_t> document_frequency,
                                  std::span<const uint64_t> corpus_frequency, uint64_t documents,
                                  const SelectionConfig& config, const Stop& stop) {
  if (document_frequency.size() < vocabulary.size() || corpus_frequency.size() < vocabulary.size()) {
    throw Error(ErrorCode::kInternal, "a term has no frequency");
  }
  const DocumentBounds bounds = BoundsOf(config, documents);
  std::vector<uint32_t> final_ids(vocabulary.size(), kNoTerm);
  uint32_t next = 0;
  for (const FeatureKind kind : {FeatureKind::kWord, FeatureKind::kChar}) {
    std::vector<SortedTerm> terms =
        TermsInOrder(vocabulary, kind, document_frequency, corpus_frequency, bounds, config.max_features, stop);
    KeepMostFrequent(terms, corpus_frequency, config.max_features, stop);
    for (const SortedTerm& term : terms) final_ids[term.id] = next++;
  }
  return final_ids;
}

std::vector<uint8_t> EncodeVocabulary(const VocabularyBuilder& vocabulary, std::span<const uint32_t> final_ids) {
  size_t kept = 0, words = 0;
  for (uint32_t id = 0; id < final_ids.size(); ++id) {
    if (final_ids[id] == kNoTerm) continue;
    ++kept;
    words += vocabulary.kind(id) == FeatureKind::kWord;
  }
  std::vector<std::string_view> terms(kept);
  for (uint32_t id = 0; id < final_ids.size(); ++id) {
    if (final_ids[id] != kNoTerm) terms.at(final_ids[id]) = vocabulary.term(id);
  }
  const std::span<const std::string_view> all(terms);
  return EncodeVocabulary(all.first(words), all.subspan(words));
}

}  // namespace retrain
