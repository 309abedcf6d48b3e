// Makes an artifact of a model that XGBoost saved.
#include <set>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/utf8_clip.h"
#include "core/tabular/table_model.h"

namespace retrain {
namespace {

void CheckDistinct(const std::vector<std::string>& names, const char* what) {
  std::set<std::string_view> seen;
  for (const auto& name : names)
    if (name.empty() || !seen.insert(name).second)
      throw Error(ErrorCode::kInvalidParameter, std::string(what) + " are not different names",
                  name.empty() ? "one is empty" : "\"" + Shortened(name, 100) + "\" occurs twice",
                  "name each one once");
}

}  // namespace

std::vector<uint8_t> ImportXgboost(std::span<const uint8_t> bytes, std::span<const std::string_view> feature_names,
                                   std::span<const std::string_view> labels, ReadBudget& budget) {
  const XgboostModel model = ReadXgboostModel(bytes, budget);
  std::vector<std::string> names(feature_names.begin(), feature_names.end());
  if (names.empty()) names = model.feature_names;
  if (names.size() != model.n_features)
    throw Error(ErrorCode::kInvalidParameter, "the model's features need names",
                "it has " + std::to_string(model.n_features) + " features, " + std::to_string(names.size()) +
                    " names are given",
                "pass p_feature_names: the columns of its matrix, in their order");
  CheckDistinct(names, "p_feature_names");
  TableModelParts parts;
  parts.algorithm = "xgboost";
  parts.config_json = JsonWriter().Object().Key("objective").String(model.objective).Close().Take();
  parts.link = model.link;
  const size_t n_classes = !model.classifies ? 0 : model.n_outputs == 1 ? 2 : model.n_outputs;
  parts.task = model.classifies ? TableTask::kClassification : TableTask::kRegression;
  if (model.link != ForestLink::kSoftmax && model.n_outputs != 1)
    throw Error(ErrorCode::kNotSupported, "a model of several targets cannot be imported",
                std::to_string(model.n_outputs) + " outputs of " + model.objective, "train one model for each target");
  if (model.link == ForestLink::kSoftmax && model.n_outputs < 2)
    throw Error(ErrorCode::kInvalidParameter, "not a model of XGBoost", "a softmax of one class", "save it again");
  parts.labels.assign(labels.begin(), labels.end());
  for (size_t k = 0; labels.empty() && k < n_classes; ++k) parts.labels.push_back(std::to_string(k));
  if (parts.labels.size() != n_classes)
    throw Error(ErrorCode::kInvalidParameter, "p_labels has another length than the model's classes",
                std::to_string(parts.labels.size()) + " labels, " + std::to_string(n_classes) + " classes",
                "name the classes in the order of their numbers");
  CheckDistinct(parts.labels, "p_labels");
  std::vector<ForestFeature> features;
  ForestShape shape;
  for (uint32_t f = 0; f < model.n_features; ++f) {
    const uint32_t n_codes = model.category_sizes[f];
    parts.encoder.AddPlainColumn(names[f], n_codes);
    if (n_codes > 0) {
      features.push_back({ForestFeature::Kind::kCodes, static_cast<uint32_t>(shape.n_codes.size()), 0, true});
      shape.n_codes.push_back(n_codes + 2);  // as the encoder has them: null, and every other
    } else {
      features.push_back({ForestFeature::Kind::kDense, shape.n_dense++, 0});
    }
  }
  parts.encoder.EndFitting();
  parts.forest = FlattenTrees(model, features, shape, 0, 1, budget);
  std::vector<uint8_t> artifact = EncodeTableModel(parts);
  TableModel{artifact, Checksum::kCompared};  // everything that serving will check
  return artifact;
}

}  // namespace retrain
