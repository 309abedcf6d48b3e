// Confidence sequences and the sample-ratio test.
#include "core/stats/sequential.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/stats/distributions.h"

namespace retrain {
namespace {

// Total of the Dirichlet prior's parameters: an arm's share is believed within about 1.6 points of its weight.
constexpr double kPriorUnits = 1000;

// std::lgamma writes a global variable.
double LogGamma(double x) {
  int sign;
  return lgamma_r(x, &sign);
}

}  // namespace

// rho^2 = (-2 log alpha + log(-2 log alpha + 1)) / planned: equation (12) of the paper's first version, the closed form
// of the minimum up to a term that does not matter.
SequentialBoundary::SequentialBoundary(double alpha, double planned_units) : alpha_(alpha) {
  const double a = -2 * std::log(alpha);
  rho_squared_ = (a + std::log(a + 1)) / planned_units;
}

double SequentialBoundary::Multiplier(double units) const noexcept {
  const double s = units * rho_squared_;
  return std::sqrt(2 * (s + 1) / s * (0.5 * std::log1p(s) - std::log(alpha_)));
}

double SequentialBoundary::PValue(double z, double units) const noexcept {
  const double s = units * rho_squared_;
  const double p = std::exp(0.5 * std::log1p(s) - z * z * s / (2 * (s + 1)));
  return std::isnan(p) ? p : std::min(1.0, p);
}

SequentialComparison CompareSequentially(const SequentialBoundary& boundary, const Difference& d) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const double units = d.control.n + d.treatment.n, error = std::max(d.standard_error, d.pooled_error);
  if (!(std::min(d.control.n, d.treatment.n) >= kSequentialMinUnits && d.standard_error > 0))
    return {kNaN, {kNaN, kNaN}, {kNaN, kNaN}};
  const double multiplier = boundary.Multiplier(units) * error / d.standard_error;
  return {boundary.PValue(d.value / error, units), d.Around(multiplier), d.UpliftAround(multiplier)};
}

SampleRatio TestSampleRatio(std::span<const double> counts, std::span<const double> weights) {
  double units = 0, total_weight = 0;
  for (const double count : counts) units += count;
  for (const double weight : weights) total_weight += weight;
  if (counts.size() != weights.size() || counts.size() < 2 || !(units > 0) || !(total_weight > 0))
    throw Error(ErrorCode::kInvalidParameter, "the sample ratio needs units in two or more arms");
  SampleRatio result{};
  double log_factor = LogGamma(kPriorUnits) - LogGamma(kPriorUnits + units);
  for (size_t i = 0; i < counts.size(); ++i) {
    const double share = weights[i] / total_weight, expected = share * units, prior = share * kPriorUnits;
    result.chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    log_factor += LogGamma(prior + counts[i]) - LogGamma(prior) - counts[i] * std::log(share);
  }
  result.df = static_cast<double>(counts.size() - 1);
  result.p_value = ChiSquareUpper(result.chi_square, result.df);
  result.sequential_p_value = std::min(1.0, std::exp(-log_factor));
  return result;
}

}  // namespace retrain
