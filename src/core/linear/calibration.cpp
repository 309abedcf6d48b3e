// Applies the maps from margins to probabilities (their fits: temperature.cpp, sigmoid.cpp).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-trapping-math")  // without the second the loops over LaneExp() are not vectorised
#endif
#include "core/linear/calibration.h"

#include <algorithm>
#include <cmath>

#include "core/base/clones.h"
#include "core/base/lane_math.h"
#include "core/base/math.h"

namespace retrain {
namespace {

constexpr size_t kRowsPerPoll = 256;

// log 1 / (1 + exp(z)) = -(max(z, 0) + log(1 + exp(-|z|))).
RETRAIN_CLONES void LogSigmoids(const float* slope, const float* intercept, std::span<float> values) {
  for (size_t k = 0; k < values.size(); ++k) {
    const float z = slope[k] * values[k] + intercept[k];
    values[k] = -((z < 0 ? 0.0f : z) + LaneLog1p(LaneExp(z < 0 ? z : -z)));
  }
}

RETRAIN_CLONES void ExpScaled(float top, float b, std::span<float> values) {
  for (float& value : values) value = LaneExp(b * (value - top));
}

// The class of the lowest slope * margin + intercept: its value is found without a question for each class, then its place.
RETRAIN_CLONES size_t LowestLine(const float* slope, const float* intercept, std::span<const float> margins) {
  constexpr size_t kChunk = 64;
  float falling[kChunk];
  float top = -INFINITY;
  size_t best = 0;
  for (size_t first = 0; first < margins.size(); first += kChunk) {
    const size_t n = std::min(kChunk, margins.size() - first);
    for (size_t k = 0; k < n; ++k) falling[k] = -(slope[first + k] * margins[first + k] + intercept[first + k]);
    const float here = LaneMax(falling, n);
    if (here <= top) continue;
    top = here;
    best = first + static_cast<size_t>(std::find(falling, falling + n, top) - falling);
  }
  return best;
}

RETRAIN_CLONES void Sigmoids(const float* slope, const float* intercept, std::span<float> values) {
  for (size_t k = 0; k < values.size(); ++k) {
    values[k] = 1.0f / (1.0f + LaneExp(slope[k] * values[k] + intercept[k]));
  }
}

}  // namespace

void LogSigmoids(const Calibration& calibration, std::span<float> margins) {
  LogSigmoids(calibration.slope.data(), calibration.intercept.data(), margins);
}

uint32_t MostProbable(const Calibration& calibration, std::span<const float> margins) {
  // 1 / (1 + exp(z)) falls with z: no exp is needed to find the most probable class.
  if (calibration.kind == CalibrationKind::kSigmoid)
    return static_cast<uint32_t>(LowestLine(calibration.slope.data(), calibration.intercept.data(), margins));
  const bool falling = calibration.kind == CalibrationKind::kSoftmax && calibration.inverse_temperature < 0;
  const float top =
      falling ? *std::min_element(margins.begin(), margins.end()) : LaneMax(margins.data(), margins.size());
  return static_cast<uint32_t>(std::find(margins.begin(), margins.end(), top) - margins.begin());
}

void Calibrate(const Calibration& calibration, std::span<float> margins) {
  if (calibration.kind == CalibrationKind::kSigmoid && calibration.inverse_temperature != 1.0) {
    LogSigmoids(calibration, margins);
    ExpScaled(LaneMax(margins.data(), margins.size()), static_cast<float>(calibration.inverse_temperature), margins);
  } else if (calibration.kind == CalibrationKind::kSigmoid) {
    Sigmoids(calibration.slope.data(), calibration.intercept.data(), margins);
  } else {
    const auto b =
        static_cast<float>(calibration.kind == CalibrationKind::kSoftmax ? calibration.inverse_temperature : 1.0);
    ExpScaled(b < 0 ? *std::min_element(margins.begin(), margins.end()) : LaneMax(margins.data(), margins.size()), b,
              margins);
  }
  const double sum = LaneSum(margins.data(), margins.size());
  if (sum <= 0) {
    std::fill(margins.begin(), margins.end(), 1.0f / static_cast<float>(margins.size()));
    return;
  }
  const auto scale = static_cast<float>(1 / sum);
  for (float& p : margins) p *= scale;
}

bool Contradicts(double gain, uint64_t rows) noexcept {
  // Chi-square with one degree of freedom, 0.1 %; and half a hundredth of a nat a row, which is what a temperature loses
  // that is some fifteen percent off.
  constexpr double kSignificant = 10.83, kMaterial = 0.005;
  return 2 * gain > kSignificant && gain > kMaterial * static_cast<double>(rows);
}

double NegativeLogLikelihood(const Calibration& calibration, std::span<const float> margins,
                             std::span<const uint32_t> labels, uint32_t n_classes, const Stop& stop) {
  std::vector<float> p(n_classes);
  double sum = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (i % kRowsPerPoll == 0) stop.Poll();
    std::copy_n(margins.begin() + static_cast<ptrdiff_t>(i * n_classes), n_classes, p.begin());
    Calibrate(calibration, p);
    sum -= Log(std::max(static_cast<double>(p[labels[i]]), 1e-30));
  }
  return sum;
}

}  // namespace retrain
