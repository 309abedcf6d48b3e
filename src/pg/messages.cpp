// Converts texts between the server's encoding and UTF-8; in a UTF-8 or SQL_ASCII database nothing is copied.
#include "pg/messages.h"

extern "C" {
#include "mb/pg_wchar.h"
}

std::string_view utf8_of_bytes(const char* data, int size) {
  char* converted = pg_server_to_any(data, size, PG_UTF8);
  if (converted == data) return {data, static_cast<size_t>(size)};
  return converted;
}

std::string_view utf8_of_text(text* value) {
  text* plain = pg_detoast_datum_packed(value);
  return utf8_of_bytes(VARDATA_ANY(plain), static_cast<int>(VARSIZE_ANY_EXHDR(plain)));
}

std::string_view utf8_of_cstring(const char* value) { return utf8_of_bytes(value, static_cast<int>(strlen(value))); }

std::string_view utf8_of_padded(Datum value) {
  text* plain = DatumGetTextPP(value);
  char* const data = VARDATA_ANY(plain);
  return utf8_of_bytes(data, bpchartruelen(data, static_cast<int>(VARSIZE_ANY_EXHDR(plain))));
}

std::string_view server_of_utf8(std::string_view utf8) {
  char* converted = pg_any_to_server(utf8.data(), static_cast<int>(utf8.size()), PG_UTF8);
  if (converted == utf8.data()) return utf8;
  return converted;
}

text* text_of_utf8(std::string_view utf8) {
  const std::string_view bytes = server_of_utf8(utf8);
  return cstring_to_text_with_len(bytes.data(), static_cast<int>(bytes.size()));
}
