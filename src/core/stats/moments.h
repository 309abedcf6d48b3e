// Means and variances in one pass: numerically stable, and parts can be merged.
//
// Update: Welford (1962). Merge: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
// sample variances" (1979). PostgreSQL's own aggregates (regr_*) keep the same sums, so either can begin the other.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

namespace retrain {

// n values y: their mean and m2 = sum (y - mean)^2.
struct Moments {
  double n = 0;
  double mean = 0;
  double m2 = 0;

  void Add(double y) noexcept {
    n += 1;
    const double delta = y - mean;
    mean += delta / n;
    m2 += delta * (y - mean);
  }

  void Merge(const Moments& other) noexcept {
    if (other.n == 0) return;
    const double total = n + other.n, delta = other.mean - mean;
    m2 += other.m2 + delta * delta * (n / total) * other.n;
    mean += delta * (other.n / total);
    n = total;
  }

  // Unbiased; NaN below two values.
  double Variance() const noexcept { return m2 / (n > 1 ? n - 1 : __builtin_nan("")); }
};

// n pairs: an outcome y and a covariate x that was known before. cxy = sum (x - mean x)(y - mean y).
struct PairedMoments {
  Moments y;
  Moments x;
  double cxy = 0;

  void Add(double y_value, double x_value) noexcept {
    const double delta_x = x_value - x.mean;
    x.Add(x_value);
    y.Add(y_value);
    cxy += delta_x * (y_value - y.mean);
  }

  void Merge(const PairedMoments& other) noexcept {
    if (other.y.n == 0) return;
    const double total = y.n + other.y.n;
    cxy += other.cxy + (other.x.mean - x.mean) * (other.y.mean - y.mean) * (y.n / total) * other.y.n;
    x.Merge(other.x);
    y.Merge(other.y);
  }
};

}  // namespace retrain
