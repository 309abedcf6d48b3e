// Probabilities in the jsonb objects that predictions answer with.
#pragma once

#include "pg/pg.h"

extern "C" {
#include "utils/jsonb.h"
}

// Adds "label": probability to the object that is being built; rounded to six decimals, without trailing zeros.
void push_probability(JsonbParseState** state, text* label, double probability);
