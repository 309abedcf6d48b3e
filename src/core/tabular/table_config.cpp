// Parses, validates and documents the hyper-parameters of table models from one table.
#include "core/tabular/table_config.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/config_value.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/json_value.h"
#include "core/base/utf8_clip.h"

namespace retrain {
namespace {

using Type = JsonValue::Type;

constexpr unsigned kX = 1, kF = 2, kL = 4, kR = 8, kK = 16, kTrees = kX | kF, kLinear = kL | kR,
                   kAll = kTrees | kLinear | kK;

constexpr struct {
  TableAlgorithm algorithm;
  const char* name;
  unsigned bit;
  unsigned tasks;  // bit of each TableTask
} kAlgorithms[] = {
    {TableAlgorithm::kXgboost, "xgboost", kX, 1 | 2},
    {TableAlgorithm::kRandomForest, "random_forest", kF, 1 | 2},
    {TableAlgorithm::kLogisticRegression, "logistic_regression", kL, 1},
    {TableAlgorithm::kRidge, "ridge", kR, 2},
    {TableAlgorithm::kKmeans, "kmeans", kK, 4},
};

const auto& EntryOf(TableAlgorithm algorithm) {
  return *std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms),
                       [&](const auto& entry) { return entry.algorithm == algorithm; });
}

struct Parameter {
  const char* name;
  const char* alias;  // XGBoost's other name of it, or null
  const char* type;
  const char* range;
  unsigned algorithms;
  const char* description;
  // False when the value is not acceptable; may change `config` only when it is.
  bool (*set)(TableConfig& config, const JsonValue& value);
  void (*write)(const TableConfig& config, JsonWriter& json);
};

bool SetInteger(const JsonValue& v, double low, double high, uint32_t& out) {
  if (v.type != Type::kNumber || !(v.number >= low && v.number <= high) || v.number != std::floor(v.number))
    return false;
  out = static_cast<uint32_t>(v.number);
  return true;
}

// [low, high], or (low, high] where `open`.
bool SetNumber(const JsonValue& v, double low, double high, bool open, double& out) {
  if (v.type != Type::kNumber || !(open ? v.number > low : v.number >= low) || !(v.number <= high)) return false;
  out = v.number;
  return true;
}

bool SetBool(const JsonValue& v, bool& out) {
  if (v.type != Type::kBool) return false;
  out = v.boolean;
  return true;
}

bool SetWord(const JsonValue& v, std::initializer_list<const char*> words, std::string& out) {
  if (v.type != Type::kString) return false;
  for (const char* word : words) {
    if (v.string != word) continue;
    out = v.string;
    return true;
  }
  return false;
}

bool SetNames(const JsonValue& v, std::vector<std::string>& out) {
  if (v.type != Type::kArray && !(v.type == Type::kNumbers && v.numbers.empty())) return false;
  std::vector<std::string> names;
  for (const JsonValue& item : v.items) {
    if (item.type != Type::kString) return false;
    names.push_back(item.string);
  }
  out = std::move(names);
  return true;
}

void WriteNames(const std::vector<std::string>& names, JsonWriter& json) {
  json.Array();
  for (const auto& name : names) json.String(name);
  json.Close();
}

bool SetShares(const JsonValue& v, SplitRule& rule) {
  if (v.type != Type::kNumbers || v.numbers.size() != 3) return false;
  double sum = 0;
  for (const double share : v.numbers) {
    if (!(share >= 0 && share <= 1)) return false;
    sum += share;
  }
  if (std::abs(sum - 1) > 1e-6 || v.numbers[0] <= 0) return false;
  rule.train = v.numbers[0];
  rule.validation = v.numbers[1];
  return true;
}

bool SetSplit(const JsonValue& v, SplitRule& out) {
  SplitRule rule;
  if (v.type != Type::kObject) {
    if (!SetShares(v, rule)) return false;
    out = rule;
    return true;
  }
  for (const auto& [key, value] : v.members) {
    if (key == "shares") {
      if (!SetShares(value, rule)) return false;
    } else if ((key == "by" || key == "by_time") && value.type == Type::kString && rule.column.empty() &&
               !value.string.empty()) {
      rule.kind = key == "by" ? SplitRule::Kind::kGroup : SplitRule::Kind::kTime;
      rule.column = value.string;
    } else {
      return false;
    }
  }
  out = rule;
  return true;
}

void WriteSplit(const SplitRule& rule, JsonWriter& json) {
  json.Object();
  if (rule.kind == SplitRule::Kind::kGroup) json.Key("by").String(rule.column);
  if (rule.kind == SplitRule::Kind::kTime) json.Key("by_time").String(rule.column);
  json.Key("shares").Array().Number(rule.train).Number(rule.validation);
  json.Number(std::max(0.0, std::round((1 - rule.train - rule.validation) * 1e9) / 1e9)).Close().Close();
}

constexpr const char* kCalibrations[] = {"auto", "none", "temperature", "sigmoid", "isotonic"};

#define RETRAIN_INTEGER(member, low, high)                                               \
  [](TableConfig& c, const JsonValue& v) { return SetInteger(v, low, high, c.member); }, \
      [](const TableConfig& c, JsonWriter& json) { json.Integer(static_cast<int64_t>(c.member)); }
#define RETRAIN_NUMBER(member, low, high, open)                                               \
  [](TableConfig& c, const JsonValue& v) { return SetNumber(v, low, high, open, c.member); }, \
      [](const TableConfig& c, JsonWriter& json) { json.Number(c.member); }

const Parameter kParameters[] = {
    {"split", nullptr, "array or object",
     "[train, validation, test] shares that add up to 1, {\"by\": column} or {\"by_time\": column}, with \"shares\"",
     kAll, "how rows are shared out: each for itself, all rows of a group together, or the newest rows for the test",
     [](TableConfig& c, const JsonValue& v) { return SetSplit(v, c.split); },
     [](const TableConfig& c, JsonWriter& json) { WriteSplit(c.split, json); }},
    {"exclude", nullptr, "array", "names of columns", kAll, "columns that are no features",
     [](TableConfig& c, const JsonValue& v) { return SetNames(v, c.exclude); },
     [](const TableConfig& c, JsonWriter& json) { WriteNames(c.exclude, json); }},
    {"categorical", nullptr, "array", "names of columns", kAll,
     "columns of numbers that are names, such as postal codes",
     [](TableConfig& c, const JsonValue& v) { return SetNames(v, c.categorical); },
     [](const TableConfig& c, JsonWriter& json) { WriteNames(c.categorical, json); }},
    {"max_categories", nullptr, "integer", "1 to 10000", kAll,
     "texts of a column that are told apart, the most frequent first; all others are one",
     RETRAIN_INTEGER(max_categories, 1, 10000)},
    {"min_category_rows", nullptr, "integer", "1 to 1000000", kAll, "texts of fewer training rows count as rare ones",
     RETRAIN_INTEGER(min_category_rows, 1, 1e6)},
    {"date_parts", nullptr, "boolean", "true | false", kAll, "month, weekday and hour of a date are features as well",
     [](TableConfig& c, const JsonValue& v) { return SetBool(v, c.date_parts); },
     [](const TableConfig& c, JsonWriter& json) { json.Bool(c.date_parts); }},
    {"importance", nullptr, "text", "auto | permutation", kAll & ~kK,
     "of the features: gain or size of the coefficients, or what shuffling a column costs on held-out rows",
     [](TableConfig& c, const JsonValue& v) {
       return SetWord(v, {"auto", "permutation"}, c.importance);
     },
     [](const TableConfig& c, JsonWriter& json) { json.String(c.importance); }},
    {"calibration", nullptr, "text", "auto | none | temperature | sigmoid | isotonic", kTrees | kL,
     "of probabilities, on validation rows; auto: one temperature where it helps",
     [](TableConfig& c, const JsonValue& v) {
       for (size_t i = 0; i < std::size(kCalibrations); ++i) {
         if (v.type != Type::kString || v.string != kCalibrations[i]) continue;
         c.calibration = static_cast<TableCalibration>(i);
         return true;
       }
       return false;
     },
     [](const TableConfig& c, JsonWriter& json) { json.String(kCalibrations[static_cast<size_t>(c.calibration)]); }},
    {"seed", nullptr, "integer", "0 to 2147483647", kTrees | kK, "seed of every random choice",
     [](TableConfig& c, const JsonValue& v) {
       uint32_t seed = 0;
       if (!SetInteger(v, 0, 2147483647, seed)) return false;
       c.seed = seed;
       return true;
     },
     [](const TableConfig& c, JsonWriter& json) { json.Integer(static_cast<int64_t>(c.seed)); }},
    {"alpha", nullptr, "number", "0 to 1e12", kR, "strength of the L2 regularisation",
     RETRAIN_NUMBER(alpha, 0, 1e12, false)},
    {"c", nullptr, "number", "above 0, at most 1e12", kL, "inverse strength of the L2 regularisation",
     RETRAIN_NUMBER(c, 0, 1e12, true)},
    {"class_weight", nullptr, "text", "balanced | none", kL,
     "balanced weighs every class by rows / (classes * rows of the class)",
     [](TableConfig& c, const JsonValue& v) {
       std::string word;
       if (v.type != Type::kNull && !SetWord(v, {"balanced", "none"}, word)) return false;
       c.balanced = word == "balanced";
       return true;
     },
     [](const TableConfig& c, JsonWriter& json) { json.String(c.balanced ? "balanced" : "none"); }},
    {"max_iterations", nullptr, "integer", "1 to 100000", kL | kK, "iterations at most",
     RETRAIN_INTEGER(max_iterations, 1, 100000)},
    {"k", nullptr, "integer", "2 to 100; null: chosen by silhouette", kK, "clusters",
     [](TableConfig& c, const JsonValue& v) {
       if (v.type != Type::kNull) return SetInteger(v, 2, 100, c.k);
       c.k = 0;
       return true;
     },
     [](const TableConfig& c, JsonWriter& json) { c.k == 0 ? void(json.Null()) : void(json.Integer(c.k)); }},
    {"max_k", nullptr, "integer", "2 to 100", kK, "clusters at most, where their number is chosen",
     RETRAIN_INTEGER(max_k, 2, 100)},
    {"n_init", nullptr, "integer", "1 to 100", kK, "starts, of which the best is kept",
     RETRAIN_INTEGER(restarts, 1, 100)},
    {"n_estimators", "num_boost_round", "integer", "1 to 10000", kTrees, "boosting rounds, or trees of the forest",
     RETRAIN_INTEGER(n_estimators, 1, 10000)},
    {"max_depth", nullptr, "integer", "1 to 100", kTrees, "splits between the root and a leaf at most",
     RETRAIN_INTEGER(max_depth, 1, 100)},
    {"learning_rate", "eta", "number", "above 0, at most 1", kX, "share of each tree that is added",
     RETRAIN_NUMBER(learning_rate, 0, 1, true)},
    {"subsample", nullptr, "number", "above 0, at most 1", kTrees, "share of the rows for each tree",
     RETRAIN_NUMBER(subsample, 0, 1, true)},
    {"colsample_bytree", nullptr, "number", "above 0, at most 1", kTrees, "share of the columns for each tree",
     RETRAIN_NUMBER(colsample_bytree, 0, 1, true)},
    {"colsample_bylevel", nullptr, "number", "above 0, at most 1", kTrees, "share of the columns for each level",
     RETRAIN_NUMBER(colsample_bylevel, 0, 1, true)},
    {"colsample_bynode", "max_features", "number", "above 0, at most 1", kTrees, "share of the columns for each split",
     RETRAIN_NUMBER(colsample_bynode, 0, 1, true)},
    {"min_child_weight", "min_samples_leaf", "number", "0 to 1e9", kTrees,
     "sum of second derivatives that a leaf needs; in a forest, rows", RETRAIN_NUMBER(min_child_weight, 0, 1e9, false)},
    {"reg_lambda", "lambda", "number", "0 to 1e9", kTrees, "L2 regularisation of leaves",
     RETRAIN_NUMBER(reg_lambda, 0, 1e9, false)},
    {"reg_alpha", "alpha", "number", "0 to 1e9", kTrees, "L1 regularisation of leaves",
     RETRAIN_NUMBER(reg_alpha, 0, 1e9, false)},
    {"gamma", "min_split_loss", "number", "0 to 1e9", kTrees, "gain that a split needs",
     RETRAIN_NUMBER(gamma, 0, 1e9, false)},
    {"max_delta_step", nullptr, "number", "0 to 1e9", kX, "largest step of a leaf; 0: any",
     RETRAIN_NUMBER(max_delta_step, 0, 1e9, false)},
    {"scale_pos_weight", nullptr, "number", "above 0, at most 1e9", kX, "weight of the second of two classes",
     RETRAIN_NUMBER(scale_pos_weight, 0, 1e9, true)},
    {"max_bin", nullptr, "integer", "2 to 65535", kTrees, "bins of a column", RETRAIN_INTEGER(max_bin, 2, 65535)},
    {"tree_method", nullptr, "text", "hist | approx | exact", kX, "how splits are looked for",
     [](TableConfig& c, const JsonValue& v) {
       return SetWord(v, {"hist", "approx", "exact"}, c.tree_method);
     },
     [](const TableConfig& c, JsonWriter& json) { json.String(c.tree_method); }},
    {"encoding", nullptr, "text", "auto | one_hot | native | ordinal", kTrees,
     "of texts for the trees: a column each, sets of codes, or codes in their order; auto: sets beyond eight texts",
     [](TableConfig& c, const JsonValue& v) {
       return SetWord(v, {"auto", "one_hot", "native", "ordinal"}, c.encoding);
     },
     [](const TableConfig& c, JsonWriter& json) { json.String(c.encoding); }},
    {"early_stopping_rounds", nullptr, "integer", "0 (never) to 10000", kX,
     "rounds without a better validation score after which training ends",
     RETRAIN_INTEGER(early_stopping_rounds, 0, 10000)},
};

#undef RETRAIN_INTEGER
#undef RETRAIN_NUMBER

std::string Describe(const JsonValue& v) {
  JsonWriter json;
  switch (v.type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return v.boolean ? "true" : "false";
    case Type::kNumber:
      return std::isfinite(v.number) ? json.Number(v.number).Take() : "a number out of range";
    case Type::kString:
      return "\"" + Shortened(v.string, 100) + "\"";
    case Type::kNumbers:
      return "an array of numbers";
    case Type::kArray:
      return "an array";
    case Type::kObject:
      return "an object";
  }
  return "a value";
}

std::string AlgorithmsOf(const Parameter& parameter) {
  std::string names;
  for (const auto& entry : kAlgorithms)
    if ((parameter.algorithms & entry.bit) != 0) names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

[[noreturn]] void RejectKey(std::string_view key, TableAlgorithm algorithm) {
  const auto& entry = EntryOf(algorithm);
  std::vector<const char*> known;
  for (const auto& parameter : kParameters) {
    if (key == parameter.name)
      throw Error(ErrorCode::kInvalidParameter,
                  "configuration key \"" + std::string(key) + "\" is not one of " + entry.name,
                  "it is of: " + AlgorithmsOf(parameter), "remove the key, or choose another p_algorithm");
    if ((parameter.algorithms & entry.bit) != 0) known.push_back(parameter.name);
  }
  RejectConfigKey(key, known, entry.name);
}

// What an algorithm begins with where it is not what TableConfig says.
TableConfig DefaultsOf(TableAlgorithm algorithm) {
  TableConfig config;
  if (algorithm == TableAlgorithm::kRandomForest) {
    // Trees as deep as the rows allow, each on 63 % of them as a bootstrap sample has, a few columns at each split.
    config.max_depth = 30;
    config.subsample = 0.632;
    config.colsample_bynode = 0.6;
    config.reg_lambda = 1e-5;
  }
  if (algorithm == TableAlgorithm::kKmeans) config.max_iterations = 300;
  return config;
}

}  // namespace

const char* NameOf(TableTask task) {
  switch (task) {
    case TableTask::kClassification:
      return "classification";
    case TableTask::kRegression:
      return "regression";
    default:
      return "clustering";
  }
}

std::optional<TableTask> TableTaskOf(std::string_view name) {
  for (const TableTask task : {TableTask::kClassification, TableTask::kRegression, TableTask::kClustering})
    if (name == NameOf(task)) return task;
  return std::nullopt;
}

const char* NameOf(TableAlgorithm algorithm) { return EntryOf(algorithm).name; }

bool Does(std::string_view algorithm, TableTask task) noexcept {
  return std::any_of(std::begin(kAlgorithms), std::end(kAlgorithms), [&](const auto& entry) {
    return algorithm == entry.name && (entry.tasks & 1u << static_cast<unsigned>(task)) != 0;
  });
}

TableAlgorithm ChooseAlgorithm(TableTask task, std::string_view name, bool have_booster) {
  const unsigned bit = 1u << static_cast<unsigned>(task);
  if (name.empty()) {
    if (task == TableTask::kClustering) return TableAlgorithm::kKmeans;
    if (have_booster) return TableAlgorithm::kXgboost;
    return task == TableTask::kClassification ? TableAlgorithm::kLogisticRegression : TableAlgorithm::kRidge;
  }
  std::string fitting;
  for (const auto& entry : kAlgorithms) {
    if ((entry.tasks & bit) == 0) continue;
    if (name == entry.name) return entry.algorithm;
    fitting += (fitting.empty() ? "" : ", ") + std::string(entry.name);
  }
  const bool known = std::any_of(std::begin(kAlgorithms), std::end(kAlgorithms),
                                 [&](const auto& entry) { return name == entry.name; });
  throw Error(ErrorCode::kInvalidParameter,
              known ? "this algorithm does not do " + std::string(NameOf(task)) : "p_algorithm is not known",
              "given \"" + Shortened(name) + "\", accepted for " + NameOf(task) + ": " + fitting,
              "leave p_algorithm out to have one chosen");
}

TableConfig ParseTableConfig(std::string_view json, TableAlgorithm algorithm) {
  const JsonValue values = ParseJson(json);
  if (values.type != Type::kObject)
    throw Error(ErrorCode::kInvalidParameter, "p_config must be a JSON object", "given " + Describe(values),
                "for example: {\"n_estimators\": 300}");
  TableConfig config = DefaultsOf(algorithm);
  const unsigned bit = EntryOf(algorithm).bit;
  for (const JsonMember& member : values.members) {
    const std::string& key = member.key;
    const JsonValue& value = member.value;
    const Parameter* parameter = std::find_if(std::begin(kParameters), std::end(kParameters), [&](const Parameter& p) {
      return (p.algorithms & bit) != 0 && (key == p.name || (p.alias != nullptr && key == p.alias));
    });
    if (parameter == std::end(kParameters)) RejectKey(key, algorithm);
    const char* twin = key == parameter->name ? parameter->alias : parameter->name;
    if (twin != nullptr && std::any_of(values.members.begin(), values.members.end(),
                                       [&](const JsonMember& other) { return other.key == twin; }))
      throw Error(ErrorCode::kInvalidParameter,
                  std::string("configuration key \"") + parameter->name + "\" is given twice",
                  std::string("\"") + parameter->alias + "\" is another name of it", "leave one of them out");
    if (!parameter->set(config, value))
      RejectConfigValue(parameter->name, Describe(value), parameter->range, parameter->description);
  }
  if (config.encoding == "native" && config.tree_method == "exact")
    throw Error(ErrorCode::kInvalidParameter, "tree_method exact knows no native categories",
                "encoding is native, tree_method is exact", "choose encoding one_hot, or tree_method hist");
  return config;
}

std::string ToJson(const TableConfig& config, TableAlgorithm algorithm) {
  JsonWriter json;
  json.Object();
  for (const auto& parameter : kParameters) {
    if ((parameter.algorithms & EntryOf(algorithm).bit) == 0) continue;
    json.Key(parameter.name);
    parameter.write(config, json);
  }
  return json.Close().Take();
}

std::vector<TableParameterDoc> TableParameterReference() {
  std::vector<TableParameterDoc> docs;
  for (const auto& parameter : kParameters) {
    std::string defaults;
    for (const auto& entry : kAlgorithms) {
      if ((parameter.algorithms & entry.bit) == 0) continue;
      JsonWriter json;
      parameter.write(DefaultsOf(entry.algorithm), json);
      const std::string value = json.Take();
      if (defaults.empty())
        defaults = value;
      else if (defaults.find(value) == std::string::npos)
        defaults += ", " + std::string(entry.name) + " " + value;
    }
    docs.push_back({parameter.name, parameter.type, defaults, parameter.range,
                    parameter.algorithms == kAll ? "all" : AlgorithmsOf(parameter), parameter.description,
                    parameter.alias == nullptr ? "" : parameter.alias});
  }
  return docs;
}

std::string ToJson(const SplitRule& rule) {
  JsonWriter json;
  WriteSplit(rule, json);
  return json.Take();
}

std::optional<SplitRule> SplitOf(std::string_view config_json) {
  const JsonValue config = ParseJson(config_json);
  SplitRule rule;
  const JsonValue* split = config.Find("split");
  if (split == nullptr || !SetSplit(*split, rule)) return std::nullopt;
  return rule;
}

}  // namespace retrain
