// What stored bytes say they are: everything, after every check that serving them would make, or the checksum alone.
#include "core/base/json.h"
#include "core/codec/container.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/owned.h"

extern "C" {
#include "utils/jsonb.h"
}

RETRAIN_FUNCTION(retrain_artifact_info);
RETRAIN_FUNCTION(retrain_artifact_checksum);

static std::string* DescribeArtifact(std::span<const uint8_t> artifact) {
  const retrain::IntentModel model(artifact);
  retrain::JsonWriter json;
  json.Object().Key("format").Integer(1).Key("algorithm").String(model.classifier());
  json.Key("training_samples").Integer(static_cast<int64_t>(model.training_rows()));
  json.Key("features").Integer(model.space().columns());
  json.Key("confidence_threshold").Number(static_cast<double>(model.confidence_threshold()));
  json.Key("config").Raw(model.config_json());
  json.Key("labels").Array();
  for (uint32_t k = 0; k < model.n_classes(); ++k) json.String(model.label(k));
  return new std::string(json.Close().Close().Take());
}

Datum retrain_artifact_info(PG_FUNCTION_ARGS) {
  const bytea* artifact = PG_GETARG_BYTEA_PP(0);
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(VARDATA_ANY(artifact)),
                                       VARSIZE_ANY_EXHDR(artifact));
  const auto* json = make_owned<std::string>(CurrentMemoryContext, [&] { return DescribeArtifact(bytes); });
  return DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(text_of_utf8(*json))));
}

Datum retrain_artifact_checksum(PG_FUNCTION_ARGS) {
  const bytea* header = PG_GETARG_BYTEA_P_SLICE(0, 0, retrain::kHeaderBytes);
  const auto checksum =
      retrain::StatedChecksum({reinterpret_cast<const uint8_t*>(VARDATA_ANY(header)), VARSIZE_ANY_EXHDR(header)});
  if (!checksum) PG_RETURN_NULL();
  PG_RETURN_INT64(*checksum);
}
