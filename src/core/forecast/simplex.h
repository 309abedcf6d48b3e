// The simplex search of Nelder and Mead, "A Simplex Method for Function Minimization", The Computer Journal 7 (1965).
//
// minimise f(x) subject to low <= x <= high, by reflection, expansion, contraction and shrinking of n + 1 points, each
// clamped into the box. No derivative is taken: likelihoods of exponential smoothing have kinks where a state is clamped.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace retrain {

inline constexpr int kSimplexDimensions = 8;

struct Simplex {
  using Point = std::array<double, kSimplexDimensions>;

  int n = 0;  // dimensions, 1 … kSimplexDimensions
  Point low{}, high{};
  int max_evaluations = 200;
  double tolerance = 1e-7;  // ends when the values at all corners differ by less, relatively
  int evaluations = 0;

  // Moves `x` to the best point found and returns f there; `step` is the first simplex's extent in each dimension.
  template <class F>
  double Minimise(Point& x, const Point& step, F&& f);

 private:
  void Clamp(Point& x) const {
    for (int i = 0; i < n; ++i) x[i] = std::clamp(x[i], low[i], high[i]);
  }
};

template <class F>
double Simplex::Minimise(Point& x, const Point& step, F&& f) {
  std::array<Point, kSimplexDimensions + 1> corner;
  std::array<double, kSimplexDimensions + 1> value;
  const auto evaluate = [&](const Point& p) {
    ++evaluations;
    const double v = f(p);
    return std::isnan(v) ? 1e300 : v;
  };
  evaluations = 0;
  Clamp(x);
  for (int i = 0; i <= n; ++i) {
    corner[i] = x;
    if (i > 0) {
      double& moved = corner[i][i - 1];
      moved += moved + step[i - 1] <= high[i - 1] ? step[i - 1] : -step[i - 1];
      Clamp(corner[i]);
    }
    value[i] = evaluate(corner[i]);
  }
  while (evaluations < max_evaluations) {
    int best = 0, worst = 0, second = 0;  // second: the worst but one
    for (int i = 1; i <= n; ++i) {
      if (value[i] < value[best]) best = i;
      if (value[i] > value[worst]) worst = i;
    }
    second = best;
    for (int i = 0; i <= n; ++i)
      if (i != worst && value[i] > value[second]) second = i;
    if (value[worst] - value[best] <= tolerance * (std::fabs(value[best]) + tolerance)) break;
    Point centre{};
    for (int i = 0; i <= n; ++i)
      if (i != worst)
        for (int j = 0; j < n; ++j) centre[j] += corner[i][j] / n;
    const auto along = [&](double t) {  // centre + t (centre - worst)
      Point p{};
      for (int j = 0; j < n; ++j) p[j] = centre[j] + t * (centre[j] - corner[worst][j]);
      Clamp(p);
      return p;
    };
    const Point reflected = along(1.0);
    const double v = evaluate(reflected);
    if (v < value[best]) {
      const Point expanded = along(2.0);
      const double w = evaluate(expanded);
      corner[worst] = w < v ? expanded : reflected;
      value[worst] = std::min(v, w);
    } else if (v < value[second]) {
      corner[worst] = reflected;
      value[worst] = v;
    } else {
      const bool outside = v < value[worst];
      const Point contracted = along(outside ? 0.5 : -0.5);
      const double w = evaluate(contracted);
      if (w < std::min(v, value[worst])) {
        corner[worst] = contracted;
        value[worst] = w;
      } else {
        for (int i = 0; i <= n; ++i) {
          if (i == best) continue;
          for (int j = 0; j < n; ++j) corner[i][j] = corner[best][j] + 0.5 * (corner[i][j] - corner[best][j]);
          value[i] = evaluate(corner[i]);
        }
      }
    }
  }
  const int best = static_cast<int>(std::min_element(value.begin(), value.begin() + n + 1) - value.begin());
  x = corner[best];
  return value[best];
}

}  // namespace retrain
