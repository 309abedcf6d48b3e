// Parses, validates and documents the hyper-parameters of forecast models from one table.
#include "core/forecast/config.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/forecast/decode.h"

namespace retrain {
namespace {

using Type = ConfigValue::Type;
constexpr double kNoLimit = std::numeric_limits<double>::infinity();

bool SetCount(const ConfigValue& v, double most, uint32_t& out) {
  if (v.type == Type::kNull) {
    out = 0;
    return true;
  }
  if (v.type != Type::kNumber || !(v.number >= 1 && v.number <= most) || v.number != std::floor(v.number)) return false;
  out = static_cast<uint32_t>(v.number);
  return true;
}

bool SetLimit(const ConfigValue& v, double none, double& out) {
  if (v.type == Type::kNull) {
    out = none;
    return true;
  }
  if (v.type != Type::kNumber || !std::isfinite(v.number)) return false;
  out = v.number;
  return true;
}

void WriteCount(uint32_t count, JsonWriter& json) {
  if (count == 0)
    json.Null();
  else
    json.Integer(count);
}

constexpr const char* kGaps[] = {"missing", "zero"};
constexpr const char* kDuplicates[] = {"error", "sum", "mean"};

template <class Rule, size_t N>
bool SetRule(const ConfigValue& v, const char* const (&names)[N], Rule& out) {
  if (v.type != Type::kString) return false;
  for (size_t i = 0; i < N; ++i) {
    if (v.string != names[i]) continue;
    out = static_cast<Rule>(i);
    return true;
  }
  return false;
}

bool SetMethods(ForecastConfig& c, std::span<const std::string_view> names) {
  c.methods = {};
  for (const std::string_view name : names) {
    bool known = false;
    for (int m = 1; m <= kForecastMethods; ++m) {
      if (name != NameOf(static_cast<ForecastMethod>(m))) continue;
      c.methods[static_cast<size_t>(m)] = known = true;
    }
    if (!known) return false;
  }
  return true;
}

struct Parameter {
  const char* name;
  const char* type;
  const char* range;
  const char* description;
  // False when the value is not acceptable.
  bool (*set)(ForecastConfig& config, const ConfigValue& value);
  void (*write)(const ForecastConfig& config, JsonWriter& json);
};

const Parameter kParameters[] = {
    {"frequency", "text", "auto | minutely | hourly | daily | weekly | monthly | quarterly | yearly",
     "distance of two values; auto finds it from the times of each series",
     [](ForecastConfig& c, const ConfigValue& v) {
       if (v.type == Type::kNull || (v.type == Type::kString && v.string == "auto")) {
         c.has_step = false;
         c.step = {};
         return true;
       }
       c.has_step = v.type == Type::kString && ParseTimeStep(v.string, c.step);
       return c.has_step;
     },
     [](const ForecastConfig& c, JsonWriter& json) { json.String(c.has_step ? c.step.Name() : "auto"); }},
    {"season_length", "integer", "1 (none) to 400 steps, or null to take it from the frequency",
     "steps after which the season repeats",
     [](ForecastConfig& c, const ConfigValue& v) { return SetCount(v, 400, c.season_length); },
     [](const ForecastConfig& c, JsonWriter& json) { WriteCount(c.season_length, json); }},
    {"horizon", "integer", "1 to 1000 steps, or null to take it from the frequency",
     "how far ahead methods are compared and intervals calibrated; forecasts may go further",
     [](ForecastConfig& c, const ConfigValue& v) { return SetCount(v, 1000, c.horizon); },
     [](const ForecastConfig& c, JsonWriter& json) { WriteCount(c.horizon, json); }},
    {"gaps", "text", "missing | zero",
     "steps without a value: unknown and interpolated, or zero up to the last time of all series",
     [](ForecastConfig& c, const ConfigValue& v) { return SetRule(v, kGaps, c.gaps); },
     [](const ForecastConfig& c, JsonWriter& json) { json.String(kGaps[static_cast<size_t>(c.gaps)]); }},
    {"duplicates", "text", "error | sum | mean", "several values of one series in one step",
     [](ForecastConfig& c, const ConfigValue& v) { return SetRule(v, kDuplicates, c.duplicates); },
     [](const ForecastConfig& c, JsonWriter& json) { json.String(kDuplicates[static_cast<size_t>(c.duplicates)]); }},
    {"min_value", "number", "any number, or null for none", "forecasts and intervals never go below",
     [](ForecastConfig& c, const ConfigValue& v) { return SetLimit(v, -kNoLimit, c.min_value); },
     [](const ForecastConfig& c, JsonWriter& json) { json.Number(c.min_value); }},
    {"max_value", "number", "any number, or null for none", "forecasts and intervals never go above",
     [](ForecastConfig& c, const ConfigValue& v) { return SetLimit(v, kNoLimit, c.max_value); },
     [](const ForecastConfig& c, JsonWriter& json) { json.Number(c.max_value); }},
    {"methods", "array",
     "naive, seasonal_naive, drift, theta, ets, regression, intermittent, mean; or null for all that suit",
     "methods that are compared",
     [](ForecastConfig& c, const ConfigValue& v) {
       if (v.type == Type::kString) return SetMethods(c, {&v.string, 1});
       if (v.type == Type::kStrings) return SetMethods(c, v.strings);
       c.methods = {};
       return v.type == Type::kNull;  // an empty list is none of them, and no forecast
     },
     [](const ForecastConfig& c, JsonWriter& json) {
       if (std::none_of(c.methods.begin(), c.methods.end(), [](bool b) { return b; })) {
         json.Null();
         return;
       }
       json.Array();
       for (int m = 1; m <= kForecastMethods; ++m)
         if (c.methods[static_cast<size_t>(m)]) json.String(NameOf(static_cast<ForecastMethod>(m)));
       json.Close();
     }},
    {"selection", "text", "combination | best",
     "forecast with the mean of the methods weighted by their backtest, or with the best alone",
     [](ForecastConfig& c, const ConfigValue& v) {
       if (v.type != Type::kString || (v.string != "combination" && v.string != "best")) return false;
       c.best = v.string == "best";
       return true;
     },
     [](const ForecastConfig& c, JsonWriter& json) { json.String(c.best ? "best" : "combination"); }},
    {"regressors", "array", "names of numeric columns of the source, at most 64",
     "columns that the regression uses beside trend and season; their future comes with forecast(p_regressors => ...)",
     [](ForecastConfig& c, const ConfigValue& v) {
       c.regressors.clear();
       if (v.type == Type::kStrings) c.regressors.assign(v.strings.begin(), v.strings.end());
       if (c.regressors.size() > kMaxRegressors) return false;
       for (const std::string& name : c.regressors)
         if (name.empty() || name == "ds" || name == "y" || name == "series" ||
             std::count(c.regressors.begin(), c.regressors.end(), name) > 1)
           return false;
       return v.type == Type::kStrings || v.type == Type::kNull || (v.type == Type::kNumbers && v.numbers.empty());
     },
     [](const ForecastConfig& c, JsonWriter& json) {
       json.Array();
       for (const std::string& name : c.regressors) json.String(name);
       json.Close();
     }},
    {"holidays", "text", "a SELECT that gives ds and holiday, or the name of a table with these columns; null for none",
     "days with a name whose effect the regression learns; future ones belong in it too",
     [](ForecastConfig& c, const ConfigValue& v) {
       c.holidays = v.type == Type::kString ? std::string(v.string) : "";
       return v.type == Type::kNull || (v.type == Type::kString && !v.string.empty());
     },
     [](const ForecastConfig& c, JsonWriter& json) {
       if (c.holidays.empty())
         json.Null();
       else
         json.String(c.holidays);
     }},
};

}  // namespace

ForecastConfig ParseForecastConfig(std::span<const ConfigValue> values) {
  ForecastConfig config;
  for (const auto& value : values) {
    const auto* parameter = std::find_if(std::begin(kParameters), std::end(kParameters),
                                         [&](const Parameter& p) { return value.key == p.name; });
    if (parameter == std::end(kParameters)) {
      std::vector<const char*> names;
      for (const auto& p : kParameters) names.push_back(p.name);
      RejectConfigKey(value.key, names);
    }
    if (!parameter->set(config, value)) RejectConfigValue(value, parameter->range, parameter->description);
  }
  if (!(config.min_value < config.max_value)) {
    JsonWriter low, high;
    throw Error(
        ErrorCode::kInvalidParameter, "min_value must lie below max_value",
        "min_value " + low.Number(config.min_value).Take() + ", max_value " + high.Number(config.max_value).Take(),
        "leave one of them out, or swap them");
  }
  return config;
}

std::string ToJson(const ForecastConfig& config) {
  JsonWriter json;
  json.Object();
  for (const auto& parameter : kParameters) {
    json.Key(parameter.name);
    parameter.write(config, json);
  }
  return json.Close().Take();
}

void EncodeConfig(const ForecastConfig& c, ByteWriter& out) {
  out.Put(static_cast<uint8_t>(c.has_step));
  out.Put(c.step.micros);
  out.Put(c.step.months);
  out.Put(c.season_length);
  out.Put(c.horizon);
  out.Put(static_cast<uint8_t>(c.gaps));
  out.Put(static_cast<uint8_t>(c.duplicates));
  out.Put(c.min_value);
  out.Put(c.max_value);
  uint32_t methods = 0;
  for (size_t m = 0; m < c.methods.size(); ++m) methods |= c.methods[m] ? 1u << m : 0;
  out.Put(methods);
  out.Put(static_cast<uint8_t>(c.best));
  out.Put(static_cast<uint32_t>(c.regressors.size()));
  for (const std::string& name : c.regressors) out.PutString(name);
  out.PutString(c.holidays);
}

ForecastConfig DecodeConfig(ByteReader& in) {
  ForecastConfig c;
  c.has_step = in.Get<uint8_t>() != 0;
  c.step.micros = in.Get<int64_t>();
  c.step.months = in.Get<int32_t>();
  c.season_length = in.Get<uint32_t>();
  c.horizon = in.Get<uint32_t>();
  const auto gaps = in.Get<uint8_t>(), duplicates = in.Get<uint8_t>();
  c.min_value = in.Get<double>();
  c.max_value = in.Get<double>();
  const auto methods = in.Get<uint32_t>();
  c.best = in.Get<uint8_t>() != 0;
  const auto regressors = in.Get<uint32_t>();
  if (!IsStep(c.step) || c.season_length > 400 || c.horizon > 1000 || gaps > 1 || duplicates > 2 ||
      !(c.min_value < c.max_value) || regressors > kMaxRegressors)
    CorruptedState("a configuration that cannot be");
  c.gaps = static_cast<GapRule>(gaps);
  c.duplicates = static_cast<DuplicateRule>(duplicates);
  for (size_t m = 0; m < c.methods.size(); ++m) c.methods[m] = (methods >> m & 1) != 0;
  for (uint32_t i = 0; i < regressors; ++i) c.regressors.emplace_back(in.GetString());
  c.holidays = std::string(in.GetString());
  return c;
}

std::vector<ParameterDoc> ForecastParameterReference() {
  std::vector<ParameterDoc> reference;
  for (const auto& parameter : kParameters) {
    JsonWriter json;
    parameter.write(ForecastConfig{}, json);
    reference.push_back({parameter.name, parameter.type, json.Take(), parameter.range, parameter.description});
  }
  return reference;
}

}  // namespace retrain
