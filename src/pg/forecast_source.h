// Rows of times and values as queries give them: what train_forecast learns from, holidays, the future of regressors.
#pragma once

#include "pg/pg.h"

// Reads the values of every series; sets whether they are named and zoned before the trainer is made: `make` is called
// once, before the first row. The caller has connected SPI.
struct ForecastSourceShape {
  bool named, zoned;
};
retrain::ForecastTrainer* read_forecast_rows(const char* query, const std::vector<std::string>& regressors,
                                             retrain::ForecastTrainer* (*make)(const ForecastSourceShape& shape,
                                                                               void* arg),
                                             void* arg);

// `holidays` is a SELECT or the name of a table.
void read_holidays(const char* holidays, retrain::ForecastTrainer* trainer);

// `zone` is the one whose wall clock the model keeps; null: it keeps none, and times are those of the session.
void read_future_regressors(const char* query, const std::vector<std::string>& regressors, text* zone,
                            retrain::FutureRegressorTable* table);
