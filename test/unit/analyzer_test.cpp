// Terms of a message, compared with lists written by hand and with a slow reading of scikit-learn's definition.
#include "core/text/analyzer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/text/normalise.h"
#include "core/text/utf8.h"

namespace retrain {
namespace {

using Terms = std::vector<std::string>;

Terms TermsOf(Analyzer& analyzer, std::string_view text, FeatureKind wanted) {
  Terms terms;
  analyzer.Read(text, Stop());
  analyzer.ForEachTerm(Stop(), [&](FeatureKind kind, std::string_view term) {
    if (kind == wanted) terms.emplace_back(term);
  });
  return terms;
}

Terms Words(std::string_view text, NgramRange range, AccentFolding folding = AccentFolding::kUnicode) {
  Analyzer analyzer({folding, range, {0, 0}, false});
  return TermsOf(analyzer, text, FeatureKind::kWord);
}

Terms Chars(std::string_view text, NgramRange range, AccentFolding folding = AccentFolding::kUnicode) {
  Analyzer analyzer({folding, {0, 0}, range, false});
  return TermsOf(analyzer, text, FeatureKind::kChar);
}

// scikit-learn's char_wb over one word after the other: pad, slide, a word not longer than n counts once.
Terms SlowChars(std::string_view text, NgramRange range, AccentFolding folding) {
  std::string normal;
  NormaliseCase(text, folding, Stop(), normal);
  std::vector<std::u32string> words(1);
  for (size_t i = 0; i < normal.size();) {
    char32_t c = 0;
    i += DecodeUtf8(normal.data() + i, normal.data() + normal.size(), &c);
    if (!IsSpace(c)) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  Terms terms;
  for (const std::u32string& word : words) {
    const std::u32string padded = U" " + word + U" ";
    for (size_t n = range.min; n <= range.max; ++n) {
      size_t offset = 0;
      do {
        std::string term;
        for (const char32_t c : padded.substr(offset, n)) AppendUtf8(c, term);
        terms.push_back(term);
      } while (offset++ + n < padded.size());
      if (padded.size() <= n) break;
    }
  }
  return terms;
}

std::string Repeat(std::string_view piece, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += piece;
  return out;
}

bool AlwaysStop() noexcept { return true; }

TEST(WordNgrams, ShortestFirstFromLeftToRight) {
  EXPECT_EQ(Words("¿Dónde está MI pedido?", {1, 3}), (Terms{"donde", "esta", "mi", "pedido", "donde esta", "esta mi",
                                                            "mi pedido", "donde esta mi", "esta mi pedido"}));
  EXPECT_EQ(Words("uno dos", {2, 2}), (Terms{"uno dos"}));
  EXPECT_EQ(Words("uno", {2, 3}), Terms{});
}

TEST(WordNgrams, TokensHaveTwoWordCharacters) {
  EXPECT_EQ(Words("a y ya o2 _x x_ 7 42, yo-yo it's", {1, 1}), (Terms{"ya", "o2", "_x", "x_", "42", "yo", "yo", "it"}));
  EXPECT_EQ(Words("ñ ñu", {1, 1}, AccentFolding::kNone), (Terms{"ñu"}));
  EXPECT_EQ(Words("el 3½ m² Ⅷ٣", {1, 1}, AccentFolding::kNone), (Terms{"el", "3½", "m²", "ⅷ٣"}));
  EXPECT_EQ(Words("日本語 한국어 привет", {1, 1}, AccentFolding::kNone), (Terms{"日本語", "한국어", "привет"}));
  EXPECT_EQ(Words("hola😀mundo a\xFFzul", {1, 1}), (Terms{"hola", "mundo", "zul"}));
}

TEST(WordNgrams, AccentsFoldAsTold) {
  EXPECT_EQ(Words("MAÑANA mañana manana man\u0303ana", {1, 1}, AccentFolding::kNone),
            (Terms{"mañana", "mañana", "manana", "mañana"}));
  EXPECT_EQ(Words("MAÑANA mañana manana man\u0303ana", {1, 1}, AccentFolding::kSpanish), Terms(4, "manana"));
}

TEST(CharNgrams, WithinWordsPaddedBySpaces) {
  EXPECT_EQ(Chars("el sí", {2, 4}),
            (Terms{" e", "el", "l ", " el", "el ", " el ", " s", "si", "i ", " si", "si ", " si "}));
  EXPECT_EQ(Chars("y", {2, 4}), (Terms{" y", "y ", " y "})) << "a word as long as n counts once and ends the lengths";
  EXPECT_EQ(Chars("¿Qué?", {3, 3}, AccentFolding::kNone), (Terms{" ¿q", "¿qu", "qué", "ué?", "é? "}));
  EXPECT_EQ(Chars("ab", {6, 8}), (Terms{" ab "}));
}

TEST(CharNgrams, WhiteSpaceCollapses) {
  EXPECT_EQ(Chars(" \t a \u00A0\n b\u3000", {3, 3}), (Terms{" a ", " b "}));
  EXPECT_EQ(Chars("", {2, 4}), Terms{});
  EXPECT_EQ(Chars(" \n\u2003 ", {2, 4}), Terms{});
}

TEST(CharNgrams, EqualTheSlowReading) {
  const std::string texts[] = {"¿Cuándo llegará mi pedido nº 4521? ¡Es URGENTE!",
                               "  dos  espacios\ty\ttabs ",
                               "n\u0303u e\u0301l",
                               "😀 a😀b 👩\u200D👧",
                               "日本 語",
                               "\xFF\xC3 a\xE2\x82",
                               "x",
                               "una-palabra-muy-larga_con.signos",
                               "\u200B \u00AD",
                               "שלום عالم"};
  for (const std::string& text : texts) {
    for (uint8_t min = 1; min <= 4; ++min) {
      for (uint8_t max = min; max <= 6; ++max) {
        for (const AccentFolding folding : {AccentFolding::kNone, AccentFolding::kSpanish, AccentFolding::kUnicode}) {
          EXPECT_EQ(Chars(text, {min, max}, folding), SlowChars(text, {min, max}, folding)) << text;
        }
      }
    }
  }
}

TEST(Analyzer, OrderIsWordsThenCharacters) {
  Analyzer analyzer({AccentFolding::kUnicode, {1, 2}, {2, 3}, false});
  analyzer.Read("no va", Stop());
  Terms terms;
  analyzer.ForEachTerm(Stop(), [&](FeatureKind kind, std::string_view term) {
    terms.push_back((kind == FeatureKind::kWord ? "w:" : "c:") + std::string(term));
  });
  EXPECT_EQ(terms, (Terms{"w:no", "w:va", "w:no va", "c: n", "c:no", "c:o ", "c: no", "c:no ", "c: v", "c:va", "c:a ",
                          "c: va", "c:va "}));
}

TEST(Analyzer, NothingRemainsOfTheMessageBefore) {
  Analyzer analyzer({AccentFolding::kUnicode, {1, 1}, {3, 3}, false});
  TermsOf(analyzer, "un mensaje bastante largo con muchas palabras", FeatureKind::kWord);
  EXPECT_EQ(TermsOf(analyzer, "no", FeatureKind::kWord), (Terms{"no"}));
  EXPECT_EQ(TermsOf(analyzer, "no", FeatureKind::kChar), (Terms{" no", "no "}));
  EXPECT_EQ(TermsOf(analyzer, "", FeatureKind::kChar), Terms{});
}

TEST(Analyzer, HugeMessagesAreReadAndTheirBuffersGivenBack) {
  Analyzer analyzer({AccentFolding::kUnicode, {1, 2}, {2, 4}, false});
  const std::string inputs[] = {Repeat("a", 10000000),
                                Repeat("ab ", 1000000),
                                "e" + Repeat("\u0301", 1000000),
                                Repeat("\xFF", 1000000),
                                Repeat("\u202Eאב\u200B👩\u200D ", 200000),
                                Repeat(" ", 3000000)};
  for (const std::string& input : inputs) {
    analyzer.Read(input, Stop());
    size_t bytes = 0;
    analyzer.ForEachTerm(Stop(), [&](FeatureKind, std::string_view term) { bytes += term.size(); });
    EXPECT_LE(bytes, 40 * input.size());
  }
  analyzer.Read(inputs[0], Stop());
  EXPECT_GT(analyzer.bytes(), inputs[0].size());
  EXPECT_EQ(TermsOf(analyzer, "hola", FeatureKind::kWord), (Terms{"hola"}));
  EXPECT_LT(analyzer.bytes(), 10000u);
}

TEST(Analyzer, StopsOnRequestAndIsEmptyAfterwards) {
  const Stop stop{AlwaysStop};
  Analyzer analyzer({AccentFolding::kUnicode, {1, 2}, {2, 4}, false});
  analyzer.Read("hola mundo", stop);  // too short to be worth a question
  EXPECT_THROW(analyzer.Read(Repeat("hola ", 20000), stop), Cancelled);
  analyzer.ForEachTerm(Stop(), [](FeatureKind, std::string_view term) { ADD_FAILURE() << term; });
  analyzer.Read(Repeat("hola ", 20000), Stop());
  EXPECT_THROW(analyzer.ForEachTerm(stop, [](FeatureKind, std::string_view) {}), Cancelled);
}

TEST(Analyzer, TooLongIsAnError) {
  Analyzer analyzer({});
  const char byte = 'a';
  try {
    analyzer.Read(std::string_view(&byte, kMaxMessageBytes + 1), Stop());  // refused before a byte is read
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
    EXPECT_EQ(error.message(), "message is too long");
    EXPECT_NE(error.detail().find("536870913"), std::string::npos);
    EXPECT_FALSE(error.hint().empty());
  }
}

float Stat(std::string_view text, std::string_view name) {
  const auto at = std::find(kTextStatNames.begin(), kTextStatNames.end(), name) - kTextStatNames.begin();
  return ComputeTextStats(text).at(static_cast<size_t>(at));
}

TEST(TextStats, CountWhatTheirNamesSay) {
  EXPECT_FLOAT_EQ(Stat(Repeat("ñ", 100), "length"), 0.5f);
  EXPECT_FLOAT_EQ(Stat(Repeat("sí ", 20), "words"), 0.5f);
  EXPECT_FLOAT_EQ(Stat("hola mundo salud árbol verde", "average_word_length"), 4.8f / 9.8f);
  EXPECT_FLOAT_EQ(Stat("Hola. ¿Qué tal? Pesa 3.5 kilos", "sentences"), 0.5f);
  EXPECT_FLOAT_EQ(Stat("Dijo: \"basta.\" Y se fue...", "sentences"), 2.0f / 5.0f);
  EXPECT_FLOAT_EQ(Stat("¿Qué tal?", "questions"), 0.5f);
  EXPECT_FLOAT_EQ(Stat("¿Qué tal", "questions"), 0.5f) << "the opening mark alone";
  EXPECT_FLOAT_EQ(Stat("Qué tal?", "questions"), 0.5f) << "the closing mark alone";
  EXPECT_FLOAT_EQ(Stat("¡Ya! ¡Ahora!", "exclamations"), 2.0f / 3.0f);
  EXPECT_FLOAT_EQ(Stat("(a) bcdefghijklmnopq", "brackets"), 1.0f);
  EXPECT_FLOAT_EQ(Stat("x = 1; palabras sin m", "code_punctuation"), 5 * 2 / 21.0f);
  EXPECT_FLOAT_EQ(Stat("1234 abcde", "digits"), 1.0f);
  EXPECT_FLOAT_EQ(Stat("ÑAnd", "upper_case"), 0.5f);
  EXPECT_FLOAT_EQ(Stat("a\nb\nc\nd\ne", "lines"), 0.5f);
  EXPECT_FLOAT_EQ(Stat("Sí sí SÍ no", "unique_words"), 0.5f);
}

TEST(TextStats, DoNotDependOnHowTheTextIsTyped) {
  const auto composed = ComputeTextStats("¿Qué CANCIÓN? Español, más_café.");
  EXPECT_EQ(composed, ComputeTextStats("¿Que\u0301 CANCIO\u0301N? Espan\u0303ol, ma\u0301s_cafe\u0301."))
      << "marks apart";
  EXPECT_EQ(composed, ComputeTextStats("\uFEFF¿Qué CAN\u00ADCIÓN?\u200B Espa\u2060ñol, más_café."))
      << "invisible characters";
  EXPECT_EQ(ComputeTextStats("\u200B\uFEFF"), ComputeTextStats(""));
  // Cut in the middle of a character, the sample has it as a whole.
  EXPECT_EQ(Stat("a" + Repeat("ñ", 65536), "code_punctuation"), 0.0f);
  EXPECT_EQ(Stat("a" + Repeat("Ñ", 65536), "upper_case"), 32768 / 32769.0f);
}

TEST(TextStats, AreWithinZeroAndOne) {
  for (const std::string& text :
       {std::string(), std::string("?"), Repeat("{", 1000), Repeat("A", 200000), Repeat("1 ", 9999),
        Repeat("\xFF", 70000), Repeat("¿?!\n", 70000), Repeat("\u0301", 1000)}) {
    for (const float value : ComputeTextStats(text)) {
      EXPECT_GE(value, 0.0f);
      EXPECT_LE(value, 1.0f);
    }
  }
  for (const float value : ComputeTextStats("")) EXPECT_EQ(value, 0.0f);
}

}  // namespace
}  // namespace retrain
