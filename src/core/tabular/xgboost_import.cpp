// Reads XGBoost models and lays their trees out flat.
#include "core/tabular/xgboost_import.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <map>

#include "core/base/error.h"
#include "core/base/math.h"
#include "core/base/utf8_clip.h"
#include "core/codec/stored_text.h"

namespace retrain {
namespace {

constexpr uint32_t kMaxImportedFeatures = 100000, kMaxOutputs = 10000, kMaxCategories = 100000;

[[noreturn]] void Malformed(const std::string& detail) {
  throw Error(ErrorCode::kInvalidParameter, "not a model of XGBoost", detail,
              "save it with Booster.save_model() as .json or .ubj and pass the bytes of the file");
}

const JsonValue& Member(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.Find(key);
  if (value == nullptr) Malformed("it has no \"" + std::string(key) + "\"");
  return *value;
}

// XGBoost writes the numbers of its parameters as texts.
double NumberOf(const JsonValue& value, const char* what) {
  if (value.type == JsonValue::Type::kNumber) return value.number;
  double number = 0;
  const auto end = value.string.data() + value.string.size();
  if (value.type != JsonValue::Type::kString || std::from_chars(value.string.data(), end, number).ptr != end)
    Malformed(std::string(what) + " is no number");
  return number;
}

uint32_t CountOf(const JsonValue& object, const char* key, uint32_t limit) {
  const JsonValue* value = object.Find(key);
  if (value == nullptr) return 0;
  const double number = NumberOf(*value, key);
  if (!(number >= 0 && number <= limit)) Malformed(std::string(key) + " is impossible");
  return static_cast<uint32_t>(number);
}

const std::vector<double>& NumbersOf(const JsonValue& object, const char* key, size_t n) {
  const JsonValue& value = Member(object, key);
  if (value.type != JsonValue::Type::kNumbers || value.numbers.size() != n)
    Malformed(std::string("a tree's \"") + key + "\" has another length than its nodes");
  return value.numbers;
}

uint32_t IndexOf(double number, size_t limit, const char* what) {
  if (!(number >= 0 && number < static_cast<double>(limit))) Malformed(std::string(what) + " lies outside");
  return static_cast<uint32_t>(number);
}

struct Objective {
  const char* name;
  ForestLink link;
  bool classifies;
  bool base_is_margin = false;
};
constexpr Objective kObjectives[] = {
    {"reg:squarederror", ForestLink::kIdentity, false},
    {"reg:linear", ForestLink::kIdentity, false},
    {"reg:squaredlogerror", ForestLink::kIdentity, false},
    {"reg:pseudohubererror", ForestLink::kIdentity, false},
    {"reg:absoluteerror", ForestLink::kIdentity, false},
    {"reg:logistic", ForestLink::kSigmoid, false},
    {"binary:logistic", ForestLink::kSigmoid, true},
    {"binary:logitraw", ForestLink::kSigmoid, true, true},
    {"multi:softprob", ForestLink::kSoftmax, true},
    {"multi:softmax", ForestLink::kSoftmax, true},
    {"count:poisson", ForestLink::kExp, false},
    {"reg:gamma", ForestLink::kExp, false},
    {"reg:tweedie", ForestLink::kExp, false},
    {"rank:pairwise", ForestLink::kIdentity, false},
    {"rank:ndcg", ForestLink::kIdentity, false},
    {"rank:map", ForestLink::kIdentity, false},
};

// The margin that a base score stands for: 0.5 of a logistic objective is 0.
float BaseMargin(ForestLink link, double score) {
  if (link == ForestLink::kSigmoid) {
    if (!(score > 0 && score < 1)) Malformed("base_score is no probability");
    return static_cast<float>(-Log(1 / score - 1));
  }
  if (link == ForestLink::kExp) {
    if (!(score > 0)) Malformed("base_score is not above 0");
    return static_cast<float>(Log(score));
  }
  return static_cast<float>(score);
}

// "5E-1", or since 3.1 "[5E-1]" with a number for each output.
std::vector<double> BaseScores(const JsonValue& value, ReadBudget& budget) {
  if (value.type == JsonValue::Type::kNumbers) return value.numbers;
  if (value.type == JsonValue::Type::kString && !value.string.empty() && value.string.front() == '[')
    return ParseJson(value.string, budget).numbers;
  return {NumberOf(value, "base_score")};
}

// gbtree's model, also inside dart's.
const JsonValue& TreesOf(const JsonValue& learner) {
  const JsonValue& booster = Member(learner, "gradient_booster");
  const JsonValue& name = Member(booster, "name");
  if (name.string != "gbtree" && name.string != "dart")
    throw Error(ErrorCode::kNotSupported, "a model of this booster cannot be imported",
                "the booster is \"" + Shortened(name.string) + "\", accepted: gbtree, dart",
                "train it as gbtree, or use ridge and logistic_regression of train_model()");
  return Member(name.string == "dart" ? Member(booster, "gbtree") : booster, "model");
}

void CollectCategories(const JsonValue& trees, XgboostModel& model, ReadBudget& budget) {
  model.category_sizes.assign(model.n_features, 0);
  for (const JsonValue& tree : trees.items) {
    const JsonValue* nodes = tree.Find("categories_nodes");
    if (nodes == nullptr || nodes->size() == 0) continue;
    const auto& split = Member(tree, "split_indices").numbers;
    const auto& first = NumbersOf(tree, "categories_segments", nodes->size());
    const auto& size = NumbersOf(tree, "categories_sizes", nodes->size());
    const auto& categories = Member(tree, "categories").numbers;
    for (size_t i = 0; i < nodes->size(); ++i) {
      if (nodes->type != JsonValue::Type::kNumbers) Malformed("\"categories_nodes\" is no array of numbers");
      const uint32_t node = IndexOf(nodes->numbers[i], split.size(), "a categorical node");
      const uint32_t f = IndexOf(split[node], model.n_features, "a feature");
      uint32_t& known = model.category_sizes[f];
      known = std::max(known, 1u);
      if (!(first[i] >= 0 && size[i] >= 0 && first[i] + size[i] <= static_cast<double>(categories.size())))
        Malformed("a node's categories lie outside");
      for (double at = first[i]; at < first[i] + size[i]; ++at) {
        budget.Step();
        known = std::max(known, 1 + IndexOf(categories[static_cast<size_t>(at)], kMaxCategories, "a category"));
      }
    }
  }
}

// Lays one tree out: breadth first, so that the top of every tree lies together.
class Flattener {
 public:
  Flattener(std::span<const ForestFeature> features, const ForestShape& shape, ForestParts& parts, ReadBudget& budget)
      : features_(features), shape_(shape), parts_(parts), budget_(budget) {}

  void Add(const JsonValue& tree, uint32_t group, float scale) {
    const auto& left = Member(tree, "left_children").numbers;
    const size_t n = left.size();
    if (n == 0) Malformed("a tree has no nodes");
    const auto &right = NumbersOf(tree, "right_children", n), &split = NumbersOf(tree, "split_indices", n),
               &condition = NumbersOf(tree, "split_conditions", n), &hessian = NumbersOf(tree, "sum_hessian", n);
    const auto& gain = NumbersOf(tree, "loss_changes", n);
    ReadFlags(Member(tree, "default_left"), n);
    ReadSets(tree, n);
    const auto root = static_cast<uint32_t>(parts_.value.size());
    parts_.roots.push_back(root);
    parts_.groups.push_back(group);
    std::vector<uint32_t> source{0};  // node of the tree that each new node is
    Grow();
    for (size_t at = 0; at < source.size(); ++at) {
      const uint32_t node = source[at];
      const size_t place = root + at;
      parts_.cover[place] = static_cast<float>(std::max(0.0, hessian[node]));
      if (!std::isfinite(parts_.cover[place])) Malformed("a node's sum of weights is not a finite number");
      if (left[node] < 0) {
        parts_.value[place] = static_cast<float>(condition[node]) * scale;
        parts_.feature[place] = ForestParts::kLeaf;
        if (!std::isfinite(parts_.value[place])) Malformed("a leaf is not a finite number");
        continue;
      }
      const uint32_t l = IndexOf(left[node], n, "a node's child"), r = IndexOf(right[node], n, "a node's child");
      if (source.size() + 2 > n) Malformed("a tree's nodes do not form a tree");
      parts_.left[place] = static_cast<uint32_t>(root + source.size());
      source.push_back(l);
      source.push_back(r);
      Grow();
      Grow();
      const uint32_t f = IndexOf(split[node], features_.size(), "a feature");
      SetSplit(place, node, features_[f], condition[node]);
      const size_t player =
          features_[f].kind == ForestFeature::Kind::kDense ? features_[f].index : shape_.n_dense + features_[f].index;
      parts_.gain[player] += std::max(0.0, gain[node]);
    }
  }

 private:
  void Grow() {
    budget_.Take(2 * (2 * sizeof(float) + 2 * sizeof(uint32_t)));  // a vector has up to twice the room that it fills
    parts_.value.push_back(0);
    parts_.feature.push_back(0);
    parts_.left.push_back(0);
    parts_.cover.push_back(0);
  }

  // JSON has numbers or booleans here.
  void ReadFlags(const JsonValue& flags, size_t n) {
    default_left_.assign(n, false);
    if (flags.size() != n) Malformed("a tree's \"default_left\" has another length than its nodes");
    for (size_t i = 0; i < n; ++i)
      default_left_[i] = flags.type == JsonValue::Type::kNumbers ? flags.numbers[i] != 0 : flags.items[i].boolean;
  }

  void ReadSets(const JsonValue& tree, size_t n) {
    segment_.assign(n, {0, 0});
    is_set_.assign(n, false);
    categories_ = nullptr;
    const JsonValue* nodes = tree.Find("categories_nodes");
    if (nodes == nullptr || nodes->size() == 0) return;
    categories_ = &Member(tree, "categories").numbers;
    const auto& first = NumbersOf(tree, "categories_segments", nodes->size());
    const auto& size = NumbersOf(tree, "categories_sizes", nodes->size());
    for (size_t i = 0; i < nodes->size(); ++i) {
      const uint32_t node = IndexOf(nodes->numbers[i], n, "a categorical node");
      is_set_[node] = true;
      segment_[node] = {static_cast<size_t>(first[i]), static_cast<size_t>(first[i] + size[i])};
    }
  }

  void SetSplit(size_t place, uint32_t node, const ForestFeature& feature, double condition) {
    const auto threshold = static_cast<float>(condition);
    bool missing_left = default_left_[node];
    if (feature.kind == ForestFeature::Kind::kDense) {
      if (is_set_[node] || std::isnan(threshold)) Malformed("a split of a number is none");
      parts_.value[place] = threshold;
      parts_.feature[place] = feature.index | (missing_left ? ForestParts::kMissingLeft : 0);
      return;
    }
    const uint32_t n_codes = shape_.n_codes[feature.index];
    std::vector<uint32_t> set((n_codes + 31) / 32);
    const auto goes_right = [&](uint32_t code) {
      budget_.Step();
      set[code / 32] |= 1u << (code % 32);
    };
    // A code that is in no set goes left, as XGBoost has it since 1.7.3; only a missing one goes where the node says.
    if (feature.kind == ForestFeature::Kind::kOneHot) {
      for (uint32_t code = 0; code < n_codes; ++code)
        if (!((code == feature.code ? 1.0f : 0.0f) < threshold)) goes_right(code);
      missing_left = 0.0f < threshold;
    } else if (is_set_[node]) {
      for (size_t at = segment_[node].first; at < segment_[node].second; ++at)
        if ((*categories_)[at] < n_codes) goes_right(static_cast<uint32_t>((*categories_)[at]));
    } else {
      for (uint32_t code = 0; code < n_codes; ++code)
        if (!(static_cast<float>(code) < threshold)) goes_right(code);
    }
    if (feature.has_null_code) {
      const uint32_t code = n_codes - 2;
      set[code / 32] &= ~(1u << (code % 32));
      if (!missing_left) goes_right(code);
    }
    parts_.value[place] = std::bit_cast<float>(PlaceOf(set));
    parts_.feature[place] = feature.index | ForestParts::kCategory | (missing_left ? ForestParts::kMissingLeft : 0);
  }

  // Many nodes split by the same set.
  uint32_t PlaceOf(const std::vector<uint32_t>& set) {
    if (const auto known = places_.find(set); known != places_.end()) return known->second;
    budget_.Take(4 * sizeof(uint32_t) * set.size());
    const auto place = static_cast<uint32_t>(parts_.sets.size());
    places_.emplace(set, place);
    parts_.sets.insert(parts_.sets.end(), set.begin(), set.end());
    return place;
  }

  std::span<const ForestFeature> features_;
  const ForestShape& shape_;
  ForestParts& parts_;
  ReadBudget& budget_;
  std::vector<bool> default_left_, is_set_;
  std::vector<std::pair<size_t, size_t>> segment_;
  const std::vector<double>* categories_ = nullptr;
  std::map<std::vector<uint32_t>, uint32_t> places_;
};

}  // namespace

XgboostModel ReadXgboostModel(std::span<const uint8_t> bytes, ReadBudget& budget) {
  if (bytes.size() < 2 || bytes[0] != '{') Malformed("it does not start as JSON or UBJSON");
  const bool text = bytes[1] == '"' || bytes[1] == ' ' || bytes[1] == '\n' || bytes[1] == '\r' || bytes[1] == '\t';
  XgboostModel model;
  model.json = text ? ParseJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, budget)
                    : ParseUbjson(bytes, budget);
  const JsonValue& learner = Member(model.json, "learner");
  const JsonValue& parameters = Member(learner, "learner_model_param");
  model.objective = Member(Member(learner, "objective"), "name").string;
  const Objective* objective = std::find_if(std::begin(kObjectives), std::end(kObjectives),
                                            [&](const Objective& o) { return model.objective == o.name; });
  if (objective == std::end(kObjectives)) {
    std::string known;
    for (const auto& o : kObjectives) known += (known.empty() ? "" : ", ") + std::string(o.name);
    throw Error(ErrorCode::kNotSupported, "a model of this objective cannot be imported",
                "the objective is \"" + Shortened(model.objective) + "\", accepted: " + known,
                "train it with one of these objectives");
  }
  model.link = objective->link;
  model.classifies = objective->classifies;
  model.n_features = CountOf(parameters, "num_feature", kMaxImportedFeatures);
  model.n_outputs =
      std::max({1u, CountOf(parameters, "num_class", kMaxOutputs), CountOf(parameters, "num_target", kMaxOutputs)});
  const std::vector<double> scores = BaseScores(Member(parameters, "base_score"), budget);
  if (scores.size() != 1 && scores.size() != model.n_outputs)
    Malformed("base_score has another length than the outputs");
  for (uint32_t k = 0; k < model.n_outputs; ++k) {
    model.base.push_back(
        BaseMargin(objective->base_is_margin ? ForestLink::kIdentity : model.link, scores[scores.size() == 1 ? 0 : k]));
    if (!std::isfinite(model.base.back())) Malformed("base_score is not a finite number");
  }
  if (const JsonValue* names = learner.Find("feature_names"))
    for (const JsonValue& name : names->items) {
      if (!IsText(name.string))
        throw Error(ErrorCode::kInvalidParameter, "the name of a feature is no text",
                    "it is feature " + std::to_string(model.feature_names.size() + 1) + ", which is no valid UTF-8",
                    "pass p_feature_names");
      model.feature_names.push_back(name.string);
    }
  const JsonValue& trees = Member(TreesOf(learner), "trees");
  if (trees.type == JsonValue::Type::kNumbers && trees.size() > 0) Malformed("its trees are numbers");
  CollectCategories(trees, model, budget);
  return model;
}

ForestParts FlattenTrees(const XgboostModel& model, std::span<const ForestFeature> features, const ForestShape& shape,
                         size_t n_trees, float scale, ReadBudget& budget) {
  const JsonValue& learner = Member(model.json, "learner");
  const JsonValue& gbtree = TreesOf(learner);
  const JsonValue& trees = Member(gbtree, "trees");
  const size_t n = n_trees == 0 ? trees.items.size() : std::min(n_trees, trees.items.size());
  const auto& groups = NumbersOf(gbtree, "tree_info", trees.items.size());
  const JsonValue* dropped = Member(learner, "gradient_booster").Find("weight_drop");
  if (dropped != nullptr && (dropped->type != JsonValue::Type::kNumbers || dropped->size() != trees.items.size()))
    Malformed("\"weight_drop\" has another length than the trees");
  ForestParts parts;
  parts.base = model.base;
  parts.gain.assign(shape.n_dense + shape.n_codes.size(), 0);
  Flattener flattener(features, shape, parts, budget);
  for (size_t t = 0; t < n; ++t)
    flattener.Add(trees.items[t], IndexOf(groups[t], model.n_outputs, "a tree's output"),
                  dropped == nullptr ? scale : scale * static_cast<float>(dropped->numbers[t]));
  return parts;
}

}  // namespace retrain
