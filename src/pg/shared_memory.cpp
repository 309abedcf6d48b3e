// Asks for shared memory at the server's start (preloaded library), or makes and finds it later.
#include "pg/shared_memory.h"

#include "pg/pg.h"

extern "C" {
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/resowner.h"
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

// Elsewhere an area is dynamic shared memory, made by the first connection that wants it and kept until the server stops.
// Where it is stands in a directory that every connection finds by its name.
static constexpr int kAreas = 8;

struct DirectoryEntry {
  char area[40];  // empty: free
  dsm_handle handle;
};

struct Directory {
  DirectoryEntry entries[kAreas];
};

// Some 400 bytes of what a server keeps spare, as contrib/pg_prewarm took them when it was not preloaded. Not a segment of
// PostgreSQL 17's GetNamedDSMSegment(): an error in there holds a lock that only the transaction's end gives back.
static Directory* find_directory() {
  bool found;
  auto* directory = static_cast<Directory*>(ShmemInitStruct("pg_retrain areas", sizeof(Directory), &found));
  if (!found) memset(directory, 0, sizeof(Directory));
  return directory;
}

static DirectoryEntry* entry_of(Directory* directory, const char* area) {
  for (auto& entry : directory->entries)
    if (entry.area[0] == '\0' || strcmp(entry.area, area) == 0) return &entry;
  elog(ERROR, "no room for \"%s\" in the directory of shared memory", area);
}

static void* attach(const DirectoryEntry* entry) {
  dsm_segment* segment = dsm_attach(entry->handle);
  if (segment == nullptr) elog(ERROR, "the shared memory of \"%s\" is gone", entry->area);
  return dsm_segment_address(segment);
}

static void* make(DirectoryEntry* entry, const SharedArea* area) {
  const uint64_t size = area->size();
  dsm_segment* segment = dsm_create(size, 0);
  area->init(dsm_segment_address(segment), size);
  dsm_pin_segment(segment);
  strlcpy(entry->area, area->name, sizeof entry->area);
  entry->handle = dsm_segment_handle(segment);
  return dsm_segment_address(segment);
}

// A server whose shared memory is used up predicts and trains without any of ours.
static void log_refusal(SharedArea* area, MemoryContext context) {
  MemoryContextSwitchTo(context);
  ErrorData* const error = CopyErrorData();
  FlushErrorState();
  area->refused = true;
  ereport(LOG, (errmsg("connection works without the shared memory of \"%s\"", area->name),
                errdetail("The server said: %s", error->message),
                errhint("lower pg_retrain.shared_cache_size, or preload the library (shared_preload_libraries)")));
  FreeErrorData(error);
}

static void open_area(SharedArea* area) {
  const MemoryContext context = CurrentMemoryContext;
  const ResourceOwner owner = CurrentResourceOwner;
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  CurrentResourceOwner = nullptr;  // mapped for as long as the connection lasts
  PG_TRY();
  {
    DirectoryEntry* const entry = entry_of(find_directory(), area->name);
    area->pointer = entry->area[0] != '\0' ? attach(entry) : make(entry, area);
  }
  PG_CATCH();
  {
    HOLD_INTERRUPTS();  // the error forgot that the lock below does so
    log_refusal(area, context);
  }
  PG_END_TRY();
  CurrentResourceOwner = owner;
  LWLockRelease(AddinShmemInitLock);
}

void* shared_memory(SharedArea* area) {
  if (area->pointer == nullptr && !area->refused && IsUnderPostmaster && area->size() > 0) open_area(area);
  return area->pointer;
}
