// Artifacts that all connections use in place, so that two hundred of them hold one model and not two hundred.
//
// Found by the same key as the connection's own cache: it names one artifact for ever, so nothing has to be invalidated.
// Bytes are checked before they get here. A slot is pinned by every connection whose cache has the model, and leaves, the
// least recently used first, only when nobody pins it; where there is no room the connection keeps a copy of its own.
#pragma once

#include <cstdint>
#include <span>

#include "pg/pg.h"
#include "pg/shared_memory.h"

SharedArea* shared_models_area();

// The bytes under `key`, pinned until `context` is reset or the connection ends; empty when they are not here.
std::span<const uint8_t> shared_models_pin(const char* key, MemoryContext context);

// Stores checked bytes under `key` and pins them as above; empty when there is no room for them.
std::span<const uint8_t> shared_models_put(const char* key, std::span<const uint8_t> artifact, MemoryContext context);
