// Resumable work as a C++20 coroutine: `co_await Pause{}` ends a step, the next Resume() goes on behind it.
//
// Training must give the server a chance to handle interrupts every few milliseconds with no C++ frame on the stack. A
// coroutine keeps its state on the heap, so an algorithm reads straight from top to bottom and can still be left anywhere.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <coroutine>
#include <exception>
#include <utility>

namespace retrain {

using Pause = std::suspend_always;

class Resumable {
 public:
  struct promise_type {
    std::exception_ptr error;
    Resumable get_return_object() { return Resumable(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { error = std::current_exception(); }
  };

  Resumable() = default;
  explicit Resumable(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Resumable(Resumable&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Resumable& operator=(Resumable&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Resumable() {
    if (handle_) handle_.destroy();
  }

  // Runs to the next pause or to the end; true at the end. Rethrows what the work threw.
  bool Resume() {
    if (!handle_.done()) handle_.resume();
    if (handle_.done() && handle_.promise().error) std::rethrow_exception(handle_.promise().error);
    return handle_.done();
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace retrain
