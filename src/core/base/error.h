// Errors of the learning library.
//
// The core throws; the PostgreSQL glue turns a thrown error into SQLSTATE, message, detail and hint after every C++
// object has been destroyed (src/pg/guard.h). Messages are one lower-case sentence without a full stop; the detail
// carries the values, the hint the next step.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <exception>
#include <string>
#include <utility>

namespace retrain {

enum class ErrorCode {
  kInvalidParameter,  // 22023
  kUndefinedObject,   // 42704
  kDataCorrupted,     // XX001
  kNotSupported,      // 0A000
  kOutOfMemory,       // 53200
  kLimitExceeded,     // 54000
  kInternal,          // XX000
};

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, std::string detail = {}, std::string hint = {})
      : code_(code), message_(std::move(message)), detail_(std::move(detail)), hint_(std::move(hint)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  ErrorCode code_;
  std::string message_;
  std::string detail_;
  std::string hint_;
};

// Thrown by Stop::Poll() when the caller asked the work to end. Carries nothing: the caller knows why it asked.
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace retrain
