// Two arms of an experiment compared: difference of means, its test and interval, and the relative uplift.
//
// Values are NaN where they are not defined (an arm with fewer than two units, no variation at all, a control mean of 0).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <span>

#include "core/stats/moments.h"

namespace retrain {

// Mean and squared standard error of the mean of one arm.
struct ArmEstimate {
  double n = 0;
  double mean = 0;
  double variance = 0;  // of one unit
  double SquaredError() const noexcept { return variance / n; }
};

ArmEstimate Estimate(const Moments& arm) noexcept;

struct Interval {
  double low, high;
};

// An end is NaN where an interval has none.
struct Difference {
  double value;           // treatment - control
  double standard_error;  // not pooled
  double pooled_error;    // of value, if the units of both arms vary alike
  double df;              // Welch-Satterthwaite
  double uplift;          // value / |control mean|
  ArmEstimate control, treatment;

  Interval Around(double multiplier) const noexcept;
  // Of the uplift, by Fieller's theorem (1954): all u for which treatment mean - (1 + u) control mean is within the
  // multiplier's standard errors of 0. It leaves 0 out exactly when Around() does. (The delta method's interval does
  // not, and misses the truth too often where the control's mean is known badly.) It has no ends where the control's
  // mean cannot be told from 0.
  Interval UpliftAround(double multiplier) const noexcept;
};

// Welch, "The generalization of Student's problem when several different population variances are involved" (1947).
Difference Compare(const ArmEstimate& control, const ArmEstimate& treatment) noexcept;

// Two-sided p-value of Welch's t-test.
double WelchPValue(const Difference& difference);

// Two-sided p-value of the two-proportion z-test with the pooled variance, the chi-square test of the 2 x 2 table without
// continuity correction. Means are shares of units. 1 when nobody or everybody converted.
double TwoProportionPValue(const ArmEstimate& control, const ArmEstimate& treatment);

// Shares of units that are the same for all of an arm (0 or 1) and not the same in both: each arm's own variance, and that
// within both, would make their difference certain after a handful of units. Both get the variance of all units together,
// as in the two-proportion test.
void VaryAsOne(ArmEstimate& control, ArmEstimate& treatment) noexcept;

// CUPED: Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled experiments by utilizing
// pre-experiment data", WSDM 2013. y - theta (x - mean x) has the mean of y and a smaller variance; theta is the slope
// within the arms, so that an effect on y does not enter it.
struct Cuped {
  double theta;
  double variance_reduction;  // share of the arms' common variance that x explains, 0 to 1
};

// Adjusted estimates in `adjusted`, one for each arm. theta is 0 where x does not vary.
Cuped Adjust(std::span<const PairedMoments> arms, std::span<ArmEstimate> adjusted) noexcept;

}  // namespace retrain
