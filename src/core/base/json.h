// Writes JSON text: enough for metrics and configuration that leave the core as one string.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <string>
#include <string_view>

namespace retrain {

// Calls nest: Object/Array open, Close closes; Key before each value of an object. Numbers that are not finite become null.
class JsonWriter {
 public:
  JsonWriter& Object() { return Open('{', '}'); }
  JsonWriter& Array() { return Open('[', ']'); }
  JsonWriter& Close();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view text);
  JsonWriter& Number(double value);  // shortest text that reads back as the same double
  JsonWriter& Integer(int64_t value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  JsonWriter& Raw(std::string_view json);  // a value that is JSON already

  std::string Take() { return std::move(text_); }

 private:
  JsonWriter& Open(char open, char close);
  void Separate();
  void Quote(std::string_view text);

  std::string text_;
  std::string closers_;
  bool first_ = true;
};

}  // namespace retrain
