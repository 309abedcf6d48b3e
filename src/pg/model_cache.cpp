// Keeps decoded models for the life of the connection, bounded in bytes.
#include "pg/model_cache.h"

#include "pg/owned.h"
#include "pg/pg.h"
#include "pg/settings.h"

static constexpr int kMaxEntries = 64;

static CachedModel entries[kMaxEntries];
static MemoryContext cache_context = nullptr;
static uint64_t use_clock = 0, generation = 0, hits = 0, misses = 0, evictions = 0, total_bytes = 0;

uint64_t model_cache_generation() { return generation; }

CachedModel* model_cache_find(const char* key) {
  for (auto& entry : entries) {
    if (entry.context == nullptr || strcmp(entry.key, key) != 0) continue;
    entry.last_use = ++use_clock;
    ++hits;
    return &entry;
  }
  ++misses;
  return nullptr;
}

static void evict(CachedModel* entry) {
  MemoryContext context = entry->context;
  total_bytes -= entry->bytes;
  memset(entry, 0, sizeof *entry);
  ++generation;
  ++evictions;
  MemoryContextDelete(context);
}

static CachedModel* least_recently_used() {
  CachedModel* oldest = nullptr;
  for (auto& entry : entries)
    if (entry.context != nullptr && (oldest == nullptr || entry.last_use < oldest->last_use)) oldest = &entry;
  return oldest;
}

// Makes room for `bytes` more and gives a free slot. A model larger than the whole cache is still held, alone.
static CachedModel* make_room(uint64_t bytes) {
  for (;;) {
    CachedModel* free_slot = nullptr;
    for (auto& entry : entries)
      if (entry.context == nullptr) free_slot = &entry;
    if (free_slot != nullptr && total_bytes + bytes <= settings::cache_size()) return free_slot;
    CachedModel* oldest = least_recently_used();
    if (oldest == nullptr) return free_slot;
    evict(oldest);
  }
}

static retrain::ServedModel* DecodeOwned(std::span<const uint8_t> artifact, retrain::Checksum checksum,
                                         const char* owner) {
  try {
    return retrain::DecodeModel(artifact, checksum).release();
  } catch (const retrain::Error& error) {
    throw retrain::Error(error.code(), error.message(), std::string(owner) + ": " + error.detail(), error.hint());
  }
}

void model_check(std::span<const uint8_t> artifact, const char* owner) {
  guarded([&] { delete DecodeOwned(artifact, retrain::Checksum::kCompare, owner); });
}

CachedModel* model_cache_adopt(const char* key, MemoryContext context, std::span<const uint8_t> artifact,
                               uint64_t own_bytes, const char* owner) {
  if (cache_context == nullptr)
    cache_context = AllocSetContextCreate(CacheMemoryContext, "pg_retrain models", ALLOCSET_SMALL_SIZES);
  auto* model = make_owned<retrain::ServedModel>(
      context, [&] { return DecodeOwned(artifact, retrain::Checksum::kCompared, owner); });
  auto* scratch = make_owned<retrain::PredictionScratch>(context, [&] { return model->NewScratch().release(); });
  const uint64_t held = own_bytes + model->own_bytes();
  CachedModel* entry = make_room(held);
  MemoryContextSetParent(context, cache_context);
  strlcpy(entry->key, key, sizeof entry->key);
  entry->model = model;
  entry->scratch = scratch;
  entry->bytes = held;
  entry->last_use = ++use_clock;
  entry->context = context;
  total_bytes += held;
  return entry;
}

RETRAIN_FUNCTION(retrain_cache_stats);

// (entries, bytes, hits, misses, evictions) of this connection's cache.
Datum retrain_cache_stats(PG_FUNCTION_ARGS) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("retrain_cache_stats must return a row")));
  int used = 0;
  for (const auto& entry : entries) used += entry.context != nullptr;
  Datum values[5] = {Int32GetDatum(used), Int64GetDatum(static_cast<int64>(total_bytes)),
                     Int64GetDatum(static_cast<int64>(hits)), Int64GetDatum(static_cast<int64>(misses)),
                     Int64GetDatum(static_cast<int64>(evictions))};
  bool nulls[5] = {};
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
