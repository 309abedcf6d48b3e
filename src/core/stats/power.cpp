// Power curves of the two tests.
#include "core/stats/power.h"

#include <cmath>

#include "core/base/error.h"
#include "core/stats/distributions.h"

namespace retrain {
namespace {

constexpr double kMostUnits = 1e12;

double PowerOfMeans(const PowerQuestion& q, double n1, double n2) {
  const double df = n1 + n2 - 2;
  const double delta = std::fabs(q.treatment_mean - q.control_mean) / (q.stddev * std::sqrt(1 / n1 + 1 / n2));
  if (delta > 100) return 1;  // beyond what the noncentral t can be asked, and beyond doubt
  const double critical = StudentCritical(q.alpha, df);
  return NoncentralTUpper(critical, df, delta) + NoncentralTCdf(-critical, df, delta);
}

double PowerOfProportions(const PowerQuestion& q, double n1, double n2) {
  const double p1 = q.control_mean, p2 = q.treatment_mean, pooled = (n1 * p1 + n2 * p2) / (n1 + n2);
  const double z = NormalQuantile(1 - q.alpha / 2);
  const double under_null = std::sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2));
  const double under_effect = std::sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2), d = std::fabs(p2 - p1);
  if (under_effect == 0) return d > z * under_null ? 1 : 0;
  return NormalCdf((d - z * under_null) / under_effect) + NormalCdf((-d - z * under_null) / under_effect);
}

}  // namespace

double Power(const PowerQuestion& question, double n_control, double n_treatment) {
  return question.proportion ? PowerOfProportions(question, n_control, n_treatment)
                             : PowerOfMeans(question, n_control, n_treatment);
}

double SampleSize(const PowerQuestion& question, double power, double ratio) {
  const auto reached = [&](double n) { return Power(question, n, std::ceil(n * ratio)) >= power; };
  double high = std::ceil(std::fmax(2, 2 / ratio)), low = high - 1;
  while (!reached(high)) {
    low = high;
    high *= 2;
    if (high > kMostUnits)
      throw Error(ErrorCode::kInvalidParameter, "no feasible number of units reaches that power",
                  "Even 1e12 units in each arm do not.", "ask for a larger uplift or a lower power");
  }
  while (high - low > 1) {
    const double middle = std::floor((low + high) / 2);
    (reached(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace retrain
