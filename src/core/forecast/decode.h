// Reading numbers of a stored forecast state, each checked.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cmath>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/codec/bytes.h"
#include "core/forecast/forecaster.h"

namespace retrain {

[[noreturn]] inline void CorruptedState(const std::string& detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored model is corrupt", detail,
              "restore the version from a backup, or drop it and train again");
}

inline double GetFinite(ByteReader& in) {
  const double value = in.Get<double>();
  if (!std::isfinite(value)) CorruptedState("a number that is not finite");
  return value;
}

inline std::vector<double> GetFinites(ByteReader& in, uint32_t count) {
  const UnalignedArray<double> stored(in.Take(uint64_t{count} * sizeof(double)));
  std::vector<double> values(count);
  for (uint32_t i = 0; i < count; ++i) {
    values[i] = stored[i];
    if (!std::isfinite(values[i])) CorruptedState("a number that is not finite");
  }
  return values;
}

// A count of at most kMaxSeason, then as many numbers.
inline std::vector<double> GetSeason(ByteReader& in) {
  const auto count = in.Get<uint32_t>();
  if (count > kMaxSeason) CorruptedState("a season of " + std::to_string(count) + " steps");
  return GetFinites(in, count);
}

}  // namespace retrain
