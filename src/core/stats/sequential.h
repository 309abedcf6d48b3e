// Tests that may be looked at as often as one likes: confidence sequences and always-valid p-values.
//
// Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
// sequences", Annals of Statistics 52 (2024), Theorem 2.2: with t units, an estimate whose standard error is se and any
// rho > 0 chosen beforehand,
//   estimate -+ se * sqrt( 2 (t rho^2 + 1) / (t rho^2) * log( sqrt(t rho^2 + 1) / alpha ) )
// covers the truth at all t at once with probability 1 - alpha, asymptotically. It is the Gaussian mixture boundary of
// Robbins (1970) and Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
// sequences", Annals of Statistics 49 (2021). Solved for alpha it is the always-valid p-value of the mixture SPRT of
// Johari, Koomen, Pekelis and Walsh, "Always valid inference", Operations Research 70 (2022).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <span>

#include "core/stats/comparison.h"

namespace retrain {

// Below this many units in either arm nothing is claimed: the variance is not known well enough.
inline constexpr double kSequentialMinUnits = 30;

class SequentialBoundary {
 public:
  // Narrowest, at this alpha, when `planned_units` have come (both arms together, >= 1). 0 < alpha < 1.
  SequentialBoundary(double alpha, double planned_units);

  // Half-width of the interval in standard errors at `units`. Decreases to planned_units, then grows like sqrt(log).
  double Multiplier(double units) const noexcept;

  // The smallest alpha whose interval leaves z = 0 out; in (0, 1]. NaN for NaN.
  double PValue(double z, double units) const noexcept;

  double rho_squared() const noexcept { return rho_squared_; }

 private:
  double alpha_;
  double rho_squared_;
};

// What the sequence says of two arms; NaN where nothing is claimed.
struct SequentialComparison {
  double p_value;
  Interval difference;
  Interval uplift;
};

// The larger of both standard errors counts. A small arm with rare outcomes has often seen none of them: its own
// variance is then close to 0, the difference seems certain, and that at many looks. Equal arms have equal errors.
SequentialComparison CompareSequentially(const SequentialBoundary& boundary, const Difference& difference);

struct SampleRatio {
  double chi_square;
  double df;
  double p_value;             // Pearson's chi-square test, for one look
  double sequential_p_value;  // for any number of looks
};

// Whether units fell into the arms as their weights say. counts >= 0, weights > 0, equally many (two or more), some unit.
// Sequential: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022, with a Dirichlet
// prior around the weights.
SampleRatio TestSampleRatio(std::span<const double> counts, std::span<const double> weights);

}  // namespace retrain
