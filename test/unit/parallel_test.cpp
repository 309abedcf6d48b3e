// ParallelFor: every task once, the lowest exception, no signal on a worker.
#include "core/base/parallel.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace retrain {
namespace {

TEST(ParallelFor, RunsEveryTaskOnce) {
  for (const int threads : {-1, 0, 1, 2, 3, 8}) {
    for (const size_t n : {size_t{0}, size_t{1}, size_t{2}, size_t{7}, size_t{1000}}) {
      std::vector<int> runs(n, 0);
      ParallelFor(n, threads, [&](size_t i) { ++runs[i]; });
      EXPECT_EQ(runs, std::vector<int>(n, 1)) << n << " tasks on " << threads << " threads";
    }
  }
}

TEST(ParallelFor, UsesTheCallerAndAtMostTheThreadsItMay) {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  std::atomic<int> inside{0};
  ParallelFor(3, 3, [&](size_t) {
    ++inside;
    while (inside.load() < 3) std::this_thread::yield();  // ends only when three threads are in tasks at once
    const std::lock_guard<std::mutex> lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen.count(std::this_thread::get_id()), 1u);
}

TEST(ParallelFor, ThrowsTheExceptionOfTheLowestTask) {
  for (int round = 0; round < 200; ++round) {
    for (const int threads : {1, 2, 4}) {
      std::string caught;
      try {
        ParallelFor(50, threads, [](size_t i) {
          if (i % 7 == 3) throw std::runtime_error("task " + std::to_string(i));
        });
      } catch (const std::runtime_error& error) {
        caught = error.what();
      }
      EXPECT_EQ(caught, "task 3");
    }
  }
}

TEST(ParallelFor, JoinsBeforeItThrows) {
  std::atomic<int> running{0};
  EXPECT_THROW(ParallelFor(8, 4,
                           [&](size_t i) {
                             ++running;
                             std::this_thread::yield();
                             --running;
                             if (i == 0) throw std::runtime_error("no");
                           }),
               std::runtime_error);
  EXPECT_EQ(running.load(), 0);
}

TEST(ParallelFor, WorkersBlockEverySignalAndTheCallerKeepsItsMask) {
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> open_signals{0}, inside{0};
  ParallelFor(2, 2, [&](size_t) {
    ++inside;
    while (inside.load() < 2) std::this_thread::yield();
    if (std::this_thread::get_id() == caller) return;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGHUP, SIGQUIT, SIGCHLD}) {
      if (sigismember(&mask, signal) != 1) ++open_signals;
    }
  });
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(open_signals.load(), 0);
  for (int signal = 1; signal < 32; ++signal) EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal));
}

}  // namespace
}  // namespace retrain
