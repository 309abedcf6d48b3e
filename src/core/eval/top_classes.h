// The few most probable of many classes.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

namespace retrain {

// Buffers, reused between messages.
struct TopClasses {
  std::vector<uint32_t> order;    // the result: the most probable class first
  std::vector<float> left, tops;  // what has not been taken, and the largest of every block of it
};

// The `wanted` most probable of n classes, or all where there are fewer, into result.order. Probabilities are not negative and
// none is NaN. Of equally probable ones `answer` comes first, which rounding may have made so, then the lower number.
void FindTopClasses(std::span<const float> probabilities, uint32_t answer, uint32_t wanted, TopClasses& result);

}  // namespace retrain
