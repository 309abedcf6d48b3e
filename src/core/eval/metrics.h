// What a classifier got right and wrong on labelled rows.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace retrain {

// One scored row. Classes are indices into a table that holds every label of the rows and of the model.
struct ScoredRow {
  uint32_t truth = 0;
  uint32_t predicted = 0;
  float confidence = 0;         // probability of `predicted`
  float truth_probability = 0;  // 0 when the model does not know the label
};

struct ClassMetrics {
  uint32_t label = 0;
  double precision = 0, recall = 0, f1 = 0;  // 0 where undefined, as scikit-learn's zero_division=0
  uint64_t support = 0;                      // rows with this truth
  uint64_t predicted = 0;                    // rows with this prediction
};

struct Metrics {
  uint64_t rows = 0;
  double accuracy = 0;
  double macro_precision = 0, macro_recall = 0, macro_f1 = 0;  // over labels that occur as truth or prediction
  double log_loss = 0;                                         // natural log, probabilities clipped to [1e-15, 1]
  double expected_calibration_error = 0;                       // 15 equal-width bins of `confidence`, weighted by rows
  double mean_confidence = 0;
  std::vector<ClassMetrics> classes;  // ascending label, labels that occur as truth or prediction
  std::map<std::pair<uint32_t, uint32_t>, uint64_t> confusion;  // (truth, predicted) -> rows, non-zero only
};

// rows may be empty: then every number is 0 and `rows` says so.
Metrics Evaluate(std::span<const ScoredRow> rows);

}  // namespace retrain
