// Rows of any shape, as PostgreSQL has them, as the cells of a table model.
#pragma once

#include "core/tabular/table.h"
#include "pg/pg.h"

extern "C" {
#include "access/tupdesc.h"
}

// How a value of a type becomes a cell.
enum class CellReader : uint8 {
  kInt2,
  kInt4,
  kInt8,
  kFloat4,
  kFloat8,
  kNumeric,
  kBool,
  kDate,
  kTimestamp,  // with or without time zone: microseconds since 2000-01-01
  kTime,
  kInterval,
  kText,    // text and varchar as they lie there
  kPadded,  // char(n)
  kOutput,  // other texts, enumerations, uuid: by their output function
  kUnusable,
};

struct CellType {
  CellReader reader;
  retrain::ColumnKind kind;
  Oid output;  // kOutput
};
CellType cell_type_of(Oid type);

// Texts stay valid as long as the current memory context.
retrain::Cell cell_of_datum(const CellType& type, Datum value, bool is_null);

// What a call site of a prediction keeps between calls: where the columns of its model are in its rows.
struct RowSite {
  Oid schema;
  MemoryContext context;  // of what is behind this line; reset when the row's type or the model changes
  char model_key[88];
  uint64 row_type;  // identifier of the type cache; 0 for jsonb
  TupleDesc desc;
  int* attribute;   // of each column of the model, from 0
  CellType* types;  // of each column of the model
  Datum* values;
  bool* nulls;
};

struct CachedModel;

// Puts a row (a composite value, or a JSON object) into the cells of the model's scratch. Error 22023 or 42804 that names a
// column that is not there or of another kind. `type` is the declared type of the argument.
void read_row(RowSite* site, const CachedModel* cached, const char* model_name, Oid type, Datum row);
