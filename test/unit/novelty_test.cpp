// Familiarity: an honest share of known messages, and which evidence counts.
#include "core/eval/novelty.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/rng.h"

namespace retrain {
namespace {

std::vector<NoveltyEvidence> KnownRows(size_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<NoveltyEvidence> rows;
  for (size_t i = 0; i < n; ++i)
    rows.push_back({static_cast<float>(rng.Below(10000)) / 5000 - 1, 1 - static_cast<float>(rng.Below(10000)) / 40000});
  return rows;
}

TEST(Novelty, OfKnownMessagesTheShareIsTurnedAwayWhateverTheyLookLike) {
  for (const float share : {0.01f, 0.03f, 0.2f}) {
    const Novelty novelty = FitNovelty(KnownRows(20000, 1), 8, share);
    EXPECT_EQ(novelty.scores.size(), kNoveltyScores);
    size_t away = 0;
    const auto others = KnownRows(20000, 2);
    for (const auto& row : others) away += novelty.OutOfScope(novelty.Familiarity(row));
    EXPECT_NEAR(static_cast<double>(away) / 20000, share, 0.004);
  }
}

TEST(Novelty, BothKindsOfEvidenceCount) {
  const Novelty novelty = FitNovelty(KnownRows(1000, 1), 8, 0.03f);
  const float usual = novelty.Familiarity({0, 0.9f});
  EXPECT_GT(usual, 0.2f);
  EXPECT_LT(novelty.Familiarity({-0.5f, 0.9f}), usual);
  EXPECT_LT(novelty.Familiarity({0, 0.6f}), usual);
  EXPECT_FLOAT_EQ(novelty.Familiarity({-99, 0}), 1.0f / 1001);
  EXPECT_EQ(novelty.Familiarity({99, 1}), 1);
  // 3 % of the rows know less than this of their n-grams.
  const auto rows = KnownRows(1000, 1);
  EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [&](const auto& row) { return row.known < novelty.known_limit; }),
            29);
}

TEST(Novelty, TooFewRowsTurnNothingAway) {
  const Novelty few = FitNovelty(KnownRows(20, 1), 8, 0.03f);
  EXPECT_FALSE(few.OutOfScope(few.Familiarity({-99, 0})));
  const Novelty one = FitNovelty(KnownRows(1, 1), 8, 0.5f);
  EXPECT_EQ(one.scores.size(), 1u);
  const Novelty off = FitNovelty(KnownRows(1000, 1), 8, 0);
  EXPECT_FALSE(off.OutOfScope(off.Familiarity({-99, 0})));
}

TEST(Novelty, EvidenceThatIsTheSameEverywhereTellsNothing) {
  std::vector<NoveltyEvidence> rows = KnownRows(500, 1);
  for (auto& row : rows) row.known = 1;
  const Novelty novelty = FitNovelty(rows, 8, 0.03f);
  EXPECT_EQ(novelty.known_weight, 0);
  EXPECT_EQ(novelty.Familiarity({0, 0}), novelty.Familiarity({0, 1}));
}

TEST(Novelty, TheKnownShareIsOneOfLength) {
  EXPECT_EQ(KnownShare(0, 0, 8), 0);  // nothing there to know
  EXPECT_EQ(KnownShare(7, 0, 8), 1);
  EXPECT_EQ(KnownShare(0, 3, 8), 0);
  EXPECT_FLOAT_EQ(KnownShare(9, 4, 2), 0.6f);  // 3 of sqrt(9 + 16)
}

}  // namespace
}  // namespace retrain
