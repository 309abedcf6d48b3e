// The hyper-parameters of table models: one declaration each gives parsing, validation, error text and reference.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tabular/table.h"

namespace retrain {

// Stored in artifacts: never renumber.
enum class TableTask : uint8_t { kClassification = 0, kRegression = 1, kClustering = 2 };
const char* NameOf(TableTask task);
std::optional<TableTask> TableTaskOf(std::string_view name);

enum class TableAlgorithm : uint8_t { kXgboost, kRandomForest, kLogisticRegression, kRidge, kKmeans };
const char* NameOf(TableAlgorithm algorithm);
// Whether the algorithm needs the optional library.
inline bool NeedsBooster(TableAlgorithm algorithm) {
  return algorithm == TableAlgorithm::kXgboost || algorithm == TableAlgorithm::kRandomForest;
}
// The algorithm of a name, or where that is empty what fits the task. Throws Error(kInvalidParameter) for an unknown one and
// for one that does not do the task.
TableAlgorithm ChooseAlgorithm(TableTask task, std::string_view name, bool have_booster);

enum class TableCalibration : uint8_t { kAuto, kNone, kTemperature, kSigmoid, kIsotonic };

struct TableConfig {
  // rows and columns
  SplitRule split;
  std::vector<std::string> exclude, categorical;
  uint32_t max_categories = 100, min_category_rows = 1;
  bool date_parts = true;
  uint64_t seed = 42;
  TableCalibration calibration = TableCalibration::kAuto;
  std::string importance = "auto";  // auto | permutation
  // ridge, logistic_regression
  double alpha = 1, c = 1;
  bool balanced = false;
  uint32_t max_iterations = 1000;
  // kmeans
  uint32_t k = 0, max_k = 10, restarts = 10;
  // xgboost, random_forest
  uint32_t n_estimators = 100, max_depth = 6, max_bin = 256, early_stopping_rounds = 0;
  double learning_rate = 0.3, subsample = 1, colsample_bytree = 1, colsample_bylevel = 1, colsample_bynode = 1;
  double min_child_weight = 1, reg_lambda = 1, reg_alpha = 0, gamma = 0, scale_pos_weight = 1, max_delta_step = 0;
  std::string tree_method = "hist", encoding = "auto";
};

// Whether that is the name of an algorithm that does the task.
bool Does(std::string_view algorithm, TableTask task) noexcept;
// What an algorithm begins with, and what a JSON object changes. Throws Error(kInvalidParameter) that names the key, the
// accepted range and, for an unknown key that is close to a known one, the key that was meant.
TableConfig ParseTableConfig(std::string_view json, TableAlgorithm algorithm);
// The complete configuration of an algorithm as a JSON object with the keys that ParseTableConfig reads.
std::string ToJson(const TableConfig& config, TableAlgorithm algorithm);
// The "split" alone, as ToJson() of a whole configuration has it.
std::string ToJson(const SplitRule& rule);
// The same from such a configuration; none where it has no split, as that of an imported model.
std::optional<SplitRule> SplitOf(std::string_view config_json);

struct TableParameterDoc {
  std::string name, type, default_value, range, algorithms, description, other_name;  // other_name: empty for none
};
std::vector<TableParameterDoc> TableParameterReference();

}  // namespace retrain
