// Flat trees: what XGBoost's own file says is what they predict, contributions are Shapley values, damaged bytes are refused.
#include "core/tabular/forest.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>

#include "core/base/error.h"
#include "core/base/json_value.h"
#include "core/base/rng.h"
#include "core/tabular/table_model.h"
#include "table_testing.h"

namespace retrain {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

// Random trees over two dense features and one category of five codes.
ForestParts RandomTrees(uint64_t seed, int n_trees, int depth) {
  Rng rng(seed);
  ForestParts parts;
  parts.base = {0.25f};
  for (int t = 0; t < n_trees; ++t) {
    const auto root = static_cast<uint32_t>(parts.value.size());
    parts.roots.push_back(root);
    parts.groups.push_back(0);
    const auto grow = [&](float cover) {
      parts.value.push_back(static_cast<float>(Normal(rng)));
      parts.feature.push_back(ForestParts::kLeaf);
      parts.left.push_back(0);
      parts.cover.push_back(cover);
    };
    grow(100);
    for (uint32_t node = root; node < parts.value.size(); ++node) {
      if (parts.value.size() - root > (1u << depth) || Uniform(rng) < 0.2) continue;
      const uint32_t kind = rng.Below(3);
      uint32_t flags = kind < 2 ? kind : ForestParts::kCategory;
      if (Uniform(rng) < 0.5) flags |= ForestParts::kMissingLeft;
      parts.value[node] = static_cast<float>(Normal(rng));
      if (kind == 2) {
        parts.value[node] = std::bit_cast<float>(static_cast<uint32_t>(parts.sets.size()));
        parts.sets.push_back(1 + rng.Below(30));
      }
      parts.feature[node] = flags;
      parts.left[node] = static_cast<uint32_t>(parts.value.size());
      const float cover = parts.cover[node], left = std::floor(cover * static_cast<float>(Uniform(rng)));
      grow(left);
      grow(cover - left);
    }
  }
  return parts;
}

// The expected sum when only the players of `known` are known.
double Expected(const ForestParts& parts, uint32_t node, const std::vector<float>& dense, uint32_t code,
                uint32_t known) {
  const uint32_t flags = parts.feature[node];
  if (flags & ForestParts::kLeaf) return static_cast<double>(parts.value[node]);
  const bool is_category = flags & ForestParts::kCategory;
  const uint32_t player = is_category ? 2 : flags & ForestParts::kFeature, left = parts.left[node];
  if (known >> player & 1) {
    bool goes_left;
    if (is_category)
      goes_left = (parts.sets[std::bit_cast<uint32_t>(parts.value[node])] >> code & 1) == 0;
    else
      goes_left =
          std::isnan(dense[player]) ? (flags & ForestParts::kMissingLeft) != 0 : dense[player] < parts.value[node];
    return Expected(parts, goes_left ? left : left + 1, dense, code, known);
  }
  const double cover = static_cast<double>(parts.cover[left]) + static_cast<double>(parts.cover[left + 1]);
  const double share = cover > 0 ? static_cast<double>(parts.cover[left]) / cover : 0.5;
  return share * Expected(parts, left, dense, code, known) +
         (1 - share) * Expected(parts, left + 1, dense, code, known);
}

TEST(Forest, ContributionsAreShapleyValues) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const ForestParts parts = RandomTrees(seed, 5, 5);
    const auto bytes = EncodeForest(parts);
    const Forest forest(bytes, {2, {5}});
    Rng rng(seed);
    const std::vector<float> dense = {static_cast<float>(Normal(rng)), seed % 4 == 0 ? kMissing : 0.3f};
    const uint32_t codes[] = {rng.Below(5)}, players[] = {0, 1, 2};
    double contributions[3];
    const double base = forest.Contributions(dense, codes, 0, players, Stop{}, contributions);
    double value[8] = {};
    for (uint32_t known = 0; known < 8; ++known)
      for (const uint32_t root : parts.roots) value[known] += Expected(parts, root, dense, codes[0], known);
    EXPECT_NEAR(base, 0.25 + value[0], 1e-9);
    for (uint32_t i = 0; i < 3; ++i) {
      const uint32_t j = (i + 1) % 3, k = (i + 2) % 3;
      const double shapley = (value[1u << i] - value[0]) / 3 + (value[1u << i | 1u << j] - value[1u << j]) / 6 +
                             (value[1u << i | 1u << k] - value[1u << k]) / 6 + (value[7] - value[7 & ~(1u << i)]) / 3;
      EXPECT_NEAR(contributions[i], shapley, 1e-9) << seed << " " << i;
    }
    float margin;
    forest.Margins(dense, codes, {&margin, 1});
    EXPECT_NEAR(static_cast<double>(margin), base + contributions[0] + contributions[1] + contributions[2], 1e-5);
  }
}

TEST(Forest, MarginsAreTheLeavesInTheOrderOfTheTrees) {
  for (const int n_trees : {1, 100, 128, 129, 256, 700}) {
    const ForestParts parts = RandomTrees(static_cast<uint64_t>(n_trees), n_trees, 6);
    const auto bytes = EncodeForest(parts);
    const Forest forest(bytes, {2, {5}});
    Rng rng(4);
    for (int row = 0; row < 20; ++row) {
      const std::vector<float> dense = {static_cast<float>(Normal(rng)),
                                        row % 4 == 0 ? kMissing : static_cast<float>(Normal(rng))};
      const uint32_t codes[] = {rng.Below(5)};
      float expected = parts.base[0], margin;
      for (const uint32_t root : parts.roots) expected += static_cast<float>(Expected(parts, root, dense, codes[0], 7));
      forest.Margins(dense, codes, {&margin, 1});
      EXPECT_EQ(margin, expected) << n_trees << " " << row;
    }
  }
}

TEST(Forest, RefusesNodesThatDoNotFormTrees) {
  const ForestParts good = RandomTrees(3, 2, 4);
  const ForestShape shape{2, {5}};
  EXPECT_NO_THROW(Forest(EncodeForest(good), shape));
  const auto refused = [&](auto&& change) {
    ForestParts parts = good;
    change(parts);
    const auto bytes = EncodeForest(parts);
    EXPECT_THROW(Forest(bytes, shape), Error);
  };
  uint32_t inner = 0;
  while (good.feature[inner] & ForestParts::kLeaf) ++inner;
  refused([&](ForestParts& p) { p.left[inner] = inner; });
  refused([&](ForestParts& p) { p.left[inner] = 0; });
  refused([&](ForestParts& p) { p.left[inner] = static_cast<uint32_t>(p.value.size() - 1); });
  refused([&](ForestParts& p) { p.feature[inner] = 7; });
  refused([&](ForestParts& p) { p.feature[inner] = ForestParts::kCategory | 1; });
  refused([&](ForestParts& p) {
    p.feature[inner] = ForestParts::kCategory;
    p.value[inner] = std::bit_cast<float>(1u << 30);
  });
  refused([&](ForestParts& p) { p.value.back() = kMissing; });
  refused([&](ForestParts& p) { p.cover[0] = -1; });
  refused([&](ForestParts& p) { p.groups[0] = 1; });
  refused([&](ForestParts& p) { p.roots[1] = static_cast<uint32_t>(p.value.size()); });
  refused([&](ForestParts& p) { p.base.clear(); });
  auto bytes = EncodeForest(good);
  bytes.push_back(0);
  EXPECT_THROW(Forest(bytes, shape), Error);
}

std::vector<uint8_t> ReadFile(const std::string& name) {
  std::ifstream in(std::string(RETRAIN_TEST_DATA_DIR) + "/xgboost/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<uint8_t> ImportXgboost(std::span<const uint8_t> bytes, std::span<const std::string_view> names,
                                   std::span<const std::string_view> labels) {
  ReadBudget unbounded;
  return retrain::ImportXgboost(bytes, names, labels, unbounded);
}

// test/fixtures/make_xgboost.py: models that XGBoost saved, rows, and what it predicts of them.
TEST(XgboostImport, PredictsAndExplainsAsXgboostDoes) {
  const std::vector<uint8_t> text = ReadFile("expected.json");
  ASSERT_FALSE(text.empty());
  const JsonValue expected = ParseJson({reinterpret_cast<const char*>(text.data()), text.size()});
  int models = 0;
  for (const auto& [file, what] : expected.members) {
    std::vector<std::string_view> names = {"a", "b", "c"};
    const auto artifact = ImportXgboost(ReadFile(file), names, {});
    const TableModel model(artifact);
    const auto owner = model.NewScratch();
    auto& scratch = static_cast<TableScratch&>(*owner);
    const JsonValue& rows = *what.Find("rows");
    const auto& predicted = *what.Find("predicted");
    for (size_t i = 0; i < rows.items.size(); ++i) {
      std::array<std::string, 3> spelt;
      for (size_t c = 0; c < 3; ++c) {
        // An array with a null in it is no array of numbers.
        const bool packed = rows.items[i].type == JsonValue::Type::kNumbers;
        const bool is_null = !packed && rows.items[i].items[c].type == JsonValue::Type::kNull;
        const double value = is_null ? 0 : packed ? rows.items[i].numbers[c] : rows.items[i].items[c].number;
        scratch.cells[c] = is_null ? Null() : Num(value);
        if (model.encoder().columns()[c].kind == ColumnKind::kCategory && !is_null) {
          spelt[c] = std::to_string(static_cast<int>(value));
          scratch.cells[c] = Text(spelt[c]);
        }
      }
      model.Score(scratch);
      if (model.task() == TableTask::kRegression) {
        EXPECT_NEAR(model.Value(scratch), predicted.numbers[i], 1e-5 * (1 + std::abs(predicted.numbers[i])))
            << file << i;
      } else {
        model.Probabilities(scratch);
        for (size_t k = 0; k < model.n_classes(); ++k) {
          const double p = predicted.type == JsonValue::Type::kNumbers
                               ? (k == 1 ? predicted.numbers[i] : 1 - predicted.numbers[i])
                               : predicted.items[i].numbers[k];
          EXPECT_NEAR(scratch.probabilities[k], p, 1e-5) << file << " " << i;
        }
      }
      if (const JsonValue* contributions = what.Find("contributions")) {
        double base = 0;
        for (const auto& c : model.Contributions(scratch, model.n_classes() == 2 ? 1 : 0, Stop{}, base))
          EXPECT_NEAR(c.contribution, contributions->items[i].numbers[c.column], 1e-4) << file << " " << i;
        EXPECT_NEAR(base, contributions->items[i].numbers[3], 1e-4) << file << " " << i;
      }
    }
    ++models;
  }
  EXPECT_GE(models, 6);
}

TEST(XgboostImport, IsBoundedAndEndsOnRequest) {
  const std::vector<std::string_view> names = {"a", "b", "c"};
  const std::vector<uint8_t> good = ReadFile("binary.ubj");
  ReadBudget small(Stop{}, 1 << 10), stopped(Stop{[]() noexcept { return true; }}, 1 << 30);
  try {
    retrain::ImportXgboost(good, names, {}, small);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
  }
  EXPECT_THROW(
      {
        for (int i = 0; i < 100; ++i) retrain::ImportXgboost(good, names, {}, stopped);
      },
      Cancelled);
}

TEST(XgboostImport, RefusesSeveralTargets) {
  const std::vector<std::string_view> names = {"a", "b", "c"};
  for (const char* file : {"value.json", "binary.json", "raw.json", "count.json"}) {
    const std::vector<uint8_t> bytes = ReadFile(file);
    std::string text(bytes.begin(), bytes.end());
    const std::string one = "\"num_target\":\"1\"";
    ASSERT_NE(text.find(one), std::string::npos) << file;
    text.replace(text.find(one), one.size(), "\"num_target\":\"2\"");
    try {
      ImportXgboost({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, names, {});
      ADD_FAILURE() << file << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNotSupported) << file;
    }
  }
}

TEST(XgboostImport, RefusesWhatIsNone) {
  const std::vector<std::string_view> names = {"a", "b", "c"};
  const std::vector<uint8_t> good = ReadFile("binary.ubj");
  ASSERT_FALSE(good.empty());
  EXPECT_NO_THROW(ImportXgboost(good, names, {}));
  for (size_t size = 0; size < good.size(); size += 13)
    EXPECT_THROW(ImportXgboost(std::span(good).first(size), names, {}), Error) << size;
  for (const char* text : {"", "{", "{}", "[]", "{\"learner\": 1}", "{\"learner\": {}}", "\x80\x04"}) {
    const std::string_view view(text);
    EXPECT_THROW(ImportXgboost({reinterpret_cast<const uint8_t*>(view.data()), view.size()}, names, {}), Error) << text;
  }
  const std::vector<std::string_view> two = {"a", "b"}, twice = {"a", "a", "b"}, three = {"x", "y", "z"};
  EXPECT_THROW(ImportXgboost(good, two, {}), Error);
  EXPECT_THROW(ImportXgboost(good, twice, {}), Error);
  EXPECT_THROW(ImportXgboost(good, names, three), Error);
  const std::vector<uint8_t> linear = ReadFile("linear.json");
  ASSERT_FALSE(linear.empty());
  try {
    ImportXgboost(linear, names, {});
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotSupported);
  }
}

}  // namespace
}  // namespace retrain
