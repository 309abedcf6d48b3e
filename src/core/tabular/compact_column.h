// A growing column of numbers that takes the memory its values need: a million booleans a megabyte, not eight.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace retrain {

// Values are doubles, NaN for none. Each chunk of kChunk rows is stored in the narrowest type that gives every one of its
// values back exactly.
class CompactColumn {
 public:
  static constexpr size_t kChunk = 4096;

  void Append(double value) {
    open_.push_back(value);
    if (open_.size() == kChunk) Seal();
  }
  size_t size() const noexcept { return chunks_.size() * kChunk + open_.size(); }
  double operator[](size_t row) const noexcept {
    const size_t c = row / kChunk;
    return c < chunks_.size() ? At(chunks_[c], row % kChunk) : open_[row % kChunk];
  }
  // Rows first … first + out.size() - 1.
  void Read(size_t first, std::span<double> out) const noexcept {
    for (size_t i = 0; i < out.size(); ++i) out[i] = (*this)[first + i];
  }
  uint64_t bytes() const noexcept { return sealed_bytes_ + open_.capacity() * sizeof(double); }

 private:
  enum class Width : uint8_t { kInt8, kInt16, kInt32, kFloat, kDouble };
  struct Chunk {
    Width width;
    std::vector<uint8_t> bytes;
  };

  template <class T>
  static double Load(const Chunk& chunk, size_t i) noexcept {
    T value;
    std::memcpy(&value, chunk.bytes.data() + i * sizeof(T), sizeof(T));
    // The smallest integer stands for NaN.
    if constexpr (std::numeric_limits<T>::is_integer)
      if (value == std::numeric_limits<T>::min()) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(value);
  }
  static double At(const Chunk& chunk, size_t i) noexcept {
    switch (chunk.width) {
      case Width::kInt8:
        return Load<int8_t>(chunk, i);
      case Width::kInt16:
        return Load<int16_t>(chunk, i);
      case Width::kInt32:
        return Load<int32_t>(chunk, i);
      case Width::kFloat:
        return Load<float>(chunk, i);
      default:
        return Load<double>(chunk, i);
    }
  }
  template <class T>
  bool TrySeal(Width width);
  void Seal();

  std::vector<Chunk> chunks_;
  std::vector<double> open_;
  uint64_t sealed_bytes_ = 0;
};

}  // namespace retrain
