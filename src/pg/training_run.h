// A run of a training in the tables, the same for every task: its beginning, the work between, and its end.
#pragma once

#include "pg/pg.h"

extern "C" {
#include "utils/jsonb.h"
#include "utils/uuid.h"
}

// What the caller of a training function asked for; null where the argument was null.
struct RunRequest {
  const char *model_name, *run_type, *run_name;
  Jsonb* config;
  const char* source;
  const char *task, *target, *algorithm;
  const char* promote;
};

// Error 22023 unless it is gate, always or never.
void check_promote(const char* promote);

// Starts the run: retrain_begin_run() in src/sql/45_training.sql, whose columns begin_column() and its like then read. Gives
// the run's id. The caller has connected SPI.
pg_uuid_t* begin_run(Oid schema, const RunRequest& request);

// A column, by name, of the one row that the last own statement gave: the order is the SQL module's own affair.
Datum begin_column(const char* name, bool* is_null);
// The same where null is a bug.
Datum begin_value(const char* name);
// Palloc'd; null for null.
char* begin_text(const char* name);

// The live version that the beginning names, read by itself: every step of a function's row on its way would copy it.
struct LiveVersion {
  bytea* artifact;  // null: there is none
  bytea* state;     // null: it keeps none, or the run is not incremental
};
LiveVersion read_live(Oid schema);

// Steps a training to its end: interrupts act between steps, with no C++ object on the stack, and inside a step through
// backend_stop(). The progress view shows it from progress_begin() on.
void run_steps(retrain::Training* training);

// Gives the memory of a training back to the system when `context` ends.
void trim_after(MemoryContext context);

// What finish_run() stores: JSON text with the keys of retrain_finish_run(), and the bytes of a completed run.
struct RunOutcome {
  Datum result;     // jsonb
  bytea* artifact;  // null: none
  bytea* state;     // null: none
};
Datum jsonb_of_json(const std::string& json);
// Null for no bytes.
bytea* bytea_of(std::span<const uint8_t> bytes);

// Ends the run and gives its row. The caller disconnects SPI afterwards.
Datum finish_run(Oid schema, pg_uuid_t* run_id, const RunOutcome& outcome, const char* promote);

// An argument as a palloc'd string, null when it is null.
char* argument_cstring(FunctionCallInfo fcinfo, int n);
