// The extension's settings (GUCs).
#pragma once

#include <cstdint>

namespace settings {

int max_threads();           // pg_retrain.max_threads, resolved: 0 means 1 + max_parallel_maintenance_workers, <= cores
uint64_t training_memory();  // pg_retrain.training_memory in bytes
uint64_t cache_size();       // pg_retrain.cache_size in bytes
uint64_t shared_cache_size();  // pg_retrain.shared_cache_size in bytes
bool progress();               // pg_retrain.progress

}  // namespace settings
