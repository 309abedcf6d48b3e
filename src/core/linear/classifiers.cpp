// The table of classifiers.
#include "core/linear/linear.h"

namespace retrain {

std::span<const ClassifierEntry> Classifiers() {
  static constexpr ClassifierEntry kClassifiers[] = {
      {"linear_svm", MakeSvmFit, SvmFitBytes},
      {"logistic_regression", MakeLogisticFit, LogisticFitBytes},
  };
  return kClassifiers;
}

}  // namespace retrain
