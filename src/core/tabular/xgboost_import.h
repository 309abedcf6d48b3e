// XGBoost's own model format, as JSON or UBJSON, turned into flat trees.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/json_value.h"
#include "core/tabular/forest.h"

namespace retrain {

// What a column of the matrix that trees were grown on is.
struct ForestFeature {
  enum class Kind : uint8_t { kDense, kOneHot, kCodes };
  Kind kind = Kind::kDense;
  uint32_t index = 0;          // dense feature, or category feature
  uint32_t code = 0;           // kOneHot: the code that the column is 1 for
  bool has_null_code = false;  // kCodes: the last but one stands for null and goes where a missing value does
};

// What the sum of the leaves says. Stored in artifacts: never renumber.
enum class ForestLink : uint8_t { kIdentity = 0, kSigmoid = 1, kSoftmax = 2, kExp = 3, kShares = 4 };

struct XgboostModel {
  JsonValue json;
  std::string objective;
  ForestLink link = ForestLink::kIdentity;
  bool classifies = false;
  uint32_t n_features = 0, n_outputs = 1;
  std::vector<float> base;                 // margins that sums begin with, n_outputs
  std::vector<std::string> feature_names;  // may be empty
  std::vector<uint32_t> category_sizes;    // per feature: 1 + the largest category of its splits, 0 for a number
};

// Throws Error(kInvalidParameter) for what is no XGBoost model, Error(kNotSupported) for one of another booster or objective.
XgboostModel ReadXgboostModel(std::span<const uint8_t> bytes, ReadBudget& budget);

// The first n_trees trees (all: 0) in flat form; leaves are multiplied by `scale`.
ForestParts FlattenTrees(const XgboostModel& model, std::span<const ForestFeature> features, const ForestShape& shape,
                         size_t n_trees, float scale, ReadBudget& budget);

}  // namespace retrain
