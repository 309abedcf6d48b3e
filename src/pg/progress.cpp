// The table of running trainings in shared memory, the notices, and the function under the view ai_training_progress.
#include "pg/progress.h"

#include "pg/catalog.h"
#include "pg/materialized.h"
#include "pg/settings.h"

extern "C" {
#include "catalog/pg_type.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "utils/array.h"
#include "utils/timestamp.h"
}

RETRAIN_FUNCTION(retrain_progress);

static constexpr int kSlots = 128;

struct ProgressSlot {
  int pid;               // 0: free
  Oid database;          // models are named within a database
  char model_name[801];  // 200 characters of at most 4 bytes
  char phase[32];
  uint64 done, total;
  float4 percent;
  TimestampTz started_at;
};

struct ProgressTable {
  LWLock lock;
  ProgressSlot slots[kSlots];
};

static ProgressTable* table = nullptr;  // set when it is first wanted
static ProgressSlot* own_slot = nullptr;
static TimestampTz last_notice = 0;
static char last_phase[32];

static void init_table(void* pointer, uint64_t) {
  auto* fresh = static_cast<ProgressTable*>(pointer);
  memset(fresh, 0, sizeof *fresh);
  LWLockInitialize(&fresh->lock, LWLockNewTrancheId());
}

static uint64_t area_size() { return sizeof(ProgressTable); }
static SharedArea area = {"pg_retrain progress", area_size, init_table, nullptr};
SharedArea* progress_area() { return &area; }

static void clear_slot() {
  if (own_slot == nullptr) return;
  LWLockAcquire(&table->lock, LW_EXCLUSIVE);
  own_slot->pid = 0;
  LWLockRelease(&table->lock);
  own_slot = nullptr;
}

static void at_exit(int, Datum) { clear_slot(); }

void progress_begin(MemoryContext context, const char* model_name) {
  last_notice = 0;
  last_phase[0] = '\0';
  table = static_cast<ProgressTable*>(shared_memory(&area));
  if (table == nullptr) return;
  static bool registered = false;
  if (!registered) {
    before_shmem_exit(at_exit, static_cast<Datum>(0));
    registered = true;
  }
  auto* callback = static_cast<MemoryContextCallback*>(MemoryContextAllocZero(context, sizeof(MemoryContextCallback)));
  callback->func = [](void*) { clear_slot(); };
  MemoryContextRegisterResetCallback(context, callback);
  const TimestampTz now = GetCurrentTimestamp();
  LWLockAcquire(&table->lock, LW_EXCLUSIVE);
  for (auto& slot : table->slots) {
    if (own_slot == nullptr && slot.pid == 0) own_slot = &slot;
  }
  if (own_slot != nullptr) {
    memset(own_slot, 0, sizeof *own_slot);
    own_slot->pid = MyProcPid;
    own_slot->database = MyDatabaseId;
    strlcpy(own_slot->model_name, model_name, sizeof own_slot->model_name);
    own_slot->started_at = now;
  }
  LWLockRelease(&table->lock);
}

static void notice(const char* phase, double percent) {
  if (!settings::progress()) return;
  const TimestampTz now = GetCurrentTimestamp();
  if (strcmp(phase, last_phase) == 0 && !TimestampDifferenceExceeds(last_notice, now, 1000)) return;
  last_notice = now;
  strlcpy(last_phase, phase, sizeof last_phase);
  ereport(NOTICE, (errmsg("training: %s, %.0f %%", phase, percent)));
}

void progress_update(const char* phase, uint64 done, uint64 total, double percent) {
  if (own_slot != nullptr) {
    LWLockAcquire(&table->lock, LW_EXCLUSIVE);
    strlcpy(own_slot->phase, phase, sizeof own_slot->phase);
    own_slot->done = done;
    own_slot->total = total;
    own_slot->percent = static_cast<float4>(percent);
    LWLockRelease(&table->lock);
  }
  notice(phase, percent);
}

// The models whose rows the current user may read, or null for all: row-level security's own answer.
static ArrayType* visible_models(Oid schema) {
  SPI_connect();
  run_own_statement(psprintf("SELECT %s()", own_name(schema, "retrain_visible_models")), 0, nullptr, nullptr, nullptr,
                    SPI_OK_SELECT);
  bool is_null = true;
  const Datum models = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
  ArrayType* copy = nullptr;
  if (!is_null) {
    struct varlena* value = PG_DETOAST_DATUM(models);
    copy = static_cast<ArrayType*>(SPI_palloc(VARSIZE(value)));
    memcpy(copy, value, VARSIZE(value));
  }
  SPI_finish();
  return copy;
}

static bool may_see(const char* model_name, const Datum* visible, int n) {
  for (int i = 0; i < n; ++i)
    if (strcmp(TextDatumGetCString(visible[i]), model_name) == 0) return true;
  return false;
}

// Rows (pid, model_name, phase, done, total, percent, started_at) of the trainings that run now in this database, of the
// models that the caller may read; total is null while it is not known.
Datum retrain_progress(PG_FUNCTION_ARGS) {
  ReturnSetInfo* result = begin_materialized(fcinfo);
  table = static_cast<ProgressTable*>(shared_memory(&area));
  if (table == nullptr) return static_cast<Datum>(0);
  ArrayType* models = visible_models(own_schema(fcinfo));
  Datum* visible = nullptr;
  bool* nulls_unused;
  int n_visible = 0;
  if (models != nullptr)
    deconstruct_array(models, TEXTOID, -1, false, TYPALIGN_INT, &visible, &nulls_unused, &n_visible);
  auto* copy = static_cast<ProgressSlot*>(palloc(sizeof table->slots));
  LWLockAcquire(&table->lock, LW_SHARED);
  memcpy(copy, table->slots, sizeof table->slots);
  LWLockRelease(&table->lock);
  for (int i = 0; i < kSlots; ++i) {
    const ProgressSlot& slot = copy[i];
    if (slot.pid == 0 || slot.database != MyDatabaseId) continue;
    if (models != nullptr && !may_see(slot.model_name, visible, n_visible)) continue;
    Datum values[7] = {Int32GetDatum(slot.pid),
                       CStringGetTextDatum(slot.model_name),
                       CStringGetTextDatum(slot.phase),
                       Int64GetDatum(static_cast<int64>(slot.done)),
                       Int64GetDatum(static_cast<int64>(slot.total)),
                       Float4GetDatum(slot.percent),
                       TimestampTzGetDatum(slot.started_at)};
    bool nulls[7] = {false, false, false, false, slot.total == 0, false, false};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return static_cast<Datum>(0);
}
