// The labelled messages of a training, streamed from a query into the trainer.
#pragma once

#include "pg/pg.h"

// Runs the query and adds every row to the trainer; the caller has connected SPI. `own` is a query that the extension made
// itself; a caller's query must be one SELECT, runs under the caller's search_path and rights, and cannot write.
// Columns by name: text, intent; optional: weight, split, created_at, and for own queries human. Others are ignored.
void read_training_rows(const char* query, bool own, retrain::IntentTrainer* trainer);
