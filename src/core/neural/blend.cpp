// Weighs the classifier and the networks on held-out rows.
#include "core/neural/blend.h"

#include "core/linear/calibration.h"

namespace retrain {
namespace {

// Beyond half of the classifier nothing was ever gained, and a grid keeps both weights from falling below zero.
constexpr double kShares[] = {0, 0.1, 0.2, 0.3, 0.4, 0.5};
constexpr int kAlone = 2;  // calls that look at each part by itself

}  // namespace

BlendFit::BlendFit(std::span<const float> margins, std::span<const float> scores, std::span<const uint32_t> labels,
                   uint32_t n_classes)
    : margins_(margins), scores_(scores), labels_(labels), n_classes_(n_classes), weights_(labels.size(), 1.0f) {}

bool BlendFit::Next(int threads, const Stop& stop) {
  const int trial = tried_++ - kAlone;
  if (trial == -2) {
    alone_classifier_ = FitSoftmax(margins_, labels_, weights_, n_classes_, threads, stop).inverse_temperature;
    return false;
  }
  if (trial == -1) {
    alone_networks_ = FitSoftmax(scores_, labels_, weights_, n_classes_, threads, stop).inverse_temperature;
    return false;
  }
  const double share = kShares[trial];
  const auto of_margins = static_cast<float>(share * alone_classifier_);
  const auto of_scores = static_cast<float>((1 - share) * alone_networks_);
  mixed_.resize(margins_.size());
  for (size_t i = 0; i < mixed_.size(); ++i) mixed_[i] = of_margins * margins_[i] + of_scores * scores_[i];
  const Calibration fitted = FitSoftmax(mixed_, labels_, weights_, n_classes_, threads, stop);
  const double loss = NegativeLogLikelihood(fitted, mixed_, labels_, n_classes_, stop);
  if (trial == 0 || loss < least_) {
    least_ = loss;
    const auto b = static_cast<float>(fitted.inverse_temperature);
    best_ = {b * of_margins, b * of_scores};
  }
  return trial + 1 == static_cast<int>(std::size(kShares));
}

}  // namespace retrain
