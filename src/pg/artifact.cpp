// What stored bytes say they are: everything, after every check that serving them would make, or the checksum alone.
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/owned.h"

extern "C" {
#include "utils/jsonb.h"
}

RETRAIN_FUNCTION(retrain_artifact_info);
RETRAIN_FUNCTION(retrain_artifact_checksum);

Datum retrain_artifact_info(PG_FUNCTION_ARGS) {
  const bytea* artifact = PG_GETARG_BYTEA_PP(0);
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(VARDATA_ANY(artifact)),
                                       VARSIZE_ANY_EXHDR(artifact));
  const auto* json = make_owned<std::string>(CurrentMemoryContext,
                                             [&] { return new std::string(retrain::DecodeModel(bytes)->Describe()); });
  return DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(text_of_utf8(*json))));
}

Datum retrain_artifact_checksum(PG_FUNCTION_ARGS) {
  const bytea* header = PG_GETARG_BYTEA_P_SLICE(0, 0, retrain::kHeaderBytes);
  const auto checksum =
      retrain::StatedChecksum({reinterpret_cast<const uint8_t*>(VARDATA_ANY(header)), VARSIZE_ANY_EXHDR(header)});
  if (!checksum) PG_RETURN_NULL();
  PG_RETURN_INT64(*checksum);
}
