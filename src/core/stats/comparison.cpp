// Welch, Fieller, two proportions, CUPED.
#include "core/stats/comparison.h"

#include <algorithm>
#include <cmath>

#include "core/stats/distributions.h"

namespace retrain {

ArmEstimate Estimate(const Moments& arm) noexcept { return {arm.n, arm.mean, arm.Variance()}; }

Interval Difference::Around(double multiplier) const noexcept {
  return {value - multiplier * standard_error, value + multiplier * standard_error};
}

// (t - r c)^2 = q^2 (v_t + r^2 v_c) for the ratio r of the means.
Interval Difference::UpliftAround(double multiplier) const noexcept {
  const double q2 = multiplier * multiplier, c = control.mean, t = treatment.mean;
  const double vc = control.SquaredError(), vt = treatment.SquaredError(), a = c * c - q2 * vc;
  if (!(a > 0)) return {__builtin_nan(""), __builtin_nan("")};
  const double root = std::sqrt(std::max(0.0, q2 * (c * c * vt + t * t * vc - q2 * vt * vc)));
  const double low = (c * t - root) / a - 1, high = (c * t + root) / a - 1;
  return c > 0 ? Interval{low, high} : Interval{-high, -low};
}

Difference Compare(const ArmEstimate& control, const ArmEstimate& treatment) noexcept {
  const double vc = control.SquaredError(), vt = treatment.SquaredError(), v = vc + vt;
  Difference d{};
  d.control = control;
  d.treatment = treatment;
  // An arm without units has no mean to differ by.
  d.value = control.n >= 1 && treatment.n >= 1 ? treatment.mean - control.mean : __builtin_nan("");
  d.standard_error = std::sqrt(v);
  const double pooled =
      ((control.n - 1) * control.variance + (treatment.n - 1) * treatment.variance) / (control.n + treatment.n - 2);
  d.pooled_error = std::sqrt(pooled * (1 / control.n + 1 / treatment.n));
  d.df = v * v / (vc * vc / (control.n - 1) + vt * vt / (treatment.n - 1));
  d.uplift = control.mean == 0 ? __builtin_nan("") : d.value / std::fabs(control.mean);
  return d;
}

double WelchPValue(const Difference& d) { return StudentTwoSided(d.value / d.standard_error, d.df); }

double TwoProportionPValue(const ArmEstimate& control, const ArmEstimate& treatment) {
  if (!(control.n >= 1 && treatment.n >= 1)) return __builtin_nan("");
  const double n = control.n + treatment.n;
  const double pooled = (control.n * control.mean + treatment.n * treatment.mean) / n;
  const double variance = pooled * (1 - pooled) * (1 / control.n + 1 / treatment.n);
  if (variance == 0) return 1;
  return NormalTwoSided((treatment.mean - control.mean) / std::sqrt(variance));
}

void VaryAsOne(ArmEstimate& control, ArmEstimate& treatment) noexcept {
  if (!(control.variance == 0 && treatment.variance == 0)) return;
  const double share = (control.n * control.mean + treatment.n * treatment.mean) / (control.n + treatment.n);
  control.variance = treatment.variance = share * (1 - share);
}

Cuped Adjust(std::span<const PairedMoments> arms, std::span<ArmEstimate> adjusted) noexcept {
  PairedMoments within;  // sums of squares within the arms, and the mean of x over all
  for (const PairedMoments& arm : arms) {
    within.y.m2 += arm.y.m2;
    within.x.m2 += arm.x.m2;
    within.cxy += arm.cxy;
    if (arm.x.n > 0) {
      within.x.n += arm.x.n;
      within.x.mean += (arm.x.mean - within.x.mean) * (arm.x.n / within.x.n);
    }
  }
  Cuped cuped{};
  if (within.x.m2 > 0) {
    cuped.theta = within.cxy / within.x.m2;
    if (within.y.m2 > 0) cuped.variance_reduction = std::clamp(cuped.theta * within.cxy / within.y.m2, 0.0, 1.0);
  }
  for (size_t i = 0; i < arms.size(); ++i) {
    const PairedMoments& arm = arms[i];
    Moments m = arm.y;
    m.mean -= cuped.theta * (arm.x.mean - within.x.mean);
    m.m2 = std::max(0.0, arm.y.m2 + cuped.theta * (cuped.theta * arm.x.m2 - 2 * arm.cxy));
    adjusted[i] = Estimate(m);
  }
  return cuped;
}

}  // namespace retrain
