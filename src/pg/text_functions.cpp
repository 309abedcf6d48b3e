// Texts in SQL: their identity (the normalised form and its 128-bit key), and the phrases that rules look for.
#include "core/text/normalise.h"
#include "core/text/phrases.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/pg.h"

extern "C" {
#include "utils/uuid.h"
}

RETRAIN_FUNCTION(retrain_text_key);
RETRAIN_FUNCTION(retrain_identity_text);
RETRAIN_FUNCTION(retrain_words);
RETRAIN_FUNCTION(retrain_phrases);
RETRAIN_FUNCTION(retrain_says);

Datum retrain_text_key(PG_FUNCTION_ARGS) {
  const std::string_view message = utf8_of_text(PG_GETARG_TEXT_PP(0));
  auto* key = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  guarded([&] {
    const retrain::TextKey bytes = retrain::KeyOfText(message, backend_stop());
    static_assert(sizeof bytes == sizeof key->data);
    memcpy(key->data, bytes.data(), bytes.size());
  });
  PG_RETURN_UUID_P(key);
}

Datum retrain_identity_text(PG_FUNCTION_ARGS) {
  const std::string_view message = utf8_of_text(PG_GETARG_TEXT_PP(0));
  auto* identity = make_owned<std::string>(
      CurrentMemoryContext, [&] { return new std::string(retrain::IdentityText(message, backend_stop())); });
  PG_RETURN_TEXT_P(text_of_utf8(*identity));
}

Datum retrain_words(PG_FUNCTION_ARGS) {
  const std::string_view message = utf8_of_text(PG_GETARG_TEXT_PP(0));
  auto* words = make_owned<std::string>(CurrentMemoryContext,
                                        [&] { return new std::string(retrain::WordsOf(message, backend_stop())); });
  PG_RETURN_TEXT_P(text_of_utf8(*words));
}

Datum retrain_phrases(PG_FUNCTION_ARGS) {
  const std::string_view pattern = utf8_of_text(PG_GETARG_TEXT_PP(0));
  auto* phrases = make_owned<std::string>(CurrentMemoryContext,
                                          [&] { return new std::string(retrain::PhrasesOf(pattern, backend_stop())); });
  PG_RETURN_TEXT_P(text_of_utf8(*phrases));
}

// Compares the bytes of the server's encoding as they are: spaces, "|" and "*" are ASCII in all of them.
Datum retrain_says(PG_FUNCTION_ARGS) {
  const text* words = PG_GETARG_TEXT_PP(0);
  const text* phrases = PG_GETARG_TEXT_PP(1);
  const std::string_view words_bytes(VARDATA_ANY(words), VARSIZE_ANY_EXHDR(words));
  const std::string_view phrases_bytes(VARDATA_ANY(phrases), VARSIZE_ANY_EXHDR(phrases));
  bool says = false;
  guarded([&] { says = retrain::SaysOneOf(words_bytes, phrases_bytes, backend_stop()); });
  PG_RETURN_BOOL(says);
}
