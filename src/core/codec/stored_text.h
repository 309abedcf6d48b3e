// Texts inside stored models. Whoever made the bytes has also made their checksum, so each text is looked at before it leaves
// the core: PostgreSQL would refuse it in words that say nothing of a model.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <string>
#include <string_view>

namespace retrain {

// Well-formed UTF-8 without the character NUL, which no text of PostgreSQL can hold.
bool IsText(std::string_view bytes) noexcept;

// Throw Error(kDataCorrupted) for what is none.
std::string_view CheckText(std::string_view bytes);
// A JSON object, written anew: what is read leniently here need not be what PostgreSQL reads as JSON.
std::string CheckJsonObject(std::string_view bytes);

}  // namespace retrain
