// Tells messages of another kind than those a version was trained on: out-of-scope detection as novelty detection, with
// known messages alone as examples.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace retrain {

// What speaks for a message being of a known kind.
struct NoveltyEvidence {
  float margin = 0;  // the largest margin of any class
  float known = 0;   // length (L2) of its TF-IDF features, as a share of the length with the n-grams it has beside them
};

// From the squares of a message's weighted features and the occurrences of its n-grams that are none, each of which weighs
// `unseen_idf`. A message without any n-gram has nothing known.
inline float KnownShare(double known_squares, uint64_t unseen, float unseen_idf) noexcept {
  const double idf = static_cast<double>(unseen_idf);
  const double all = known_squares + static_cast<double>(unseen) * idf * idf;
  return all > 0 ? static_cast<float>(std::sqrt(known_squares / all)) : 0.0f;
}

// How known messages look, from rows that the model had not seen. With s_1 <= ... <= s_m of them:
//
//   s(x) = margin_weight * margin(x) + known_weight * known(x)       each in units of its own standard deviation
//   p(x) = (1 + #{ j : s_j <= s(x) }) / (m + 1)                      familiarity, above 0, at most 1
//
// p is a conformal p-value (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005; Laxhammar, Falkman,
// "Conformal prediction for distribution-independent anomaly detection", 2010): of messages like the training rows at most
// the share a has p <= a, whatever they look like. So a limit on p is the share of known messages that is given up.
struct Novelty {
  float margin_weight = 0, known_weight = 0;
  float unseen_idf = 0;       // weight of an n-gram that is no feature
  float share = 0;            // of known messages that may be turned away; 0: none is
  float known_limit = 0;      // below it `known` alone is among the smallest share of known messages
  std::vector<float> scores;  // s_1 .. s_m, at least one, at most kNoveltyScores

  float Familiarity(const NoveltyEvidence& evidence) const noexcept;
  bool OutOfScope(float familiarity) const noexcept { return familiarity <= share; }
};

inline constexpr size_t kNoveltyScores = 4096;

// Evidence of rows of known kinds that the model behind their margins had not seen; at least one. Rows beyond kNoveltyScores are stood for
// by evenly spaced ones of the sorted scores.
Novelty FitNovelty(std::span<const NoveltyEvidence> known_rows, float unseen_idf, float share);

}  // namespace retrain
