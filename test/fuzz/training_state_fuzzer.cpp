// The state that a training leaves is hostile bytes: decoding either refuses it or gives one that fits together.
//
// The checksum is put right first, since a random change would otherwise never get past it.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/codec/crc32c.h"
#include "core/intent/training_state.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  if (size >= 32) {
    const uint64_t total = size;
    std::memcpy(bytes.data() + 16, &total, sizeof total);
    const uint32_t crc = retrain::Crc32c(std::span<const uint8_t>(bytes).subspan(28));
    std::memcpy(bytes.data() + 24, &crc, sizeof crc);
  }
  try {
    const retrain::TrainingState state = retrain::DecodeTrainingState(bytes);
    const retrain::Restart same = retrain::RestartFrom(state, state.rows, state.label_of, state.labels);
    if (same.start.begin.size() != state.rows.size() + 1) std::abort();
    if (same.start.entries.size() > state.duals.entries.size()) std::abort();
  } catch (const retrain::Error&) {
  }
  return 0;
}
