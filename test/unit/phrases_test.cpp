// Words of messages and the phrases that rules look for.
#include "core/text/phrases.h"

#include <gtest/gtest.h>

#include <string>

namespace retrain {
namespace {

std::string Words(std::string_view text) { return WordsOf(text, Stop()); }
std::string Phrases(std::string_view pattern) { return PhrasesOf(pattern, Stop()); }
bool Says(std::string_view text, std::string_view pattern) { return SaysOneOf(Words(text), Phrases(pattern), Stop()); }

TEST(Phrases, WordsAreFoldedAndStandBetweenSpaces) {
  EXPECT_EQ(Words("¿Cuánto CUESTA, por favor?"), " cuanto cuesta por favor ");
  EXPECT_EQ(Words("Si\u0301\u200b"), " si ");
  EXPECT_EQ(Words("I don't/can’t"), " i don t can t ");
  EXPECT_EQ(Words("perfecto👍🏽 a_b"), " perfecto 👍 a b ");
  EXPECT_EQ(Words("Δώσε 2x"), " δωσε 2x ");
  EXPECT_EQ(Words(""), " ");
  EXPECT_EQ(Words(" \t…!"), " ");
  EXPECT_EQ(Words("a\xFF"
                  "b"),
            " a b ");
}

TEST(Phrases, WordsEndAtTheirEdges) {
  for (const char* yes : {"sí", "SÍ", "si", "¡Sí!", "pues sí,claro", "«sí»"}) EXPECT_TRUE(Says(yes, "sí")) << yes;
  for (const char* no : {"sin", "así", "s", "", "síi"}) EXPECT_FALSE(Says(no, "sí")) << no;
  EXPECT_FALSE(Says("más", "s"));
  EXPECT_FALSE(Says("sí", "s"));
  EXPECT_TRUE(Says("talla s", "s"));
}

TEST(Phrases, PhrasesAreWholeAndInOrder) {
  EXPECT_TRUE(Says("la verdad, NO me GUSTÓ nada", "no me gust*"));
  EXPECT_FALSE(Says("me gusta", "no me gusta"));
  EXPECT_FALSE(Says("no me", "no me gusta"));
  EXPECT_TRUE(Says("eso no nos sirve", "x|no * sirve|y"));
  EXPECT_FALSE(Says("no sirve", "no * sirve"));
  EXPECT_TRUE(Says("no, gracias", "no gracias"));
  EXPECT_TRUE(Says("I DON’T like it", "don't like"));
  EXPECT_TRUE(Says("👎🏻", "👎"));
}

TEST(Phrases, DrawnOutWordsAreThoseThatTheyDrawOut) {
  EXPECT_TRUE(Says("Nooooo me gustaaaa", "no me gusta"));
  EXPECT_TRUE(Says("GRACIASSS", "gracias"));
  EXPECT_TRUE(Says("ooookkk", "ok"));
  EXPECT_TRUE(Says("Perfectísimoooo", "perfect*"));
  EXPECT_TRUE(Says("sííííí", "x|sí"));
  // as it is written comes first, and two letters, digits, addresses and sizes are what they are
  EXPECT_TRUE(Says("siiii", "sii*"));
  EXPECT_TRUE(Says("nooo", "nooo"));
  EXPECT_FALSE(Says("noo", "no"));
  EXPECT_TRUE(Says("leer too", "leer too"));
  EXPECT_FALSE(Says("1000", "10"));
  EXPECT_FALSE(Says("www.tienda.org XXXL", "w|w tienda|xl|x"));
  EXPECT_FALSE(Says("noooo", "n|nos|noo"));
}

TEST(Phrases, PatternsHaveANormalForm) {
  EXPECT_EQ(Phrases("  Sí | No,  GRACIAS|recomiénd*|no * gusta"), "si|no gracias|recomiend*|no * gusta");
  for (const std::string pattern : {"a|b c|d*", "no * e"}) EXPECT_EQ(Phrases(Phrases(pattern)), Phrases(pattern));
}

TEST(Phrases, PatternsThatMeanNothingAreRefused) {
  for (const char* bad :
       {"", " ", "a||b", "|a", "a|", "*", "a|* *", "...", "\\bno\\b", "(a|b)", "a+", "colou?r", "[ab]"})
    EXPECT_THROW(Phrases(bad), Error) << bad;
}

TEST(Phrases, MatchesWhatTheyAreGivenWithoutReadingOn) {
  for (const char* words : {"", " ", "a", " a", "a ", " a b"}) {
    for (const char* phrases : {"", "|", " ", "*", "a", "a  b", "a b c", "* *"}) {
      (void)SaysOneOf(words, phrases, Stop());
    }
  }
  EXPECT_TRUE(SaysOneOf(" a b", "b", Stop()));
}

}  // namespace
}  // namespace retrain
