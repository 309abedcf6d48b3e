// Checks texts inside stored models.
#include "core/codec/stored_text.h"

#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/json_value.h"
#include "core/text/utf8.h"

namespace retrain {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

[[noreturn]] void Corrupted(const char* detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored model is corrupt", detail,
              "restore the version from a backup, or drop it and train again");
}

void Write(const JsonValue& value, JsonWriter& json) {
  using Type = JsonValue::Type;
  const auto number = [&json](double x) {
    if (!std::isfinite(x)) Corrupted("a number of the configuration is none");
    json.Number(x);
  };
  switch (value.type) {
    case Type::kNull:
      json.Null();
      break;
    case Type::kBool:
      json.Bool(value.boolean);
      break;
    case Type::kNumber:
      number(value.number);
      break;
    case Type::kString:
      json.String(CheckText(value.string));
      break;
    case Type::kArray:
      json.Array();
      for (const JsonValue& item : value.items) Write(item, json);
      json.Close();
      break;
    case Type::kNumbers:
      json.Array();
      for (const double x : value.numbers) number(x);
      json.Close();
      break;
    case Type::kObject:
      json.Object();
      for (const auto& [key, member] : value.members) {
        json.Key(CheckText(key));
        Write(member, json);
      }
      json.Close();
      break;
  }
}

}  // namespace

bool IsText(std::string_view bytes) noexcept {
  for (const char *p = bytes.data(), *end = p + bytes.size(); p < end;) {
    if (end - p >= 8) {
      uint64_t eight;
      std::memcpy(&eight, p, sizeof eight);
      // No byte with its highest bit, and none that is 0: the latter would borrow from it.
      if (((eight | (eight - 0x0101010101010101)) & 0x8080808080808080) == 0) {
        p += 8;
        continue;
      }
    }
    char32_t c = 0;
    const char lead = *p;
    p += DecodeUtf8(p, end, &c);
    // U+FFFD itself begins with EF, and no ill-formed sequence of three bytes does.
    if (c == 0 || (c == kReplacementCharacter && !(lead == '\xEF' && p[-1] == '\xBD' && p[-2] == '\xBF'))) return false;
  }
  return true;
}

std::string_view CheckText(std::string_view bytes) {
  if (!IsText(bytes)) Corrupted("a text is no valid UTF-8");
  return bytes;
}

std::string CheckJsonObject(std::string_view bytes) {
  if (bytes.size() > kMaxConfigBytes) Corrupted("the configuration is too long");
  JsonValue value;
  try {
    value = ParseJson(bytes);
  } catch (const Error&) {
    Corrupted("the configuration is no JSON");
  }
  if (value.type != JsonValue::Type::kObject) Corrupted("the configuration is no JSON object");
  JsonWriter json;
  Write(value, json);
  return json.Take();
}

}  // namespace retrain
