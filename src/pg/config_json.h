// A configuration from jsonb to the plain values that the core validates.
#pragma once

#include "pg/pg.h"

extern "C" {
#include "utils/jsonb.h"
}

struct ConfigValues {
  retrain::ConfigValue* values;  // palloc'd
  size_t size;
};

// Error 22023 when the value is not an object.
ConfigValues read_config(Jsonb* config);
