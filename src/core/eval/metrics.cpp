// Counts what a classifier got right and wrong.
#include "core/eval/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/math.h"

namespace retrain {
namespace {

constexpr size_t kBins = 15;

struct Counts {
  uint64_t truth = 0, predicted = 0, both = 0;
};

double Ratio(uint64_t part, uint64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

// Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, equation 3: the mean over rows of
// |accuracy - confidence| of the bin that the row's confidence falls into.
double CalibrationError(std::span<const ScoredRow> rows) {
  std::array<double, kBins> confidence{}, correct{};
  for (const auto& row : rows) {
    const double c = std::clamp(static_cast<double>(row.confidence), 0.0, 1.0);
    const size_t bin = std::min(kBins - 1, static_cast<size_t>(c * kBins));
    confidence[bin] += c;
    correct[bin] += row.truth == row.predicted;
  }
  double error = 0;
  for (size_t bin = 0; bin < kBins; ++bin) error += std::abs(correct[bin] - confidence[bin]);
  return error / static_cast<double>(rows.size());
}

}  // namespace

Metrics Evaluate(std::span<const ScoredRow> rows) {
  Metrics m;
  m.rows = rows.size();
  if (rows.empty()) return m;
  std::map<uint32_t, Counts> counts;
  uint64_t correct = 0;
  for (const auto& row : rows) {
    ++counts[row.truth].truth;
    ++counts[row.predicted].predicted;
    ++m.confusion[{row.truth, row.predicted}];
    if (row.truth == row.predicted) ++counts[row.truth].both, ++correct;
    m.log_loss -= Log(std::clamp(static_cast<double>(row.truth_probability), 1e-15, 1.0));
    m.mean_confidence += static_cast<double>(row.confidence);
  }
  const auto n = static_cast<double>(rows.size());
  m.accuracy = static_cast<double>(correct) / n;
  m.log_loss /= n;
  m.mean_confidence /= n;
  m.expected_calibration_error = CalibrationError(rows);
  for (const auto& [label, c] : counts) {
    ClassMetrics k;
    k.label = label;
    k.support = c.truth;
    k.predicted = c.predicted;
    k.precision = Ratio(c.both, c.predicted);
    k.recall = Ratio(c.both, c.truth);
    k.f1 = Ratio(2 * c.both, c.truth + c.predicted);
    m.macro_precision += k.precision;
    m.macro_recall += k.recall;
    m.macro_f1 += k.f1;
    m.classes.push_back(k);
  }
  const auto labels = static_cast<double>(m.classes.size());
  m.macro_precision /= labels;
  m.macro_recall /= labels;
  m.macro_f1 /= labels;
  return m;
}

}  // namespace retrain
