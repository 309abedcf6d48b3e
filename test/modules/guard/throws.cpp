// Throws every kind of exception that a library may throw.
#include "throws.h"

#include <limits>
#include <new>
#include <stdexcept>
#include <system_error>

#include "core/base/error.h"
#if __has_include("core/base/eigen.h")
#include "core/base/eigen.h"
#define GUARD_TEST_EIGEN 1
#endif

namespace guard_test {

int64_t Counted::made = 0, Counted::destroyed = 0;

static volatile char sink;

// Aborts the process unless eigen_assert throws (src/core/base/eigen.h).
static void MultiplyWrongDimensions() {
#ifdef GUARD_TEST_EIGEN
  Eigen::MatrixXd a(3, 4), b(5, 6);
  a.setOnes();
  b.setOnes();
  const Eigen::MatrixXd c = a * b;
  sink = c.size() > 0 && c(0, 0) > 0;
#else
  throw std::logic_error("built without core/base/eigen.h");
#endif
}

void Throw(const std::string& kind, const std::string& message, const std::string& detail, const std::string& hint) {
  const std::vector<char> ballast(64 * 1024, 'x');
  sink = ballast[message.size() % ballast.size()];
  using retrain::Error, retrain::ErrorCode;
  if (kind == "invalid_parameter") throw Error(ErrorCode::kInvalidParameter, message, detail, hint);
  if (kind == "undefined_object") throw Error(ErrorCode::kUndefinedObject, message, detail, hint);
  if (kind == "data_corrupted") throw Error(ErrorCode::kDataCorrupted, message, detail, hint);
  if (kind == "not_supported") throw Error(ErrorCode::kNotSupported, message, detail, hint);
  if (kind == "out_of_memory") throw Error(ErrorCode::kOutOfMemory, message, detail, hint);
  if (kind == "limit_exceeded") throw Error(ErrorCode::kLimitExceeded, message, detail, hint);
  if (kind == "internal") throw Error(ErrorCode::kInternal, message, detail, hint);
  if (kind == "cancelled") throw retrain::Cancelled();
  if (kind == "bad_alloc") throw std::bad_alloc();
  if (kind == "huge_vector") {
    const std::vector<double> matrix(size_t{1} << 45);
    sink = static_cast<char>(matrix[0]);
  }
  if (kind == "length_error") {
    const std::string text(std::numeric_limits<size_t>::max(), 'x');
    sink = text[0];
  }
  if (kind == "system_error")
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again), message);
  if (kind == "runtime_error") throw std::runtime_error(message);
  if (kind == "int") throw 42;
  if (kind == "nested") {
    try {
      throw Error(ErrorCode::kInternal, "the first one");
    } catch (...) {
      std::throw_with_nested(Error(ErrorCode::kDataCorrupted, message, detail, hint));
    }
  }
  if (kind == "eigen") MultiplyWrongDimensions();
}

void WorkUntilStopped(const retrain::Stop& stop) {
  std::vector<char> ballast(64 * 1024, 'x');
  for (size_t i = 0;; ++i) {
    ballast[i % ballast.size()] = static_cast<char>(i);
    if (i % 4096 == 0) stop.Poll();
  }
}

}  // namespace guard_test
