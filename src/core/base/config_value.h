// One key of a configuration as a caller gave it, and what is said of one that is not accepted.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <span>
#include <string>
#include <string_view>

namespace retrain {

// Exactly the member that `type` names is meaningful. An array without elements is kNumbers.
struct ConfigValue {
  enum class Type { kNull, kBool, kNumber, kString, kNumbers, kStrings, kOther };
  std::string_view key;
  Type type = Type::kNull;
  bool boolean = false;
  double number = 0;
  std::string_view string;
  std::span<const double> numbers;
  std::span<const std::string_view> strings = {};
  bool stored = false;  // the model's own: the caller of this training has not given it
};

// Error(kInvalidParameter) that lists the keys that there are (of what: "xgboost"; empty: of all) and, where one is close,
// names it as the one that was meant.
[[noreturn]] void RejectConfigKey(std::string_view key, std::span<const char* const> known, std::string_view of = {});

// Error(kInvalidParameter) that names the key, what was given and what is accepted.
[[noreturn]] void RejectConfigValue(const ConfigValue& value, const char* range, const char* description);
[[noreturn]] void RejectConfigValue(std::string_view key, std::string_view given, const char* range,
                                    const char* description);

}  // namespace retrain
