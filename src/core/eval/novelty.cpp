// Standardises the evidence of known messages and keeps their scores for comparison.
#include "core/eval/novelty.h"

#include <algorithm>
#include <cmath>

namespace retrain {
namespace {

// What the known share weighs beside the margin, both in standard deviations of known messages. On CLINC150's messages
// outside all intents 0.2 to 0.5 are best and within 0.001 of area under the curve; more costs where the strange messages
// use the words of the known ones (docs/training.md has the figures).
constexpr double kKnownWeight = 0.3;

// 1 / standard deviation; 0 for values that are all the same and so tell nothing.
double InverseDeviation(std::span<const NoveltyEvidence> rows, float NoveltyEvidence::*which) {
  const auto n = static_cast<double>(rows.size());
  double sum = 0, squares = 0;
  for (const auto& row : rows) sum += static_cast<double>(row.*which);
  for (const auto& row : rows) {
    const double off = static_cast<double>(row.*which) - sum / n;
    squares += off * off;
  }
  const double deviation = std::sqrt(squares / n);
  return deviation > 1e-6 ? 1 / deviation : 0;
}

float ScoreOf(const Novelty& novelty, const NoveltyEvidence& evidence) noexcept {
  return novelty.margin_weight * evidence.margin + novelty.known_weight * evidence.known;
}

}  // namespace

float Novelty::Familiarity(const NoveltyEvidence& evidence) const noexcept {
  const auto below = std::upper_bound(scores.begin(), scores.end(), ScoreOf(*this, evidence)) - scores.begin();
  return static_cast<float>((1.0 + static_cast<double>(below)) / (1.0 + static_cast<double>(scores.size())));
}

Novelty FitNovelty(std::span<const NoveltyEvidence> known_rows, float unseen_idf, float share) {
  Novelty novelty;
  novelty.margin_weight = static_cast<float>(InverseDeviation(known_rows, &NoveltyEvidence::margin));
  novelty.known_weight = static_cast<float>(kKnownWeight * InverseDeviation(known_rows, &NoveltyEvidence::known));
  novelty.unseen_idf = unseen_idf;
  novelty.share = share;
  std::vector<float> scores, known;
  for (const auto& row : known_rows) {
    scores.push_back(ScoreOf(novelty, row));
    known.push_back(row.known);
  }
  std::sort(scores.begin(), scores.end());
  const auto limit =
      known.begin() + static_cast<ptrdiff_t>(static_cast<double>(share) * static_cast<double>(known.size() - 1));
  std::nth_element(known.begin(), limit, known.end());
  novelty.known_limit = *limit;
  const size_t kept = std::min(scores.size(), kNoveltyScores);
  for (size_t j = 0; j < kept; ++j)
    novelty.scores.push_back(scores[kept == 1 ? 0 : j * (scores.size() - 1) / (kept - 1)]);
  return novelty;
}

}  // namespace retrain
