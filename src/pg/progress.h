// What running trainings are doing, readable from every connection.
//
// The table of running trainings is in shared memory: requested at start where the library is preloaded
// (shared_preload_libraries), else made on first use as a named segment on PostgreSQL 17 and later. On older servers
// without preloading there is no table: trainings run as well, the view stays empty.
#pragma once

#include "pg/pg.h"

void progress_init();

// A training begins in this backend; it ends when `context` is reset, by success, error or cancel, or when the backend exits.
void progress_begin(MemoryContext context, const char* model_name);
void progress_update(const char* phase, uint64 done, uint64 total, double percent);
