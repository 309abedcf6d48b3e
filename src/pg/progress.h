// What running trainings are doing, readable from every connection.
//
// The table of running trainings is in shared memory. On a server that has none left (pg/shared_memory.h) trainings run as
// well, and the view stays empty.
#pragma once

#include "pg/pg.h"
#include "pg/shared_memory.h"

SharedArea* progress_area();

// A training begins in this backend; it ends when `context` is reset, by success, error or cancel, or when the backend exits.
void progress_begin(MemoryContext context, const char* model_name);
void progress_update(const char* phase, uint64 done, uint64 total, double percent);
