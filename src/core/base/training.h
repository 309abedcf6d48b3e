// A training of any kind as its caller sees it: steps until it is done, and how far it is.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>

#include "core/base/stop.h"

namespace retrain {

enum class TrainingPhase { kReading, kWeighting, kFitting, kCalibrating, kEvaluating, kDone };
const char* NameOf(TrainingPhase phase);

struct TrainingProgress {
  TrainingPhase phase = TrainingPhase::kReading;
  uint64_t done = 0, total = 0;  // in rows, or in thousandths of the fit
  double percent = 0;            // 0..100 of the whole training, never falling
};

class Training {
 public:
  virtual ~Training() = default;

  // Works within the budget; true when the result is ready. Throws Error, Cancelled.
  virtual bool Step(const StepBudget& budget) = 0;
  virtual TrainingProgress Progress() const = 0;
};

}  // namespace retrain
