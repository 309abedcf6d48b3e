// Seeded random numbers, the same on every platform (std:: distributions are not).
#pragma once

#include <cstdint>
#include <span>
#include <utility>

namespace retrain {

// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
class Rng {
 public:
  explicit Rng(uint64_t seed) noexcept : state_(seed) {}

  uint64_t Next() noexcept {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound), bound > 0; Lemire's multiply-shift without the rejection (bias below 2^-32 for our sizes).
  uint32_t Below(uint32_t bound) noexcept { return static_cast<uint32_t>(((Next() >> 32) * bound) >> 32); }

  // Fisher-Yates.
  template <class T>
  void Shuffle(std::span<T> items) noexcept {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[Below(static_cast<uint32_t>(i))]);
  }

 private:
  uint64_t state_;
};

}  // namespace retrain
