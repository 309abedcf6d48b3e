// Small problems and reference answers for the tests of the linear fits.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "core/linear/linear.h"

namespace retrain {

// A problem that owns what LinearProblem points to.
struct OwnedProblem {
  SparseMatrix rows;
  std::vector<uint32_t> labels;
  std::vector<float> row_weights, class_weights;
  std::vector<uint8_t> folds;
  uint32_t n_classes = 0;

  OwnedProblem(uint32_t columns, uint32_t classes) : class_weights(classes, 1.0f), n_classes(classes) {
    rows.columns = columns;
  }
  void Add(const std::vector<float>& dense, uint32_t label, float weight = 1.0f) {
    for (uint32_t j = 0; j < dense.size(); ++j)
      if (dense[j] != 0) rows.entries.push_back({j, dense[j]});
    rows.begin.push_back(rows.entries.size());
    labels.push_back(label);
    row_weights.push_back(weight);
  }
  LinearProblem view() const { return {&rows, labels, row_weights, class_weights, n_classes}; }
  size_t size() const { return labels.size(); }
};

// Deals row i to fold i % folds and gives options that hold these folds out.
inline LinearOptions InFolds(OwnedProblem& problem, int folds) {
  for (size_t i = 0; i < problem.size(); ++i)
    problem.folds.push_back(static_cast<uint8_t>(i % static_cast<size_t>(folds)));
  LinearOptions options;
  options.folds = folds;
  options.fold_of_row = problem.folds;
  return options;
}

// The rows that a fold does not hold out.
inline OwnedProblem WithoutFold(const OwnedProblem& problem, int fold) {
  OwnedProblem rest(problem.rows.columns, problem.n_classes);
  for (size_t i = 0; i < problem.size(); ++i) {
    if (problem.folds[i] == fold) continue;
    std::vector<float> row(problem.rows.columns);
    for (const SparseEntry& x : problem.rows.row(i)) row[x.column] = x.value;
    rest.Add(row, problem.labels[i]);
  }
  return rest;
}

// Rows around one centre per class, unit length, about half of the features present.
inline OwnedProblem RandomProblem(size_t n, uint32_t columns, uint32_t n_classes, uint64_t seed) {
  Rng rng(seed);
  const auto uniform = [&rng] { return static_cast<float>(rng.Below(1000)) / 1000.0f; };
  std::vector<std::vector<float>> centres(n_classes, std::vector<float>(columns));
  for (auto& centre : centres)
    for (float& value : centre) value = uniform();
  OwnedProblem problem(columns, n_classes);
  for (size_t i = 0; i < n; ++i) {
    const auto label = static_cast<uint32_t>(i % n_classes);
    std::vector<float> row(columns);
    float square = 0;
    for (uint32_t j = 0; j < columns; ++j) {
      if (rng.Below(2) == 0) continue;
      row[j] = centres[label][j] + 0.5f * uniform();
      square += row[j] * row[j];
    }
    for (float& value : row) value /= std::sqrt(std::max(square, 1e-6f));
    problem.Add(row, label);
  }
  return problem;
}

// Weights with the bias as last row: [(columns + 1)][n_classes].
using DenseWeights = std::vector<std::vector<double>>;

inline DenseWeights Dequantise(const LinearWeights& w) {
  DenseWeights dense(w.n_features + 1, std::vector<double>(w.n_classes));
  for (uint32_t k = 0; k < w.n_classes; ++k) {
    for (uint32_t j = 0; j < w.n_features; ++j)
      dense[j][k] = static_cast<double>(w.scale[k]) * w.q[size_t{j} * w.stride + k];
    dense[w.n_features][k] = static_cast<double>(w.bias[k]);
  }
  return dense;
}

inline double Margin(const OwnedProblem& problem, size_t i, uint32_t k, const DenseWeights& w) {
  double margin = w[problem.rows.columns][k];
  for (const SparseEntry& x : problem.rows.row(i)) margin += static_cast<double>(x.value) * w[x.column][k];
  return margin;
}

struct FitResult {
  LinearWeights weights;
  LargeVector<float> held_out;
  int steps = 0;
  bool progress_fell = false;
  double last_progress = 0;
};

// Steps to the end and leaves the results in the fit.
inline void Finish(LinearFit& fit) {
  const StepBudget budget{std::chrono::steady_clock::now() + std::chrono::hours(1), Stop{}, 1};
  while (!fit.Step(budget)) {
  }
}

inline FitResult Finish(std::unique_ptr<LinearFit> fit, int threads = 1, int step_microseconds = 20000) {
  FitResult result;
  for (;;) {
    StepBudget budget;
    budget.deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(step_microseconds);
    budget.threads = threads;
    const bool done = fit->Step(budget);
    ++result.steps;
    result.progress_fell |= fit->Progress() < result.last_progress;
    result.last_progress = fit->Progress();
    if (done) break;
  }
  result.weights = fit->TakeWeights();
  result.held_out = fit->TakeHeldOutMargins();
  return result;
}

inline bool SameBytes(const FitResult& a, const FitResult& b) {
  return a.weights.q == b.weights.q && a.weights.scale == b.weights.scale && a.weights.bias == b.weights.bias &&
         a.held_out == b.held_out;
}

}  // namespace retrain
