// The loops of an embedding-bag network over its lanes: hidden units, or intents.
//
// Every lane does the same operations in the same order at any vector width; the one sum across lanes is kept in sixteen
// parts that are added up in a fixed order. So the results are the same bits on every processor.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>

namespace retrain {

// sum[l] += v * row[l]; n is a multiple of 16, as in all of these.
void AddScaledRow(float v, const float* row, uint32_t n, float* sum);
void AddScaledRow(float v, const int8_t* row, uint32_t n, float* sum);
// sum[l] += v[0] * rows[0][l] + … + v[3] * rows[3][l], in this order.
void AddFourScaledRows(const float* v, const int8_t* const* rows, uint32_t n, float* sum);

// One Adagrad step of a row whose gradient is v * slope[l]: squares[l] += g², weights[l] -= rate * g / sqrt(squares[l]).
void AdagradStep(float v, const float* slope, float rate, uint32_t n, float* weights, float* squares);
// sum of a[l] * b[l].
float Dot(const float* a, const float* b, uint32_t n);

// softmax(scores) - target, where target is 1 - smoothing + smoothing / n_classes for `label` and smoothing / n_classes
// for the others, times `weight`; lanes beyond n_classes become 0. In place.
void SoftmaxSlope(float* scores, uint32_t n_classes, uint32_t n, uint32_t label, float smoothing, float weight);

}  // namespace retrain
