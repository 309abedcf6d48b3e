// Trains small table models for the tests.
#pragma once

#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/base/rng.h"
#include "core/tabular/table_trainer.h"

namespace retrain {

inline Cell Num(double value) { return {false, value, {}}; }
inline Cell Text(std::string_view value) { return {false, 0, value}; }
inline Cell Null() { return {}; }

inline double Uniform(Rng& rng) { return static_cast<double>(rng.Next() >> 11) * 0x1.0p-53; }
// Sum of twelve uniform numbers less six: near enough to the normal distribution.
inline double Normal(Rng& rng) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += Uniform(rng);
  return sum;
}

using Rows = std::vector<std::vector<Cell>>;

inline std::unique_ptr<TableTrainer> RunTable(TableRequest request, const std::vector<SourceColumn>& columns,
                                              const Rows& rows, int threads = 1,
                                              std::chrono::milliseconds step = std::chrono::milliseconds(50)) {
  if (request.memory_budget == 0) request.memory_budget = 1ull << 30;
  auto trainer = std::make_unique<TableTrainer>(std::move(request));
  trainer->Describe(columns);
  const Stop stop;
  for (const auto& row : rows) trainer->Add(row, stop);
  while (!trainer->Step({std::chrono::steady_clock::now() + step, stop, threads})) {
  }
  return trainer;
}

inline bool HasWarning(const TableResult& result, const std::string& code, const std::string& column) {
  for (const auto& warning : result.warnings)
    if (warning.code == code && warning.column == column) return true;
  return false;
}

inline const FeatureImportance* ImportanceOf(const TableResult& result, const std::string& column) {
  for (const auto& importance : result.importance)
    if (importance.column == column) return &importance;
  return nullptr;
}

}  // namespace retrain
