// Reading JSON text and UBJSON bytes.
#include "core/base/json_value.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace retrain {
namespace {

using Type = JsonValue::Type;

TEST(Json, ReadsEveryKindOfValue) {
  const JsonValue v =
      ParseJson(R"( {"a": [1, -2.5e1, 0], "b": {"c": true, "d": null}, "e": "x\u00f3\n\ud83d\ude00", "f": [1, "z"]} )");
  ASSERT_EQ(v.type, Type::kObject);
  EXPECT_EQ(v.Find("a")->numbers, (std::vector<double>{1, -25, 0}));
  EXPECT_TRUE(v.Find("b")->Find("c")->boolean);
  EXPECT_EQ(v.Find("b")->Find("d")->type, Type::kNull);
  EXPECT_EQ(v.Find("e")->string, "x\xC3\xB3\n\xF0\x9F\x98\x80");
  ASSERT_EQ(v.Find("f")->type, Type::kArray);
  EXPECT_EQ(v.Find("f")->items[0].number, 1);
  EXPECT_EQ(v.Find("f")->items[1].string, "z");
  EXPECT_EQ(v.Find("g"), nullptr);
}

TEST(Json, RefusesWhatIsNone) {
  for (const char* text : {"", "{", "[1,", "[1 2]", "{\"a\" 1}", "{1: 2}", "nul", "\"\\x\"", "\"\\ud800\"", "\"a\nb\"",
                           "01x", "+1", "[1]]", "{\"a\":1,}", "\"abc"})
    EXPECT_THROW(ParseJson(text), Error) << text;
  EXPECT_THROW(ParseJson(std::string(1000, '[')), Error);
}

std::vector<uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

JsonValue ParseUbjson(std::span<const uint8_t> bytes) {
  ReadBudget unbounded;
  return retrain::ParseUbjson(bytes, unbounded);
}

TEST(Ubjson, ReadsNumbersAndTypedArrays) {
  using namespace std::string_view_literals;
  const JsonValue v =
      ParseUbjson(Bytes("{i\x01"
                        "a[$l#i\x02\x00\x00\x00\x05\xff\xff\xff\xffi\x01"
                        "bSi\x03xyzi\x01"
                        "cd\x3f\x80\x00\x00i\x01"
                        "d[TFZ]i\x01"
                        "e[#U\x01I\x01\x00}"sv));
  EXPECT_EQ(v.Find("a")->numbers, (std::vector<double>{5, -1}));
  EXPECT_EQ(v.Find("b")->string, "xyz");
  EXPECT_EQ(v.Find("c")->number, 1);
  EXPECT_EQ(v.Find("d")->items.size(), 3u);
  EXPECT_EQ(v.Find("e")->numbers, (std::vector<double>{256}));
}

TEST(Ubjson, RefusesLengthsBeyondTheBytes) {
  using namespace std::string_view_literals;
  for (const std::string_view bytes : {"{"sv, "[$d#l\x7f\xff\xff\xff"sv, "[#L\x7f\xff\xff\xff\xff\xff\xff\xff"sv,
                                       "Si\x05"
                                       "ab"sv,
                                       "[$S#i\x01"sv, "{i\xff"sv, "q"sv, "i\x01i\x01"sv, "[#d\x7f\x80\x00\x00"sv})
    EXPECT_THROW(ParseUbjson(Bytes(bytes)), Error);
  EXPECT_THROW(ParseUbjson(Bytes(std::string(1000, '['))), Error);
}

// What three bytes of a file become takes a hundred and more.
TEST(ReadBudget, BoundsWhatValuesTake) {
  std::string lists = "[[]", packed = "[0", mixed = "[0", objects = "{\"a\":0";
  for (int i = 0; i < 10000; ++i) {
    lists += ",[]";
    packed += ",1";
    mixed += ",1";
    objects += ",\"a\":0";
  }
  const auto taken = [](const auto& parse) {
    ReadBudget budget(Stop{}, 1 << 20);
    try {
      parse(budget);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
      EXPECT_EQ(error.detail(), "more than pg_retrain.training_memory, which is 1024 kB");
      return false;
    }
    return true;
  };
  const auto text = [&](const std::string& json) {
    return taken([&](ReadBudget& budget) { ParseJson(json, budget); });
  };
  EXPECT_TRUE(text(packed + "]"));
  EXPECT_FALSE(text(lists + "]"));
  EXPECT_FALSE(text(mixed + ",true]"));
  EXPECT_FALSE(text(objects + "}"));
  EXPECT_FALSE(text("\"" + std::string(1 << 20, 'a') + "\""));
  const auto bytes = [&](const std::string& ubjson) {
    return taken([&](ReadBudget& budget) { retrain::ParseUbjson(Bytes(ubjson), budget); });
  };
  EXPECT_TRUE(bytes("[" + std::string(10000, 'Z').replace(0, 9999, 9999, 'N') + "]"));
  EXPECT_FALSE(bytes("[" + std::string(10000, 'Z') + "]"));
  EXPECT_TRUE(bytes(std::string("[$U#l\x00\x01\x00\x00", 9) + std::string(1 << 16, '\x01')));
  EXPECT_FALSE(bytes(std::string("[$U#l\x00\x04\x00\x00", 9) + std::string(1 << 18, '\x01')));
}

TEST(ReadBudget, EndsOnRequest) {
  std::string text = "[0";
  for (int i = 0; i < 10000; ++i) text += ",1";
  ReadBudget budget(Stop{[]() noexcept { return true; }}, 1 << 30);
  EXPECT_THROW(ParseJson(text + "]", budget), Cancelled);
}

}  // namespace
}  // namespace retrain
