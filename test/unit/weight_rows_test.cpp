#include "core/linear/weight_rows.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/linear/quantise.h"

namespace retrain {
namespace {

// A feature in four has a weight for every class, the others for a few.
LinearWeights SomeWeights(uint32_t n_features, uint32_t n_classes) {
  LinearWeights weights = EmptyWeights(n_features, n_classes);
  Rng rng(7);
  for (uint32_t j = 0; j < n_features; ++j)
    for (uint32_t k = 0; k < n_classes; ++k)
      if (j % 4 == 0 || rng.Below(20) == 0)
        weights.q[size_t{j} * weights.stride + k] = static_cast<int8_t>(static_cast<int>(rng.Below(255)) - 127);
  return weights;
}

WeightRows Decode(const std::vector<uint8_t>& bytes, const LinearWeights& weights) {
  return WeightRows::Decode(bytes, weights.n_features, weights.n_classes, weights.stride);
}

// Classes take one byte, two bytes and four.
TEST(WeightRows, AreTheWeights) {
  for (const uint32_t n_classes : {2u, 16u, 150u, 300u, 70000u}) {
    const LinearWeights weights = SomeWeights(n_classes > 1000 ? 9 : 57, n_classes);
    const std::vector<uint8_t> bytes = EncodeWeightRows(weights);
    const WeightRows rows = Decode(bytes, weights);
    for (uint32_t j = 0; j < weights.n_features; ++j)
      for (uint32_t k = 0; k < n_classes; ++k)
        ASSERT_EQ(rows.At(j, k), weights.q[size_t{j} * weights.stride + k]) << n_classes << " " << j << " " << k;
    std::vector<SparseEntry> x;
    for (uint32_t j = 0; j < weights.n_features; j += 2) x.push_back({j, 0.25f * static_cast<float>(j % 5 + 1)});
    std::vector<float> acc(weights.stride, 1.0f);
    rows.AddRows(x, Stop{}, acc.data());
    for (uint32_t k = 0; k < weights.stride; ++k) {
      float sum = 1;  // exact: multiples of a quarter
      for (const SparseEntry& entry : x)
        sum += entry.value * static_cast<float>(weights.q[size_t{entry.column} * weights.stride + k]);
      ASSERT_EQ(acc[k], sum) << n_classes << " " << k;
    }
  }
}

TEST(WeightRows, WithoutMostWeightsTakeLittle) {
  const LinearWeights weights = SomeWeights(1000, 150);
  EXPECT_LT(EncodeWeightRows(weights).size(), weights.q.size() / 2);
  const LinearWeights none = EmptyWeights(1000, 150);
  const std::vector<uint8_t> bytes = EncodeWeightRows(none);
  EXPECT_EQ(bytes.size(), 1001 * sizeof(uint32_t));
  EXPECT_EQ(Decode(bytes, none).At(999, 149), 0);
}

TEST(WeightRows, ThatMakeNoSenseAreRefused) {
  LinearWeights weights = EmptyWeights(3, 20);
  weights.q[3] = 5, weights.q[7] = -6, weights.q[9] = 7;  // the first row: classes 3, 7, 9
  for (uint32_t k = 0; k < 20; ++k) weights.q[2 * weights.stride + k] = 1;
  const std::vector<uint8_t> good = EncodeWeightRows(weights);
  constexpr size_t kHead = 4 * sizeof(uint32_t);
  ASSERT_EQ(good.size(), kHead + 6 + weights.stride);
  const auto why = [&](const std::function<void(std::vector<uint8_t>&)>& damage) -> std::string {
    std::vector<uint8_t> bytes = good;
    damage(bytes);
    try {
      Decode(bytes, weights);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDataCorrupted);
      return error.detail();
    }
    return "";
  };
  const auto begin = [](std::vector<uint8_t>& bytes, size_t row, uint32_t value) {
    std::memcpy(bytes.data() + row * sizeof value, &value, sizeof value);
  };
  const std::string intent = "the intent of a weight does not exist or is out of order";
  EXPECT_EQ(why([](auto&) {}), "");
  EXPECT_EQ(why([](auto& bytes) { bytes.resize(kHead - 1); }), "there are fewer rows of weights than features");
  EXPECT_EQ(why([](auto& bytes) { bytes.push_back(0); }), "rows of weights do not add up to their section");
  EXPECT_EQ(why([&](auto& bytes) { begin(bytes, 0, 1); }), "rows of weights do not add up to their section");
  EXPECT_EQ(why([&](auto& bytes) { begin(bytes, 1, UINT32_MAX); }), "rows of weights are out of order");
  EXPECT_EQ(why([&](auto& bytes) { begin(bytes, 2, 4); }), "rows of weights are out of order");
  EXPECT_EQ(why([&](auto& bytes) { begin(bytes, 1, 5); }), "a row of weights has an impossible size");
  EXPECT_EQ(why([&](auto& bytes) { begin(bytes, 2, 7); }), "a row of weights has an impossible size");
  EXPECT_EQ(why([](auto& bytes) { bytes[kHead + 2] = 20; }), intent);
  EXPECT_EQ(why([](auto& bytes) { bytes[kHead + 1] = 3; }), intent);
  EXPECT_EQ(why([](auto& bytes) { bytes[kHead] = 8; }), intent);
}

}  // namespace
}  // namespace retrain
