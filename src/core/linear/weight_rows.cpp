// Writes and reads the rows of weights (see weight_rows.h).
#include "core/linear/weight_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "core/base/clones.h"
#include "core/base/error.h"

namespace retrain {
namespace {

// Features between two looks at a request to stop.
constexpr size_t kFeaturesPerPoll = 8192;

[[noreturn]] void Corrupted(const std::string& detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored model is corrupt", detail,
              "restore the version from a backup, or drop it and train again");
}

uint32_t ClassBytes(uint32_t stride) noexcept { return stride <= 256 ? 1 : stride <= 65536 ? 2 : 4; }

RETRAIN_CLONES uint32_t CountWeights(const int8_t* q, uint32_t stride) {
  uint32_t n = 0;
  for (uint32_t k = 0; k < stride; ++k) n += q[k] != 0;
  return n;
}

// Appends the classes that have a weight, then the weights.
void WriteShort(const int8_t* q, uint32_t stride, uint32_t n, uint8_t* to) {
  const uint32_t class_bytes = ClassBytes(stride);
  auto* values = reinterpret_cast<int8_t*>(to + uint64_t{n} * class_bytes);
  constexpr uint32_t kWord = sizeof(uint64_t);
  constexpr uint64_t kLow = 0x7F7F7F7F7F7F7F7F;  // of every byte all bits but the highest
  static_assert(kLanes % kWord == 0);
  for (uint32_t first = 0; first < stride; first += kWord) {
    uint64_t word;
    std::memcpy(&word, q + first, kWord);
    // The highest bit of every byte that is not zero.
    for (uint64_t left = (((word & kLow) + kLow) | word) & ~kLow; left != 0; left &= left - 1) {
      const uint32_t k = first + static_cast<uint32_t>(std::countr_zero(left)) / 8;
      std::memcpy(to, &k, class_bytes);
      to += class_bytes;
      *values++ = q[k];
    }
  }
}

// acc[k] += v[0] q[0][k] + … + v[3] q[3][k], in this order for every k.
RETRAIN_CLONES void AddFourRows(const float* v, const uint8_t* const* rows, uint32_t stride, float* acc) {
  const auto *q0 = reinterpret_cast<const int8_t*>(rows[0]), *q1 = reinterpret_cast<const int8_t*>(rows[1]),
             *q2 = reinterpret_cast<const int8_t*>(rows[2]), *q3 = reinterpret_cast<const int8_t*>(rows[3]);
  for (uint32_t k = 0; k < stride; ++k) {
    float sum = acc[k] + v[0] * static_cast<float>(q0[k]);
    sum += v[1] * static_cast<float>(q1[k]);
    sum += v[2] * static_cast<float>(q2[k]);
    acc[k] = sum + v[3] * static_cast<float>(q3[k]);
  }
}

RETRAIN_CLONES void AddRow(float v, const uint8_t* row, uint32_t stride, float* acc) {
  const auto* q = reinterpret_cast<const int8_t*>(row);
  for (uint32_t k = 0; k < stride; ++k) acc[k] += v * static_cast<float>(q[k]);
}

template <class Class>
Class ClassAt(const uint8_t* row, uint32_t i) {
  Class k;
  std::memcpy(&k, row + i * sizeof k, sizeof k);
  return k;
}

template <class Class>
void AddShort(float v, const uint8_t* row, uint32_t n, float* acc) {
  const auto* q = reinterpret_cast<const int8_t*>(row + n * sizeof(Class));
  for (uint32_t i = 0; i < n; ++i) acc[ClassAt<Class>(row, i)] += v * static_cast<float>(q[i]);
}

// Whether the classes ascend, so that the last is the largest, and are there.
template <class Class>
bool AreClasses(const uint8_t* row, uint32_t n, uint32_t n_classes) {
  bool bad = n > 0 && ClassAt<Class>(row, n - 1) >= n_classes;
  for (uint32_t i = 1; i < n; ++i) bad |= ClassAt<Class>(row, i) <= ClassAt<Class>(row, i - 1);
  return !bad;
}

}  // namespace

std::vector<uint8_t> EncodeWeightRows(const LinearWeights& weights) {
  const uint32_t stride = weights.stride, class_bytes = ClassBytes(stride);
  std::vector<uint32_t> begin(weights.n_features + size_t{1});
  std::vector<uint32_t> counts(weights.n_features);
  uint64_t end = 0;
  for (uint32_t j = 0; j < weights.n_features; ++j) {
    counts[j] = CountWeights(weights.q.data() + uint64_t{j} * stride, stride);
    const uint64_t size = uint64_t{counts[j]} * (class_bytes + 1);
    end += 2 * size <= stride ? size : stride;
    // The container that takes them refuses far less.
    begin[j + size_t{1}] = static_cast<uint32_t>(std::min<uint64_t>(end, UINT32_MAX));
  }
  const uint64_t head = begin.size() * sizeof(uint32_t);
  std::vector<uint8_t> out(head + end);
  std::memcpy(out.data(), begin.data(), head);
  uint64_t at = head;
  for (uint32_t j = 0; j < weights.n_features; ++j) {
    const int8_t* q = weights.q.data() + uint64_t{j} * stride;
    const uint64_t size = uint64_t{counts[j]} * (class_bytes + 1);
    if (2 * size <= stride) {
      WriteShort(q, stride, counts[j], out.data() + at);
      at += size;
    } else {
      std::memcpy(out.data() + at, q, stride);
      at += stride;
    }
  }
  return out;
}

WeightRows WeightRows::Decode(std::span<const uint8_t> bytes, uint32_t n_features, uint32_t n_classes,
                              uint32_t stride) {
  WeightRows out;
  out.stride_ = stride;
  out.class_bytes_ = ClassBytes(stride);
  const uint64_t head = (uint64_t{n_features} + 1) * sizeof(uint32_t);
  if (bytes.size() < head) Corrupted("there are fewer rows of weights than features");
  out.begin_ = UnalignedArray<uint32_t>(bytes.first(head));
  out.rows_ = bytes.subspan(head);
  if (out.begin_[0] != 0 || out.begin_[n_features] != out.rows_.size())
    Corrupted("rows of weights do not add up to their section");
  for (uint32_t j = 0; j < n_features; ++j) {
    const uint32_t begin = out.begin_[j], end = out.begin_[j + size_t{1}];
    if (begin > end || end > out.rows_.size()) Corrupted("rows of weights are out of order");
    const uint32_t size = end - begin;
    if (size == stride) continue;
    if (size > stride || size % (out.class_bytes_ + 1) != 0) Corrupted("a row of weights has an impossible size");
    const uint8_t* row = out.rows_.data() + begin;
    const uint32_t n = size / (out.class_bytes_ + 1);
    if (!(out.class_bytes_ == 1   ? AreClasses<uint8_t>(row, n, n_classes)
          : out.class_bytes_ == 2 ? AreClasses<uint16_t>(row, n, n_classes)
                                  : AreClasses<uint32_t>(row, n, n_classes)))
      Corrupted("the intent of a weight does not exist or is out of order");
  }
  return out;
}

WeightRows WeightRows::DecodeWhole(std::span<const uint8_t> bytes, uint32_t n_features, uint32_t stride) {
  if (bytes.size() != uint64_t{n_features} * stride) Corrupted("weights have another size than features and intents");
  WeightRows out;
  out.stride_ = stride;
  out.rows_ = bytes;
  return out;
}

void WeightRows::AddRows(std::span<const SparseEntry> x, const Stop& stop, float* acc) const {
  float v[4];
  const uint8_t* whole[4];
  size_t n_whole = 0, n_short = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (i % kFeaturesPerPoll == kFeaturesPerPoll - 1) stop.Poll();
    const std::span<const uint8_t> bytes = row(x[i].column);
    if (bytes.size() != stride_) {
      ++n_short;
      continue;
    }
    v[n_whole] = x[i].value;
    whole[n_whole] = bytes.data();
    if (++n_whole < 4) continue;
    AddFourRows(v, whole, stride_, acc);
    n_whole = 0;
  }
  for (size_t j = 0; j < n_whole; ++j) AddRow(v[j], whole[j], stride_, acc);
  for (size_t i = 0; n_short > 0; ++i) {
    const std::span<const uint8_t> bytes = row(x[i].column);
    if (bytes.size() == stride_) continue;
    --n_short;
    const uint32_t n = Weights(bytes);
    if (class_bytes_ == 1)
      AddShort<uint8_t>(x[i].value, bytes.data(), n, acc);
    else if (class_bytes_ == 2)
      AddShort<uint16_t>(x[i].value, bytes.data(), n, acc);
    else
      AddShort<uint32_t>(x[i].value, bytes.data(), n, acc);
  }
}

uint32_t WeightRows::ClassOf(std::span<const uint8_t> row, uint32_t i) const noexcept {
  uint32_t k = 0;
  std::memcpy(&k, row.data() + uint64_t{i} * class_bytes_, class_bytes_);
  return k;
}

int8_t WeightRows::At(uint32_t column, uint32_t k) const noexcept {
  const std::span<const uint8_t> bytes = row(column);
  if (bytes.size() == stride_) return static_cast<int8_t>(bytes[k]);
  const uint32_t n = Weights(bytes);
  for (uint32_t low = 0, high = n; low < high;) {
    const uint32_t middle = low + (high - low) / 2, found = ClassOf(bytes, middle);
    if (found == k) return static_cast<int8_t>(bytes[uint64_t{n} * class_bytes_ + middle]);
    (found < k ? low : high) = found < k ? middle + 1 : middle;
  }
  return 0;
}

}  // namespace retrain
