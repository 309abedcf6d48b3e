// Which version answers: the model's name resolved under the active snapshot, as MVCC says.
#pragma once

#include <cstdint>
#include <string_view>

#include "pg/model_cache.h"
#include "pg/pg.h"

struct ResolvedVersion {
  int64 version_id;  // 0: the model has no live version
  char version[64];
  char digest[65];
  char cache_key[88];  // digest, checksum and database: names one artifact for ever
  bool has_checksum;
  uint32_t checksum;  // CRC-32C stated in the artifact's header
  float confidence_threshold;
  bool has_corrections;  // some message of the model was corrected by a person
};

// The live version of a model, or the version asked for (version_id > 0), visible to the active snapshot and the current
// user. Memoised per snapshot: about half a microsecond. A version that does not exist or is not visible: error 42704.
const ResolvedVersion* resolve_version(Oid schema, text* model_name, int64 version_id);

// The decoded model of a resolved version, from the cache or from its stored bytes.
// Error 22023 when it is a model of another kind than `wanted`.
CachedModel* load_version(Oid schema, text* model_name, const ResolvedVersion* resolved, retrain::ModelKind wanted);
