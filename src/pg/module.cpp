// The library's entry: its magic block, its settings, its shared memory when it is preloaded.
#include <thread>

#include "pg/pg.h"
#include "pg/progress.h"
#include "pg/settings.h"
#include "pg/shared_memory.h"
#include "pg/shared_models.h"

extern "C" {
#include "optimizer/cost.h"
#include "utils/guc.h"
}

#pragma GCC visibility push(default)
extern "C" {
#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "pg_retrain", .version = RETRAIN_VERSION);
#else
PG_MODULE_MAGIC;
#endif
PGDLLEXPORT void _PG_init(void);
}
#pragma GCC visibility pop

static int max_threads_setting = 0;
static int training_memory_kb = 1024 * 1024;
static int cache_size_kb = 256 * 1024;
static int shared_cache_size_kb = 0;
static bool progress_setting = false;

int settings::max_threads() {
  if (max_threads_setting > 0) return max_threads_setting;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int wanted = 1 + max_parallel_maintenance_workers;
  return cores > 0 && wanted > cores ? cores : wanted;
}

uint64_t settings::training_memory() { return static_cast<uint64_t>(training_memory_kb) * 1024; }
uint64_t settings::cache_size() { return static_cast<uint64_t>(cache_size_kb) * 1024; }
uint64_t settings::shared_cache_size() { return static_cast<uint64_t>(shared_cache_size_kb) * 1024; }
bool settings::progress() { return progress_setting; }

// Memory of the server's own costs nothing until it is used. Dynamic memory is taken whole, from a file system that has
// 64 MB in a container and is there for parallel queries.
static int default_shared_cache_size_kb() { return (process_shared_preload_libraries_in_progress ? 32 : 8) * 1024; }

void _PG_init(void) {
  DefineCustomIntVariable("pg_retrain.max_threads", "Threads that one training may use.",
                          "0 means 1 + max_parallel_maintenance_workers, at most the number of processors. The trained "
                          "model is the same on any number.",
                          &max_threads_setting, 0, 0, 256, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("pg_retrain.training_memory", "Memory that one training may use.",
                          "A training that needs more is refused before it starts.", &training_memory_kb, 1024 * 1024,
                          1024, INT_MAX, PGC_USERSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("pg_retrain.cache_size", "Memory that decoded models may hold in one connection.",
                          "The models least recently used leave first; the one in use always stays.", &cache_size_kb,
                          256 * 1024, 0, INT_MAX, PGC_USERSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "pg_retrain.shared_cache_size", "Memory in which all connections together hold decoded models.",
      "32 MB where the library is preloaded. Fixed when the server starts, if it preloads the library, else by the "
      "first connection that predicts. 0 switches it off: each connection holds its own.",
      &shared_cache_size_kb, default_shared_cache_size_kb(), 0, INT_MAX,
      process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, GUC_UNIT_KB, nullptr, nullptr,
      nullptr);
  DefineCustomBoolVariable("pg_retrain.progress", "Report the phase and percent of a training as notices.", nullptr,
                           &progress_setting, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
#if PG_VERSION_NUM >= 150000
  MarkGUCPrefixReserved("pg_retrain");
#else
  EmitWarningsOnPlaceholders("pg_retrain");
#endif
  static SharedArea* const areas[] = {progress_area(), shared_models_area()};
  shared_memory_init(areas, lengthof(areas));
}
