// Tails and quantiles of the distributions that tests are read from, on Boost.Math.
//
// NaN in gives NaN out, an argument outside a distribution's parameters throws Error(kInvalidParameter). Nothing here
// aborts: Boost.Math's own failures arrive as such an Error.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

namespace retrain {

double NormalCdf(double z);
double NormalQuantile(double p);  // 0 < p < 1

// Both tails beyond |z| of the standard normal, and beyond |t| of Student's t. df > 0; infinite df is the normal.
double NormalTwoSided(double z);
double StudentTwoSided(double t, double df);
// The t that both tails together of `alpha` lie beyond; 0 < alpha < 1.
double StudentCritical(double alpha, double df);

// Upper tail beyond x >= 0 of chi-square.
double ChiSquareUpper(double x, double df);

// P(T <= t) and P(T > t) of the noncentral t with parameter delta; beyond 1e5 degrees of freedom the normal.
double NoncentralTCdf(double t, double df, double delta);
double NoncentralTUpper(double t, double df, double delta);

}  // namespace retrain
