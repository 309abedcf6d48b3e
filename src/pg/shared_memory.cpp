// Asks for shared memory at the server's start (preloaded library), or finds it by name later (PostgreSQL 17 on).
#include "pg/shared_memory.h"

#include "pg/pg.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
#endif
}

static SharedArea* const* all_areas = nullptr;
static int n_areas = 0;

static shmem_startup_hook_type previous_startup_hook = nullptr;

static void startup() {
  if (previous_startup_hook != nullptr) previous_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  for (int i = 0; i < n_areas; ++i) {
    SharedArea* area = all_areas[i];
    if (area->size() == 0) continue;
    bool found;
    area->pointer = ShmemInitStruct(area->name, area->size(), &found);
    if (!found) area->init(area->pointer, area->size());
  }
  LWLockRelease(AddinShmemInitLock);
}

static void request_all() {
  for (int i = 0; i < n_areas; ++i)
    if (all_areas[i]->size() > 0) RequestAddinShmemSpace(CACHELINEALIGN(all_areas[i]->size()));
}

#if PG_VERSION_NUM >= 150000
static shmem_request_hook_type previous_request_hook = nullptr;

static void request() {
  if (previous_request_hook != nullptr) previous_request_hook();
  request_all();
}
#endif

void shared_memory_init(SharedArea* const* areas, int n) {
  all_areas = areas;
  n_areas = n;
  if (!process_shared_preload_libraries_in_progress) return;
#if PG_VERSION_NUM >= 150000
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = request;
#else
  request_all();
#endif
  previous_startup_hook = shmem_startup_hook;
  shmem_startup_hook = startup;
}

#if PG_VERSION_NUM >= 170000
// What the callbacks that fill a named segment, which get nothing but its memory, are to do.
static SharedArea* fresh_area = nullptr;
static uint64_t fresh_size = 0;

// Whoever asks for a named segment has to ask for the size that it was made with, and the settings may have changed since:
// the size that an area got is kept in a segment of its own.
static void find_by_name(SharedArea* area) {
  bool found;
  fresh_area = area;
  fresh_size = area->size();
  const auto* size = static_cast<uint64_t*>(GetNamedDSMSegment(
      psprintf("%s: size", area->name), sizeof(uint64_t),
      [](void* pointer) { *static_cast<uint64_t*>(pointer) = fresh_size; }, &found));
  fresh_size = *size;
  area->pointer = GetNamedDSMSegment(
      area->name, fresh_size, [](void* pointer) { fresh_area->init(pointer, fresh_size); }, &found);
}
#endif

void* shared_memory(SharedArea* area) {
#if PG_VERSION_NUM >= 170000
  if (area->pointer == nullptr && area->size() > 0) find_by_name(area);
#endif
  return area->pointer;
}
