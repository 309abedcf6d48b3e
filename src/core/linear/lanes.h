// Kernels over 16 classes at once: one row of 16 floats (one cache line) per feature, one lane per class.
//
// Every lane does the same IEEE operations in the same order whatever the width of the vector unit, so the results are
// the same bits on SSE2, AVX2, AVX-512 and NEON (no contraction to FMA, nothing summed across lanes).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/linear/linear.h"
#include "core/linear/sparse.h"

namespace retrain {

struct alignas(64) LaneRow {
  float at[kLanes];
};
static_assert(sizeof(LaneRow) == 64);

constexpr uint32_t BlockCount(uint32_t n_classes) { return (n_classes + kLanes - 1) / kLanes; }

// A row to score, and where its margins go: `lanes` floats.
struct LaneScored {
  std::span<const SparseEntry> x;
  float* to;
};

// The margins weights[columns] + sum_j x_j weights[j] of many rows, of the first `lanes` classes; weights has columns + 1 rows, the
// last one is the bias.
void LaneScore(std::span<const LaneScored> batch, const LaneRow* weights, uint32_t columns, uint32_t lanes);

// weights[j] += x_j * step for every feature of x, and weights[columns] += step.
void LaneAdd(std::span<const SparseEntry> x, const LaneRow& step, LaneRow* weights, uint32_t columns);

// Several blocks of 16 classes at once: weights has columns + 1 times `blocks` rows, those of one feature side by side, the
// biases last. out[b] = bias[b] + sum_j x_j weights[j][b].
void LaneMarginsOfAll(std::span<const SparseEntry> x, const LaneRow* weights, uint32_t columns, uint32_t blocks,
                      LaneRow* out);

// weights[j][b] += x_j * steps[b] for every feature of x, and the biases += steps.
void LaneAddToAll(std::span<const SparseEntry> x, const LaneRow* steps, LaneRow* weights, uint32_t columns,
                  uint32_t blocks);

// Constants of one training row in the dual of the SVM: D_ii = 1/(2 C_i) and 1/Q_ii with Q_ii = x_i.x_i + 1 + D_ii, for
// the lanes whose class is not the row's ("other") and for the one whose class is ("own").
struct SvmRowTerms {
  float diagonal_other, diagonal_own;
  float inverse_other, inverse_own;
};

// One block of 16 one-vs-rest duals.
struct SvmLanes {
  const SparseMatrix* rows;
  const uint32_t* labels;
  const SvmRowTerms* terms;
  uint32_t first_class;  // class of lane 0
  LaneRow one;           // 1 in lanes that have a class, 0 in padding: their duals stay at zero
  LaneRow* weights;      // columns + 1
  LaneRow* alphas;       // rows
  float still;           // a row whose largest |projected gradient| is not above this is left alone
};

// Visits the rows of `batch` in order: one coordinate step of every lane. violations[t] receives the largest
// |projected gradient| over the lanes of row batch[t] before its step. `following`: the numbers after the batch's last that are
// rows too, those that are visited next.
void SvmVisit(const SvmLanes& lanes, std::span<const uint32_t> batch, size_t following, float* violations);

}  // namespace retrain
