// Seals the chunks of a compact column.
#include "core/tabular/compact_column.h"

#include <cmath>

namespace retrain {

// Stores the open chunk as T when every value comes back as it was; negative zero counts as zero.
template <class T>
bool CompactColumn::TrySeal(Width width) {
  Chunk chunk{width, std::vector<uint8_t>(kChunk * sizeof(T))};
  for (size_t i = 0; i < kChunk; ++i) {
    const double value = open_[i];
    T narrow;
    if constexpr (std::numeric_limits<T>::is_integer) {
      if (std::isnan(value)) {
        narrow = std::numeric_limits<T>::min();
      } else {
        if (!(value > static_cast<double>(std::numeric_limits<T>::min()) &&
              value <= static_cast<double>(std::numeric_limits<T>::max())))
          return false;
        narrow = static_cast<T>(value);
        if (static_cast<double>(narrow) != value) return false;
      }
    } else {
      narrow = static_cast<T>(value);
      if (!std::isnan(value) && static_cast<double>(narrow) != value) return false;
    }
    std::memcpy(chunk.bytes.data() + i * sizeof(T), &narrow, sizeof(T));
  }
  sealed_bytes_ += chunk.bytes.size();
  chunks_.push_back(std::move(chunk));
  open_.clear();
  return true;
}

void CompactColumn::Seal() {
  if (TrySeal<int8_t>(Width::kInt8) || TrySeal<int16_t>(Width::kInt16) || TrySeal<int32_t>(Width::kInt32) ||
      TrySeal<float>(Width::kFloat))
    return;
  TrySeal<double>(Width::kDouble);
}

}  // namespace retrain
