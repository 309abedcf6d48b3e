// The temperature that both calibrations share; private to their fits.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include "core/linear/calibration.h"

namespace retrain {

// The inverse temperature of the margins, or of the logarithms of these sigmoids of them, on a sample of the rows. sigmoids
// may be null; polls `stop`.
double FitTemperature(std::span<const float> margins, std::span<const uint32_t> labels,
                      std::span<const float> row_weights, uint32_t n_classes, const Calibration* sigmoids, int threads,
                      const Stop& stop);

}  // namespace retrain
