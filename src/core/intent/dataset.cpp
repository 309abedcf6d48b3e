// Reads labelled messages into rows, one per distinct text and split.
#include "core/intent/dataset.h"

#include <cmath>
#include <cstring>
#include <tuple>

#include "core/base/error.h"
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

}  // namespace

size_t Dataset::KeyHash::operator()(const TextKey& key) const noexcept {
  size_t hash;
  std::memcpy(&hash, key.data(), sizeof hash);
  return hash;
}

Dataset::Dataset(const IntentConfig& config) : config_(config), analyzer_(config.analyzer) {}

Split Dataset::SplitOf(const LabelledMessage& message, const TextKey& key) const {
  if (message.split.empty()) {
    // The second half of the key, so that the split is not tied to the order of rows, which the first half decides.
    uint64_t bits;
    std::memcpy(&bits, key.data() + 8, sizeof bits);
    const double share = static_cast<double>(bits >> 11) * 0x1p-53;
    if (share < config_.split[0]) return Split::kTrain;
    return share < config_.split[0] + config_.split[1] ? Split::kValidation : Split::kTest;
  }
  for (const auto& entry : kSplitNames)
    if (message.split == entry.name) return entry.split;
  throw Error(ErrorCode::kInvalidParameter, "split of a row is not known",
              "split \"" + Shortened(message.split) + "\" of the message \"" + Shortened(message.text) + "\"",
              "use train, validation or test");
}

uint32_t Dataset::LabelId(std::string_view label) {
  if (label.size() > kMaxLabelBytes)
    throw Error(ErrorCode::kLimitExceeded, "intent name is too long",
                std::to_string(label.size()) + " bytes, at most " + std::to_string(kMaxLabelBytes) + ": \"" +
                    Shortened(label) + "\"",
                "shorten the intent's name");
  const auto [it, added] = label_ids_.try_emplace(std::string(label), static_cast<uint32_t>(labels_.size()));
  if (added) labels_.emplace_back(label);
  return it->second;
}

bool Dataset::Wins(const LabelledMessage& message, uint64_t text_hash, const DatasetRow& row) const {
  const std::string_view other = labels_[row.label];
  return std::tie(message.human, message.created_at, message.label, text_hash) >
         std::tie(row.human, row.created_at, other, row.text_hash);
}

void Dataset::Fill(const LabelledMessage& message, const Stop& stop, DatasetRow& row) {
  row.first_term = terms_.size();
  row.n_terms = 0;
  row.embedding_begin = embeddings_.size();
  if (embedding_size_ > 0) embeddings_.insert(embeddings_.end(), message.embedding.begin(), message.embedding.end());
  if (row.split != Split::kTrain) {
    row.text_begin = kept_text_.size();
    row.text_size = static_cast<uint32_t>(message.text.size());
    kept_text_ += message.text;
  } else {
    analyzer_.Read(message.text, stop);
    analyzer_.ForEachTerm(
        stop, [this](FeatureKind kind, std::string_view term) { terms_.push_back(vocabulary_.Add(kind, term)); });
    row.n_terms = static_cast<uint32_t>(terms_.size() - row.first_term);
    if (config_.analyzer.text_stats) {
      row.stats_row = static_cast<uint32_t>(stats_.size());
      stats_.push_back(ComputeTextStats(message.text));
    }
  }
}

void Dataset::Add(const LabelledMessage& message, const Stop& stop) {
  if (!(message.weight > 0 && std::isfinite(message.weight)))
    throw Error(ErrorCode::kInvalidParameter, "weight of a row is not a positive number",
                "weight " + std::to_string(message.weight) + " of the message \"" + Shortened(message.text) + "\"",
                "give every row a weight above 0");
  const std::string identity = IdentityText(message.text, stop);
  if (identity.empty() || message.label.empty()) {
    ++ignored_;
    return;
  }
  const TextKey key = Hash128(identity);
  const Split split = SplitOf(message, key);
  TextKey hash = Hash128(message.text);
  if (!config_.embedding_column.empty()) {
    CheckEmbedding(message.embedding, embedding_size_);
    embedding_size_ = static_cast<uint32_t>(message.embedding.size());
    std::string both(reinterpret_cast<const char*>(hash.data()), hash.size());
    both.append(reinterpret_cast<const char*>(message.embedding.data()), message.embedding.size_bytes());
    hash = Hash128(both);
  }
  uint64_t text_hash;
  std::memcpy(&text_hash, hash.data(), sizeof text_hash);
  const uint32_t label = LabelId(message.label);
  const auto [it, added] = by_key_[static_cast<size_t>(split)].try_emplace(key, static_cast<uint32_t>(rows_.size()));
  if (!added) {
    ++duplicates_;
    if (!Wins(message, text_hash, rows_[it->second])) return;
  }
  DatasetRow row{};
  row.key = key;
  row.text_hash = text_hash;
  row.label = label;
  row.weight = static_cast<float>(message.weight);
  row.split = split;
  row.human = message.human;
  row.created_at = message.created_at;
  Fill(message, stop, row);
  if (added)
    rows_.push_back(row);
  else
    rows_[it->second] = row;
}

uint64_t Dataset::bytes() const noexcept {
  // A node of an unordered_map: key, number, cached hash and link, plus its share of the bucket array.
  constexpr uint64_t kNodeBytes = 56;
  uint64_t bytes = vocabulary_.bytes() + terms_.capacity() * sizeof(uint32_t) + stats_.capacity() * sizeof(stats_[0]) +
                   kept_text_.capacity() + embeddings_.capacity() * sizeof(float) +
                   rows_.capacity() * sizeof(DatasetRow) + analyzer_.bytes();
  for (const auto& map : by_key_) bytes += map.size() * kNodeBytes;
  for (const auto& label : labels_) bytes += 2 * (label.capacity() + 64);
  return bytes;
}

void Dataset::ReleaseTerms() {
  vocabulary_ = VocabularyBuilder();
  terms_ = {};
  stats_ = {};
}

}  // namespace retrain
