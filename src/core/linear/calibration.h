// From margins to probabilities.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/stop.h"

namespace retrain {

enum class CalibrationKind : uint8_t { kNone = 0, kSoftmax = 1, kSigmoid = 2 };

// kNone: softmax of the margins as they are. kSoftmax: softmax(temperature_inverse * margin). kSigmoid: per class
// 1 / (1 + exp(slope * margin + intercept)), raised to the power inverse_temperature, then divided by their sum (uniform when
// the sum is 0).
struct Calibration {
  CalibrationKind kind = CalibrationKind::kNone;
  double inverse_temperature = 1.0;
  std::vector<float> slope;      // n_classes, kSigmoid only
  std::vector<float> intercept;  // n_classes, kSigmoid only
};

// margins: n × n_classes row-major, out-of-fold; labels: n; row_weights: n, 0 for rows to leave out. Both poll `stop`.
Calibration FitSoftmax(std::span<const float> margins, std::span<const uint32_t> labels,
                       std::span<const float> row_weights, uint32_t n_classes, int threads, const Stop& stop);
Calibration FitSigmoid(std::span<const float> margins, std::span<const uint32_t> labels,
                       std::span<const float> row_weights, uint32_t n_classes, int threads, const Stop& stop);

// The inverse temperature that suits these rows best under the calibration's own sigmoids, if it has any, by maximum
// likelihood; polls `stop`.
double BestInverseTemperature(const Calibration& calibration, std::span<const float> margins,
                              std::span<const uint32_t> labels, std::span<const float> row_weights, uint32_t n_classes,
                              int threads, const Stop& stop);

// Whether rows that a temperature was not fitted on contradict it; gain: the nats by which their log-likelihood rises under
// the temperature that suits them best. A likelihood-ratio test, that holds any difference against a temperature once rows
// are very many, and therefore also a bound on what the difference is worth to a row.
bool Contradicts(double gain, uint64_t rows) noexcept;

// The sum over rows of -log p(label), in nats; polls `stop`.
double NegativeLogLikelihood(const Calibration& calibration, std::span<const float> margins,
                             std::span<const uint32_t> labels, uint32_t n_classes, const Stop& stop);

// Turns n_classes margins into the logarithms of the calibration's sigmoids, in place; kSigmoid only.
void LogSigmoids(const Calibration& calibration, std::span<float> margins);

// The class that Calibrate() makes most probable, before rounding; the lowest where several are. n_classes > 0 margins.
uint32_t MostProbable(const Calibration& calibration, std::span<const float> margins);

// Turns n_classes margins into probabilities in place; they are in [0,1] and add up to 1 within rounding.
void Calibrate(const Calibration& calibration, std::span<float> margins);

}  // namespace retrain
