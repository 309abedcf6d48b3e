// How much the classifier and the networks say: p = softmax(classifier * margins + networks * mean of their scores).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/stop.h"

namespace retrain {

struct Blend {
  float classifier = 0, networks = 0;
};

// Both weights by maximum likelihood on rows that neither has seen: for each of some shares of the classifier the best
// temperature (core/linear/calibration.h), and of these the one of the greatest likelihood.
class BlendFit {
 public:
  // margins, scores: n × n_classes row-major; labels: n. The spans must outlive it.
  BlendFit(std::span<const float> margins, std::span<const float> scores, std::span<const uint32_t> labels,
           uint32_t n_classes);
  // Tries the next share; true when all have been. At most about n × n_classes × 20 exponentials.
  bool Next(int threads, const Stop& stop);
  Blend best() const noexcept { return best_; }

 private:
  std::span<const float> margins_, scores_;
  std::span<const uint32_t> labels_;
  uint32_t n_classes_;
  std::vector<float> weights_, mixed_;
  double alone_classifier_ = 0, alone_networks_ = 0;  // inverse temperatures of each by itself
  int tried_ = 0;
  double least_ = 0;
  Blend best_;
};

}  // namespace retrain
