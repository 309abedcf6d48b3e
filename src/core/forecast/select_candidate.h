// What the files of the series fitter share: a method on its way through the backtest.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <memory>
#include <span>
#include <vector>

#include "core/forecast/select.h"

namespace retrain {

// How much methods without a likelihood weigh beside one that has it.
inline constexpr double kNoLikelihood = 0.5, kLeastPrior = 0.1;

// What a fit of exponential smoothing was chosen for.
enum class CandidateRole { kBest, kDamped, kTrendless, kOther };

struct SeriesFitter::Candidate {
  ForecastMethod method;
  CandidateRole role = CandidateRole::kOther;
  std::unique_ptr<Forecaster> forecaster;  // of the head, later of the whole series
  EtsFit fit;                              // of roles that are exponential smoothing
  double prior = kNoLikelihood, final_prior = kNoLikelihood;
  std::vector<double> forecasts;  // origins × horizon
};

// Mean of the absolute differences of values `lag` steps apart; 0 where there are none.
double MeanAbsoluteDifference(std::span<const double> y, size_t lag);

}  // namespace retrain
