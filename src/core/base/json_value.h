// Reads JSON text and UBJSON bytes into a tree of values: configurations, and models of other programs.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/read_budget.h"

namespace retrain {

struct JsonMember;

// Exactly the members that `type` names are meaningful. An array of nothing but numbers is kNumbers: a model's arrays are
// long, and a value each would take ten times the memory. An empty array is kNumbers as well.
struct JsonValue {
  enum class Type : uint8_t { kNull, kBool, kNumber, kString, kArray, kNumbers, kObject };

  Type type = Type::kNull;
  bool boolean = false;
  double number = 0;
  std::string string;
  std::vector<double> numbers;
  std::vector<JsonValue> items;
  std::vector<JsonMember> members;  // in the order of the text

  JsonValue();
  JsonValue(JsonValue&&) noexcept;
  JsonValue(const JsonValue&);
  JsonValue& operator=(JsonValue&&) noexcept;
  ~JsonValue();

  // The member of an object, or null when it is not there.
  const JsonValue* Find(std::string_view key) const noexcept;
  size_t size() const noexcept { return type == Type::kNumbers ? numbers.size() : items.size(); }
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

// Throw Error(kInvalidParameter) with the place where the text ends to make sense. Nesting is limited to 64. NaN and Infinity
// are read as numbers: Python and XGBoost write them. The values are taken from the budget.
JsonValue ParseJson(std::string_view text, ReadBudget& budget);
JsonValue ParseJson(std::string_view text);  // without a bound
// Universal Binary JSON, draft 12, with the typed arrays that XGBoost writes.
JsonValue ParseUbjson(std::span<const uint8_t> bytes, ReadBudget& budget);

}  // namespace retrain
