#include "core/base/training.h"

#include <cstddef>

namespace retrain {

const char* NameOf(TrainingPhase phase) {
  static constexpr const char* kNames[] = {"reading rows", "weighting features", "fitting",
                                           "calibrating",  "evaluating",         "done"};
  return kNames[static_cast<size_t>(phase)];
}

}  // namespace retrain
