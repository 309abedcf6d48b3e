// What the files of the forecast trainer share: a series on its way, and what comes of it.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <memory>
#include <vector>

#include "core/forecast/trainer.h"

namespace retrain {

// One series on its way.
struct ForecastTrainer::Job {
  uint32_t place = 0;  // in by_name_
  EvenSeries even;
  bool absolute = false, done = false;
  std::vector<double> columns;  // regressors and holidays of each step
  uint32_t n_columns = 0;
  std::unique_ptr<SeriesFitter> fitter;  // none: the series has no value
  SeriesFit fit;
};

// What of a series goes into the model and the metrics.
struct ForecastTrainer::Outcome {
  std::vector<uint8_t> record;
  uint32_t group = 0;
  std::vector<float> scores;  // of the held-out values by the profile before them; empty: no profile
  uint32_t held_values = 0;
  double absolute = 0, squares = 0, smape = 0, scale = 0;
  // Sums of series come together at the end, in the order of names: additions in the order of work would not be the same
  // twice.
  double live_mase = -1, live_smape = -1;  // of the live configuration on the held-out values; below 0: none
  ForecastAccuracy since;                  // sums of this series
};

struct ForecastTrainer::Group {
  ScorePool pool;
  uint64_t windows = 0;
};

}  // namespace retrain
