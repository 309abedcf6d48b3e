// The shared store of artifacts: a table of slots and one region of bytes, both of fixed size.
#include "pg/shared_models.h"

#include "pg/settings.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/lwlock.h"
}

static constexpr int kSlots = 64;
static constexpr uint64_t kAlignment = 64;

struct SharedSlot {
  char key[88];   // empty: free
  uint32_t pins;  // connections that use them
  uint64_t offset, size, last_use;
};

struct SharedModels {
  LWLock lock;
  uint64_t capacity, clock;
  SharedSlot slots[kSlots];
  alignas(kAlignment) uint8_t bytes[FLEXIBLE_ARRAY_MEMBER];
};

static uint64_t area_size() {
  const uint64_t wanted = settings::shared_cache_size();
  return wanted == 0 ? 0 : sizeof(SharedModels) + wanted;
}

static void init_area(void* pointer, uint64_t size) {
  auto* models = static_cast<SharedModels*>(pointer);
  memset(models, 0, sizeof *models);
  models->capacity = size - sizeof(SharedModels);
  LWLockInitialize(&models->lock, LWLockNewTrancheId());
}

static SharedArea area = {"pg_retrain models", area_size, init_area, nullptr};
SharedArea* shared_models_area() { return &area; }

static SharedModels* store() { return static_cast<SharedModels*>(shared_memory(&area)); }

// How often this process has pinned each slot: its memory contexts give the pins back, its end gives back the rest.
static uint32_t own_pins[kSlots];

static void unpin(int slot) {
  SharedModels* models = store();
  LWLockAcquire(&models->lock, LW_EXCLUSIVE);
  models->slots[slot].pins -= 1;
  LWLockRelease(&models->lock);
  own_pins[slot] -= 1;
}

static void unpin_all(int, Datum) {
  for (int slot = 0; slot < kSlots; ++slot)
    while (own_pins[slot] > 0) unpin(slot);
}

struct Pin {
  MemoryContextCallback callback;
  int slot;  // -1: none
};

// Made before the pin, so that nothing can fail between taking it and being sure to give it back.
static Pin* prepare_pin(MemoryContext context) {
  static bool registered = false;
  if (!registered) {
    before_shmem_exit(unpin_all, static_cast<Datum>(0));
    registered = true;
  }
  auto* pin = static_cast<Pin*>(MemoryContextAllocZero(context, sizeof(Pin)));
  pin->slot = -1;
  pin->callback.arg = pin;
  pin->callback.func = [](void* arg) {
    const int slot = static_cast<Pin*>(arg)->slot;
    // At the end of the process all pins may be gone already.
    if (slot >= 0 && own_pins[slot] > 0) unpin(slot);
  };
  MemoryContextRegisterResetCallback(context, &pin->callback);
  return pin;
}

// Both: the lock is held.
static void take(SharedModels* models, int slot, Pin* pin) {
  models->slots[slot].pins += 1;
  models->slots[slot].last_use = ++models->clock;
  own_pins[slot] += 1;
  pin->slot = slot;
}

static int find(const SharedModels* models, const char* key) {
  for (int slot = 0; slot < kSlots; ++slot)
    if (strcmp(models->slots[slot].key, key) == 0) return slot;
  return -1;
}

static std::span<const uint8_t> bytes_of(const SharedModels* models, int slot) {
  return {models->bytes + models->slots[slot].offset, models->slots[slot].size};
}

std::span<const uint8_t> shared_models_pin(const char* key, MemoryContext context) {
  SharedModels* models = store();
  if (models == nullptr) return {};
  Pin* pin = prepare_pin(context);
  LWLockAcquire(&models->lock, LW_EXCLUSIVE);
  const int slot = find(models, key);
  if (slot >= 0) take(models, slot, pin);
  LWLockRelease(&models->lock);
  return pin->slot < 0 ? std::span<const uint8_t>() : bytes_of(models, pin->slot);
}

static bool overlaps(const SharedModels* models, uint64_t offset, uint64_t size) {
  for (const auto& slot : models->slots)
    if (slot.key[0] != '\0' && slot.offset < offset + size && offset < slot.offset + slot.size) return true;
  return false;
}

// The first gap of `size` bytes: at the start or behind some slot.
static bool find_gap(const SharedModels* models, uint64_t size, uint64_t* offset) {
  bool found = false;
  const auto consider = [&](uint64_t start) {
    if (size > models->capacity || start > models->capacity - size || overlaps(models, start, size)) return;
    if (!found || start < *offset) *offset = start;
    found = true;
  };
  consider(0);
  for (const auto& slot : models->slots)
    if (slot.key[0] != '\0') consider((slot.offset + slot.size + kAlignment - 1) / kAlignment * kAlignment);
  return found;
}

// A free slot with room for `size` bytes, or -1. Frees slots that nobody pins until there is one.
static int make_room(SharedModels* models, uint64_t size, uint64_t* offset) {
  for (;;) {
    const int free_slot = find(models, "");
    if (free_slot >= 0 && find_gap(models, size, offset)) return free_slot;
    SharedSlot* oldest = nullptr;
    for (auto& slot : models->slots)
      if (slot.key[0] != '\0' && slot.pins == 0 && (oldest == nullptr || slot.last_use < oldest->last_use))
        oldest = &slot;
    if (oldest == nullptr) return -1;
    oldest->key[0] = '\0';
  }
}

std::span<const uint8_t> shared_models_put(const char* key, std::span<const uint8_t> artifact, MemoryContext context) {
  SharedModels* models = store();
  if (models == nullptr || artifact.size() > models->capacity) return {};
  Pin* pin = prepare_pin(context);
  LWLockAcquire(&models->lock, LW_EXCLUSIVE);
  int slot = find(models, key);
  uint64_t offset = 0;
  if (slot < 0 && (slot = make_room(models, artifact.size(), &offset)) >= 0) {
    SharedSlot* fresh = &models->slots[slot];
    strlcpy(fresh->key, key, sizeof fresh->key);
    fresh->offset = offset;
    fresh->size = artifact.size();
    // Under the lock, so that a slot is never half there: 256 MB, the largest artifact, are copied in less time than
    // those who wait here have spent on reading it.
    memcpy(models->bytes + offset, artifact.data(), artifact.size());
  }
  if (slot >= 0) take(models, slot, pin);
  LWLockRelease(&models->lock);
  return slot < 0 ? std::span<const uint8_t>() : bytes_of(models, slot);
}

RETRAIN_FUNCTION(retrain_shared_cache_stats);

// (entries, bytes, capacity, pins) of the store; capacity 0 where this server has none.
Datum retrain_shared_cache_stats(PG_FUNCTION_ARGS) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("retrain_shared_cache_stats must return a row")));
  int entries = 0;
  uint64_t bytes = 0, pins = 0, capacity = 0;
  if (SharedModels* models = store()) {
    LWLockAcquire(&models->lock, LW_SHARED);
    capacity = models->capacity;
    for (const auto& slot : models->slots) {
      if (slot.key[0] == '\0') continue;
      entries += 1;
      bytes += slot.size;
      pins += slot.pins;
    }
    LWLockRelease(&models->lock);
  }
  Datum values[4] = {Int32GetDatum(entries), Int64GetDatum(static_cast<int64>(bytes)),
                     Int64GetDatum(static_cast<int64>(capacity)), Int64GetDatum(static_cast<int64>(pins))};
  bool nulls[4] = {};
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
