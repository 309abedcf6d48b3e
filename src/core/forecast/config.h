// The hyper-parameters of a forecast model: one declaration each gives parsing, validation, error text and reference.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/base/config_value.h"
#include "core/codec/bytes.h"
#include "core/forecast/forecaster.h"
#include "core/forecast/series.h"
#include "core/intent/config.h"

namespace retrain {

struct ForecastConfig {
  bool has_step = false;
  TimeStep step;
  uint32_t season_length = 0;  // 0: from the spacing
  uint32_t horizon = 0;        // 0: from the spacing
  GapRule gaps = GapRule::kMissing;
  DuplicateRule duplicates = DuplicateRule::kError;
  double min_value = -std::numeric_limits<double>::infinity(), max_value = std::numeric_limits<double>::infinity();
  std::array<bool, kForecastMethods + 1> methods{};  // by number; all false: every one that suits
  bool best = false;                                 // one method instead of a combination
  std::vector<std::string> regressors;               // names of columns
  std::string holidays;                              // a query or a table; empty: none

  bool operator==(const ForecastConfig&) const = default;
};
inline constexpr uint32_t kMaxRegressors = 64, kMaxHolidays = 200;

// Throws Error(kInvalidParameter) that names the key, the accepted range and, for an unknown key that is close to a known
// one, the key that was meant.
ForecastConfig ParseForecastConfig(std::span<const ConfigValue> values);
std::string ToJson(const ForecastConfig& config);
void EncodeConfig(const ForecastConfig& config, ByteWriter& out);
ForecastConfig DecodeConfig(ByteReader& in);  // throws Error(kDataCorrupted)

// The reference table, in the order of the documentation.
std::vector<ParameterDoc> ForecastParameterReference();

}  // namespace retrain
