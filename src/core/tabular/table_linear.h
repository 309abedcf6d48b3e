// Linear models of encoded rows: ridge regression and logistic regression.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <functional>
#include <vector>

#include "core/base/resumable.h"
#include "core/tabular/encoded_rows.h"

namespace retrain {

// margins = x^T weights + bias, x as EncodedRows gives it. n_outputs is 1 for ridge and for two classes.
struct TableLinear {
  size_t n_outputs = 1;
  std::vector<double> weights;  // n_features × n_outputs, dense features first
  std::vector<double> bias;     // n_outputs
  std::vector<double> means;    // of the features over the training rows, n_features
};

// What fitting holds at most beside the rows, in bytes.
uint64_t RidgeBytes(size_t n_features) noexcept;
uint64_t LogisticBytes(size_t n_features, size_t n_outputs) noexcept;

// min over w, b of  sum_i (y_i - x_i^T w - b)^2 + alpha |w|^2  with b free: the normal equations of centred rows, by
// Cholesky decomposition. alpha = 0 leaves collinear columns undetermined; they are then held by alpha = 1e-10 of the mean
// diagonal. `done` is told the share of the work that is done.
Resumable FitRidge(const EncodedRows& rows, double alpha, const Pace& pace, TableLinear& model, double& done);

struct LogisticOptions {
  double c = 1;
  uint32_t max_iterations = 1000;
  bool balanced = false;  // class weights n / (K n_k)
};

// min over W, b of  sum_i s_i loss(y_i, x_i^T W + b) + |W|^2 / (2 c)  with the logistic loss (two classes, one margin) or
// that of the softmax, by L-BFGS (Nocedal, Wright, "Numerical Optimization", 2nd edition, algorithms 7.4 and 7.5) until no
// component of the mean gradient is above 1e-7. Targets are classes 0 … n_classes - 1.
Resumable FitLogistic(const EncodedRows& rows, size_t n_classes, const LogisticOptions& options, const Pace& pace,
                      TableLinear& model, double& done);

}  // namespace retrain
