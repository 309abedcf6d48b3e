// A trained intent model, read in place from its artifact, and what it says of a message.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/stop.h"
#include "core/codec/bytes.h"
#include "core/codec/container.h"
#include "core/eval/novelty.h"
#include "core/eval/top_classes.h"
#include "core/intent/config.h"
#include "core/linear/linear.h"
#include "core/linear/weight_rows.h"
#include "core/model/served_model.h"
#include "core/neural/blend.h"
#include "core/neural/network.h"
#include "core/text/analyzer.h"
#include "core/text/tfidf.h"
#include "core/text/vocabulary.h"

namespace retrain {

// Everything an artifact holds, as training hands it over.
struct IntentModelParts {
  IntentConfig config;
  std::vector<std::string> labels;  // ascending bytes
  FeatureSpace space;
  std::vector<uint8_t> vocabulary;  // EncodeVocabulary
  std::vector<float> idf;           // space.terms()
  LinearWeights weights;            // space.columns() features
  Calibration calibration;
  uint64_t training_rows = 0;
  float confidence_threshold = 0;
  std::optional<Novelty> novelty;
  std::vector<Network> networks;
  Blend blend;  // of weights and networks, where there are any
};
std::vector<uint8_t> EncodeIntentModel(const IntentModelParts& parts);

// Buffers that scoring needs; one per thread of scoring, reused between messages.
struct ScoringScratch final : PredictionScratch {
  std::optional<Analyzer> analyzer;
  std::vector<uint32_t> places;      // hash table of columns: 1 + index in entries, 0 free; at most half full
  std::vector<SparseEntry> entries;  // features of the message last scored
  uint64_t unseen = 0;               // n-grams of that message that are no feature
  double known_squares = 0;          // squared length of its weighted terms
  std::vector<float> margins;        // stride
  std::vector<float> probabilities;  // n_classes
  TopClasses top;
  // Of models with networks: what the margins are blended from, both stride long.
  std::vector<float> classifier_margins, network_scores;
  NetworkScratch network;
};

// How a message compares with those that the model was trained on.
struct NoveltyVerdict {
  bool told = false;           // the artifact has what it takes to tell
  float familiarity = 0;       // share of known messages that look no more familiar, above 0
  bool out_of_scope = false;   // less familiar than the version's limit
  bool unknown_words = false;  // and its n-grams alone are enough to say so
};

struct Contribution {
  uint32_t column;
  float tfidf, weight;
  double contribution;  // tfidf * weight
};

// A margin taken apart: contributions and bias add up to it within rounding.
struct Explanation {
  std::vector<Contribution> contributions;  // the largest |contribution| first, then by column
  double bias = 0;
};

// Immutable. Holds views into the artifact, which must outlive it.
class IntentModel final : public ServedModel {
 public:
  static constexpr ModelKind kKind = ModelKind::kIntent;
  using Scratch = ScoringScratch;

  // Checks every length, offset and index; throws Error(kDataCorrupted) or Error(kNotSupported).
  explicit IntentModel(std::span<const uint8_t> artifact, Checksum checksum = Checksum::kCompare);

  ModelKind kind() const noexcept override { return kKind; }
  std::unique_ptr<PredictionScratch> NewScratch() const override { return std::make_unique<ScoringScratch>(); }
  std::string Describe() const override;

  uint32_t n_classes() const noexcept { return n_classes_; }
  std::string_view label(uint32_t k) const noexcept { return labels_[k]; }
  const FeatureSpace& space() const noexcept { return space_; }
  uint64_t training_rows() const noexcept { return training_rows_; }
  float confidence_threshold() const noexcept { return confidence_threshold_; }
  std::string_view classifier() const noexcept { return classifier_; }
  std::string_view config_json() const noexcept { return config_json_; }

  // Whether a message costs tens of microseconds and not a few: it asks networks.
  bool slow() const noexcept { return !networks_.empty(); }

  // Fills scratch.entries and scratch.margins. Throws Error(kInvalidParameter) when the model needs an embedding and this
  // is none of its dimension; a model without one takes no notice of it. Throws Error(kDataCorrupted), as all that follows from
  // margins, when the stored numbers lead to one that is infinite or none.
  void Margins(std::string_view message, const Stop& stop, ScoringScratch& scratch,
               std::span<const float> embedding = {}) const;
  // The same for a message whose n-grams have been looked up: the column of each in the order of Analyzer::ForEachTerm, kNoTerm
  // for those that are no feature. The text itself is only asked for its statistics.
  void MarginsOfTerms(std::span<const uint32_t> columns, std::string_view message, const Stop& stop,
                      ScoringScratch& scratch, std::span<const float> embedding = {}) const;
  // How it reads messages, and the terms that it knows: a term's number is its column.
  const AnalyzerConfig& analyzer() const noexcept { return analyzer_; }
  const VocabularyView& vocabulary() const noexcept { return vocabulary_; }
  std::span<const NetworkView> networks() const noexcept { return networks_; }
  Blend blend() const noexcept { return blend_; }
  // The most probable class of the margins last computed; the lowest index where several are equal.
  uint32_t Best(const ScoringScratch& scratch) const;
  // Fills scratch.probabilities from scratch.margins.
  void Probabilities(ScoringScratch& scratch) const;
  // Fills scratch.top.order from scratch.probabilities; `best` is what Best() said.
  void Top(uint32_t best, uint32_t wanted, ScoringScratch& scratch) const {
    FindTopClasses(scratch.probabilities, best, wanted, scratch.top);
  }
  // Of the message last scored.
  const std::optional<Novelty>& novelty() const noexcept { return novelty_; }
  NoveltyEvidence EvidenceOf(const ScoringScratch& scratch, float unseen_idf) const;
  NoveltyVerdict JudgeNovelty(const ScoringScratch& scratch) const;
  // The margin of class k of the message last scored. Networks are linear around the message: weights and bias are those
  // of that neighbourhood, and hence of this message only.
  Explanation Explain(const ScoringScratch& scratch, uint32_t k) const;

  std::string FeatureName(uint32_t column) const;
  const char* FeatureKindName(uint32_t column) const;  // word | char | stat | embedding
  uint64_t own_bytes() const noexcept override {
    return NetworkOwnBytes() + (stride_ * 8ull + (novelty_ ? novelty_->scores.size() : 0)) * sizeof(float) +
           (64ull << 10);
  }

 private:
  void ReadSettings(std::span<const uint8_t> bytes);
  void ReadLabels(std::span<const uint8_t> bytes);
  void ReadNumbers(std::span<const uint8_t> scales, std::span<const uint8_t> calibration);
  void ReadNovelty(std::span<const uint8_t> bytes);
  uint64_t NetworkOwnBytes() const noexcept;
  void BlendMargins(const Stop& stop, ScoringScratch& scratch) const;
  void WeighAndAdd(std::string_view message, const Stop& stop, ScoringScratch& scratch,
                   std::span<const float> embedding) const;

  AnalyzerConfig analyzer_;
  bool sublinear_tf_ = false;
  FeatureSpace space_;
  uint32_t n_classes_ = 0, stride_ = 0;
  uint64_t training_rows_ = 0;
  float confidence_threshold_ = 0;
  std::string_view classifier_, config_json_;
  std::vector<std::string_view> labels_;
  VocabularyView vocabulary_;
  UnalignedArray<float> idf_;
  WeightRows weights_;
  std::vector<float> scale_, bias_;
  Calibration calibration_;
  std::optional<Novelty> novelty_;
  std::vector<NetworkView> networks_;
  Blend blend_;
};

}  // namespace retrain
