// Decoded models of this connection, found by the digest of their bytes.
//
// A digest names one artifact for ever, so an entry can be unused but never wrong: there is nothing to invalidate.
// Entries leave, least recently used first, when their bytes exceed pg_retrain.cache_size.
#pragma once

#include <cstdint>
#include <span>

#include "core/model/served_model.h"

struct CachedModel {
  char key[88];  // SHA-256 in lower-case hexadecimal, the CRC-32C in the header, the database; dots between
  retrain::ServedModel* model;  // owned by `context`
  retrain::PredictionScratch* scratch;
  uint64_t bytes;
  uint64_t last_use;
  struct MemoryContextData* context;  // null: free slot
};

// The model and its scratch as what they are; load_version() has compared the kind.
template <class Model>
const Model& model_of(const CachedModel* cached) {
  return static_cast<const Model&>(*cached->model);
}
template <class Model>
typename Model::Scratch& scratch_of(const CachedModel* cached) {
  return static_cast<typename Model::Scratch&>(*cached->scratch);
}

// Null when the model is not there.
CachedModel* model_cache_find(const char* key);

// Error XX001, 0A000 or 53200 when the bytes are no model that this release can use. `owner` names the model and version
// in the detail.
void model_check(std::span<const uint8_t> artifact, const char* owner);

// Keeps the model of checked bytes under `key`, together with `context`: the bytes lie in it, or it holds a pin on them.
// `own_bytes` of them count towards this connection's memory.
CachedModel* model_cache_adopt(const char* key, struct MemoryContextData* context, std::span<const uint8_t> artifact,
                               uint64_t own_bytes, const char* owner);

// Moves whenever an entry leaves: pointers from before are void then.
uint64_t model_cache_generation();
