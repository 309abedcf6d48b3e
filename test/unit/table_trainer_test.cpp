// Table models from rows to artifact: what is learnt, what is refused, what is told.
#include "core/tabular/table_trainer.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "core/base/eigen.h"
#include "table_testing.h"

namespace retrain {
namespace {

const std::vector<SourceColumn> kHouse = {{"area", ColumnKind::kNumber, "double precision"},
                                          {"garden", ColumnKind::kBoolean, "boolean"},
                                          {"town", ColumnKind::kCategory, "text"},
                                          {"sold", ColumnKind::kTime, "date"},
                                          {"price", ColumnKind::kNumber, "numeric"}};

Rows Houses(int n, uint64_t seed = 1) {
  static const char* const towns[] = {"Ames", "Boone", "Nevada", "Huxley"};
  Rng rng(seed);
  Rows rows;
  for (int i = 0; i < n; ++i) {
    const double area = 50 + 100 * Uniform(rng);
    const bool garden = Uniform(rng) < 0.5;
    const uint32_t town = rng.Below(4);
    const double price = 1000 * area + (garden ? 20000 : 0) + 10000 * town + 500 * Normal(rng);
    rows.push_back({Uniform(rng) < 0.1 ? Null() : Num(area), Num(garden),
                    Uniform(rng) < 0.05 ? Null() : Text(towns[town]), Num(1e9 + 86400.0 * rng.Below(1000)),
                    Num(price)});
  }
  return rows;
}

TableRequest Regression(std::string config = "{}") {
  TableRequest request;
  request.task = TableTask::kRegression;
  request.algorithm = "ridge";
  request.target = "price";
  request.config_json = std::move(config);
  return request;
}

std::string CodeOf(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.message() + " | " + error.detail();
  }
  return "accepted";
}

TEST(TableTrainer, RidgeSolvesTheNormalEquations) {
  const auto trainer = RunTable(Regression(R"({"alpha": 3, "split": [1, 0, 0]})"), kHouse, Houses(700));
  const TableResult& result = trainer->result();
  ASSERT_FALSE(result.failed) << result.failure;
  const TableModel model(result.artifact);
  const Encoder& encoder = model.encoder();
  // The same rows, encoded one by one and solved as a dense system.
  const size_t p = encoder.n_features();
  const Rows rows = Houses(700);
  Eigen::MatrixXd x = Eigen::MatrixXd::Zero(700, static_cast<Eigen::Index>(p));
  Eigen::VectorXd y(700);
  const auto scratch_owner = model.NewScratch();
  auto& scratch = static_cast<TableScratch&>(*scratch_owner);
  for (int i = 0; i < 700; ++i) {
    const auto& row = rows[static_cast<size_t>(i)];
    for (size_t c = 0; c < encoder.columns().size(); ++c)
      for (size_t s = 0; s < kHouse.size(); ++s)
        if (kHouse[s].name == encoder.columns()[c].name) scratch.cells[c] = row[s];
    encoder.Encode(scratch.cells, scratch.dense, scratch.codes);
    encoder.Standardise(scratch.dense);
    for (size_t f = 0; f < encoder.n_dense(); ++f) x(i, static_cast<Eigen::Index>(f)) = scratch.dense[f];
    for (size_t c = 0; c < encoder.n_categories(); ++c)
      x(i, static_cast<Eigen::Index>(encoder.n_dense() + encoder.categories()[c].first + scratch.codes[c])) = 1;
    y(i) = row[4].number;
  }
  const Eigen::RowVectorXd means = x.colwise().mean();
  const Eigen::MatrixXd centred = x.rowwise() - means;
  const double mean = y.mean();
  Eigen::MatrixXd a = centred.transpose() * centred;
  a.diagonal().array() += 3;
  const Eigen::VectorXd w = a.ldlt().solve(centred.transpose() * (y.array() - mean).matrix());
  for (int i = 0; i < 700; i += 37) {
    for (size_t c = 0; c < encoder.columns().size(); ++c)
      for (size_t s = 0; s < kHouse.size(); ++s)
        if (kHouse[s].name == encoder.columns()[c].name) scratch.cells[c] = rows[static_cast<size_t>(i)][s];
    model.Score(scratch);
    EXPECT_NEAR(model.Value(scratch), mean + (x.row(i) - means).dot(w), 1e-6 * mean);
  }
}

TEST(TableTrainer, TheSameRowsGiveTheSameBytesInAnyOrderOnAnyThreadsInAnySteps) {
  Rows rows = Houses(1500);
  for (const char* algorithm : {"ridge"}) {
    TableRequest request = Regression();
    request.algorithm = algorithm;
    const auto first = RunTable(request, kHouse, rows)->result().artifact;
    std::reverse(rows.begin(), rows.end());
    EXPECT_EQ(first, RunTable(request, kHouse, rows, 3, std::chrono::milliseconds(0))->result().artifact);
  }
  for (const char* task : {"classification", "clustering"}) {
    TableRequest request;
    request.task = *TableTaskOf(task);
    request.target = request.task == TableTask::kClassification ? "town" : "";
    request.algorithm = request.task == TableTask::kClassification ? "logistic_regression" : "kmeans";
    const auto first = RunTable(request, kHouse, rows)->result().artifact;
    ASSERT_FALSE(first.empty());
    std::reverse(rows.begin(), rows.end());
    EXPECT_EQ(first, RunTable(request, kHouse, rows, 3, std::chrono::milliseconds(0))->result().artifact) << task;
  }
}

TEST(TableTrainer, ATestRowStaysATestRow) {
  // Half of the rows and all of them: the artifact differs, the share-out of a row does not.
  const Rows rows = Houses(1000);
  Table table{SplitRule{}};
  Table half{SplitRule{}};
  for (Table* t : {&table, &half}) t->Describe({{"area", {ColumnKind::kNumber, true}}});
  for (size_t i = 0; i < rows.size(); ++i) {
    const Cell cell = Num(static_cast<double>(i));
    table.Add({&cell, 1}, 0, {}, {});
    if (i % 2 == 0) half.Add({&cell, 1}, 1, {}, {});
  }
  const auto test_rows = [](Table& t) {
    t.BeginArranging();
    t.ArrangeColumn(0);
    t.EndArranging();
    std::vector<double> values;
    for (size_t i = t.first(TablePart::kTest); i < t.rows(); ++i) values.push_back(t.column(0).values[i]);
    std::sort(values.begin(), values.end());
    return values;
  };
  const auto all = test_rows(table), some = test_rows(half);
  EXPECT_GT(some.size(), 50u);
  EXPECT_LT(some.size(), 100u);
  EXPECT_TRUE(std::includes(all.begin(), all.end(), some.begin(), some.end()));
}

// The area alone, or an id and the area, the test part's areas.
std::vector<double> TestAreas(bool with_id, bool by_area, double areas, bool* dealt) {
  Table table{SplitRule{}};
  std::vector<std::pair<std::string, Table::Role>> columns = {{"area", {ColumnKind::kNumber, true, by_area}}};
  if (with_id) columns.push_back({"id", {ColumnKind::kNumber, true, false}});
  table.Describe(columns, by_area);
  for (int i = 0; i < 1000; ++i) {
    const Cell cells[] = {Num(std::fmod(i, areas)), Num(i)};
    table.Add(std::span(cells).first(columns.size()), 0, {}, {});
  }
  table.BeginArranging();
  for (size_t c = 0; c < columns.size(); ++c) table.ArrangeColumn(c);
  table.EndArranging();
  std::vector<double> values;
  for (size_t i = table.first(TablePart::kTest); i < table.rows(); ++i) values.push_back(table.column(0).values[i]);
  std::sort(values.begin(), values.end());
  *dealt = table.dealt();
  return values;
}

TEST(TableTrainer, WithAColumnMoreTheRowsGoByThoseOfBefore) {
  bool dealt = true;
  const auto before = TestAreas(false, false, 1000, &dealt);
  EXPECT_FALSE(dealt);
  EXPECT_NE(TestAreas(true, false, 1000, &dealt), before);
  EXPECT_EQ(TestAreas(true, true, 1000, &dealt), before);
  EXPECT_TRUE(dealt);
  // Two areas are too few to share out by: the rows go by what tells them apart.
  EXPECT_EQ(TestAreas(true, true, 2, &dealt), TestAreas(true, false, 2, &dealt));
  EXPECT_FALSE(dealt);
}

TEST(MatchClusters, WhatHasNotMovedKeepsItsNumber) {
  // Old ones at 0, 10 and 20; the first has gone to 30.
  const std::vector<double> at = {30, 10, 20}, old = {0, 10, 20};
  std::vector<double> distances;
  for (const double a : at)
    for (const double o : old) distances.push_back((a - o) * (a - o));
  EXPECT_EQ(MatchClusters(distances, 3, std::vector<uint32_t>{2, 3, 1}), (std::vector<uint32_t>{2, 3, 1}));
  // Of a new one more and of an old one more.
  EXPECT_EQ(MatchClusters(std::vector<double>{4, 1, 9}, 3, std::vector<uint32_t>{2}), (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_EQ(MatchClusters(std::vector<double>{4, 1, 9}, 1, std::vector<uint32_t>{3, 1, 2}), (std::vector<uint32_t>{1}));
}

TEST(EvaluateValues, HasNoShareOfAVarianceThatIsNone) {
  for (const double y : {0.1, 5.0, 1e-9}) {
    const std::vector<double> truth(100, y), near(100, y * (1 + 1e-7));
    EXPECT_TRUE(std::isnan(EvaluateValues(truth, near).r2)) << y;
    EXPECT_TRUE(std::isnan(EvaluateValues(truth, truth).r2)) << y;
  }
  EXPECT_DOUBLE_EQ(EvaluateValues(std::vector<double>{1, 2}, std::vector<double>{1, 2}).r2, 1);
}

TEST(TableTrainer, RowsOfAGroupStayTogetherAndTheNewestAreTheTest) {
  const std::vector<SourceColumn> columns = {{"customer", ColumnKind::kCategory, "text"},
                                             {"day", ColumnKind::kTime, "date"},
                                             {"x", ColumnKind::kNumber, "integer"},
                                             {"y", ColumnKind::kNumber, "integer"}};
  Rows rows;
  std::vector<std::string> names;
  for (int i = 0; i < 60; ++i) names.push_back("c" + std::to_string(i));
  Rng rng(3);
  for (int i = 0; i < 600; ++i)
    rows.push_back({Text(names[static_cast<size_t>(i % 60)]), Num(86400.0 * i), Num(Normal(rng)), Num(i)});
  TableRequest request = Regression(R"({"split": {"by": "customer"}})");
  request.target = "y";
  auto grouped = RunTable(request, columns, rows);
  EXPECT_EQ(grouped->result().training_rows % 10, 0u);
  EXPECT_EQ(grouped->result().test_rows % 10, 0u);
  EXPECT_GT(grouped->result().test_rows, 0u);
  for (const auto& name : grouped->result().columns) EXPECT_NE(name, "customer");
  request.config_json = R"({"split": {"by_time": "day", "shares": [0.5, 0.25, 0.25]}})";
  auto timed = RunTable(request, columns, rows);
  EXPECT_EQ(timed->result().training_rows, 300u);
  EXPECT_EQ(timed->result().test_rows, 150u);
}

TEST(TableTrainer, TellsOfColumnsThatSayNothingAndOfThoseThatSayTooMuch) {
  const std::vector<SourceColumn> columns = {
      {"constant", ColumnKind::kNumber, "integer"}, {"nothing", ColumnKind::kNumber, "integer"},
      {"same_text", ColumnKind::kCategory, "text"}, {"key", ColumnKind::kCategory, "text"},
      {"row_id", ColumnKind::kNumber, "bigint"},    {"payload", ColumnKind::kUnusable, "jsonb"},
      {"street", ColumnKind::kCategory, "text"},    {"refund", ColumnKind::kNumber, "numeric"},
      {"useful", ColumnKind::kNumber, "numeric"},   {"churn", ColumnKind::kBoolean, "boolean"}};
  std::vector<std::string> keys, streets;
  Rng rng(5);
  for (int i = 0; i < 4000; ++i) {
    keys.push_back("k" + std::to_string(i));
    streets.push_back("street " + std::to_string(rng.Below(300)));
  }
  Rows rows;
  for (size_t i = 0; i < 4000; ++i) {
    const double useful = Normal(rng);
    const bool churn = useful + Normal(rng) > 0;
    rows.push_back({Num(7), Null(), Text("same"), Text(keys[i]), Num(static_cast<double>(i)), Null(), Text(streets[i]),
                    Num(churn ? 100 + Uniform(rng) : Uniform(rng)), Num(useful), Num(churn)});
  }
  TableRequest request;
  request.task = TableTask::kClassification;
  request.algorithm = "logistic_regression";
  request.target = "churn";
  const auto trainer = RunTable(request, columns, rows);
  const TableResult& r = trainer->result();
  ASSERT_FALSE(r.failed) << r.failure;
  EXPECT_TRUE(HasWarning(r, "constant_column", "constant"));
  EXPECT_TRUE(HasWarning(r, "constant_column", "same_text"));
  EXPECT_TRUE(HasWarning(r, "all_null_column", "nothing"));
  EXPECT_TRUE(HasWarning(r, "identifier_column", "key"));
  EXPECT_TRUE(HasWarning(r, "identifier_column", "row_id"));
  EXPECT_TRUE(HasWarning(r, "unusable_type", "payload"));
  EXPECT_TRUE(HasWarning(r, "many_categories", "street"));
  EXPECT_TRUE(HasWarning(r, "leakage", "refund"));
  EXPECT_FALSE(HasWarning(r, "leakage", "useful"));
  EXPECT_EQ(r.columns, (std::vector<std::string>{"street", "refund", "useful"}));
  EXPECT_EQ(r.labels, (std::vector<std::string>{"false", "true"}));
  EXPECT_EQ(r.features, 2 + 101u);
  EXPECT_GT(r.candidate.auc, 0.99);
}

// A few amounts of a skewed target make most of its variance, and most of another target are zero: R2 of values alone would
// see neither of their copies, or take every column that knows the zeros for one.
TEST(TableTrainer, FindsWhatGivesSkewedTargetsAway) {
  const std::vector<SourceColumn> columns = {
      {"with_tax", ColumnKind::kNumber, "numeric"},   {"logarithm", ColumnKind::kNumber, "numeric"},
      {"useful", ColumnKind::kNumber, "numeric"},     {"bought", ColumnKind::kBoolean, "boolean"},
      {"list_price", ColumnKind::kNumber, "numeric"}, {"amount", ColumnKind::kNumber, "numeric"}};
  Rng rng(5);
  for (const bool mostly_zero : {false, true}) {
    Rows rows;
    for (size_t i = 0; i < 3000; ++i) {
      const double size = Normal(rng), price = std::exp(2 * size);
      const bool bought = !mostly_zero || Uniform(rng) < 0.1;
      const double amount = bought ? price : 0;
      rows.push_back({Num(1.19 * amount), Num(bought ? 2 * size : -100), Num(size + 0.3 * Normal(rng)), Num(bought),
                      Num(price * (mostly_zero ? 1.0 : 1 + Uniform(rng))), Num(amount)});
    }
    TableRequest request;
    request.task = TableTask::kRegression;
    request.algorithm = "ridge";
    request.target = "amount";
    const auto trainer = RunTable(request, columns, rows);
    const TableResult& r = trainer->result();
    ASSERT_FALSE(r.failed) << r.failure;
    EXPECT_TRUE(HasWarning(r, "leakage", "with_tax")) << mostly_zero;
    EXPECT_TRUE(HasWarning(r, "leakage", "logarithm")) << mostly_zero;
    EXPECT_FALSE(HasWarning(r, "leakage", "useful")) << mostly_zero;
    EXPECT_FALSE(HasWarning(r, "leakage", "bought")) << mostly_zero;
    EXPECT_FALSE(HasWarning(r, "leakage", "list_price")) << mostly_zero;
  }
}

TEST(TableTrainer, LogisticRegressionIsCalibratedAndFindsTheWeights) {
  const std::vector<SourceColumn> columns = {{"a", ColumnKind::kNumber, "numeric"},
                                             {"b", ColumnKind::kNumber, "numeric"},
                                             {"y", ColumnKind::kCategory, "text"}};
  Rng rng(11);
  Rows rows;
  for (int i = 0; i < 20000; ++i) {
    const double a = Normal(rng), b = Normal(rng);
    const double p = 1 / (1 + std::exp(-(1.5 * a - b + 0.5)));
    rows.push_back({Num(a), Num(b), Text(Uniform(rng) < p ? "yes" : "no")});
  }
  TableRequest request;
  request.task = TableTask::kClassification;
  request.algorithm = "logistic_regression";
  request.target = "y";
  const auto trainer = RunTable(request, columns, rows, 2);
  const TableResult& r = trainer->result();
  EXPECT_LT(r.candidate.classes.expected_calibration_error, 0.03);
  EXPECT_NEAR(ImportanceOf(r, "a")->importance, 0.6, 0.02);
  const TableModel model(r.artifact);
  const auto scratch_owner = model.NewScratch();
  auto& scratch = static_cast<TableScratch&>(*scratch_owner);
  scratch.cells = {Num(1), Num(-1)};
  model.Score(scratch);
  model.Probabilities(scratch);
  EXPECT_NEAR(scratch.probabilities[1], 1 / (1 + std::exp(-3.0)), 0.02);
  double base = 0, sum = 0;
  for (const auto& c : model.Contributions(scratch, 1, Stop{}, base)) sum += c.contribution;
  EXPECT_NEAR(base + sum, scratch.margins[0], 1e-9);
}

TEST(TableTrainer, SeveralClassesSumToOne) {
  const auto trainer = [] {
    TableRequest request;
    request.task = TableTask::kClassification;
    request.algorithm = "logistic_regression";
    request.target = "town";
    return RunTable(request, kHouse, Houses(2000));
  }();
  const TableResult& r = trainer->result();
  ASSERT_FALSE(r.failed) << r.failure;
  EXPECT_EQ(r.labels.size(), 4u);
  EXPECT_GT(r.ignored, 50u);  // rows without a town
  EXPECT_GT(r.candidate.classes.accuracy, 0.3);
  const TableModel model(r.artifact);
  const auto scratch_owner = model.NewScratch();
  auto& scratch = static_cast<TableScratch&>(*scratch_owner);
  model.Score(scratch);  // a row of nulls
  model.Probabilities(scratch);
  double sum = 0;
  for (const double p : scratch.probabilities) sum += p;
  EXPECT_NEAR(sum, 1, 1e-12);
}

Rows Blobs(int n, int k, uint64_t seed, double shift = 0) {
  Rng rng(seed);
  Rows rows;
  for (int i = 0; i < n; ++i) {
    const auto j = static_cast<double>(rng.Below(static_cast<uint32_t>(k)));
    rows.push_back(
        {Num(10 * j + shift + Normal(rng)), Num(5 * static_cast<double>(static_cast<int>(j) % 3) + Normal(rng))});
  }
  return rows;
}

TEST(TableTrainer, ClustersAreFoundCountedAndKeepTheirNumbers) {
  const std::vector<SourceColumn> columns = {{"x", ColumnKind::kNumber, "numeric"},
                                             {"y", ColumnKind::kNumber, "numeric"}};
  TableRequest request;
  request.task = TableTask::kClustering;
  const auto first = RunTable(request, columns, Blobs(2000, 4, 1));
  EXPECT_EQ(first->result().clusters.k, 4u);
  EXPECT_GT(first->result().candidate.silhouette, 0.7);
  request.has_live = true;
  request.live_artifact = first->result().artifact;
  const auto second = RunTable(request, columns, Blobs(2500, 4, 99, 0.5));
  EXPECT_TRUE(second->result().verdict.promote);
  const TableModel old_model(first->result().artifact), new_model(second->result().artifact);
  const auto number_of = [](const TableModel& model, double x, double y) {
    const auto owner = model.NewScratch();
    auto& scratch = static_cast<TableScratch&>(*owner);
    scratch.cells = {Num(x), Num(y)};
    model.Score(scratch);
    return model.cluster_numbers()[model.Nearest(scratch)];
  };
  for (int j = 0; j < 4; ++j)
    EXPECT_EQ(number_of(old_model, 10 * j, 5 * (j % 3)), number_of(new_model, 10 * j, 5 * (j % 3))) << j;
}

using Points = std::vector<std::array<double, 2>>;

// Lloyd's algorithm by the book.
double InertiaFrom(const Points& points, Points centroids) {
  double inertia = 0;
  for (int iteration = 0; iteration < 30; ++iteration) {
    Points sums(centroids.size());
    std::vector<double> counts(centroids.size());
    inertia = 0;
    for (const auto& [x, y] : points) {
      size_t nearest = 0;
      double least = INFINITY;
      for (size_t j = 0; j < centroids.size(); ++j) {
        const double dx = x - centroids[j][0], dy = y - centroids[j][1];
        if (dx * dx + dy * dy < least) least = dx * dx + dy * dy, nearest = j;
      }
      inertia += least;
      sums[nearest][0] += x, sums[nearest][1] += y, counts[nearest] += 1;
    }
    for (size_t j = 0; j < centroids.size(); ++j) centroids[j] = {sums[j][0] / counts[j], sums[j][1] / counts[j]};
  }
  return inertia;
}

// Four groups and three clusters: two groups stay together, and which two it should be shows in all rows rather than in the
// sample that the restarts run on.
TEST(TableTrainer, ClustersAreTheBestForAllRowsNotForASample) {
  const std::vector<SourceColumn> columns = {{"x", ColumnKind::kNumber, "numeric"},
                                             {"y", ColumnKind::kNumber, "numeric"},
                                             {"split", ColumnKind::kCategory, "text"}};
  TableRequest request;
  request.task = TableTask::kClustering;
  request.config_json = R"({"k": 3})";
  const Points corners = {{-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Rng rng(seed);
    Points points;
    for (int i = 0; i < 30000; ++i) {
      const auto& [x, y] = corners[i % 4];
      points.push_back({2 * x + 0.4 * Normal(rng), y + 0.2 * Normal(rng)});
    }
    Rows rows;
    for (const auto& [x, y] : points) rows.push_back({Num(x), Num(y), Text("train")});
    rows.push_back({Num(0), Num(0), Text("test")});
    // As k-means sees them: of mean 0 and variance 1.
    for (size_t c = 0; c < 2; ++c) {
      double sum = 0, squares = 0;
      for (const auto& point : points) sum += point[c], squares += point[c] * point[c];
      const double mean = sum / 30000, deviation = std::sqrt(squares / 30000 - mean * mean);
      for (auto& point : points) point[c] = (point[c] - mean) / deviation;
    }
    const double inertia = RunTable(request, columns, rows)->result().clusters.inertia;
    double best = INFINITY;
    for (const double side : {-1, 1}) {
      best = std::min(best, InertiaFrom(points, {{side, -1}, {side, 1}, {-side, 0}}));
      best = std::min(best, InertiaFrom(points, {{-1, side}, {1, side}, {0, -side}}));
    }
    EXPECT_NEAR(inertia / best, 1, 1e-6) << seed;
  }
}

TEST(TableTrainer, NamesWhatIsWrongWithARowOrAColumn) {
  const double inf = std::numeric_limits<double>::infinity();
  Rows rows = Houses(100);
  rows[41][0] = Num(inf);
  EXPECT_NE(CodeOf([&] { RunTable(Regression(), kHouse, rows); }).find("row 42 has an infinite value"),
            std::string::npos);
  rows = Houses(100);
  rows[9][4] = Num(-inf);
  EXPECT_NE(CodeOf([&] { RunTable(Regression(), kHouse, rows); }).find("row 10"), std::string::npos);
  for (const ColumnKind kind : {ColumnKind::kNumber, ColumnKind::kTime}) {
    std::vector<SourceColumn> columns = kHouse;
    columns[4].kind = kind;
    TableRequest classes = Regression();
    classes.task = TableTask::kClassification;
    classes.algorithm = "logistic_regression";
    EXPECT_NE(CodeOf([&] { RunTable(classes, columns, rows); }).find("row 10 has an infinite value"),
              std::string::npos);
  }
  TableRequest request = Regression();
  request.target = "prize";
  EXPECT_NE(CodeOf([&] { RunTable(request, kHouse, Houses(100)); }).find("no column \"prize\""), std::string::npos);
  request.target = "town";
  EXPECT_NE(CodeOf([&] { RunTable(request, kHouse, Houses(100)); }).find("cannot be the target"), std::string::npos);
  EXPECT_NE(CodeOf([&] { RunTable(Regression(R"({"alpa": 1})"), kHouse, {}); }).find("unknown configuration key"),
            std::string::npos);
  EXPECT_NE(CodeOf([&] { RunTable(Regression(R"({"n_estimators": 1})"), kHouse, {}); }).find("is not one of ridge"),
            std::string::npos);
  EXPECT_NE(CodeOf([&] { RunTable(Regression(R"({"alpha": -1})"), kHouse, {}); }).find("0 to 1e12"), std::string::npos);
  request = Regression();
  request.algorithm = "xgboost";
  EXPECT_NE(CodeOf([&] { RunTable(request, kHouse, {}); }).find("pg_retrain_xgboost"), std::string::npos);
  request.algorithm = "kmeans";
  EXPECT_NE(CodeOf([&] { RunTable(request, kHouse, {}); }).find("does not do regression"), std::string::npos);
  request = Regression();
  request.memory_budget = 10000;
  EXPECT_NE(CodeOf([&] { RunTable(request, kHouse, Houses(5000)); }).find("training_memory"), std::string::npos);
}

TEST(TableTrainer, FewRowsAndOneClassAreFailedRunsNotErrors) {
  EXPECT_NE(RunTable(Regression(), kHouse, Houses(19))->result().failure.find("at least 20"), std::string::npos);
  EXPECT_TRUE(RunTable(Regression(), kHouse, {})->result().failed);
  TableRequest request;
  request.task = TableTask::kClassification;
  request.algorithm = "logistic_regression";
  request.target = "garden";
  Rows rows = Houses(100);
  for (auto& row : rows) row[1] = Num(1);
  const auto one = RunTable(request, kHouse, rows);
  EXPECT_NE(one->result().failure.find("one class"), std::string::npos);
}

TEST(TableTrainer, AClassThatOnlyTestRowsHaveIsToldOfAndCountedAsWrong) {
  const std::vector<SourceColumn> columns = {{"x", ColumnKind::kNumber, "numeric"},
                                             {"split", ColumnKind::kCategory, "text"},
                                             {"y", ColumnKind::kCategory, "text"}};
  Rows rows;
  for (int i = 0; i < 60; ++i) rows.push_back({Num(i), Text("train"), Text(i < 30 ? "a" : "b")});
  for (int i = 0; i < 10; ++i) rows.push_back({Num(i), Text("test"), Text("c")});
  TableRequest request;
  request.task = TableTask::kClassification;
  request.algorithm = "logistic_regression";
  request.target = "y";
  const auto trainer = RunTable(request, columns, rows);
  const TableResult& r = trainer->result();
  EXPECT_TRUE(HasWarning(r, "class_without_training_rows", "y"));
  EXPECT_TRUE(HasWarning(r, "class_without_held_out_rows", "y"));
  EXPECT_EQ(r.candidate.classes.accuracy, 0);
  EXPECT_EQ(r.labels, (std::vector<std::string>{"a", "b"}));
  rows[0][1] = Text("trian");
  EXPECT_NE(CodeOf([&] { RunTable(request, columns, rows); }).find("row 1 says \"trian\""), std::string::npos);
}

TEST(TableTrainer, TheGateComparesOnTheSameRows) {
  const auto live = RunTable(Regression(), kHouse, Houses(1000));
  EXPECT_EQ(live->result().verdict.rule, "first_version");
  TableRequest request = Regression();
  request.has_live = true;
  request.live_artifact = live->result().artifact;
  const auto same = RunTable(request, kHouse, Houses(1000));
  EXPECT_EQ(same->result().verdict.rule, "passed");
  EXPECT_EQ(same->result().live.values.rmse, same->result().candidate.values.rmse);
  request.config_json = R"({"exclude": ["area"]})";
  const auto worse = RunTable(request, kHouse, Houses(1000));
  EXPECT_EQ(worse->result().verdict.rule, "rmse_regression");
  EXPECT_FALSE(worse->result().verdict.promote);
  request.config_json = "{}";
  auto columns = kHouse;
  columns[0].name = "size";
  const auto other = RunTable(request, columns, Houses(1000));
  EXPECT_EQ(other->result().verdict.rule, "not_comparable");
  EXPECT_NE(other->result().verdict.reason.find("\"area\""), std::string::npos);
}

TEST(TableTrainer, DatesGiveTheirParts) {
  const std::vector<SourceColumn> columns = {{"day", ColumnKind::kTime, "date"}, {"y", ColumnKind::kNumber, "numeric"}};
  Rows rows;
  Rng rng(2);
  for (int i = 0; i < 500; ++i) {
    const double day = rng.Below(3000);
    const int weekday = (static_cast<int>(day) + 3) % 7 + 1;
    rows.push_back({Num(86400 * day), Num(10 * weekday)});
  }
  TableRequest request = Regression(R"({"alpha": 0})");
  request.target = "y";
  EXPECT_GT(RunTable(request, columns, rows)->result().candidate.values.r2, 0.999);
  request.config_json = R"({"date_parts": false})";
  EXPECT_LT(RunTable(request, columns, rows)->result().candidate.values.r2, 0.1);
}

TEST(TableModel, RefusesDamagedBytes) {
  const auto artifact = RunTable(Regression(), kHouse, Houses(100))->result().artifact;
  for (size_t at = 0; at < artifact.size(); ++at) {
    auto damaged = artifact;
    damaged[at] ^= 0x40;
    EXPECT_THROW(TableModel{damaged}, Error) << at;
  }
  for (size_t size = 0; size < artifact.size(); size += 7)
    EXPECT_THROW(TableModel{std::span(artifact).first(size)}, Error) << size;
}

// Finite numbers may have an infinite product, and the difference of two of those is no number.
TEST(TableModel, AnswersThatAreNoNumbersAreRefused) {
  const auto refused = [](const TableModelParts& parts, double first, double second) -> std::string {
    const auto artifact = EncodeTableModel(parts);
    const TableModel model(artifact);
    const auto owner = model.NewScratch();
    auto& scratch = static_cast<TableScratch&>(*owner);
    scratch.cells = {Num(first), Num(second)};
    try {
      model.Score(scratch);
      if (model.task() == TableTask::kClassification) model.Probabilities(scratch);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDataCorrupted);
      return error.detail();
    }
    return "";
  };
  TableModelParts value;
  value.algorithm = "ridge";
  value.encoder.AddPlainColumn("a", 0);
  value.encoder.AddPlainColumn("b", 0);
  value.encoder.EndFitting();
  TableModelParts classes = value;
  classes.algorithm = "logistic_regression";
  value.weights = {1e300, -1e300};
  value.bias = {0};
  value.means = {0, 0};
  EXPECT_EQ(refused(value, 1, 1), "");
  EXPECT_EQ(refused(value, 1e50, 1), "");
  EXPECT_EQ(refused(value, 1e50, 1e50), "a margin is not a number");
  classes.task = TableTask::kClassification;
  classes.labels = {"x", "y", "z"};
  classes.weights = {1e300, 1e300, 0, 0, 0, 1};
  classes.bias = {0, 0, 0};
  classes.means = {0, 0};
  EXPECT_EQ(refused(classes, 1, 1), "");
  EXPECT_EQ(refused(classes, 1e50, 1), "a probability is not a number");
}

}  // namespace
}  // namespace retrain
