// How a caller ends or bounds work inside the core.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <chrono>

#include "core/base/error.h"

namespace retrain {

// A request to end, polled inside long loops. `requested` must be safe to call from any thread and must not throw.
struct Stop {
  bool (*requested)() noexcept = nullptr;

  bool Requested() const noexcept { return requested != nullptr && requested(); }
  void Poll() const {
    if (Requested()) throw Cancelled();
  }
};

// What one step of resumable work may use. A step returns soon after `deadline` and leaves its state so that the next
// step goes on where it stopped; where the cuts fall never changes a result.
struct StepBudget {
  std::chrono::steady_clock::time_point deadline;
  Stop stop;
  int threads = 1;  // >= 1, worker threads plus the caller

  bool Expired() const noexcept { return stop.Requested() || std::chrono::steady_clock::now() >= deadline; }
};

}  // namespace retrain
