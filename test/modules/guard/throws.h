// What can go wrong in C++ code, for test/tap/007_guard.pl. No PostgreSQL here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/stop.h"

namespace guard_test {

// Throws what `kind` says, from a frame that holds 64 kB: a jump that skips its destructors shows after some calls.
// Comes back only when the kind is not known, or when an Eigen expression of wrong dimensions passes.
void Throw(const std::string& kind, const std::string& message, const std::string& detail, const std::string& hint);

// Works until it is told to stop, and then throws Cancelled.
void WorkUntilStopped(const retrain::Stop& stop);

// Counts its own births and deaths.
class Counted {
 public:
  Counted() : ballast_(64 * 1024, 'x') { ++made; }
  ~Counted() { ++destroyed; }
  Counted(const Counted&) = delete;

  static int64_t made, destroyed;

 private:
  std::vector<char> ballast_;
};

}  // namespace guard_test
