// Reads labelled messages into rows, one per distinct text and split.
#include "core/intent/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <tuple>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/base/utf8_clip.h"
#include "core/text/embedding.h"

namespace retrain {
namespace {

struct SplitName {
  const char* name;
  Split split;
};
constexpr SplitName kSplitNames[] = {
    {"train", Split::kTrain},    {"training", Split::kTrain},   {"validation", Split::kValidation},
    {"val", Split::kValidation}, {"valid", Split::kValidation}, {"dev", Split::kValidation},
    {"test", Split::kTest}};

// The row says nothing of its split: it follows from the text.
constexpr int8_t kNoSplit = -1;

// A batch is read when it has so many rows or bytes of text: some milliseconds' work.
constexpr size_t kBatchRows = 4096, kBatchBytes = size_t{256} * 1024;
// It is cut into so many slices, whatever the number of threads; one slice has at least so many bytes.
constexpr size_t kSlices = 8, kMinSliceBytes = 4096;
// What a row costs beside its text, as bytes of text.
constexpr size_t kRowCost = 16;

constexpr size_t kFirstSlots = 1024;

// Nothing of it can be seen, as in retrain_identity_text(): it is empty, or no-break spaces, for example. ASCII's signs can be.
bool IsInvisible(std::string_view label, const Stop& stop) {
  if (std::any_of(label.begin(), label.end(), [](char c) { return c > ' ' && c < 0x7f; })) return false;
  return IdentityText(label, stop).empty();
}

// Without the blanks around it: they are no part of a name, and a column of type char(n) pads with them.
std::string_view Trimmed(std::string_view name) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = name.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return name.substr(first, name.find_last_not_of(kBlanks) - first + 1);
}

int8_t SplitByName(const LabelledMessage& message) {
  const std::string_view split = Trimmed(message.split);
  if (split.empty()) return kNoSplit;
  for (const auto& entry : kSplitNames)
    if (split == entry.name) return static_cast<int8_t>(entry.split);
  throw Error(ErrorCode::kInvalidParameter, "split of a row is not known",
              "split \"" + Shortened(message.split) + "\" of the message \"" + Shortened(message.text) + "\"",
              "use train, validation or test");
}

}  // namespace

// A row waits with its text, label and embedding in arrays of the batch; reading fills in the rest.
struct Dataset::Batch {
  struct Row {
    size_t text_begin, text_size, label_begin, label_size, embedding_begin, embedding_size;
    float weight;
    int8_t given_split;
    bool human, reviewed;
    int64_t created_at, labelled_at;
    bool blank = false;  // no visible character
    Split split = Split::kTrain;
    TextKey key{};
    uint64_t text_hash = 0;
    size_t slice = 0, text_in_slice = 0;  // of a training or test row
    size_t stats_in_slice = 0;            // of a training row
  };
  // Consecutive rows, read by one thread.
  struct Slice {
    size_t first = 0, last = 0, texts = 0;
    std::vector<std::array<float, kTextStats>> stats;
  };

  explicit Batch(const AnalyzerConfig& config) : terms(kSlices, TermReader::Slice(config)), slices(kSlices) {}

  std::string_view text(const Row& row) const { return std::string_view(texts).substr(row.text_begin, row.text_size); }
  std::string_view label(const Row& row) const {
    return std::string_view(labels).substr(row.label_begin, row.label_size);
  }
  std::span<const float> embedding(const Row& row) const {
    return std::span<const float>(embeddings).subspan(row.embedding_begin, row.embedding_size);
  }

  std::string texts, labels;
  std::vector<float> embeddings;
  std::vector<Row> rows;
  std::vector<TermReader::Slice> terms;
  std::vector<Slice> slices;
};

Dataset::Dataset(const IntentConfig& config, int threads)
    : config_(config),
      threads_(threads),
      reader_(config.analyzer),
      batch_(std::make_unique<Batch>(config.analyzer)),
      slots_(kFirstSlots) {}

Dataset::~Dataset() = default;

void Dataset::Add(const LabelledMessage& message, const Stop& stop) {
  if (!(message.weight > 0 && std::isfinite(message.weight)))
    throw Error(ErrorCode::kInvalidParameter, "weight of a row is not a positive number",
                "weight " + std::to_string(message.weight) + " of the message \"" + Shortened(message.text) + "\"",
                "give every row a weight above 0");
  // Weights are held in single precision.
  const auto weight = static_cast<float>(message.weight);
  if (!(weight > 0 && std::isfinite(weight))) {
    char given[32];
    std::snprintf(given, sizeof given, "%g", message.weight);
    throw Error(ErrorCode::kInvalidParameter, "weight of a row is too large or too small",
                std::string("weight ") + given + " of the message \"" + Shortened(message.text) + "\"",
                "give every row a weight between 1e-30 and 1e30");
  }
  const std::string_view label = Trimmed(message.label);
  if (label.size() > kMaxLabelBytes)
    throw Error(ErrorCode::kInvalidParameter, "intent name is too long",
                std::to_string(label.size()) + " bytes, at most " + std::to_string(kMaxLabelBytes) + ": \"" +
                    Shortened(label) + "\" of the message \"" + Shortened(message.text) + "\"",
                "shorten the intent's name");
  Batch& batch = *batch_;
  Batch::Row row{batch.texts.size(),
                 message.text.size(),
                 batch.labels.size(),
                 label.size(),
                 batch.embeddings.size(),
                 config_.embedding_column.empty() ? 0 : message.embedding.size(),
                 weight,
                 SplitByName(message),
                 message.human,
                 message.reviewed,
                 message.created_at,
                 message.labelled_at != kNoTime ? message.labelled_at : message.created_at};
  batch.texts += message.text;
  batch.labels += label;
  batch.embeddings.insert(batch.embeddings.end(), message.embedding.begin(),
                          message.embedding.begin() + static_cast<ptrdiff_t>(row.embedding_size));
  batch.rows.push_back(row);
  if (batch.rows.size() >= kBatchRows || batch.texts.size() >= kBatchBytes) ReadBatch(stop);
}

Split Dataset::SplitOf(int8_t given, const TextKey& key) const {
  if (given != kNoSplit) return static_cast<Split>(given);
  // The second half of the key, so that the split is not tied to the order of rows, which the first half decides.
  uint64_t bits;
  std::memcpy(&bits, key.data() + 8, sizeof bits);
  const double share = static_cast<double>(bits >> 11) * 0x1p-53;
  if (share < config_.split[0]) return Split::kTrain;
  return share < config_.split[0] + config_.split[1] ? Split::kValidation : Split::kTest;
}

uint32_t Dataset::LabelId(std::string_view label) {
  const auto known = label_ids_.find(label);
  if (known != label_ids_.end()) return known->second;
  const auto id = static_cast<uint32_t>(labels_.size());
  label_ids_.emplace(label, id);
  labels_.emplace_back(label);
  return id;
}

// The slot of the row with this key and split, or the empty one where it would be.
uint32_t& Dataset::SlotOf(const TextKey& key, Split split) {
  uint64_t hash;
  std::memcpy(&hash, key.data(), sizeof hash);
  size_t slot = hash & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const DatasetRow& row = rows_[slots_[slot] - 1];
    if (row.split == split && row.key == key) break;
  }
  return slots_[slot];
}

void Dataset::GrowSlots() {
  slots_.assign(2 * slots_.size(), 0);
  for (uint32_t i = 0; i < rows_.size(); ++i) SlotOf(rows_[i].key, rows_[i].split) = i + 1;
}

// Identities, splits and terms on all threads, then the rows one after the other.
void Dataset::ReadBatch(const Stop& stop) {
  Batch& batch = *batch_;
  const size_t cost = batch.texts.size() + batch.rows.size() * kRowCost;
  const size_t n_slices = std::clamp<size_t>(cost / kMinSliceBytes, 1, kSlices);
  for (size_t s = 0, next = 0; s < n_slices; ++s) {
    Batch::Slice& slice = batch.slices[s];
    slice.first = next;
    while (next < batch.rows.size() &&
           (s + 1 == n_slices || batch.rows[next].text_begin + next * kRowCost < cost * (s + 1) / n_slices))
      ++next;
    slice.last = next;
  }
  ParallelFor(n_slices, threads_, [&](size_t s) {
    Batch::Slice& slice = batch.slices[s];
    batch.terms[s].Clear();
    slice.stats.clear();
    slice.texts = 0;
    for (size_t i = slice.first; i < slice.last; ++i) {
      Batch::Row& row = batch.rows[i];
      const std::string_view text = batch.text(row);
      const std::string identity = IdentityText(text, stop);
      row.blank = identity.empty() || IsInvisible(batch.label(row), stop);
      if (row.blank) continue;
      row.key = Hash128(identity);
      TextKey hash = Hash128(text);
      if (!config_.embedding_column.empty()) {
        std::string both(reinterpret_cast<const char*>(hash.data()), hash.size());
        const std::span<const float> embedding = batch.embedding(row);
        both.append(reinterpret_cast<const char*>(embedding.data()), embedding.size_bytes());
        hash = Hash128(both);
      }
      std::memcpy(&row.text_hash, hash.data(), sizeof row.text_hash);
      row.split = SplitOf(row.given_split, row.key);
      if (row.split == Split::kValidation) continue;
      batch.terms[s].Read(text, stop);
      row.slice = s;
      row.text_in_slice = slice.texts++;
      if (row.split != Split::kTrain || !config_.analyzer.text_stats) continue;
      row.stats_in_slice = slice.stats.size();
      slice.stats.push_back(ComputeTextStats(text));
    }
  });
  reader_.Number(std::span(batch.terms).first(n_slices), threads_, stop);
  for (size_t i = 0; i < batch.rows.size(); ++i) Keep(i);
  batch.rows.clear();
  batch.texts.clear();
  batch.labels.clear();
  batch.embeddings.clear();
}

// Adds a row of the batch, or puts it in the place of another with its identity.
void Dataset::Keep(size_t waiting) {
  const Batch& batch = *batch_;
  const Batch::Row& from = batch.rows[waiting];
  const std::string_view label = batch.label(from);
  if (from.blank) {
    ++ignored_;
    return;
  }
  if (!config_.embedding_column.empty()) {
    CheckEmbedding(batch.embedding(from), embedding_size_);
    embedding_size_ = static_cast<uint32_t>(from.embedding_size);
  }
  DatasetRow row{};
  row.key = from.key;
  row.text_hash = from.text_hash;
  row.label = LabelId(label);
  row.weight = from.weight;
  row.split = from.split;
  row.human = from.human;
  row.reviewed = from.reviewed;
  row.created_at = from.created_at;
  row.labelled_at = from.labelled_at;
  uint32_t& slot = SlotOf(row.key, row.split);
  if (slot != 0) {
    ++duplicates_;
    const DatasetRow& other = rows_[slot - 1];
    const std::string_view other_label = labels_[other.label];
    if (!(std::tie(row.human, row.reviewed, row.labelled_at, row.created_at, label, row.text_hash) >
          std::tie(other.human, other.reviewed, other.labelled_at, other.created_at, other_label, other.text_hash)))
      return;
  }
  row.embedding_begin = embeddings_.size();
  const std::span<const float> embedding = batch.embedding(from);
  embeddings_.insert(embeddings_.end(), embedding.begin(), embedding.end());
  if (row.split != Split::kTrain) {
    row.text_begin = kept_text_.size();
    row.text_size = static_cast<uint32_t>(from.text_size);
    kept_text_ += batch.text(from);
  }
  if (row.split != Split::kValidation) {
    LargeVector<uint32_t>& items = row.split == Split::kTrain ? items_ : test_items_;
    row.first_item = items.size();
    row.n_terms = static_cast<uint32_t>(reader_.AppendItems(batch.terms[from.slice], from.text_in_slice, items));
    row.n_items = static_cast<uint32_t>(items.size() - row.first_item);
  }
  if (row.split == Split::kTrain && config_.analyzer.text_stats) {
    row.stats_row = static_cast<uint32_t>(stats_.size());
    stats_.push_back(batch.slices[from.slice].stats[from.stats_in_slice]);
  }
  if (slot != 0) {
    rows_[slot - 1] = row;
    return;
  }
  MakeRoom(rows_, 1);
  rows_.push_back(row);
  slot = static_cast<uint32_t>(rows_.size());
  ++rows_of_[static_cast<size_t>(row.split)];
  if (2 * rows_.size() > slots_.size()) GrowSlots();
}

void Dataset::Finish(const Stop& stop) {
  ReadBatch(stop);
  batch_.reset();
  slots_ = {};
  TermReader::Terms terms = reader_.Finish({items_, test_items_});
  vocabulary_ = std::move(terms.vocabulary);
  lists_ = std::move(terms.lists);
}

uint64_t Dataset::bytes() const noexcept {
  uint64_t bytes = vocabulary_.bytes() + reader_.bytes() + lists_.bytes() +
                   (items_.capacity() + test_items_.capacity()) * sizeof(uint32_t) +
                   stats_.capacity() * sizeof(stats_[0]) + kept_text_.capacity() +
                   embeddings_.capacity() * sizeof(float) + rows_.capacity() * sizeof(DatasetRow) +
                   slots_.capacity() * sizeof(uint32_t);
  for (const auto& label : labels_) bytes += 2 * (label.capacity() + 64);
  if (!batch_) return bytes;
  const Batch& batch = *batch_;
  bytes += batch.texts.capacity() + batch.labels.capacity() + batch.embeddings.capacity() * sizeof(float) +
           batch.rows.capacity() * sizeof(Batch::Row);
  for (const TermReader::Slice& slice : batch.terms) bytes += slice.bytes();
  return bytes;
}

void Dataset::ReleaseTerms() {
  vocabulary_ = VocabularyBuilder();
  items_ = {};
  stats_ = {};
}

}  // namespace retrain
