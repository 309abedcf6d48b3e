// The wall between C++ and PostgreSQL.
//
// Every SQL function has three phases: read (PostgreSQL only, plain data on the stack), one Guard() around calls into the
// core (no PostgreSQL inside), build the result or report. An exception never leaves Guard(), and ereport() never runs
// while a C++ object or a catch block is alive: either mistake leaks at best and takes the whole cluster down at worst.
//
// The name of a function says its regime: snake_case may ereport, CamelCase may throw, none does both.
#pragma once

#include <cstring>
#include <exception>
#include <new>

#include "core/base/error.h"
#include "core/base/stop.h"

// What a guarded call failed with: plain data, so that it survives the unwinding and can be read by ereport.
struct GuardError {
  enum Kind { kNone, kCore, kNoMemory, kCancelled, kUnexpected };
  Kind kind;
  retrain::ErrorCode code;
  char message[1024];
  char detail[1024];
  char hint[512];
};

// Copies text that may be longer than its place, cut at a character's edge.
void guard_copy_text(char* to, size_t size, const char* text) noexcept;

// Runs f(), which may throw anything and must not call PostgreSQL. True when it returned; else `error` says why.
template <class F>
bool Guard(GuardError& error, F&& f) noexcept {
  error.kind = GuardError::kNone;
  error.detail[0] = error.hint[0] = '\0';
  try {
    f();
    return true;
  } catch (const retrain::Cancelled&) {
    error.kind = GuardError::kCancelled;
  } catch (const retrain::Error& e) {
    error.kind = GuardError::kCore;
    error.code = e.code();
    guard_copy_text(error.message, sizeof error.message, e.message().c_str());
    guard_copy_text(error.detail, sizeof error.detail, e.detail().c_str());
    guard_copy_text(error.hint, sizeof error.hint, e.hint().c_str());
  } catch (const std::bad_alloc&) {
    error.kind = GuardError::kNoMemory;
  } catch (const std::exception& e) {
    error.kind = GuardError::kUnexpected;
    guard_copy_text(error.message, sizeof error.message, e.what());
  } catch (...) {
    error.kind = GuardError::kUnexpected;
    guard_copy_text(error.message, sizeof error.message, "an exception of unknown type");
  }
  return false;
}

// Raises the error with its SQLSTATE, detail and hint. Only with no C++ object alive.
[[noreturn]] void report_guard_error(const GuardError& error);

// Guard() and, when it fails, report: for callers that have nothing to clean up.
template <class F>
void guarded(F&& f) {
  GuardError error;
  if (!Guard(error, f)) report_guard_error(error);
}

// True once the query must end: cancel, statement_timeout, termination, shutdown. Safe in worker threads.
retrain::Stop backend_stop() noexcept;
