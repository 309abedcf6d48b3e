// What the optional module pg_retrain_xgboost offers: libxgboost behind plain C, so that neither C++ objects nor exceptions
// cross from one library into the other.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
namespace retrain {
extern "C" {
#endif

#define RETRAIN_BOOSTER_API_VERSION 1u

// Rows in batches of row-major floats, NaN for missing. The callbacks must not throw.
typedef struct BoosterRows {
  void* arg;
  void (*reset)(void* arg);
  // The next batch: its rows, 0 behind the last one or to end the work.
  uint64_t (*next)(void* arg, const float** batch);
  uint64_t n_rows;
  uint32_t n_columns;
  uint32_t n_labels;           // per row
  const float* labels;         // n_rows × n_labels
  const uint8_t* categorical;  // per column: 1 when its values are codes of categories
} BoosterRows;

typedef struct BoosterParameter {
  const char* name;
  const char* value;
} BoosterParameter;

// Every call gives 0, or 1 with a message in `error`. None of them leaves a thread that takes signals.
typedef struct BoosterApi {
  uint32_t version;
  const char* engine;  // "xgboost 1.7.4"
  // quantised: rows are kept as bins only. validation may be null.
  int (*create)(const BoosterRows* train, const BoosterRows* validation, int quantised, int threads,
                const BoosterParameter* parameters, size_t n_parameters, void** booster, char* error,
                size_t error_size);
  // One round of the objective, or one tree for each label from the gradients given (n_rows × n_labels each).
  int (*round)(void* booster, int iteration, const float* gradients, const float* hessians, size_t n, char* error,
               size_t error_size);
  // The objective's metric on the validation rows.
  int (*evaluate)(void* booster, int iteration, double* value, char* error, size_t error_size);
  // The model as UBJSON, valid until the next call.
  int (*save)(void* booster, const uint8_t** bytes, uint64_t* size, char* error, size_t error_size);
  void (*destroy)(void* booster);
} BoosterApi;

#ifdef __cplusplus
}  // extern "C"
}  // namespace retrain
#endif
