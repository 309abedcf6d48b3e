// Eigen as this library uses it: failed assertions throw instead of aborting the server, no threads, MPL2 parts only.
#pragma once

#ifdef POSTGRES_H
#error "Eigen and postgres.h must not meet in one file"
#endif
#ifdef EIGEN_NO_DEBUG
#error "Eigen's assertions must stay on"
#endif
#ifdef EIGEN_CORE_H
#error "include core/base/eigen.h before any header of Eigen"
#endif

#include "core/base/error.h"

#define EIGEN_MPL2_ONLY
#define EIGEN_DONT_PARALLELIZE
// A destructor or noexcept function of Eigen that asserts would still end the process; there is none on our paths.
#define eigen_assert(condition)                                                                              \
  do {                                                                                                       \
    if (!(condition))                                                                                        \
      throw ::retrain::Error(::retrain::ErrorCode::kInternal, "linear algebra assertion failed", #condition, \
                             "please report a bug");                                                         \
  } while (false)

#include <Eigen/Dense>
