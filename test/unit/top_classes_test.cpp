// The few most probable classes against a sort of all.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "core/base/rng.h"
#include "core/eval/top_classes.h"

namespace retrain {
namespace {

std::vector<uint32_t> Top(const std::vector<float>& probabilities, uint32_t answer, uint32_t wanted) {
  TopClasses result;
  result.order = {7, 7, 7};  // what an earlier message left
  FindTopClasses(probabilities, answer, wanted, result);
  return result.order;
}

TEST(TopClasses, AreTheFirstOfASortOfAll) {
  Rng rng(5);
  for (const uint32_t n : {1u, 2u, 15u, 16u, 17u, 150u, 1000u}) {
    for (int round = 0; round < 20; ++round) {
      std::vector<float> p;
      // Coarse ones, so that many are equal.
      for (uint32_t k = 0; k < n; ++k) p.push_back(static_cast<float>(rng.Below(round < 10 ? 8 : 1u << 20)) / 1000.0f);
      const auto answer = static_cast<uint32_t>(rng.Below(n));
      std::vector<uint32_t> all(n);
      std::iota(all.begin(), all.end(), 0u);
      std::sort(all.begin(), all.end(), [&](uint32_t a, uint32_t b) {
        if (p[a] != p[b]) return p[a] > p[b];
        return a == answer || (b != answer && a < b);
      });
      for (const uint32_t wanted : {0u, 1u, 5u, 16u, n, n + 3}) {
        std::vector<uint32_t> first(all.begin(), all.begin() + std::min(wanted, n));
        EXPECT_EQ(Top(p, answer, wanted), first) << n << " classes, " << wanted << " wanted";
      }
    }
  }
}

TEST(TopClasses, OfNoClassesThereAreNone) { EXPECT_TRUE(Top({}, 0, 5).empty()); }

TEST(TopClasses, ZeroProbabilitiesAreTakenInOrder) {
  EXPECT_EQ(Top({0, 0, 1, 0}, 2, 3), (std::vector<uint32_t>{2, 0, 1}));
}

TEST(TopClasses, TheAnswerComesBeforeItsEquals) {
  EXPECT_EQ(Top({0.25f, 0.25f, 0.25f, 0.25f}, 2, 3), (std::vector<uint32_t>{2, 0, 1}));
}

}  // namespace
}  // namespace retrain
