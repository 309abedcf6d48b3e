// Writes small real models for table_fuzzer to start from: of each algorithm of the core, and files of XGBoost with what an
// import makes of them.
//
// usage: table_seeds DIRECTORY
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/tabular/table_trainer.h"

namespace {

using Bytes = std::vector<uint8_t>;

Bytes Train(retrain::TableTask task, const char* algorithm, const char* target, const char* config) {
  static const char* const colours[] = {"red", "white", "rosé"};
  retrain::TableRequest request;
  request.task = task;
  request.algorithm = algorithm;
  request.target = target;
  request.config_json = config;
  request.memory_budget = 1ull << 30;
  retrain::TableTrainer trainer(std::move(request));
  using retrain::ColumnKind;
  trainer.Describe(std::vector<retrain::SourceColumn>{{"acid", ColumnKind::kNumber, "numeric"},
                                                      {"colour", ColumnKind::kCategory, "text"},
                                                      {"day", ColumnKind::kTime, "date"},
                                                      {"good", ColumnKind::kBoolean, "boolean"},
                                                      {"price", ColumnKind::kNumber, "numeric"}});
  const retrain::Stop stop;
  for (int i = 0; i < 60; ++i) {
    retrain::Cell row[5];
    row[0] = {i % 7 == 0, static_cast<double>(i * 37 % 11), {}};
    row[1] = {i % 9 == 0, 0, colours[i % 3]};
    row[2] = {false, 86400.0 * i, {}};
    row[3] = {false, static_cast<double>(i * 5 % 3 == 0), {}};
    row[4] = {false, static_cast<double>(i * 37 % 11 + i % 3), {}};
    trainer.Add(row, stop);
  }
  while (!trainer.Step({std::chrono::steady_clock::now() + std::chrono::milliseconds(50), stop, 1})) {
  }
  return trainer.result().artifact;
}

bool Write(const std::string& directory, const std::string& name, const Bytes& bytes) {
  if (bytes.empty()) {
    std::fprintf(stderr, "the seed \"%s\" could not be made\n", name.c_str());
    return false;
  }
  std::ofstream out(directory + "/" + name, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  std::printf("%s: %zu bytes\n", name.c_str(), bytes.size());
  return static_cast<bool>(out.flush());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: table_seeds DIRECTORY\n");
    return 2;
  }
  using retrain::TableTask;
  bool good = Write(argv[1], "ridge", Train(TableTask::kRegression, "ridge", "price", "{}"));
  good &= Write(argv[1], "logistic", Train(TableTask::kClassification, "logistic_regression", "good", "{}"));
  good &= Write(argv[1], "classes", Train(TableTask::kClassification, "logistic_regression", "colour", "{}"));
  good &= Write(argv[1], "isotonic",
                Train(TableTask::kClassification, "logistic_regression", "good",
                      R"({"calibration": "isotonic", "split": [0.6, 0.4, 0]})"));
  good &= Write(argv[1], "kmeans", Train(TableTask::kClustering, "kmeans", "", R"({"k": 3})"));
  const std::string_view names[] = {"a", "b", "c"};
  for (const char* file : {"binary.json", "value.ubj", "classes.ubj", "categories.json", "count.json", "dart.json"}) {
    std::ifstream in(std::string(RETRAIN_TEST_DATA_DIR) + "/xgboost/" + file, std::ios::binary);
    const Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    good &= Write(argv[1], file, bytes);
    if (bytes.empty()) continue;
    retrain::ReadBudget unbounded;
    good &= Write(argv[1], std::string(file) + ".artifact", retrain::ImportXgboost(bytes, names, {}, unbounded));
  }
  return good ? 0 : 1;
}
