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
    if (!found) area->init(area->pointer);
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

void* shared_memory(SharedArea* area) {
#if PG_VERSION_NUM >= 170000
  if (area->pointer == nullptr && area->size() > 0) {
    bool found;
    area->pointer = GetNamedDSMSegment(area->name, area->size(), area->init, &found);
  }
#endif
  return area->pointer;
}
