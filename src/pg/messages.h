// Texts between PostgreSQL and the core, which speaks UTF-8.
#pragma once

#include <string_view>

#include "pg/pg.h"

// The UTF-8 bytes of a text value, detoasted; valid as long as the current memory context.
std::string_view utf8_of_text(text* value);
std::string_view utf8_of_cstring(const char* value);
// Of a char(n), without the blanks that fill it up: they are no part of it, as a cast to text says.
std::string_view utf8_of_padded(Datum value);
std::string_view utf8_of_bytes(const char* data, int size);

// The bytes in the server's encoding from UTF-8 bytes: the same ones, or valid as long as the current memory context.
std::string_view server_of_utf8(std::string_view utf8);
// A text value in the server's encoding from UTF-8 bytes.
text* text_of_utf8(std::string_view utf8);
