// Fork-join parallelism inside one step.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstddef>
#include <functional>

namespace retrain {

// Runs task(0) … task(n_tasks - 1), each exactly once, on at most `threads` threads including the caller, and joins
// them all before it returns. Workers start with every signal blocked and must not touch PostgreSQL. The first
// exception (lowest task number) is rethrown on the caller after the join. When the system refuses a thread, the rest
// run on fewer: tasks must not depend on which thread runs them, so results stay the same.
void ParallelFor(size_t n_tasks, int threads, const std::function<void(size_t)>& task);

}  // namespace retrain
