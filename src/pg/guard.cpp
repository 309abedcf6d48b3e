// Turns what a guarded call threw into a PostgreSQL error.
#include "pg/guard.h"

#include "pg/pg.h"

extern "C" {
#include "mb/pg_wchar.h"
}

void guard_copy_text(char* to, size_t size, const char* text) noexcept {
  size_t length = strlen(text);
  if (length >= size) {
    length = size - 1;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  }
  memcpy(to, text, length);
  to[length] = '\0';
}

static int sqlstate_of(retrain::ErrorCode code) {
  switch (code) {
    case retrain::ErrorCode::kInvalidParameter:
      return ERRCODE_INVALID_PARAMETER_VALUE;
    case retrain::ErrorCode::kUndefinedObject:
      return ERRCODE_UNDEFINED_OBJECT;
    case retrain::ErrorCode::kDataCorrupted:
      return ERRCODE_DATA_CORRUPTED;
    case retrain::ErrorCode::kNotSupported:
      return ERRCODE_FEATURE_NOT_SUPPORTED;
    case retrain::ErrorCode::kOutOfMemory:
      return ERRCODE_OUT_OF_MEMORY;
    case retrain::ErrorCode::kLimitExceeded:
      return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case retrain::ErrorCode::kInternal:
      break;
  }
  return ERRCODE_INTERNAL_ERROR;
}

// The core speaks UTF-8, and quotes pieces of messages; a database of another encoding gets its own.
static const char* in_server_encoding(const char* utf8) {
  return pg_any_to_server(utf8, static_cast<int>(strlen(utf8)), PG_UTF8);
}

void report_guard_error(const GuardError& error) {
  switch (error.kind) {
    case GuardError::kCancelled:
      CHECK_FOR_INTERRUPTS();
      ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("canceling statement due to user request")));
      break;
    case GuardError::kNoMemory:
      ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
                      errdetail("The operating system refused memory to a model or a training."),
                      errhint("lower pg_retrain.training_memory or pg_retrain.cache_size, or free memory")));
      break;
    case GuardError::kCore:
      ereport(ERROR, (errcode(sqlstate_of(error.code)), errmsg("%s", in_server_encoding(error.message)),
                      error.detail[0] != '\0' ? errdetail("%s", in_server_encoding(error.detail)) : 0,
                      error.hint[0] != '\0' ? errhint("%s", in_server_encoding(error.hint)) : 0));
      break;
    default:
      break;
  }
  ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("unexpected failure in the learning library"),
                  errdetail("%s", error.message), errhint("Please report a bug.")));
  pg_unreachable();
}

static bool stop_requested() noexcept { return QueryCancelPending || ProcDiePending; }

retrain::Stop backend_stop() noexcept { return retrain::Stop{&stop_requested}; }
