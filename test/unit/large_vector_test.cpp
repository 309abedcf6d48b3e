// Vectors on huge pages: they hold what any vector holds.
#include "core/base/large_vector.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>

namespace retrain {
namespace {

TEST(LargeVector, KeepsValuesWhileItGrowsAndShrinks) {
  LargeVector<uint32_t> values;
  for (uint32_t i = 0; i < 1'000'000; ++i) values.push_back(i);
  values.resize(900'000);
  values.shrink_to_fit();
  const LargeVector<uint32_t> copy = values;
  for (uint32_t i = 0; i < 900'000; ++i) ASSERT_EQ(copy[i], i);
  EXPECT_EQ(copy, values);
}

TEST(LargeVector, ElementsAreAlignedAsTheirTypeAsks) {
  struct alignas(64) Lanes {
    float at[16];
  };
  using Allocator = LargeAllocator<Lanes>;
  for (const size_t n : {size_t{1}, Allocator::kHugePage / sizeof(Lanes), size_t{100'000}}) {
    LargeVector<Lanes> lanes(n);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(lanes.data()) % 64, 0u);
    if (n * sizeof(Lanes) >= Allocator::kHugePage) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(lanes.data()) % Allocator::kHugePage, 0u);
    }
  }
}

// All of a huge page is zeroed at its first touch.
TEST(LargeVector, HugePagesAreNearlyFull) {
  using Allocator = LargeAllocator<char>;
  constexpr size_t kPage = Allocator::kHugePage;
  EXPECT_EQ(Allocator::HugePages(kPage / 2), 0u);
  EXPECT_EQ(Allocator::HugePages(3 * (kPage / 4) - 1), 0u);
  EXPECT_EQ(Allocator::HugePages(3 * (kPage / 4)), 1u);
  EXPECT_EQ(Allocator::HugePages(kPage + kPage / 2), 1u);
  EXPECT_EQ(Allocator::HugePages(2 * kPage), 2u);
}

TEST(LargeVector, RoomFillsHugePages) {
  LargeVector<uint32_t> values;
  MakeRoom(values, 3);
  EXPECT_LT(values.capacity(), 100u);
  size_t moves = 0;
  const uint32_t* at = nullptr;
  for (uint32_t i = 0; i < 1'000'000; ++i) {
    MakeRoom(values, 1);
    values.push_back(i);
    moves += values.data() != at;
    at = values.data();
  }
  EXPECT_EQ(values.capacity() * sizeof(uint32_t) % LargeAllocator<uint32_t>::kHugePage, 0u);
  EXPECT_LT(moves, 20u);
  for (uint32_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], i);
}

TEST(LargeVector, WhatIsGivenAValueHasIt) {
  EXPECT_EQ(LargeVector<int>(5, 7), (LargeVector<int>{7, 7, 7, 7, 7}));
  LargeVector<int> zeros;
  zeros.assign(1 << 20, 0);
  EXPECT_EQ(std::accumulate(zeros.begin(), zeros.end(), 0), 0);
}

TEST(LargeVector, TooManyElementsAreRefused) {
  LargeAllocator<uint64_t> allocator;
  EXPECT_THROW((void)allocator.allocate(static_cast<size_t>(-1) / 8), std::bad_array_new_length);
}

}  // namespace
}  // namespace retrain
