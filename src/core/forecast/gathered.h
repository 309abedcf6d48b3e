// Several values of one step as one, by the rule for duplicates: of y, of regressors, and of regressors of the future.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cmath>
#include <cstdint>

#include "core/forecast/series.h"

namespace retrain {

class GatheredValue {
 public:
  // Not a number: not known.
  void Add(double value) {
    if (std::isnan(value)) return;
    sum_ += value;
    last_ = value;
    ++known_;
  }
  // Where duplicates are an error there is one value; of what nobody checks the last. Not a number: none is known.
  double As(DuplicateRule rule) const {
    if (known_ == 0) return NAN;
    return rule == DuplicateRule::kMean ? sum_ / known_ : rule == DuplicateRule::kSum ? sum_ : last_;
  }

 private:
  double sum_ = 0, last_ = 0;
  uint32_t known_ = 0;
};

}  // namespace retrain
