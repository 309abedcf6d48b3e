// Normal forms and identities of texts, Spanish first, then every character of Unicode and hostile input.
#include "core/text/normalise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/text/utf8.h"

namespace retrain {
namespace {

std::string Normal(std::string_view text, AccentFolding folding = AccentFolding::kNone) {
  std::string out;
  NormaliseCase(text, folding, Stop(), out);
  return out;
}

std::string Identity(std::string_view text) { return IdentityText(text, Stop()); }

bool IsWellFormed(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    char32_t c = 0;
    const size_t n = DecodeUtf8(p, end, &c);
    if (c == kReplacementCharacter && n != 3) return false;
    p += n;
  }
  return true;
}

std::string Repeat(std::string_view piece, size_t times) {
  std::string out;
  out.reserve(piece.size() * times);
  for (size_t i = 0; i < times; ++i) out += piece;
  return out;
}

bool AlwaysStop() noexcept { return true; }

TEST(NormaliseCase, LowersEveryLengthOfAscii) {
  for (size_t size = 0; size < 40; ++size) {
    std::string text, expected;
    for (size_t i = 0; i < size; ++i) {
      const char c = static_cast<char>((i * 37 + size) % 128);
      text += c;
      expected += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    EXPECT_EQ(Normal(text), expected);
  }
}

TEST(NormaliseCase, SpanishKeepsOrFoldsAccents) {
  const std::string text = "¿Dónde ESTÁ mi PEDIDO, señor Güemes? ¡AÑO Índice Único!";
  EXPECT_EQ(Normal(text), "¿dónde está mi pedido, señor güemes? ¡año índice único!");
  EXPECT_EQ(Normal(text, AccentFolding::kSpanish), "¿donde esta mi pedido, senor guemes? ¡ano indice unico!");
  EXPECT_EQ(Normal(text, AccentFolding::kUnicode), "¿donde esta mi pedido, senor guemes? ¡ano indice unico!");
}

TEST(NormaliseCase, SpanishFoldingTouchesNothingElse) {
  EXPECT_EQ(Normal("àèò çãõ âêî äëï", AccentFolding::kSpanish), "àèò çãõ âêî äëï");
  EXPECT_EQ(Normal("àèò çãõ âêî äëï", AccentFolding::kUnicode), "aeo cao aei aei");
}

TEST(NormaliseCase, DecomposedIsComposed) {
  EXPECT_EQ(Normal("n\u0303"), "ñ");
  EXPECT_EQ(Normal("N\u0303"), "ñ");
  EXPECT_EQ(Normal("ma\u00F1ana"), Normal("man\u0303ana"));
  EXPECT_EQ(Normal("cafe\u0301 con leche"), "café con leche");
  EXPECT_EQ(Normal("e\u0301", AccentFolding::kSpanish), "e");
  EXPECT_EQ(Normal("e\u0301", AccentFolding::kUnicode), "e");
  EXPECT_EQ(Normal("n\u200D\u0303"), "ñ") << "an invisible character between letter and mark";
  EXPECT_EQ(Normal("n\u00AD\u0303"), "ñ") << "a soft hyphen between letter and mark";
  EXPECT_EQ(Normal("\u1112\u1161\u11AB"), "한") << "Hangul";
  EXPECT_EQ(Normal("a\u0323\u0302"), Normal("a\u0302\u0323")) << "canonical order";
}

TEST(NormaliseCase, RemovesTheInvisible) {
  EXPECT_EQ(Normal("\uFEFFho\u200Bla\u00AD"), "hola");
  EXPECT_EQ(Normal("👩\u200D👩\u200D👧 ok\uFE0F"), "👩👩👧 ok");
}

TEST(ComposeText, ComposesAndKeepsTheRest) {
  const auto composed = [](std::string_view text) {
    std::string out;
    ComposeText(text, Stop(), out);
    return out;
  };
  EXPECT_EQ(composed("¿SI\u0301,  Se\u00ADn\u0303or?\r\nA\u0301rbol\u200B"), "¿SÍ,  Señor?\r\nÁrbol");
  EXPECT_EQ(composed("\uFB01 \u00BD \u00DF"), "\uFB01 \u00BD \u00DF") << "compatibility forms stay";
}

TEST(NormaliseCase, KeepsWhiteSpace) { EXPECT_EQ(Normal(" a \t\n\u00A0b  "), " a \t\n\u00A0b  "); }

TEST(NormaliseCase, OtherScripts) {
  EXPECT_EQ(Normal("ПРИВЕТ"), "привет");
  EXPECT_EQ(Normal("ΟΔΟΣ"), Normal("οδος"));
  EXPECT_EQ(Normal("İstanbul", AccentFolding::kUnicode), "istanbul");
  EXPECT_EQ(Normal("مرحبا"), "مرحبا");
  EXPECT_EQ(Normal("STRASSE ẞ"), "strasse ß");
}

TEST(NormaliseCase, InvalidBytesBecomeReplacementCharacters) {
  EXPECT_EQ(Normal("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(Normal("a\xC3"), "a\uFFFD");
  EXPECT_EQ(Normal("\xE2\x82"), "\uFFFD") << "one per maximal subpart";
  EXPECT_EQ(Normal("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "a surrogate";
  EXPECT_EQ(Normal("\xC0\xAF"), "\uFFFD\uFFFD") << "an overlong slash";
  EXPECT_EQ(Normal("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD") << "above the last code point";
}

TEST(NormaliseCase, Appends) {
  std::string out = "x";
  NormaliseCase("\u0301Á", AccentFolding::kNone, Stop(), out);
  EXPECT_EQ(out, "x\u0301á") << "what was there takes no part";
}

TEST(NormaliseCase, EveryCharacterIsStableAndTheSameInContext) {
  for (const AccentFolding folding : {AccentFolding::kNone, AccentFolding::kSpanish, AccentFolding::kUnicode}) {
    for (char32_t c = 1; c < 0x110000; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      std::string text;
      AppendUtf8(c, text);
      const std::string once = Normal(text, folding);
      ASSERT_EQ(Normal(once, folding), once) << "U+" << std::hex << static_cast<uint32_t>(c);
      ASSERT_LE(once.size(), 3 * text.size()) << "the bound on offsets, U+" << std::hex << static_cast<uint32_t>(c);
      // A mark behind a letter takes the long way, so the short way is compared with it here.
      if (c >= 0x80 && c < 0x180) {
        ASSERT_EQ(Normal(text + "\u0489", folding), once + "\u0489") << "U+" << std::hex << static_cast<uint32_t>(c);
      }
    }
  }
}

TEST(IdentityText, OneTextHoweverTyped) {
  EXPECT_EQ(Identity("¿Dónde  está?"), Identity("¿DONDE ESTA?"));
  EXPECT_EQ(Identity("¿Dónde  está?"), "¿donde esta?");
  EXPECT_EQ(Identity(" \t hola\u00A0\u3000mundo\r\n"), "hola mundo");
  EXPECT_EQ(Identity("pinguino"), Identity("PINGÜINO"));
  EXPECT_EQ(Identity("ho\u200Bla\uFEFF"), "hola");
  EXPECT_EQ(Identity("Straße"), Identity("STRASSE"));
  EXPECT_EQ(Identity("ﬁn"), "fin");
  EXPECT_EQ(Identity("ＨＯＬＡ"), "hola");
  EXPECT_EQ(Identity("Αθήνα"), Identity("ΑΘΗΝΑ"));
  EXPECT_EQ(Identity("e\u0301\u0323"), "e");
  EXPECT_EQ(Identity("a\u200D\u0301"), "a");
  EXPECT_EQ(Identity(""), "");
  EXPECT_EQ(Identity(" \n\u2003"), "");
}

TEST(IdentityText, LettersStayApart) {
  EXPECT_EQ(Identity("AÑO"), "año");
  EXPECT_EQ(Identity("AN\u0303O"), "año");
  EXPECT_NE(Identity("año"), Identity("ano"));
  EXPECT_NE(Identity("й"), Identity("и"));
  EXPECT_EQ(Identity("Ç"), "ç");
}

TEST(IdentityText, EveryCharacterIsStable) {
  for (char32_t c = 1; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text = "a";
    AppendUtf8(c, text);
    for (const char* next : {"b", "\u0301\u0323"}) {
      const std::string once = Identity(text + next);
      ASSERT_EQ(Identity(once), once) << "U+" << std::hex << static_cast<uint32_t>(c);
    }
  }
}

TEST(Hash128, KnownValues) {
  const auto hex = [](std::string_view text) {
    std::string out;
    for (const uint8_t byte : Hash128(text)) {
      out += "0123456789abcdef"[byte >> 4];
      out += "0123456789abcdef"[byte & 15];
    }
    return out;
  };
  EXPECT_EQ(hex(""), "00000000000000000000000000000000");
  // Published as the two numbers cbd8a7b341bd9b02 5b1e906a48ae1d19 and e34bbc7bbc071b6c 7a433ca9c49a9347.
  EXPECT_EQ(hex("hello"), "029bbd41b3a7d8cb191dae486a901e5b");
  EXPECT_EQ(hex("The quick brown fox jumps over the lazy dog"), "6c1b07bc7bbc4be347939ac4a93c437a");
}

TEST(Hash128, KeyIsOfTheIdentity) {
  EXPECT_EQ(KeyOfText("¿Dónde  está?", Stop()), KeyOfText("¿DONDE ESTA?", Stop()));
  EXPECT_NE(KeyOfText("año", Stop()), KeyOfText("ano", Stop()));
}

TEST(Hostile, LargeInputIsReadAndWellFormed) {
  const std::string inputs[] = {
      Repeat("a", 10000000),      "a" + Repeat("\u0301", 1000000), "a" + Repeat("\u0301\u0323\u0345", 300000),
      Repeat("n\u0303", 1000000), Repeat("\xFF", 1000000),         Repeat("\u0E31\u09BE\u1161", 300000),
      Repeat("\uFDFA", 300000),   Repeat("👩\u200D", 500000),       Repeat("\u202Eאב\u200B", 300000),
      Repeat("\u200D", 1000000),  Repeat(" ", 10000000),           Repeat("e\u0301 \u00B4", 500000),
  };
  for (const std::string& input : inputs) {
    for (const AccentFolding folding : {AccentFolding::kNone, AccentFolding::kSpanish, AccentFolding::kUnicode}) {
      const std::string out = Normal(input, folding);
      EXPECT_TRUE(IsWellFormed(out));
      EXPECT_LE(out.size(), 3 * input.size());
    }
    EXPECT_TRUE(IsWellFormed(Identity(input)));
  }
}

TEST(Hostile, StopsOnRequest) {
  const Stop stop{AlwaysStop};
  std::string out;
  for (const std::string& input : {Repeat("a", 70000), Repeat("\u0301", 70000), Repeat("ñ", 70000)}) {
    EXPECT_THROW(NormaliseCase(input, AccentFolding::kUnicode, stop, out), Cancelled);
    EXPECT_THROW(IdentityText(input, stop), Cancelled);
  }
}

}  // namespace
}  // namespace retrain
