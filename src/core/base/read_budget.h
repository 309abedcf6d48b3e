// What reading a file of another program may cost: its bytes say how much there will be, and they are hostile.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <limits>
#include <string>

#include "core/base/error.h"
#include "core/base/stop.h"

namespace retrain {

class ReadBudget {
 public:
  // Without a bound.
  ReadBudget() = default;
  ReadBudget(const Stop& stop, uint64_t memory) : stop_(stop), memory_(memory) {}

  // To be called before so many bytes are kept for good. Throws Error(kOutOfMemory) beyond the budget, Cancelled on request.
  void Take(uint64_t bytes) {
    Step();
    if (bytes > memory_ - taken_)
      throw Error(ErrorCode::kOutOfMemory, "reading the model needs more memory than allowed",
                  "more than pg_retrain.training_memory, which is " + std::to_string(memory_ >> 10) + " kB",
                  "raise pg_retrain.training_memory");
    taken_ += bytes;
  }

  // To be called in long loops. Throws Cancelled on request.
  void Step() {
    if (++steps_ % 4096 == 0) stop_.Poll();
  }

 private:
  Stop stop_;
  uint64_t memory_ = std::numeric_limits<uint64_t>::max(), taken_ = 0, steps_ = 0;
};

}  // namespace retrain
