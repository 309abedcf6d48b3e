// Symmetric linear quantisation, one scale per class (see quantise.h).
#include "core/linear/quantise.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace retrain {

LinearWeights EmptyWeights(uint32_t n_features, uint32_t n_classes) {
  LinearWeights out;
  out.n_features = n_features;
  out.n_classes = n_classes;
  out.stride = BlockCount(n_classes) * kLanes;
  out.q.resize(static_cast<size_t>(n_features) * out.stride);
  out.scale.resize(out.stride);
  out.bias.resize(out.stride);
  return out;
}

void StoreBlock(const LaneRow* weights, size_t stride, uint32_t block, LinearWeights& out) {
  const uint32_t first = block * kLanes;
  const uint32_t lanes = std::min(kLanes, out.n_classes - first);
  LaneRow largest{}, inverse{};
  for (size_t j = 0; j < out.n_features; ++j)
    for (uint32_t l = 0; l < lanes; ++l) largest.at[l] = std::max(largest.at[l], std::fabs(weights[j * stride].at[l]));
  for (uint32_t l = 0; l < lanes; ++l) {
    const float bias = weights[out.n_features * stride].at[l];
    if (!std::isfinite(largest.at[l]) || !std::isfinite(bias))
      throw Error(ErrorCode::kInternal, "training produced weights that are not finite", {},
                  "check the features for values of very different size");
    out.scale[first + l] = largest.at[l] / 127.0f;
    out.bias[first + l] = bias;
    inverse.at[l] = largest.at[l] > 0 ? 127.0f / largest.at[l] : 0.0f;
    if (!std::isfinite(inverse.at[l])) inverse.at[l] = out.scale[first + l] = 0.0f;  // weights below 2^-120: nothing
  }
  // 1.5 * 2^23: adding and subtracting it rounds to the nearest integer, ties to even, for |x| <= 2^22.
  constexpr float kRoundShift = 12582912.0f;
  for (size_t j = 0; j < out.n_features; ++j) {
    int8_t* q = out.q.data() + j * out.stride + first;
    for (uint32_t l = 0; l < lanes; ++l) {
      const float rounded = (weights[j * stride].at[l] * inverse.at[l] + kRoundShift) - kRoundShift;
      q[l] = static_cast<int8_t>(std::clamp(rounded, -127.0f, 127.0f));
    }
  }
}

}  // namespace retrain
