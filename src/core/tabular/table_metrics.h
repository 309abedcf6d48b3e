// What a table model got right on held-out rows, and how its probabilities are calibrated.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/tabular/table_model.h"

namespace retrain {

struct RegressionMetrics {
  uint64_t rows = 0;
  double rmse = 0, mae = 0;
  double r2 = 0;    // 1 - squared errors / squares about the mean; NaN when the truth never varies
  double mape = 0;  // mean |error / truth| over the rows whose truth is not 0; NaN without any
};
RegressionMetrics EvaluateValues(std::span<const double> truth, std::span<const double> predicted);

// Area under the ROC curve of scores for positive (true) rows, ties counting half; NaN without both kinds.
double AreaUnderRoc(std::span<const double> scores, const std::vector<bool>& positive);

// Fits a map of scores (n × n_classes, TableModel::LogScores) to the classes they belong to (n, each < n_classes). One
// temperature: the s that minimises the log loss of softmax(s scores). Sigmoid (two classes): Platt's, with his priors.
// Isotonic (two classes): pool adjacent violators. At most the first kCalibrationRows rows count.
TableCalibrator FitCalibrator(ProbabilityMap kind, std::span<const double> scores, std::span<const uint32_t> truth,
                              size_t n_classes);
inline constexpr size_t kCalibrationRows = 20000;
// Sum over the rows of -ln of the probability of the true class.
double LogLoss(const TableCalibrator& calibrator, std::span<const double> scores, std::span<const uint32_t> truth,
               size_t n_classes);

}  // namespace retrain
