// One training, shared by the functions that train: what it is told, and the work between reading and storing.
#pragma once

#include "pg/pg.h"
#include "pg/training_run.h"

extern "C" {
#include "utils/jsonb.h"
}

// What a training is told, as plain data in the current memory context.
struct TrainingOrder {
  const char* model_name;
  Jsonb* config;
  Jsonb* given;       // the part of it that the caller gave; null: none
  const char* query;  // rows to train on
  bool own_query;     // made by the extension, not by the caller
  bool label_issues;  // look for doubtful labels as well
  LiveVersion live;
  bool incremental;  // start from the live version's state
  int32 min_samples;
  float4 human_weight, max_f1_regression, recent_min_ratio, confidence_threshold;
  int32 recent_min_rows;
  int64 recent_since;
};

// Reads the rows and trains. The trainer belongs to `context`; interrupts act between steps, with no C++ object on the
// stack, and inside a step through backend_stop(). The caller has connected SPI.
retrain::IntentTrainer* run_training(MemoryContext context, const TrainingOrder& order);

// The same from beginning to outcome, the trainer gone by then. Those of tables and forecasts take their orders from the
// beginning themselves, whether a run's or a verification's.
RunOutcome train_intents(const TrainingOrder& order);
RunOutcome train_table(Oid schema, const char* model_name, retrain::TableTask task);
RunOutcome train_series(Oid schema, const char* model_name);
