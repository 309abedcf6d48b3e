// Fork-join parallelism on std::thread (see parallel.h).
#include "core/base/parallel.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace retrain {
namespace {

// Blocks every signal on the calling thread while it lives: threads started meanwhile inherit the full mask, so the
// server's handlers never run on a worker.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t previous_;
};

// The tasks of one ParallelFor, taken in ascending order by whoever is free.
class TaskQueue {
 public:
  TaskQueue(size_t n_tasks, const std::function<void(size_t)>& task) : n_tasks_(n_tasks), task_(task) {}

  // Runs tasks until none is left or one has failed.
  //
  // Tasks are taken in order, so all tasks below a failed one have been taken and run to their end: which exception
  // has the lowest number does not depend on timing.
  void Work() noexcept {
    while (!failed_.load(std::memory_order_relaxed)) {
      const size_t i = next_.fetch_add(1, std::memory_order_relaxed);
      if (i >= n_tasks_) return;
      try {
        task_(i);
      } catch (...) {
        Fail(i, std::current_exception());
      }
    }
  }

  // Rethrows the exception of the lowest task number. Only after every worker has been joined.
  void Rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void Fail(size_t i, std::exception_ptr error) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    failed_.store(true, std::memory_order_relaxed);
    if (i < error_task_) {
      error_task_ = i;
      error_ = std::move(error);
    }
  }

  const size_t n_tasks_;
  const std::function<void(size_t)>& task_;
  std::atomic<size_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  size_t error_task_ = std::numeric_limits<size_t>::max();
  std::exception_ptr error_;
};

}  // namespace

void ParallelFor(size_t n_tasks, int threads, const std::function<void(size_t)>& task) {
  const size_t wanted = std::min(n_tasks, static_cast<size_t>(std::max(threads, 1)));
  if (wanted <= 1) {
    for (size_t i = 0; i < n_tasks; ++i) task(i);
    return;
  }
  TaskQueue queue(n_tasks, task);
  std::vector<std::thread> workers;
  workers.reserve(wanted - 1);
  {
    const AllSignalsBlocked blocked;
    try {
      while (workers.size() < wanted - 1) workers.emplace_back([&queue] { queue.Work(); });
    } catch (const std::system_error&) {  // no more threads to be had: the ones we have do all the work
    } catch (const std::bad_alloc&) {
    }
  }
  queue.Work();
  for (std::thread& worker : workers) worker.join();
  queue.Rethrow();
}

}  // namespace retrain
