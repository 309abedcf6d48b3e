// Stored models are hostile bytes: whatever they are, decoding either refuses them or gives a model that scores.
//
// The checksum is put right first, since a random change would otherwise never get past it.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/codec/crc32c.h"
#include "core/intent/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> artifact(data, data + size);
  if (size >= 32) {
    const uint64_t total = size;
    std::memcpy(artifact.data() + 16, &total, sizeof total);
    const uint32_t crc = retrain::Crc32c(std::span<const uint8_t>(artifact).subspan(28));
    std::memcpy(artifact.data() + 24, &crc, sizeof crc);
  }
  try {
    const retrain::IntentModel model(artifact);
    model.Describe();
    retrain::ScoringScratch scratch;
    model.Margins("¿Dónde está mi pedido number 42? cancel", retrain::Stop{}, scratch);
    const uint32_t best = model.Best(scratch);
    if (best >= model.n_classes()) std::abort();
    model.Probabilities(scratch);
    for (const float p : scratch.probabilities)
      if (!(p >= 0)) std::abort();
    model.JudgeNovelty(scratch);
    for (const auto& c : model.Explain(scratch, best).contributions) model.FeatureName(c.column);
  } catch (const retrain::Error&) {
  }
  return 0;
}
