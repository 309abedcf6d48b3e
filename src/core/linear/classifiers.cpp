// The table of classifiers.
#include "core/linear/linear.h"

namespace retrain {

std::span<const ClassifierEntry> Classifiers() {
  static constexpr ClassifierEntry kClassifiers[] = {
      {"linear_svc", MakeSvmFit, SvmFitBytes, false},
      {"logistic_regression", MakeLogisticFit, LogisticFitBytes, true},
  };
  return kClassifiers;
}

}  // namespace retrain
