// Decodes an intent model's artifact and scores messages with it.
#include "core/intent/model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/base/clones.h"
#include "core/base/json.h"
#include "core/base/lane_math.h"
#include "core/codec/container.h"
#include "core/intent/sections.h"
#include "core/text/embedding.h"

namespace retrain {
namespace {

[[noreturn]] void Corrupted(const std::string& detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored model is corrupt", detail,
              "restore the version from a backup, or drop it and train again");
}

RETRAIN_CLONES void ScaleAndShift(const float* scale, const float* bias, uint32_t stride, float* acc) {
  for (uint32_t k = 0; k < stride; ++k) acc[k] = bias[k] + scale[k] * acc[k];
}

// Whether none of n numbers is infinite or NaN: those alone have all bits of their exponent set.
RETRAIN_CLONES bool AreFinite(const float* x, uint32_t n) {
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t bad = 0;
  for (uint32_t k = 0; k < n; ++k)
    bad |= static_cast<uint32_t>((std::bit_cast<uint32_t>(x[k]) & kExponent) == kExponent);
  return bad == 0;
}

// Sizes of the hash table of a message's columns, powers of two: a short message clears a kilobyte, and a long one does
// not leave its table to all that follow.
constexpr size_t kMinPlaces = 256, kKeptPlaces = 4096;

// Where the column stands in the table, or the free place where it belongs: linear probing from a Fibonacci hash.
uint32_t* PlaceOf(uint32_t column, std::span<const SparseEntry> entries, std::span<uint32_t> places) {
  const size_t mask = places.size() - 1;
  size_t at = ((uint64_t{column} * 0x9E3779B97F4A7C15ull) >> 32) & mask;
  while (places[at] != 0 && entries[places[at] - 1].column != column) at = (at + 1) & mask;
  return &places[at];
}

// Counts the columns that for_each hands to its sink, in the order in which they first come.
template <class ForEach>
void CountColumns(ScoringScratch& scratch, const ForEach& for_each) {
  auto& entries = scratch.entries;
  auto& places = scratch.places;
  entries.clear();
  scratch.unseen = 0;
  places.assign(std::max<size_t>(kMinPlaces, std::min(places.size(), kKeptPlaces)), 0);
  for_each([&](uint32_t column) {
    if (column == kNoTerm) {
      ++scratch.unseen;
      return;
    }
    uint32_t* place = PlaceOf(column, entries, places);
    if (*place != 0) {
      entries[*place - 1].value += 1;
      return;
    }
    entries.push_back({column, 1});
    *place = static_cast<uint32_t>(entries.size());
    if (2 * entries.size() < places.size()) return;
    places.assign(2 * places.size(), 0);
    for (size_t i = 0; i < entries.size(); ++i)
      *PlaceOf(entries[i].column, entries, places) = static_cast<uint32_t>(i + 1);
  });
}

std::vector<float> ReadFloats(ByteReader& in, size_t n) {
  const UnalignedArray<float> array(in.Take(uint64_t{n} * sizeof(float)));
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) {
    values[i] = array[i];
    if (!std::isfinite(values[i])) Corrupted("a weight is not a finite number");
  }
  return values;
}

}  // namespace

IntentModel::IntentModel(std::span<const uint8_t> artifact, Checksum checksum) {
  const ContainerReader container(artifact, checksum);
  ReadSettings(container.Section(sections::kSettings));
  const auto config = container.Section(sections::kConfig);
  config_json_ = {reinterpret_cast<const char*>(config.data()), config.size()};
  ReadLabels(container.Section(sections::kLabels));
  vocabulary_ = VocabularyView::Decode(container.Section(sections::kVocabulary));
  if (vocabulary_.size() != space_.terms()) Corrupted("the vocabulary has another size than the feature space");
  if (space_.word_terms > 0 && vocabulary_.kind(space_.word_terms - 1) != FeatureKind::kWord)
    Corrupted("the vocabulary's kinds do not match the feature space");
  if (space_.char_terms > 0 && vocabulary_.kind(space_.word_terms) != FeatureKind::kChar)
    Corrupted("the vocabulary's kinds do not match the feature space");
  const auto idf = container.Section(sections::kIdf);
  if (idf.size() != uint64_t{space_.terms()} * sizeof(float)) Corrupted("idf has another size than the vocabulary");
  idf_ = UnalignedArray<float>(idf);
  for (size_t i = 0; i < idf_.size(); ++i)
    if (!std::isfinite(idf_[i])) Corrupted("an idf is not a finite number");
  weights_ = container.Has(sections::kWholeWeights)
                 ? WeightRows::DecodeWhole(container.Section(sections::kWholeWeights), space_.columns(), stride_)
                 : WeightRows::Decode(container.Section(sections::kWeights), space_.columns(), n_classes_, stride_);
  ReadNumbers(container.Section(sections::kScales), container.Section(sections::kCalibration));
  if (container.Has(sections::kNovelty)) ReadNovelty(container.Section(sections::kNovelty));
  if (container.Has(sections::kNetworks)) {
    networks_ = DecodeNetworks(container.Section(sections::kNetworks), space_.columns(), stride_);
    ByteReader in(container.Section(sections::kBlend));
    const std::vector<float> blend = ReadFloats(in, 2);
    blend_ = {blend[0], blend[1]};
  }
}

void IntentModel::ReadSettings(std::span<const uint8_t> bytes) {
  ByteReader in(bytes);
  const auto folding = in.Get<uint8_t>();
  if (folding > static_cast<uint8_t>(AccentFolding::kUnicode)) Corrupted("unknown accent folding");
  analyzer_.folding = static_cast<AccentFolding>(folding);
  for (NgramRange* range : {&analyzer_.word_ngrams, &analyzer_.char_ngrams}) {
    range->min = in.Get<uint8_t>();
    range->max = in.Get<uint8_t>();
    if (range->min > range->max || range->max > 16 || (range->max > 0 && range->min == 0))
      Corrupted("n-gram range out of order");
  }
  analyzer_.min_token_chars = in.Get<uint8_t>();
  analyzer_.text_stats = in.Get<uint8_t>() != 0;
  sublinear_tf_ = in.Get<uint8_t>() != 0;
  space_.word_terms = in.Get<uint32_t>();
  space_.char_terms = in.Get<uint32_t>();
  space_.stats = in.Get<uint32_t>();
  // Each column needs weights in the artifact, so sizes beyond it are impossible; this also keeps the sums below 2^32.
  if (space_.word_terms > kMaxArtifactBytes || space_.char_terms > kMaxArtifactBytes ||
      space_.stats != (analyzer_.text_stats ? kTextStats : 0))
    Corrupted("the feature space is impossible");
  n_classes_ = in.Get<uint32_t>();
  if (n_classes_ < 2 || n_classes_ > kMaxArtifactBytes) Corrupted("the number of intents is impossible");
  stride_ = (n_classes_ + kLanes - 1) / kLanes * kLanes;
  training_rows_ = in.Get<uint64_t>();
  if (training_rows_ > std::numeric_limits<int32_t>::max()) Corrupted("the number of training rows is impossible");
  confidence_threshold_ = in.Get<float>();
  if (!(confidence_threshold_ >= 0 && confidence_threshold_ <= 1)) Corrupted("the confidence threshold is impossible");
  classifier_ = in.GetString();
  if (!in.empty()) space_.embedding = in.Get<uint32_t>();
  if (space_.embedding > kMaxEmbedding) Corrupted("the dimension of the embedding is impossible");
}

void IntentModel::ReadLabels(std::span<const uint8_t> bytes) {
  ByteReader in(bytes);
  // A label takes at least its length field: checked before memory is taken for a number from outside.
  if (bytes.size() / sizeof(uint32_t) < n_classes_) Corrupted("there are fewer labels than intents");
  labels_.reserve(n_classes_);
  for (uint32_t k = 0; k < n_classes_; ++k) {
    labels_.push_back(in.GetString());
    if (k > 0 && labels_[k] <= labels_[k - 1]) Corrupted("labels are out of order");
  }
}

void IntentModel::ReadNumbers(std::span<const uint8_t> scales, std::span<const uint8_t> calibration) {
  ByteReader in(scales);
  scale_ = ReadFloats(in, stride_);
  bias_ = ReadFloats(in, stride_);
  ByteReader cal(calibration);
  const auto kind = cal.Get<uint8_t>();
  if (kind > static_cast<uint8_t>(CalibrationKind::kSigmoid)) Corrupted("unknown calibration");
  calibration_.kind = static_cast<CalibrationKind>(kind);
  calibration_.inverse_temperature = cal.Get<double>();
  if (!std::isfinite(calibration_.inverse_temperature)) Corrupted("the temperature is not a finite number");
  if (calibration_.kind == CalibrationKind::kSigmoid) {
    calibration_.slope = ReadFloats(cal, n_classes_);
    calibration_.intercept = ReadFloats(cal, n_classes_);
  }
}

void IntentModel::ReadNovelty(std::span<const uint8_t> bytes) {
  ByteReader in(bytes);
  const std::vector<float> numbers = ReadFloats(in, 5);
  Novelty novelty{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], {}};
  if (!(novelty.share >= 0 && novelty.share <= 1)) Corrupted("the out-of-scope share is impossible");
  const auto n_scores = in.Get<uint32_t>();
  if (n_scores < 1 || n_scores > kNoveltyScores) Corrupted("the number of familiarity scores is impossible");
  novelty.scores = ReadFloats(in, n_scores);
  if (!std::is_sorted(novelty.scores.begin(), novelty.scores.end())) Corrupted("familiarity scores are out of order");
  novelty_ = std::move(novelty);
}

void IntentModel::Margins(std::string_view message, const Stop& stop, ScoringScratch& scratch,
                          std::span<const float> embedding) const {
  if (space_.embedding > 0) CheckEmbedding(embedding, space_.embedding);
  if (!scratch.analyzer) scratch.analyzer.emplace(analyzer_);
  scratch.analyzer->Read(message, stop);
  CountColumns(scratch, [&](const auto& count) {
    scratch.analyzer->ForEachTerm(
        stop, [&](FeatureKind kind, std::string_view term) { count(vocabulary_.Find(kind, term)); });
  });
  WeighAndAdd(message, stop, scratch, embedding);
}

void IntentModel::MarginsOfTerms(std::span<const uint32_t> columns, std::string_view message, const Stop& stop,
                                 ScoringScratch& scratch, std::span<const float> embedding) const {
  if (space_.embedding > 0) CheckEmbedding(embedding, space_.embedding);
  CountColumns(scratch, [columns](const auto& count) {
    for (const uint32_t column : columns) count(column);
  });
  WeighAndAdd(message, stop, scratch, embedding);
}

// From counts to margins.
void IntentModel::WeighAndAdd(std::string_view message, const Stop& stop, ScoringScratch& scratch,
                              std::span<const float> embedding) const {
  auto& entries = scratch.entries;
  scratch.known_squares =
      WeightTerms(std::span(entries), sublinear_tf_, [this](uint32_t column) { return idf_[column]; });
  if (analyzer_.text_stats) {
    const auto stats = ComputeTextStats(message);
    for (uint32_t i = 0; i < kTextStats; ++i) entries.push_back({space_.terms() + i, stats[i]});
  }
  if (space_.embedding > 0) AppendEmbedding(embedding, space_.terms() + space_.stats, entries);
  scratch.margins.assign(stride_, 0);
  float* acc = scratch.margins.data();
  weights_.AddRows(entries, stop, acc);
  ScaleAndShift(scale_.data(), bias_.data(), stride_, acc);
  if (!networks_.empty()) BlendMargins(stop, scratch);
  // Each stored number is finite, their sums and products need not be; what compares margins relies on it.
  if (!AreFinite(acc, n_classes_)) Corrupted("a margin is not a finite number");
}

void IntentModel::BlendMargins(const Stop& stop, ScoringScratch& scratch) const {
  scratch.classifier_margins = scratch.margins;
  scratch.network_scores.assign(stride_, 0);
  for (const NetworkView& network : networks_)
    AddScores(network, scratch.entries, stop, scratch.network, scratch.network_scores.data());
  const float part = 1.0f / static_cast<float>(networks_.size());
  for (uint32_t k = 0; k < stride_; ++k) {
    scratch.network_scores[k] *= part;
    scratch.margins[k] = blend_.classifier * scratch.margins[k] + blend_.networks * scratch.network_scores[k];
  }
}

uint64_t IntentModel::NetworkOwnBytes() const noexcept {
  uint64_t bytes = networks_.empty() ? 0 : 2ull * stride_ * sizeof(float);
  for (const NetworkView& network : networks_)
    bytes += sizeof network + (uint64_t{network.hidden} + network.stride) * sizeof(float);
  return bytes;
}

uint32_t IntentModel::Best(const ScoringScratch& scratch) const {
  return MostProbable(calibration_, std::span(scratch.margins).first(n_classes_));
}

void IntentModel::Probabilities(ScoringScratch& scratch) const {
  scratch.probabilities.assign(scratch.margins.begin(), scratch.margins.begin() + n_classes_);
  Calibrate(calibration_, scratch.probabilities);
  if (!AreFinite(scratch.probabilities.data(), n_classes_)) Corrupted("a probability is not a finite number");
}

NoveltyEvidence IntentModel::EvidenceOf(const ScoringScratch& scratch, float unseen_idf) const {
  // The classifier's margins fall where nothing fits; the networks only compare intents.
  const std::vector<float>& margins = networks_.empty() ? scratch.margins : scratch.classifier_margins;
  return {LaneMax(margins.data(), n_classes_), KnownShare(scratch.known_squares, scratch.unseen, unseen_idf)};
}

NoveltyVerdict IntentModel::JudgeNovelty(const ScoringScratch& scratch) const {
  if (!novelty_) return {};
  const NoveltyEvidence evidence = EvidenceOf(scratch, novelty_->unseen_idf);
  NoveltyVerdict verdict{true, novelty_->Familiarity(evidence), false, false};
  verdict.out_of_scope = novelty_->OutOfScope(verdict.familiarity);
  verdict.unknown_words = verdict.out_of_scope && evidence.known < novelty_->known_limit;
  return verdict;
}

Explanation IntentModel::Explain(const ScoringScratch& scratch, uint32_t k) const {
  Explanation explanation;
  const double share = networks_.empty() ? 1.0 : static_cast<double>(blend_.classifier);
  explanation.bias = share * static_cast<double>(bias_[k]);
  std::vector<double> weights;
  weights.reserve(scratch.entries.size());
  for (const auto& entry : scratch.entries)
    weights.push_back(share * static_cast<double>(scale_[k] * static_cast<float>(weights_.At(entry.column, k))));
  NetworkScratch network_scratch;
  std::vector<float> scores(stride_);
  const double part =
      networks_.empty() ? 0.0 : static_cast<double>(blend_.networks) / static_cast<double>(networks_.size());
  for (const NetworkView& network : networks_) {
    AddScores(network, scratch.entries, Stop{}, network_scratch, scores.data());
    explanation.bias += AddLocalWeights(network, scratch.entries, network_scratch, k, part, weights);
  }
  auto& contributions = explanation.contributions;
  contributions.reserve(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    const SparseEntry& entry = scratch.entries[i];
    contributions.push_back(
        {entry.column, entry.value, static_cast<float>(weights[i]), static_cast<double>(entry.value) * weights[i]});
    if (!std::isfinite(contributions.back().contribution)) Corrupted("a contribution is not a finite number");
  }
  std::sort(contributions.begin(), contributions.end(), [](const Contribution& a, const Contribution& b) {
    const double x = std::abs(a.contribution), y = std::abs(b.contribution);
    return x != y ? x > y : a.column < b.column;
  });
  return explanation;
}

std::string IntentModel::FeatureName(uint32_t column) const {
  if (column < space_.terms()) return std::string(CheckText(vocabulary_.term(column)));
  column -= space_.terms();
  return column < space_.stats ? kTextStatNames[column]
                               : "embedding[" + std::to_string(column - space_.stats + 1) + "]";
}

const char* IntentModel::FeatureKindName(uint32_t column) const {
  return column < space_.word_terms               ? "word"
         : column < space_.terms()                ? "char"
         : column < space_.terms() + space_.stats ? "stat"
                                                  : "embedding";
}

std::string IntentModel::Describe() const {
  JsonWriter json;
  json.Object().Key("format").Integer(1).Key("algorithm").String(classifier_);
  json.Key("training_samples").Integer(static_cast<int64_t>(training_rows_));
  json.Key("features").Integer(space_.columns());
  json.Key("confidence_threshold").Number(static_cast<double>(confidence_threshold_));
  json.Key("config").Raw(CheckJsonObject(config_json_));
  json.Key("labels").Array();
  for (const std::string_view label : labels_) json.String(label);
  // Predicting needs no term's name: they are looked at here, where a model comes from outside, and when one is asked for.
  for (uint32_t term = 0; term < vocabulary_.size(); ++term) CheckText(vocabulary_.term(term));
  return json.Close().Close().Take();
}

}  // namespace retrain
