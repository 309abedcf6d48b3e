// Parses, validates and documents the hyper-parameters of intent models from one table.
#include "core/intent/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/linear/linear.h"

namespace retrain {
namespace {

using Type = ConfigValue::Type;

struct Parameter {
  const char* name;
  const char* type;
  const char* range;
  const char* description;
  // False when the value is not acceptable; may change `config` only when it is.
  bool (*set)(IntentConfig& config, const ConfigValue& value);
  void (*write)(const IntentConfig& config, JsonWriter& json);
};

bool IsIntegerIn(const ConfigValue& v, double low, double high) {
  return v.type == Type::kNumber && v.number >= low && v.number <= high && v.number == std::floor(v.number);
}

bool SetBool(const ConfigValue& v, bool& out) {
  if (v.type != Type::kBool) return false;
  out = v.boolean;
  return true;
}

// [min, max] with 1 <= min <= max <= limit; null, false and [0, 0] turn the n-grams off.
bool SetRange(const ConfigValue& v, double limit, NgramRange& out) {
  if (v.type == Type::kNull || (v.type == Type::kBool && !v.boolean)) {
    out = {};
    return true;
  }
  if (v.type != Type::kNumbers || v.numbers.size() != 2) return false;
  const double low = v.numbers[0], high = v.numbers[1];
  if (low == 0 && high == 0) {
    out = {};
    return true;
  }
  if (!(low >= 1 && low <= high && high <= limit) || low != std::floor(low) || high != std::floor(high)) return false;
  out = {static_cast<uint8_t>(low), static_cast<uint8_t>(high)};
  return true;
}

void WriteRange(const NgramRange& range, JsonWriter& json) {
  json.Array().Integer(range.min).Integer(range.max).Close();
}

template <class Value>
struct Choice {
  const char* name;
  Value value;
};

constexpr Choice<AccentFolding> kFoldings[] = {
    {"none", AccentFolding::kNone}, {"spanish", AccentFolding::kSpanish}, {"unicode", AccentFolding::kUnicode}};
constexpr Choice<CalibrationKind> kCalibrations[] = {
    {"none", CalibrationKind::kNone}, {"softmax", CalibrationKind::kSoftmax}, {"sigmoid", CalibrationKind::kSigmoid}};

template <class Value, size_t N>
bool SetChoice(const ConfigValue& v, const Choice<Value> (&choices)[N], Value& out) {
  if (v.type != Type::kString) return false;
  for (const auto& choice : choices) {
    if (v.string != choice.name) continue;
    out = choice.value;
    return true;
  }
  return false;
}

template <class Value, size_t N>
const char* NameOf(const Choice<Value> (&choices)[N], Value value) {
  for (const auto& choice : choices)
    if (choice.value == value) return choice.name;
  return "";
}

bool ApplyPreset(IntentConfig& config, const ConfigValue& v) {
  if (v.type != Type::kString || (v.string != "default" && v.string != "classic" && v.string != "accurate"))
    return false;
  config = IntentConfig{};
  if (v.string == "classic") {
    config.analyzer = {AccentFolding::kSpanish, {1, 3}, {0, 0}, false, 2};
    config.c = 1;
    config.sublinear_tf = false;
    config.min_df = 1;
    config.max_features = 10000;
    config.calibration = CalibrationKind::kSigmoid;
  }
  if (v.string == "accurate") {
    config.networks = 8;
    config.max_features = 40000;
  }
  config.preset = v.string;
  return true;
}

const Parameter kParameters[] = {
    {"preset", "text", "default | classic | accurate",
     "recipe that the other keys change: default is the most accurate linear one, classic is TF-IDF of word 1-3 grams, "
     "accurate adds networks to default",
     [](IntentConfig&, const ConfigValue&) { return true; },
     [](const IntentConfig& c, JsonWriter& json) { json.String(c.preset); }},
    {"tune", "boolean", "true | false",
     "choose c, word_ngrams and char_ngrams by cross-validation; the version records the choice and what was tried",
     [](IntentConfig& c, const ConfigValue& v) { return SetBool(v, c.tune); },
     [](const IntentConfig& c, JsonWriter& json) { json.Bool(c.tune); }},
    {"classifier", "text", "linear_svc | logistic_regression", "linear classifier trained on the features",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type != Type::kString) return false;
       for (const auto& entry : Classifiers()) {
         if (v.string != entry.name) continue;
         c.classifier = v.string;
         return true;
       }
       return false;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.String(c.classifier); }},
    {"c", "number", "above 0, at most 1e6", "inverse strength of the L2 regularisation",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type != Type::kNumber || !(v.number > 0 && v.number <= 1e6)) return false;
       c.c = v.number;
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Number(c.c); }},
    {"class_weight", "text", "balanced | none", "balanced weighs every intent by rows / (intents * rows of the intent)",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type == Type::kNull || (v.type == Type::kString && v.string == "none")) {
         c.balanced = false;
         return true;
       }
       c.balanced = true;
       return v.type == Type::kString && v.string == "balanced";
     },
     [](const IntentConfig& c, JsonWriter& json) { json.String(c.balanced ? "balanced" : "none"); }},
    {"networks", "integer", "0 to 32",
     "small networks over the same features, averaged and weighed with the classifier",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type == Type::kNull) {
         c.networks = 0;
         return true;
       }
       if (!IsIntegerIn(v, 0, 32)) return false;
       c.networks = static_cast<uint32_t>(v.number);
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Integer(c.networks); }},
    {"hidden_units", "integer", "16 to 1024, a multiple of 16", "hidden units of each network",
     [](IntentConfig& c, const ConfigValue& v) {
       if (!IsIntegerIn(v, 16, 1024) || std::fmod(v.number, 16) != 0) return false;
       c.hidden_units = static_cast<uint32_t>(v.number);
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Integer(c.hidden_units); }},
    {"passes", "integer", "0 (chosen from the number of rows) to 200", "passes of each network over the training rows",
     [](IntentConfig& c, const ConfigValue& v) {
       if (!IsIntegerIn(v, 0, 200)) return false;
       c.passes = static_cast<uint32_t>(v.number);
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Integer(c.passes); }},
    {"word_ngrams", "array", "[min, max] with 1 <= min <= max <= 5, or null for none",
     "lengths of the n-grams of tokens",
     [](IntentConfig& c, const ConfigValue& v) { return SetRange(v, 5, c.analyzer.word_ngrams); },
     [](const IntentConfig& c, JsonWriter& json) { WriteRange(c.analyzer.word_ngrams, json); }},
    {"char_ngrams", "array", "[min, max] with 1 <= min <= max <= 8, or null for none",
     "lengths of the character n-grams within words, word edges included",
     [](IntentConfig& c, const ConfigValue& v) { return SetRange(v, 8, c.analyzer.char_ngrams); },
     [](const IntentConfig& c, JsonWriter& json) { WriteRange(c.analyzer.char_ngrams, json); }},
    {"min_token_chars", "integer", "1 to 10", "shortest run of word characters that is a token",
     [](IntentConfig& c, const ConfigValue& v) {
       if (!IsIntegerIn(v, 1, 10)) return false;
       c.analyzer.min_token_chars = static_cast<uint8_t>(v.number);
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Integer(c.analyzer.min_token_chars); }},
    {"min_df", "number", "0 (chosen from the number of rows), a count of 1 or more, or a share below 1",
     "n-grams in fewer training rows are left out",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type != Type::kNumber || !(v.number >= 0 && v.number <= 1e9)) return false;
       if (v.number >= 1 && v.number != std::floor(v.number)) return false;
       c.min_df = v.number;
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Number(c.min_df); }},
    {"max_df", "number", "a share above 0 and at most 1, or a count of 2 or more",
     "n-grams in more training rows are left out",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type != Type::kNumber || !(v.number > 0 && v.number <= 1e9)) return false;
       if (v.number > 1 && v.number != std::floor(v.number)) return false;
       c.max_df = v.number;
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Number(c.max_df); }},
    {"max_features", "integer", "0 (no limit) to 10000000",
     "n-grams kept of each kind, the most frequent in all training rows first",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type == Type::kNull) {
         c.max_features = 0;
         return true;
       }
       if (!IsIntegerIn(v, 0, 1e7)) return false;
       c.max_features = static_cast<uint32_t>(v.number);
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Integer(c.max_features); }},
    {"sublinear_tf", "boolean", "true | false", "count an n-gram that occurs n times in a message as 1 + ln(n)",
     [](IntentConfig& c, const ConfigValue& v) { return SetBool(v, c.sublinear_tf); },
     [](const IntentConfig& c, JsonWriter& json) { json.Bool(c.sublinear_tf); }},
    {"strip_accents", "text",
     "none | spanish (its accents: acute, diaeresis, tilde) | unicode (every combining mark); true is unicode, false "
     "is none",
     "accents folded before the text is read",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type == Type::kBool || v.type == Type::kNull) {
         c.analyzer.folding = v.type == Type::kBool && v.boolean ? AccentFolding::kUnicode : AccentFolding::kNone;
         return true;
       }
       return SetChoice(v, kFoldings, c.analyzer.folding);
     },
     [](const IntentConfig& c, JsonWriter& json) { json.String(NameOf(kFoldings, c.analyzer.folding)); }},
    {"text_stats", "boolean", "true | false",
     "add statistics of the message: length, words, sentences, questions, brackets, code punctuation, digits and more",
     [](IntentConfig& c, const ConfigValue& v) { return SetBool(v, c.analyzer.text_stats); },
     [](const IntentConfig& c, JsonWriter& json) { json.Bool(c.analyzer.text_stats); }},
    {"embedding_column", "text", "a column's name of 1 to 63 bytes, or null for none",
     "column of p_source with an embedding of each message (real[], float8[] or pgvector's vector), which joins the "
     "n-grams",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type == Type::kNull) {
         c.embedding_column.clear();
         return true;
       }
       if (v.type != Type::kString || v.string.empty() || v.string.size() > 63) return false;
       c.embedding_column = v.string;
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) {
       c.embedding_column.empty() ? void(json.Null()) : void(json.String(c.embedding_column));
     }},
    {"calibration", "text", "softmax | sigmoid | none",
     "from margins to probabilities: one temperature or one sigmoid per intent, fitted on out-of-fold margins",
     [](IntentConfig& c, const ConfigValue& v) { return SetChoice(v, kCalibrations, c.calibration); },
     [](const IntentConfig& c, JsonWriter& json) { json.String(NameOf(kCalibrations, c.calibration)); }},
    {"folds", "integer", "2 to 20", "folds of the out-of-fold margins",
     [](IntentConfig& c, const ConfigValue& v) {
       if (!IsIntegerIn(v, 2, 20)) return false;
       c.folds = static_cast<int>(v.number);
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Integer(c.folds); }},
    {"out_of_scope", "number", "0 (off) to 0.5; true is 0.04, false is 0",
     "share of known messages that may be turned away so that unfamiliar ones are UNCERTAIN",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type == Type::kBool || v.type == Type::kNull) {
         c.out_of_scope = v.type == Type::kBool && v.boolean ? 0.04 : 0;
         return true;
       }
       if (v.type != Type::kNumber || !(v.number >= 0 && v.number <= 0.5)) return false;
       c.out_of_scope = v.number;
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Number(c.out_of_scope); }},
    {"target_precision", "number", "0 (off), or above 0 and below 1",
     "the confidence threshold is chosen so that this share of what is decided on unseen rows is right",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type == Type::kNull) {
         c.target_precision = 0;
         return true;
       }
       if (v.type != Type::kNumber || !(v.number >= 0 && v.number < 1)) return false;
       c.target_precision = v.number;
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Number(c.target_precision); }},
    {"seed", "integer", "0 to 9007199254740991", "seed of every random choice",
     [](IntentConfig& c, const ConfigValue& v) {
       if (!IsIntegerIn(v, 0, 9007199254740991.0)) return false;
       c.seed = static_cast<uint64_t>(v.number);
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) { json.Integer(static_cast<int64_t>(c.seed)); }},
    {"split", "array", "[train, validation, test], shares of 0 to 1 that add up to 1, train above 0",
     "shares of the rows of a source that has no split column of its own",
     [](IntentConfig& c, const ConfigValue& v) {
       if (v.type != Type::kNumbers || v.numbers.size() != 3) return false;
       double sum = 0;
       for (const double share : v.numbers) {
         if (!(share >= 0 && share <= 1)) return false;
         sum += share;
       }
       if (std::abs(sum - 1) > 1e-6 || v.numbers[0] <= 0) return false;
       std::copy(v.numbers.begin(), v.numbers.end(), c.split.begin());
       return true;
     },
     [](const IntentConfig& c, JsonWriter& json) {
       json.Array().Number(c.split[0]).Number(c.split[1]).Number(c.split[2]).Close();
     }},
};

// Error(kInvalidParameter) for keys that do not go together; says which of them the model has stored. A key that is not given
// comes from the preset.
[[noreturn]] void RejectTogether(std::span<const ConfigValue> values, std::initializer_list<const char*> keys,
                                 const char* message, std::string detail, std::string hint) {
  const auto find = [&](std::string_view key) {
    return std::find_if(values.begin(), values.end(), [&](const ConfigValue& v) { return v.key == key; });
  };
  std::vector<std::string> stored;
  for (const char* key : keys) {
    auto given = find(key);
    if (given == values.end()) given = find(kParameters[0].name);
    if (given == values.end() || !given->stored) continue;
    const std::string name(given->key);
    if (std::find(stored.begin(), stored.end(), name) == stored.end()) stored.push_back(name);
  }
  if (!stored.empty()) {
    std::string quoted, dropped;
    for (const std::string& name : stored) {
      quoted += (quoted.empty() ? "\"" : ", \"") + name + "\"";
      dropped += " - '" + name + "'";
    }
    detail += "; stored with the model, in ai_models.config: " + quoted;
    hint = std::string("give ") + (stored.size() == 1 ? "it" : "them") +
           " another value in p_config as well, or drop what is stored: update ai_models set config = config" +
           dropped + " where model_name = ...";
  }
  throw Error(ErrorCode::kInvalidParameter, message, std::move(detail), std::move(hint));
}

std::vector<const char*> Names() {
  std::vector<const char*> names;
  for (const auto& parameter : kParameters) names.push_back(parameter.name);
  return names;
}

}  // namespace

IntentConfig ParseIntentConfig(std::span<const ConfigValue> values) {
  IntentConfig config;
  for (const auto& value : values)
    if (value.key == kParameters[0].name && !ApplyPreset(config, value))
      RejectConfigValue(value, kParameters[0].range, kParameters[0].description);
  for (const auto& value : values) {
    const auto* parameter = std::find_if(std::begin(kParameters), std::end(kParameters),
                                         [&](const Parameter& p) { return value.key == p.name; });
    if (parameter == std::end(kParameters)) RejectConfigKey(value.key, Names());
    if (!parameter->set(config, value)) RejectConfigValue(value, parameter->range, parameter->description);
  }
  if (!config.analyzer.word_ngrams.enabled() && !config.analyzer.char_ngrams.enabled() && !config.analyzer.text_stats)
    RejectTogether(values, {"word_ngrams", "char_ngrams", "text_stats"}, "configuration leaves no features",
                   "word_ngrams and char_ngrams are off and text_stats is false", "turn one of them on");
  if (config.networks > 0 && config.calibration != CalibrationKind::kSoftmax)
    RejectTogether(values, {"calibration", "networks"}, "networks need the calibration \"softmax\"",
                   "networks is " + std::to_string(config.networks) + ", calibration is \"" +
                       NameOf(kCalibrations, config.calibration) + "\"",
                   "leave calibration out, or set networks to 0");
  return config;
}

std::string ToJson(const IntentConfig& config) {
  JsonWriter json;
  json.Object();
  for (const auto& parameter : kParameters) {
    json.Key(parameter.name);
    parameter.write(config, json);
  }
  return json.Close().Take();
}

std::vector<ParameterDoc> IntentParameterReference() {
  std::vector<ParameterDoc> reference;
  for (const auto& parameter : kParameters) {
    JsonWriter json;
    parameter.write(IntentConfig{}, json);
    reference.push_back({parameter.name, parameter.type, json.Take(), parameter.range, parameter.description});
  }
  return reference;
}

}  // namespace retrain
