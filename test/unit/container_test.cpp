// The outer form of stored models, and checksums.
#include "core/codec/container.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "core/base/error.h"
#include "core/codec/crc32c.h"
#include "core/codec/stored_text.h"

namespace retrain {
namespace {

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::vector<uint8_t> Sample() {
  ContainerWriter writer;
  writer.Add(1, {1, 2, 3});
  writer.Add(5, {});
  writer.Add(9, std::vector<uint8_t>(1000, 7));
  return writer.Finish(ModelKind::kIntent);
}

ErrorCode CodeOf(std::span<const uint8_t> bytes) {
  try {
    ContainerReader reader(bytes);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "accepted";
  return ErrorCode::kInternal;
}

TEST(Crc32c, MatchesThePublishedVectors) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(Crc32c(Bytes("123456789")), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::vector<uint8_t>(32, 0x00)), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::vector<uint8_t>(32, 0xFF)), 0x62A8AB43u);
  EXPECT_EQ(Crc32c({}), 0u);
}

TEST(StoredText, IsUtf8WithoutNul) {
  using namespace std::string_literals;
  for (const std::string good : {"", "a", "¿dónde está?", "\xEF\xBF\xBD", "\xF4\x8F\xBF\xBF", "0123456789abcdef", "💳"})
    for (const std::string before : {"", "1234567", "12345678"}) EXPECT_TRUE(IsText(before + good + "z")) << good;
  for (const std::string& bad : {"\0"s, "\x80"s, "\xC3"s, "\xC0\xAF"s, "\xED\xA0\x80"s, "\xF4\x90\x80\x80"s,
                                 "\xEF\xBF"s, "\xFF"s, "\xF0\x9F\x92"s})
    for (const std::string before : {"", "1234567", "12345678", "123456789"}) {
      EXPECT_FALSE(IsText(before + bad));
      EXPECT_FALSE(IsText(before + bad + "12345678"));
    }
}

TEST(StoredText, ConfigurationsAreJsonObjects) {
  EXPECT_EQ(CheckJsonObject(R"( {"a": [1, 2.5, -1e-7], "b": {"ñ": [null, true, "x\n"]}, "c": 9007199254740991} )"),
            R"({"a":[1,2.5,-1e-07],"b":{"ñ":[null,true,"x\u000a"]},"c":9007199254740991})");
  for (const char* bad : {"", "[]", "1", "{", "{},\"a\":1", "{\"a\":NaN}", "{\"a\":[Infinity]}", "{\"a\":1e999}",
                          "{\"a\":\"\\u0000\"}", "{\"\\u0000\":1}", "{\"a\":\"\xFF\"}"}) {
    try {
      ADD_FAILURE() << CheckJsonObject(bad);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDataCorrupted) << bad;
      EXPECT_FALSE(error.detail().empty() || error.hint().empty()) << bad;
    }
  }
}

TEST(Container, GivesBackWhatWasWritten) {
  const auto bytes = Sample();
  const ContainerReader reader(bytes);
  EXPECT_EQ(reader.kind(), ModelKind::kIntent);
  EXPECT_EQ(reader.Section(1).size(), 3u);
  EXPECT_EQ(reader.Section(1)[2], 3);
  EXPECT_TRUE(reader.Section(5).empty());
  EXPECT_EQ(reader.Section(9).size(), 1000u);
  EXPECT_THROW(reader.Section(2), Error);
}

TEST(Container, StatesItsChecksum) {
  auto bytes = Sample();
  const auto stated = StatedChecksum(bytes);
  ASSERT_TRUE(stated.has_value());
  EXPECT_EQ(*stated, Crc32c(std::span<const uint8_t>(bytes).subspan(28)));
  bytes.back() ^= 1;  // unchecked: another content states the same until a reader compares
  EXPECT_EQ(StatedChecksum(bytes), stated);
  EXPECT_FALSE(StatedChecksum(std::span<const uint8_t>(bytes).first(31)).has_value());
}

TEST(Container, EveryTruncationIsFound) {
  const auto bytes = Sample();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(CodeOf(std::span(bytes).first(size)), ErrorCode::kDataCorrupted) << size;
}

TEST(Container, EveryFlippedBitIsFound) {
  auto bytes = Sample();
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= static_cast<uint8_t>(1 << bit);
      EXPECT_THROW(ContainerReader reader(bytes), Error) << "byte " << i << " bit " << bit;
      bytes[i] ^= static_cast<uint8_t>(1 << bit);
    }
  }
}

TEST(Container, ANewerFormatAsksForAnUpgrade) {
  auto bytes = Sample();
  bytes[8] = 2;
  EXPECT_EQ(CodeOf(bytes), ErrorCode::kNotSupported);
}

TEST(Container, SectionsOutsideAreFoundEvenUnderARightChecksum) {
  auto bytes = Sample();
  for (const size_t field : {size_t{40}, size_t{48}}) {  // offset and size of the first section
    auto hostile = bytes;
    const uint64_t huge = ~uint64_t{0} - 63;
    std::memcpy(hostile.data() + field, &huge, sizeof huge);
    const uint32_t crc = Crc32c(std::span<const uint8_t>(hostile).subspan(28));
    std::memcpy(hostile.data() + 24, &crc, sizeof crc);
    EXPECT_EQ(CodeOf(hostile), ErrorCode::kDataCorrupted) << field;
  }
}

}  // namespace
}  // namespace retrain
