// A configuration from jsonb to the plain values that the core validates.
#pragma once

#include "pg/materialized.h"
#include "pg/messages.h"
#include "pg/owned.h"
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

// The result of a function that lists hyper-parameters: rows of the members named, in their order.
template <class Doc, size_t n>
Datum parameter_rows(FunctionCallInfo fcinfo, std::vector<Doc> (*reference)(), std::string Doc::*const (&columns)[n]) {
  ReturnSetInfo* result = begin_materialized(fcinfo);
  const auto* docs =
      make_owned<std::vector<Doc>>(CurrentMemoryContext, [&] { return new std::vector<Doc>(reference()); });
  for (const Doc& doc : *docs) {
    Datum values[n];
    bool nulls[n] = {};
    for (size_t c = 0; c < n; ++c) {
      nulls[c] = (doc.*columns[c]).empty();
      values[c] = PointerGetDatum(text_of_utf8(doc.*columns[c]));
    }
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return static_cast<Datum>(0);
}
