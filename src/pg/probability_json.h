// Probabilities in the jsonb objects that predictions answer with.
#pragma once

#include <string_view>

#include "pg/pg.h"

extern "C" {
#include "utils/jsonb.h"
}

// Adds "label": probability to the object that is being built; rounded to six decimals, without trailing zeros. The label is in
// the server's encoding and is not copied before the object is finished. Objects sort their keys by length, then bytes: it costs
// less when they come in this order.
void push_probability(JsonbParseState** state, std::string_view label, double probability);
