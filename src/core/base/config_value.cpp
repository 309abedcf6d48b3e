// What is said of configuration that is not accepted (see config_value.h).
#include "core/base/config_value.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/utf8_clip.h"

namespace retrain {
namespace {

using Type = ConfigValue::Type;

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

// Levenshtein distance of two short names.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

// Columns of ai_models that are no hyper-parameters, and are often taken for some.
constexpr std::string_view kPolicy[] = {
    "min_samples",      "auto_retrain_threshold", "max_f1_regression", "recent_window", "recent_min_rows",
    "recent_min_ratio", "confidence_threshold",   "label_source",      "human_weight",  "keep_versions",
    "enabled"};

std::string Quoted(std::string_view text) { return "\"" + Shortened(text, 100) + "\""; }

std::string Describe(const ConfigValue& v) {
  JsonWriter json;
  switch (v.type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return v.boolean ? "true" : "false";
    case Type::kNumber:
      if (std::abs(v.number) < 1e15 && v.number == std::floor(v.number))
        return std::to_string(static_cast<int64_t>(v.number));
      return std::isfinite(v.number) ? json.Number(v.number).Take() : "a number out of range";
    case Type::kString:
      return Quoted(v.string);
    case Type::kNumbers:
      json.Array();
      for (const double number : v.numbers) json.Number(number);
      return json.Close().Take();
    case Type::kStrings:
      json.Array();
      for (const std::string_view text : v.strings) json.String(Shortened(text, 100));
      return json.Close().Take();
    case Type::kOther:
      break;
  }
  return "a value of another type";
}

}  // namespace

void RejectConfigKey(std::string_view key, std::span<const char* const> known, std::string_view of) {
  const char* closest = nullptr;
  size_t distance = 0;
  std::string list;
  const std::string lower = LowerCase(key.substr(0, 41));
  for (const char* name : known) {
    list += (list.empty() ? "" : ", ") + std::string(name);
    if (key.size() > 40) continue;
    // Any letter is near any other: a key of one is meant only where the case alone is wrong, as in scikit-learn's "C".
    const size_t d = EditDistance(lower, name);
    if (key.size() < 2 && d > 0) continue;
    if (closest == nullptr || d < distance) closest = name, distance = d;
  }
  const bool close = closest != nullptr && distance <= std::max<size_t>(2, std::string_view(closest).size() / 3);
  const bool policy = std::find(std::begin(kPolicy), std::end(kPolicy), lower) != std::end(kPolicy);
  throw Error(ErrorCode::kInvalidParameter, "unknown configuration key " + Quoted(key),
              "known keys" + (of.empty() ? "" : " of " + std::string(of)) + ": " + list,
              policy ? "it is a column of ai_models, set for all trainings of a model: update ai_models set " + lower +
                           " = ... where model_name = ..."
              : close ? "did you mean \"" + std::string(closest) + "\"?"
                      : "remove the key");
}

void RejectConfigValue(const ConfigValue& value, const char* range, const char* description) {
  RejectConfigValue(value.key, Describe(value), range, description);
}

void RejectConfigValue(std::string_view key, std::string_view given, const char* range, const char* description) {
  const std::string name(key);
  throw Error(ErrorCode::kInvalidParameter, "invalid value for configuration key \"" + name + "\"",
              "given " + std::string(given) + ", accepted: " + range, name + ": " + description);
}

}  // namespace retrain
