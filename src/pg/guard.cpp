// Turns what a guarded call threw into a PostgreSQL error.
#include "pg/guard.h"

#include "pg/pg.h"

extern "C" {
#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
}

// Length of the well-formed UTF-8 character at p, or 0: RFC 3629, so no overlong form, surrogate or value above U+10FFFF.
static size_t character_length(const unsigned char* p, size_t left) noexcept {
  if (p[0] < 0x80) return 1;
  const size_t length = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
  if (p[0] < 0xC2 || p[0] > 0xF4 || left < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((p[i] & 0xC0) != 0x80) return 0;
  if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F)) return 0;
  if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) return 0;
  return length;
}

void guard_copy_text(char* to, size_t size, const char* text) noexcept {
  const auto* from = reinterpret_cast<const unsigned char*>(text);
  size_t left = strlen(text), written = 0;
  while (left > 0) {
    const size_t length = character_length(from, left), step = length > 0 ? length : 1;
    if (written + step >= size) break;
    if (length > 0)
      memcpy(to + written, from, length);
    else
      to[written] = '?';  // a message must not become an error of its own
    written += step;
    from += step;
    left -= step;
  }
  to[written] = '\0';
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

// The core speaks UTF-8, and quotes pieces of messages; a database of another encoding gets its own, with a question mark
// for each character that it cannot say.
static const char* in_server_encoding(const char* utf8) {
  const int server = GetDatabaseEncoding();
  if (server == PG_UTF8 || server == PG_SQL_ASCII) return utf8;
  const Oid conversion = FindDefaultConversionProc(PG_UTF8, server);
  if (!OidIsValid(conversion)) return "";
  StringInfoData text;
  initStringInfo(&text);
  for (const char* p = utf8; *p != '\0';) {
    const int length = pg_utf_mblen(reinterpret_cast<const unsigned char*>(p));
    unsigned char converted[MAX_CONVERSION_GROWTH * 4 + 1] = {};
    const int done = pg_do_encoding_conversion_buf(conversion, PG_UTF8, server,
                                                   reinterpret_cast<unsigned char*>(const_cast<char*>(p)), length,
                                                   converted, static_cast<int>(sizeof converted), true);
    appendStringInfoString(&text, done == length ? reinterpret_cast<const char*>(converted) : "?");
    p += length;
  }
  return text.data;
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
                  errdetail("%s", in_server_encoding(error.message)), errhint("Please report a bug.")));
  pg_unreachable();
}

static bool stop_requested() noexcept { return QueryCancelPending || ProcDiePending; }

retrain::Stop backend_stop() noexcept { return retrain::Stop{&stop_requested}; }
