// The identity of a text in SQL: the normalised form and its 128-bit key.
#include "core/text/normalise.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/pg.h"

extern "C" {
#include "utils/uuid.h"
}

RETRAIN_FUNCTION(retrain_text_key);
RETRAIN_FUNCTION(retrain_identity_text);

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
