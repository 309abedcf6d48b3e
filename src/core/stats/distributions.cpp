// Boost.Math behind functions that say what went wrong.
#include "core/stats/distributions.h"

#include <cmath>
#include <exception>
#include <limits>
#include <new>

// A failed assertion of Boost throws instead of ending the server's process.
#define BOOST_ENABLE_ASSERT_HANDLER

// Boost's root finders include <iostream> for a log that stays off. Its static object would set up the eight standard
// streams in every connection that loads the library, 30 kB each: the guard of libstdc++'s header keeps it out.
#define _GLIBCXX_IOSTREAM 1

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include "core/base/error.h"

namespace boost {
void assertion_failed(const char* expression, const char*, const char*, long) {
  throw retrain::Error(retrain::ErrorCode::kInternal, "assertion of Boost failed", expression, "please report a bug");
}
void assertion_failed_msg(const char* expression, const char*, const char* function, const char* file, long line) {
  assertion_failed(expression, function, file, line);
}
}  // namespace boost

namespace retrain {
namespace {

namespace bm = boost::math;

// Every failure throws; underflow is the answer zero. Without promotion the result does not depend on long double.
using Policy =
    bm::policies::policy<bm::policies::promote_double<false>, bm::policies::domain_error<bm::policies::throw_on_error>,
                         bm::policies::pole_error<bm::policies::throw_on_error>,
                         bm::policies::overflow_error<bm::policies::throw_on_error>,
                         bm::policies::evaluation_error<bm::policies::throw_on_error>,
                         bm::policies::underflow_error<bm::policies::ignore_error>>;
using Normal = bm::normal_distribution<double, Policy>;
using StudentT = bm::students_t_distribution<double, Policy>;
using ChiSquared = bm::chi_squared_distribution<double, Policy>;
using NoncentralT = bm::non_central_t_distribution<double, Policy>;

constexpr double kNormalFrom = 1e5;  // degrees of freedom; the noncentral t is the normal to 1e-5 there

template <class F>
double Evaluate(F&& f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    throw Error(ErrorCode::kInvalidParameter, "a distribution cannot be computed for these numbers", e.what(),
                "look for values that are extremely large or small");
  }
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double NormalCdf(double z) {
  if (std::isnan(z)) return kNaN;
  return Evaluate([=] { return bm::cdf(Normal(), z); });
}

double NormalQuantile(double p) {
  if (std::isnan(p)) return kNaN;
  return Evaluate([=] { return bm::quantile(Normal(), p); });
}

double NormalTwoSided(double z) {
  if (std::isnan(z)) return kNaN;
  return Evaluate([=] { return 2 * bm::cdf(bm::complement(Normal(), std::fabs(z))); });
}

double StudentTwoSided(double t, double df) {
  if (std::isnan(t) || std::isnan(df)) return kNaN;
  if (std::isinf(df)) return NormalTwoSided(t);
  if (std::isinf(t)) return 0;
  return Evaluate([=] { return 2 * bm::cdf(bm::complement(StudentT(df), std::fabs(t))); });
}

double StudentCritical(double alpha, double df) {
  if (std::isnan(alpha) || std::isnan(df)) return kNaN;
  if (std::isinf(df)) return Evaluate([=] { return bm::quantile(bm::complement(Normal(), alpha / 2)); });
  return Evaluate([=] { return bm::quantile(bm::complement(StudentT(df), alpha / 2)); });
}

double ChiSquareUpper(double x, double df) {
  if (std::isnan(x) || std::isnan(df)) return kNaN;
  if (std::isinf(x)) return 0;
  return Evaluate([=] { return bm::cdf(bm::complement(ChiSquared(df), x)); });
}

double NoncentralTCdf(double t, double df, double delta) {
  if (std::isnan(t) || std::isnan(df) || std::isnan(delta)) return kNaN;
  if (df > kNormalFrom) return NormalCdf(t - delta);
  return Evaluate([=] { return bm::cdf(NoncentralT(df, delta), t); });
}

double NoncentralTUpper(double t, double df, double delta) {
  if (std::isnan(t) || std::isnan(df) || std::isnan(delta)) return kNaN;
  if (df > kNormalFrom) return NormalCdf(delta - t);
  return Evaluate([=] { return bm::cdf(bm::complement(NoncentralT(df, delta), t)); });
}

}  // namespace retrain
