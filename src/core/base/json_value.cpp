// Reads JSON text and UBJSON bytes.
#include "core/base/json_value.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

#include "core/base/error.h"

namespace retrain {
namespace {

using Type = JsonValue::Type;
constexpr int kMaxNesting = 64;

[[noreturn]] void Malformed(const char* what, size_t at) {
  throw Error(ErrorCode::kInvalidParameter, std::string("malformed ") + what,
              "it makes no sense at byte " + std::to_string(at), "pass the file as the program wrote it");
}

// A vector that grows by itself has up to twice the room that it fills.
template <class T>
constexpr uint64_t kGrown = 2 * sizeof(T);

// Appends an element: numbers stay packed until something else comes.
void Append(JsonValue& array, JsonValue&& element, ReadBudget& budget) {
  if (array.type == Type::kNumbers && element.type == Type::kNumber) {
    budget.Take(kGrown<double>);
    array.numbers.push_back(element.number);
    return;
  }
  if (array.type == Type::kNumbers) {
    budget.Take(kGrown<JsonValue> * array.numbers.size());
    array.type = Type::kArray;
    for (const double number : array.numbers) {
      array.items.emplace_back();
      array.items.back().type = Type::kNumber;
      array.items.back().number = number;
    }
    array.numbers = {};
  }
  budget.Take(kGrown<JsonValue>);
  array.items.push_back(std::move(element));
}

class TextParser {
 public:
  TextParser(std::string_view text, ReadBudget& budget) : text_(text), budget_(budget) {}

  JsonValue Parse() {
    JsonValue value = Value(0);
    Blank();
    if (at_ != text_.size()) Fail();
    return value;
  }

 private:
  [[noreturn]] void Fail() const { Malformed("JSON", at_); }
  void Blank() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  char Peek() {
    Blank();
    if (at_ >= text_.size()) Fail();
    return text_[at_];
  }
  bool Take(char ch) {
    if (Peek() != ch) return false;
    ++at_;
    return true;
  }
  void Expect(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) Fail();
    at_ += word.size();
  }

  JsonValue Value(int depth) {
    if (depth > kMaxNesting) Fail();
    JsonValue value;
    switch (Peek()) {
      case '{':
        return Object(depth);
      case '[':
        return Array(depth);
      case '"':
        value.type = Type::kString;
        value.string = String();
        return value;
      case 't':
        Expect("true");
        value.type = Type::kBool;
        value.boolean = true;
        return value;
      case 'f':
        Expect("false");
        value.type = Type::kBool;
        return value;
      case 'n':
        Expect("null");
        return value;
      case 'N':
        Expect("NaN");
        value.type = Type::kNumber;
        value.number = std::numeric_limits<double>::quiet_NaN();
        return value;
      default:
        value.type = Type::kNumber;
        value.number = Number();
        return value;
    }
  }

  double Number() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (text_[at_] == 'I') return Expect("Infinity"), kInfinity;
    if (text_.substr(at_, 2) == "-I") return Expect("-Infinity"), -kInfinity;
    if (text_[at_] != '-' && !(text_[at_] >= '0' && text_[at_] <= '9')) Fail();
    double number = 0;
    const auto result = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (result.ec == std::errc::result_out_of_range)
      number = text_[at_] == '-' ? -kInfinity : kInfinity;
    else if (result.ec != std::errc())
      Fail();
    at_ = static_cast<size_t>(result.ptr - text_.data());
    return number;
  }

  JsonValue Array(int depth) {
    JsonValue array;
    array.type = Type::kNumbers;
    ++at_;
    if (Take(']')) return array;
    do {
      Append(array, Value(depth + 1), budget_);
    } while (Take(','));
    if (!Take(']')) Fail();
    return array;
  }

  JsonValue Object(int depth) {
    JsonValue object;
    object.type = Type::kObject;
    ++at_;
    if (Take('}')) return object;
    do {
      if (Peek() != '"') Fail();
      std::string key = String();
      if (!Take(':')) Fail();
      budget_.Take(kGrown<JsonMember>);
      object.members.push_back({std::move(key), Value(depth + 1)});
    } while (Take(','));
    if (!Take('}')) Fail();
    return object;
  }

  uint32_t Hex4() {
    if (text_.size() - at_ < 4) Fail();
    uint32_t code = 0;
    const auto result = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
    if (result.ec != std::errc() || result.ptr != text_.data() + at_ + 4) Fail();
    at_ += 4;
    return code;
  }

  void Escape(std::string& out) {
    const char ch = text_[at_++];
    static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (const size_t i = kFrom.find(ch); i != std::string_view::npos) {
      out += kTo[i];
      return;
    }
    if (ch != 'u') Fail();
    uint32_t code = Hex4();
    if (code >= 0xD800 && code < 0xDC00) {
      Expect("\\u");
      const uint32_t low = Hex4();
      if (low < 0xDC00 || low > 0xDFFF) Fail();
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      Fail();
    }
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xC0 | (code >> 6));
      out += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      out += static_cast<char>(0xE0 | (code >> 12));
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      out += static_cast<char>(0xF0 | (code >> 18));
      out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (code & 0x3F));
    }
  }

  std::string String() {
    std::string out;
    for (++at_;;) {
      if (at_ >= text_.size()) Fail();
      const char ch = text_[at_];
      if (ch == '"') break;
      if (static_cast<unsigned char>(ch) < 0x20) Fail();
      ++at_;
      budget_.Take(kGrown<char>);
      if (ch != '\\') {
        out += ch;
        continue;
      }
      if (at_ >= text_.size()) Fail();
      Escape(out);
    }
    ++at_;
    return out;
  }

  std::string_view text_;
  ReadBudget& budget_;
  size_t at_ = 0;
};

// UBJSON: every value starts with a letter that says its type; numbers are big-endian.
class BinaryParser {
 public:
  BinaryParser(std::span<const uint8_t> bytes, ReadBudget& budget) : bytes_(bytes), budget_(budget) {}

  JsonValue Parse() {
    JsonValue value = Value(TakeByte(), 0);
    if (at_ != bytes_.size()) Fail();
    return value;
  }

 private:
  [[noreturn]] void Fail() const { Malformed("UBJSON", at_); }
  char TakeByte() {
    if (at_ >= bytes_.size()) Fail();
    return static_cast<char>(bytes_[at_++]);
  }
  char PeekByte() const {
    if (at_ >= bytes_.size()) Fail();
    return static_cast<char>(bytes_[at_]);
  }

  template <class T>
  T BigEndian() {
    if (bytes_.size() - at_ < sizeof(T)) Fail();
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(T); ++i) bits = bits << 8 | bytes_[at_ + i];
    at_ += sizeof(T);
    if constexpr (sizeof(T) == 4 && std::is_floating_point_v<T>)
      return std::bit_cast<T>(static_cast<uint32_t>(bits));
    else if constexpr (std::is_floating_point_v<T>)
      return std::bit_cast<T>(bits);
    else
      return static_cast<T>(bits);
  }

  static size_t WidthOf(char type) {
    switch (type) {
      case 'i':
      case 'U':
        return 1;
      case 'I':
        return 2;
      case 'l':
      case 'd':
        return 4;
      case 'L':
      case 'D':
        return 8;
      default:
        return 0;
    }
  }

  double Number(char type) {
    switch (type) {
      case 'i':
        return BigEndian<int8_t>();
      case 'U':
        return BigEndian<uint8_t>();
      case 'I':
        return BigEndian<int16_t>();
      case 'l':
        return BigEndian<int32_t>();
      case 'L':
        return static_cast<double>(BigEndian<int64_t>());
      case 'd':
        return static_cast<double>(BigEndian<float>());
      case 'D':
        return BigEndian<double>();
      default:
        Fail();
    }
  }

  size_t Length() {
    const char type = TakeByte();
    if (type == 'd' || type == 'D') Fail();
    const double length = Number(type);
    // Every element takes a byte at least; strings take one for each character.
    if (!(length >= 0) || length > static_cast<double>(bytes_.size() - at_)) Fail();
    return static_cast<size_t>(length);
  }

  std::string String() {
    const size_t length = Length();
    budget_.Take(length);
    std::string text(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
    at_ += length;
    return text;
  }

  JsonValue Value(char type, int depth) {
    if (depth > kMaxNesting) Fail();
    JsonValue value;
    switch (type) {
      case 'Z':
        break;
      case 'T':
      case 'F':
        value.type = Type::kBool;
        value.boolean = type == 'T';
        break;
      case 'S':
        value.type = Type::kString;
        value.string = String();
        break;
      case 'C':
        value.type = Type::kString;
        value.string = TakeByte();
        break;
      case '[':
        return Array(depth);
      case '{':
        return Object(depth);
      default:
        value.type = Type::kNumber;
        value.number = Number(type);
    }
    return value;
  }

  JsonValue Array(int depth) {
    JsonValue array;
    array.type = Type::kNumbers;
    char element = 0;
    if (PeekByte() == '$') {
      ++at_;
      element = TakeByte();
      if (PeekByte() != '#') Fail();
    }
    if (PeekByte() == '#') {
      ++at_;
      const size_t n = Length();
      const size_t width = WidthOf(element);
      if (element != 0 && (width == 0 || n > (bytes_.size() - at_) / width)) Fail();
      if (element != 0) {
        budget_.Take(n * sizeof(double));
        array.numbers.reserve(n);
      }
      for (size_t i = 0; i < n; ++i) {
        budget_.Step();
        if (element != 0)
          array.numbers.push_back(Number(element));
        else
          Append(array, Value(TakeByte(), depth + 1), budget_);
      }
      return array;
    }
    for (char type; (type = TakeByte()) != ']';)
      if (type != 'N') Append(array, Value(type, depth + 1), budget_);
    return array;
  }

  JsonValue Object(int depth) {
    JsonValue object;
    object.type = Type::kObject;
    if (PeekByte() == '$') Fail();
    const bool counted = PeekByte() == '#';
    size_t n = 0;
    if (counted) {
      ++at_;
      n = Length();
    }
    for (size_t i = 0; counted ? i < n : PeekByte() != '}'; ++i) {
      std::string key = String();
      const char type = TakeByte();
      budget_.Take(kGrown<JsonMember>);
      object.members.push_back({std::move(key), Value(type, depth + 1)});
    }
    if (!counted) ++at_;
    return object;
  }

  std::span<const uint8_t> bytes_;
  ReadBudget& budget_;
  size_t at_ = 0;
};

}  // namespace

JsonValue::JsonValue() = default;
JsonValue::JsonValue(JsonValue&&) noexcept = default;
JsonValue::JsonValue(const JsonValue&) = default;
JsonValue& JsonValue::operator=(JsonValue&&) noexcept = default;
JsonValue::~JsonValue() = default;

const JsonValue* JsonValue::Find(std::string_view key) const noexcept {
  for (const auto& [name, value] : members)
    if (name == key) return &value;
  return nullptr;
}

JsonValue ParseJson(std::string_view text, ReadBudget& budget) { return TextParser(text, budget).Parse(); }
JsonValue ParseJson(std::string_view text) {
  ReadBudget unbounded;
  return ParseJson(text, unbounded);
}
JsonValue ParseUbjson(std::span<const uint8_t> bytes, ReadBudget& budget) {
  return BinaryParser(bytes, budget).Parse();
}

}  // namespace retrain
