// The hyper-parameters of an intent model: one declaration each gives parsing, validation, error text and reference.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/config_value.h"
#include "core/linear/calibration.h"
#include "core/text/analyzer.h"

namespace retrain {

struct IntentConfig {
  std::string preset = "default";
  AnalyzerConfig analyzer{AccentFolding::kUnicode, {1, 2}, {2, 4}, false, 1};
  bool sublinear_tf = true;
  double min_df = 0;          // 0: chosen from the number of training rows; >= 1 a count, below 1 a share
  double max_df = 1.0;        // <= 1 a share, above 1 a count
  uint32_t max_features = 0;  // per kind of n-gram; 0: no limit
  bool tune = false;          // choose c and the n-grams by cross-validation
  std::string classifier = "linear_svc";
  double c = 3.0;
  bool balanced = true;   // class weights n / (K n_k)
  uint32_t networks = 0;  // beside the classifier; the calibration is softmax
  uint32_t hidden_units = 256;
  uint32_t passes = 0;  // of a network over the rows; 0: chosen from their number
  CalibrationKind calibration = CalibrationKind::kSoftmax;
  int folds = 5;
  std::string embedding_column;  // of the source; empty: none
  double out_of_scope = 0;       // share of known messages that may be turned away as out of scope; 0: none
  double target_precision = 0;   // of the answers that are decided; 0: the threshold is given
  uint64_t seed = 42;
  std::array<double, 3> split{0.70, 0.15, 0.15};  // train, validation, test
};

// Applies the preset first, then every other key. Throws Error(kInvalidParameter) that names the key, the accepted
// range and, for an unknown key that is close to a known one, the key that was meant.
IntentConfig ParseIntentConfig(std::span<const ConfigValue> values);

// The complete configuration as a JSON object with the keys that ParseIntentConfig reads.
std::string ToJson(const IntentConfig& config);

// The reference table, in the order of the documentation.
struct ParameterDoc {
  std::string name, type, default_value, range, description;
};
std::vector<ParameterDoc> IntentParameterReference();

}  // namespace retrain
