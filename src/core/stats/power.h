// Power of an experiment, and how many units it needs.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

namespace retrain {

// What is expected: the control's mean, the treatment's, and for means the standard deviation of one unit.
struct PowerQuestion {
  double control_mean = 0;
  double treatment_mean = 0;
  double stddev = 0;       // > 0; for proportions unused
  bool proportion = true;  // two-proportion z-test, else the t-test of two means
  double alpha = 0.05;     // two-sided, in (0, 1)
};

// Power with n_control and n_treatment units. Means: noncentral t (Cohen, 1988). Proportions: Fleiss, Levin and Paik
// (2003), 4.2, without continuity correction. Both tails count, as in R's power.t.test(strict = TRUE).
double Power(const PowerQuestion& question, double n_control, double n_treatment);

// The smallest number of units in the control arm that reaches `power` when the treatment arm has `ratio` times as many.
// Throws Error(kInvalidParameter) where no number up to 1e12 does.
double SampleSize(const PowerQuestion& question, double power, double ratio = 1);

}  // namespace retrain
