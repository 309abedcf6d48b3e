// The kernels of lanes.h, written once over a vector type and compiled per instruction set.
//
// The compilers' automatic vectorisers keep the accumulators in memory here, so the vectors are explicit. Each entry
// point exists for 16-byte vectors (SSE2, NEON) and, on x86-64, for 32-byte vectors behind a check of the CPU.
#include "core/linear/lanes.h"

#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define RETRAIN_AVX2 1
#endif

namespace retrain {
namespace {

#define RETRAIN_INLINE __attribute__((always_inline)) inline

typedef float Float4 __attribute__((vector_size(16), may_alias));
typedef int32_t Int4 __attribute__((vector_size(16), may_alias));
typedef float Float8 __attribute__((vector_size(32), may_alias));
typedef int32_t Int8 __attribute__((vector_size(32), may_alias));

struct Narrow {
  using Float = Float4;
  using Int = Int4;
};
struct Wide {
  using Float = Float8;
  using Int = Int8;
};

template <class W>
inline constexpr int kParts = sizeof(LaneRow) / sizeof(typename W::Float);

// Two accumulators, even and odd features, hide the latency of the additions; their order is part of the result.
template <class W>
RETRAIN_INLINE void Margins(const SparseEntry* x, size_t n, const LaneRow* weights, uint32_t columns,
                            typename W::Float* sum) {
  using V = typename W::Float;
  constexpr int kP = kParts<W>;
  V even[kP], odd[kP];
  const V* bias = reinterpret_cast<const V*>(weights + columns);
#pragma GCC unroll 4
  for (int p = 0; p < kP; ++p) even[p] = bias[p], odd[p] = V{};
  size_t j = 0;
  for (; j + 1 < n; j += 2) {
    const V* a = reinterpret_cast<const V*>(weights + x[j].column);
    const V* b = reinterpret_cast<const V*>(weights + x[j + 1].column);
    const float u = x[j].value, v = x[j + 1].value;
#pragma GCC unroll 4
    for (int p = 0; p < kP; ++p) even[p] += a[p] * u;
#pragma GCC unroll 4
    for (int p = 0; p < kP; ++p) odd[p] += b[p] * v;
  }
  if (j < n) {
    const V* a = reinterpret_cast<const V*>(weights + x[j].column);
    const float u = x[j].value;
#pragma GCC unroll 4
    for (int p = 0; p < kP; ++p) even[p] += a[p] * u;
  }
#pragma GCC unroll 4
  for (int p = 0; p < kP; ++p) sum[p] = even[p] + odd[p];
}

template <class W>
RETRAIN_INLINE void Add(const SparseEntry* x, size_t n, const typename W::Float* step, LaneRow* weights,
                        uint32_t columns) {
  using V = typename W::Float;
  constexpr int kP = kParts<W>;
  for (size_t j = 0; j < n; ++j) {
    V* w = reinterpret_cast<V*>(weights + x[j].column);
    const float v = x[j].value;
#pragma GCC unroll 4
    for (int p = 0; p < kP; ++p) w[p] += step[p] * v;
  }
  V* bias = reinterpret_cast<V*>(weights + columns);
#pragma GCC unroll 4
  for (int p = 0; p < kP; ++p) bias[p] += step[p];
}

// The margins of `kBlocks` neighbouring blocks of all: enough chains of additions that none waits for another.
template <class W, int kBlocks>
RETRAIN_INLINE void MarginsOfBlocks(const SparseEntry* x, size_t n, const LaneRow* weights, size_t stride,
                                    uint32_t columns, LaneRow* out) {
  using V = typename W::Float;
  constexpr int kP = kParts<W> * kBlocks;
  V sum[kP];
  const V* bias = reinterpret_cast<const V*>(weights + columns * stride);
#pragma GCC unroll 16
  for (int p = 0; p < kP; ++p) sum[p] = bias[p];
  for (size_t j = 0; j < n; ++j) {
    const V* w = reinterpret_cast<const V*>(weights + x[j].column * stride);
    const float v = x[j].value;
#pragma GCC unroll 16
    for (int p = 0; p < kP; ++p) sum[p] += w[p] * v;
  }
  V* to = reinterpret_cast<V*>(out);
#pragma GCC unroll 16
  for (int p = 0; p < kP; ++p) to[p] = sum[p];
}

template <class W>
RETRAIN_INLINE void MarginsOfAll(const SparseEntry* x, size_t n, const LaneRow* weights, uint32_t blocks,
                                 uint32_t columns, LaneRow* out) {
  uint32_t block = 0;
  for (; block + 4 <= blocks; block += 4) MarginsOfBlocks<W, 4>(x, n, weights + block, blocks, columns, out + block);
  for (; block + 2 <= blocks; block += 2) MarginsOfBlocks<W, 2>(x, n, weights + block, blocks, columns, out + block);
  if (block < blocks) MarginsOfBlocks<W, 1>(x, n, weights + block, blocks, columns, out + block);
}

template <class W>
RETRAIN_INLINE void AddToAll(const SparseEntry* x, size_t n, const LaneRow* steps, LaneRow* weights, uint32_t blocks,
                             uint32_t columns) {
  using V = typename W::Float;
  const size_t parts = size_t{blocks} * kParts<W>;
  const V* step = reinterpret_cast<const V*>(steps);
  for (size_t j = 0; j < n; ++j) {
    V* w = reinterpret_cast<V*>(weights + size_t{x[j].column} * blocks);
    const float v = x[j].value;
    for (size_t p = 0; p < parts; ++p) w[p] += step[p] * v;
  }
  V* bias = reinterpret_cast<V*>(weights + size_t{columns} * blocks);
  for (size_t p = 0; p < parts; ++p) bias[p] += step[p];
}

template <class W>
RETRAIN_INLINE float LargestLane(const typename W::Float* parts) {
  using V = typename W::Float;
  constexpr int kWidth = sizeof(V) / sizeof(float);
  V top = parts[0];
#pragma GCC unroll 4
  for (int p = 1; p < kParts<W>; ++p) top = top > parts[p] ? top : parts[p];
  float largest = 0;
#pragma GCC unroll 8
  for (int l = 0; l < kWidth; ++l) largest = largest > top[l] ? largest : top[l];
  return largest;
}

// Steps (a), (b), (c) of svm_block.cpp for the 16 lanes of one row.
template <class W>
RETRAIN_INLINE float VisitRow(const SvmLanes& s, uint32_t i) {
  using V = typename W::Float;
  using I = typename W::Int;
  constexpr int kP = kParts<W>, kWidth = sizeof(V) / sizeof(float);
  const SparseEntry* x = s.rows->entries.data() + s.rows->begin[i];
  const size_t n = s.rows->begin[i + 1] - s.rows->begin[i];
  const uint32_t columns = s.rows->columns;
  V f[kP], violation[kP], step[kP];
  Margins<W>(x, n, s.weights, columns, f);

  const SvmRowTerms terms = s.terms[i];
  const int32_t own = static_cast<int32_t>(s.labels[i] - s.first_class);
  V* alphas = reinterpret_cast<V*>(s.alphas + i);
  const V* one = reinterpret_cast<const V*>(&s.one);
  V moved[kP];
#pragma GCC unroll 4
  for (int p = 0; p < kP; ++p) {
    I lane;
#pragma GCC unroll 8
    for (int l = 0; l < kWidth; ++l) lane[l] = p * kWidth + l;
    const I is_own = lane == own;
    const V zero = V{}, plus = zero + 1.0f, minus = zero - 1.0f;
    const V y = is_own ? plus : minus;
    const V diagonal = is_own ? zero + terms.diagonal_own : zero + terms.diagonal_other;
    const V inverse = is_own ? zero + terms.inverse_own : zero + terms.inverse_other;
    const V alpha = alphas[p];
    const V gradient = (y * f[p] - one[p]) + diagonal * alpha;
    const V downward = gradient < zero ? gradient : zero;
    const V projected = alpha > zero ? gradient : downward;
    violation[p] = projected < zero ? zero - projected : projected;
    const V trial = alpha - gradient * inverse;
    moved[p] = trial > zero ? trial : zero;
    step[p] = (moved[p] - alpha) * y;
  }
  const float largest = LargestLane<W>(violation);
  if (largest > s.still) {
#pragma GCC unroll 4
    for (int p = 0; p < kP; ++p) alphas[p] = moved[p];
    Add<W>(x, n, step, s.weights, columns);
  }
  return largest;
}

// Rows are visited in random order: beyond some ten thousand of them each visit would wait for memory several times. What
// a visit reads is asked for ahead, first where the row's features are, then the features, then their weights. Of so few
// columns (4 MB of weights) most are near enough without.
constexpr uint32_t kNearColumns = 65536;

RETRAIN_INLINE void Prefetch(const SvmLanes& s, const uint32_t* batch, size_t n, size_t t) {
  constexpr size_t kRow = 12, kFeatures = 6, kWeights = 2, kLine = 64;
  if (t + kRow < n) {
    const uint32_t i = batch[t + kRow];
    __builtin_prefetch(s.rows->begin.data() + i);
    __builtin_prefetch(s.terms + i);
    __builtin_prefetch(s.labels + i);
    __builtin_prefetch(s.alphas + i, 1);
  }
  if (t + kFeatures < n) {
    const uint32_t i = batch[t + kFeatures];
    const auto* end = reinterpret_cast<const char*>(s.rows->entries.data() + s.rows->begin[i + 1]);
    for (auto* line = reinterpret_cast<const char*>(s.rows->entries.data() + s.rows->begin[i]); line < end;
         line += kLine)
      __builtin_prefetch(line);
  }
  if (s.rows->columns > kNearColumns && t + kWeights < n) {
    const uint32_t i = batch[t + kWeights];
    for (uint64_t j = s.rows->begin[i]; j < s.rows->begin[i + 1]; ++j)
      __builtin_prefetch(s.weights + s.rows->entries[j].column);
  }
}

template <class W>
RETRAIN_INLINE void Visit(const SvmLanes& lanes, const uint32_t* batch, size_t n, size_t following, float* violations) {
  for (size_t t = 0; t < n; ++t) {
    Prefetch(lanes, batch, n + following, t);
    violations[t] = VisitRow<W>(lanes, batch[t]);
  }
}

template <class W>
RETRAIN_INLINE void Score(const LaneScored* batch, size_t n, const LaneRow* weights, uint32_t columns, uint32_t lanes) {
  constexpr size_t kAhead = 4, kLine = 64;
  for (size_t t = 0; t < n; ++t) {
    if (t + kAhead < n) {
      const LaneScored& next = batch[t + kAhead];
      const auto* end = reinterpret_cast<const char*>(next.x.data() + next.x.size());
      for (auto* line = reinterpret_cast<const char*>(next.x.data()); line < end; line += kLine)
        __builtin_prefetch(line);
      __builtin_prefetch(next.to, 1);
      __builtin_prefetch(next.to + lanes - 1, 1);
    }
    LaneRow margins;
    Margins<W>(batch[t].x.data(), batch[t].x.size(), weights, columns, reinterpret_cast<typename W::Float*>(&margins));
    if (lanes == kLanes)
      std::memcpy(batch[t].to, &margins, sizeof(margins));
    else
      std::memcpy(batch[t].to, &margins, lanes * sizeof(float));
  }
}

#ifdef RETRAIN_AVX2
#define RETRAIN_TARGET __attribute__((target("avx2")))
RETRAIN_TARGET void AddWide(const SparseEntry* x, size_t n, const LaneRow* step, LaneRow* weights, uint32_t columns) {
  Add<Wide>(x, n, reinterpret_cast<const Float8*>(step), weights, columns);
}
RETRAIN_TARGET void MarginsOfAllWide(const SparseEntry* x, size_t n, const LaneRow* weights, uint32_t blocks,
                                     uint32_t columns, LaneRow* out) {
  MarginsOfAll<Wide>(x, n, weights, blocks, columns, out);
}
RETRAIN_TARGET void AddToAllWide(const SparseEntry* x, size_t n, const LaneRow* steps, LaneRow* weights,
                                 uint32_t blocks, uint32_t columns) {
  AddToAll<Wide>(x, n, steps, weights, blocks, columns);
}
RETRAIN_TARGET void ScoreWide(const LaneScored* batch, size_t n, const LaneRow* weights, uint32_t columns,
                              uint32_t lanes) {
  Score<Wide>(batch, n, weights, columns, lanes);
}
RETRAIN_TARGET void VisitWide(const SvmLanes& lanes, const uint32_t* batch, size_t n, size_t following,
                              float* violations) {
  Visit<Wide>(lanes, batch, n, following, violations);
}
bool HasWide() { return __builtin_cpu_supports("avx2") != 0; }
#endif

}  // namespace

void LaneMarginsOfAll(std::span<const SparseEntry> x, const LaneRow* weights, uint32_t columns, uint32_t blocks,
                      LaneRow* out) {
#ifdef RETRAIN_AVX2
  if (HasWide()) return MarginsOfAllWide(x.data(), x.size(), weights, blocks, columns, out);
#endif
  MarginsOfAll<Narrow>(x.data(), x.size(), weights, blocks, columns, out);
}

void LaneScore(std::span<const LaneScored> batch, const LaneRow* weights, uint32_t columns, uint32_t lanes) {
#ifdef RETRAIN_AVX2
  if (HasWide()) return ScoreWide(batch.data(), batch.size(), weights, columns, lanes);
#endif
  Score<Narrow>(batch.data(), batch.size(), weights, columns, lanes);
}

void LaneAdd(std::span<const SparseEntry> x, const LaneRow& step, LaneRow* weights, uint32_t columns) {
#ifdef RETRAIN_AVX2
  if (HasWide()) return AddWide(x.data(), x.size(), &step, weights, columns);
#endif
  Add<Narrow>(x.data(), x.size(), reinterpret_cast<const Float4*>(&step), weights, columns);
}

void LaneAddToAll(std::span<const SparseEntry> x, const LaneRow* steps, LaneRow* weights, uint32_t columns,
                  uint32_t blocks) {
#ifdef RETRAIN_AVX2
  if (HasWide()) return AddToAllWide(x.data(), x.size(), steps, weights, blocks, columns);
#endif
  AddToAll<Narrow>(x.data(), x.size(), steps, weights, blocks, columns);
}

void SvmVisit(const SvmLanes& lanes, std::span<const uint32_t> batch, size_t following, float* violations) {
#ifdef RETRAIN_AVX2
  if (HasWide()) return VisitWide(lanes, batch.data(), batch.size(), following, violations);
#endif
  Visit<Narrow>(lanes, batch.data(), batch.size(), following, violations);
}

}  // namespace retrain
