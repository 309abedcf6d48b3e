// Does a text say one of these phrases? What the rules that judge and file messages are made of.
//
// A text is read as words, case and every accent folded, so that "SÍ", "si" and "sí" are one word.
// A word is a run of letters, numbers and marks of any script; a symbol such as an emoji is a word of its own; everything
// else separates.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <string>
#include <string_view>

#include "core/base/stop.h"

namespace retrain {

// The words of a text, each between two spaces: " no me gusta ". One space when there is none.
std::string WordsOf(std::string_view utf8, const Stop& stop);

// The normal form of a pattern: phrases separated by "|", their words folded as those of a text and joined by one space.
// A "*" ends a word that may go on ("recomiend*"), or stands for any one word ("no * gusta"). Throws kInvalidParameter
// for a phrase without words and for a character that looks like a regular expression.
std::string PhrasesOf(std::string_view pattern, const Stop& stop);

// Says whether `words` (of WordsOf) have one of `phrases` (of PhrasesOf) word for word, as they are written or without their
// drawn out letters: "graciasss" is "gracias".
bool SaysOneOf(std::string_view words, std::string_view phrases, const Stop& stop);

}  // namespace retrain
