// Writes an intent model's artifact; model.cpp reads it.
#include "core/codec/bytes.h"
#include "core/codec/container.h"
#include "core/intent/model.h"
#include "core/intent/sections.h"
#include "core/linear/weight_rows.h"

namespace retrain {
namespace {

std::vector<uint8_t> EncodeSettings(const IntentModelParts& parts) {
  const AnalyzerConfig& analyzer = parts.config.analyzer;
  ByteWriter out;
  out.Put(static_cast<uint8_t>(analyzer.folding));
  for (const NgramRange& range : {analyzer.word_ngrams, analyzer.char_ngrams}) {
    out.Put(range.min);
    out.Put(range.max);
  }
  out.Put(analyzer.min_token_chars);
  out.Put(static_cast<uint8_t>(analyzer.text_stats));
  out.Put(static_cast<uint8_t>(parts.config.sublinear_tf));
  out.Put(parts.space.word_terms);
  out.Put(parts.space.char_terms);
  out.Put(parts.space.stats);
  out.Put(parts.weights.n_classes);
  out.Put(parts.training_rows);
  out.Put(parts.confidence_threshold);
  out.PutString(parts.config.classifier);
  if (parts.space.embedding > 0) out.Put(parts.space.embedding);  // else the bytes are those of earlier releases
  return out.Take();
}

std::vector<uint8_t> EncodeCalibration(const Calibration& calibration) {
  ByteWriter out;
  out.Put(static_cast<uint8_t>(calibration.kind));
  out.Put(calibration.inverse_temperature);
  out.PutArray(std::span<const float>(calibration.slope));
  out.PutArray(std::span<const float>(calibration.intercept));
  return out.Take();
}

std::vector<uint8_t> EncodeNovelty(const Novelty& novelty) {
  ByteWriter out;
  out.Put(novelty.margin_weight);
  out.Put(novelty.known_weight);
  out.Put(novelty.unseen_idf);
  out.Put(novelty.share);
  out.Put(novelty.known_limit);
  out.Put(static_cast<uint32_t>(novelty.scores.size()));
  out.PutArray(std::span<const float>(novelty.scores));
  return out.Take();
}

template <class T>
std::vector<uint8_t> EncodeArray(const std::vector<T>& values) {
  ByteWriter out;
  out.PutArray(std::span<const T>(values));
  return out.Take();
}

}  // namespace

std::vector<uint8_t> EncodeIntentModel(const IntentModelParts& parts) {
  ContainerWriter container;
  container.Add(sections::kSettings, EncodeSettings(parts));
  const std::string config = ToJson(parts.config);
  container.Add(sections::kConfig, {config.begin(), config.end()});
  ByteWriter labels;
  for (const auto& label : parts.labels) labels.PutString(label);
  container.Add(sections::kLabels, labels.Take());
  container.Add(sections::kVocabulary, parts.vocabulary);
  container.Add(sections::kIdf, EncodeArray(parts.idf));
  ByteWriter scales;
  scales.PutArray(std::span<const float>(parts.weights.scale));
  scales.PutArray(std::span<const float>(parts.weights.bias));
  container.Add(sections::kScales, scales.Take());
  container.Add(sections::kCalibration, EncodeCalibration(parts.calibration));
  if (parts.novelty) container.Add(sections::kNovelty, EncodeNovelty(*parts.novelty));
  if (!parts.networks.empty()) {
    container.Add(sections::kNetworks, EncodeNetworks(parts.networks));
    ByteWriter blend;
    blend.Put(parts.blend.classifier);
    blend.Put(parts.blend.networks);
    container.Add(sections::kBlend, blend.Take());
  }
  container.Add(sections::kWeights, EncodeWeightRows(parts.weights));
  return container.Finish(ModelKind::kIntent);
}

}  // namespace retrain
