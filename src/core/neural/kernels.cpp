// The loops of kernels.h, compiled for several vector widths.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-trapping-math")  // without the second the loop over LaneExp() is not vectorised
#endif
#include "core/neural/kernels.h"

#include <algorithm>
#include <cstring>

#include "core/base/clones.h"
#include "core/base/lane_math.h"

namespace retrain {
namespace {

constexpr uint32_t kParts = 16;
// Keeps the first steps finite where a gradient is next to nothing.
constexpr float kSquaresFrom = 1e-6f;

RETRAIN_CLONES void AddFloats(float v, const float* __restrict row, uint32_t n, float* __restrict sum) {
  for (uint32_t l = 0; l < n; ++l) sum[l] += v * row[l];
}

RETRAIN_CLONES void AddBytes(float v, const int8_t* __restrict row, uint32_t n, float* __restrict sum) {
  for (uint32_t l = 0; l < n; ++l) sum[l] += v * static_cast<float>(row[l]);
}

RETRAIN_CLONES void AddFourRows(const float* v, const int8_t* const* rows, uint32_t n, float* __restrict sum) {
  const int8_t* __restrict a = rows[0], * __restrict b = rows[1], * __restrict c = rows[2], * __restrict d = rows[3];
  for (uint32_t l = 0; l < n; ++l) {
    float total = sum[l] + v[0] * static_cast<float>(a[l]);
    total += v[1] * static_cast<float>(b[l]);
    total += v[2] * static_cast<float>(c[l]);
    sum[l] = total + v[3] * static_cast<float>(d[l]);
  }
}

RETRAIN_CLONES void Adagrad(float v, const float* __restrict slope, float rate, uint32_t n, float* __restrict weights,
                            float* __restrict squares) {
  for (uint32_t l = 0; l < n; ++l) {
    const float gradient = v * slope[l];
    squares[l] += gradient * gradient;
    weights[l] -= rate * gradient * LaneInverseRoot(squares[l] + kSquaresFrom);
  }
}

// The compilers keep the sixteen sums in memory unless they are one vector.
typedef float Parts __attribute__((vector_size(kParts * sizeof(float))));

RETRAIN_CLONES void DotParts(const float* a, const float* b, uint32_t n, float* parts) {
  Parts sum = {};
  for (uint32_t l = 0; l < n; l += kParts) {
    Parts x, y;
    std::memcpy(&x, a + l, sizeof x);
    std::memcpy(&y, b + l, sizeof y);
    sum += x * y;
  }
  std::memcpy(parts, &sum, sizeof sum);
}

RETRAIN_CLONES void ExpBelow(float top, uint32_t n, float* values) {
  for (uint32_t l = 0; l < n; ++l)
    values[l] = static_cast<float>(LaneExp(static_cast<double>(values[l]) - static_cast<double>(top)));
}

RETRAIN_CLONES void ScaleAndSubtract(float scale, float less, uint32_t n, float* values) {
  for (uint32_t l = 0; l < n; ++l) values[l] = scale * values[l] - less;
}

}  // namespace

void AddScaledRow(float v, const float* row, uint32_t n, float* sum) { AddFloats(v, row, n, sum); }
void AddScaledRow(float v, const int8_t* row, uint32_t n, float* sum) { AddBytes(v, row, n, sum); }
void AddFourScaledRows(const float* v, const int8_t* const* rows, uint32_t n, float* sum) {
  AddFourRows(v, rows, n, sum);
}

void AdagradStep(float v, const float* slope, float rate, uint32_t n, float* weights, float* squares) {
  Adagrad(v, slope, rate, n, weights, squares);
}

float Dot(const float* a, const float* b, uint32_t n) {
  float parts[kParts] = {};
  DotParts(a, b, n, parts);
  float sum = 0;
  for (const float part : parts) sum += part;
  return sum;
}

void SoftmaxSlope(float* scores, uint32_t n_classes, uint32_t n, uint32_t label, float smoothing, float weight) {
  const float top = *std::max_element(scores, scores + n_classes);
  ExpBelow(top, n_classes, scores);
  double sum = 0;
  for (uint32_t k = 0; k < n_classes; ++k) sum += static_cast<double>(scores[k]);
  ScaleAndSubtract(static_cast<float>(static_cast<double>(weight) / sum),
                   weight * smoothing / static_cast<float>(n_classes), n_classes, scores);
  scores[label] -= weight * (1 - smoothing);
  std::fill(scores + n_classes, scores + n, 0.0f);
}

}  // namespace retrain
