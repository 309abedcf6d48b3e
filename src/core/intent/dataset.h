// Labelled messages on their way into training: one row per distinct text, its terms as numbers, its text forgotten.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/large_vector.h"
#include "core/base/stop.h"
#include "core/intent/config.h"
#include "core/text/analyzer.h"
#include "core/text/normalise.h"
#include "core/text/term_reader.h"
#include "core/text/vocabulary_builder.h"

namespace retrain {

enum class Split : uint8_t { kTrain = 0, kValidation = 1, kTest = 2 };

inline constexpr int64_t kNoTime = INT64_MIN;
inline constexpr size_t kMaxLabelBytes = 1024;

// A labelled message as the caller reads it.
struct LabelledMessage {
  std::string_view text;         // UTF-8
  std::string_view label;        // UTF-8, 1..kMaxLabelBytes
  double weight = 1;             // finite, > 0
  std::string_view split;        // train | validation | test and their usual short forms; empty: follows from the text
  int64_t created_at = kNoTime;  // microseconds
  bool human = false;            // the label is a person's
  std::span<const float> embedding{};  // as many numbers for every message; when the configuration names its column
  bool reviewed = false;               // a person has at least confirmed the label
  int64_t labelled_at = kNoTime;       // when the label was given, where that is not when the message was
};

struct DatasetRow {
  TextKey key;
  uint64_t text_hash;   // of the text as written: the last word between rows that differ in case only
  uint64_t first_item;  // training and test rows: in Dataset::items()
  uint32_t n_items;
  uint32_t n_terms;  // that the items stand for
  uint32_t label;    // in Dataset::labels()
  float weight;
  Split split;
  bool human, reviewed;
  int64_t created_at, labelled_at;
  uint64_t text_begin;  // rows that are scored, not learnt: their text in Dataset::text()
  uint32_t text_size;
  uint32_t stats_row;  // training rows with statistics: row in Dataset::stats()
  uint64_t embedding_begin;
};

// Rows with one identity (normalise.h) within a split count once: a person's label wins over a machine's, then one that a
// person has confirmed, then the newest label, then the newest message, then the greater label and text, so that the
// outcome does not depend on the order of arrival.
//
// Rows wait in a batch until they are worth reading on all threads; what they come to does not depend on the batches.
class Dataset {
 public:
  Dataset(const IntentConfig& config, int threads);
  ~Dataset();

  // Rows without a visible character in the text or without a label are counted and left out. Throws
  // Error(kInvalidParameter) for a bad weight or split and an overlong label; for a bad embedding at the latest in Finish.
  void Add(const LabelledMessage& message, const Stop& stop);
  // Reads what waits. Everything below holds from here on; no Add afterwards.
  void Finish(const Stop& stop);

  const LargeVector<DatasetRow>& rows() const noexcept { return rows_; }
  const std::vector<std::string>& labels() const noexcept { return labels_; }
  const VocabularyBuilder& vocabulary() const noexcept { return vocabulary_; }
  // Of a training or test row: the ids of its terms in vocabulary(), and with kListItem numbers of lists() of them.
  std::span<const uint32_t> items(const DatasetRow& row) const {
    const LargeVector<uint32_t>& items = row.split == Split::kTrain ? items_ : test_items_;
    return std::span<const uint32_t>(items).subspan(row.first_item, row.n_items);
  }
  const TermLists& lists() const noexcept { return lists_; }
  const std::vector<std::array<float, kTextStats>>& stats() const noexcept { return stats_; }
  // Of a validation or test row.
  std::string_view text(const DatasetRow& row) const {
    return std::string_view(kept_text_).substr(row.text_begin, row.text_size);
  }
  // As it was given; empty when messages have none.
  std::span<const float> embedding(const DatasetRow& row) const {
    return std::span<const float>(embeddings_).subspan(row.embedding_begin, embedding_size_);
  }
  uint32_t embedding_size() const noexcept { return embedding_size_; }
  size_t rows_of(Split split) const noexcept { return rows_of_[static_cast<size_t>(split)]; }
  uint64_t duplicates() const noexcept { return duplicates_; }
  uint64_t ignored() const noexcept { return ignored_; }
  uint64_t bytes() const noexcept;
  // Forgets the terms and what training rows are made of, before the fit takes its own memory. Test rows keep their items.
  void ReleaseTerms();

 private:
  struct Batch;  // rows that wait, and what reading them takes
  struct LabelHash {
    using is_transparent = void;
    size_t operator()(std::string_view label) const noexcept { return std::hash<std::string_view>()(label); }
  };

  Split SplitOf(int8_t given, const TextKey& key) const;
  uint32_t LabelId(std::string_view label);
  void ReadBatch(const Stop& stop);
  void Keep(size_t waiting);
  uint32_t& SlotOf(const TextKey& key, Split split);
  void GrowSlots();

  IntentConfig config_;
  int threads_;
  TermReader reader_;
  std::unique_ptr<Batch> batch_;
  VocabularyBuilder vocabulary_;
  TermLists lists_;
  LargeVector<uint32_t> items_, test_items_;
  std::vector<std::array<float, kTextStats>> stats_;
  std::vector<float> embeddings_;
  uint32_t embedding_size_ = 0;
  std::string kept_text_;
  LargeVector<DatasetRow> rows_;
  std::vector<std::string> labels_;
  std::unordered_map<std::string, uint32_t, LabelHash, std::equal_to<>> label_ids_;
  std::vector<uint32_t> slots_;  // rows by key and split, open addressing: row + 1, 0 is empty; at most half full
  std::array<size_t, 3> rows_of_{};
  uint64_t duplicates_ = 0, ignored_ = 0;
};

}  // namespace retrain
