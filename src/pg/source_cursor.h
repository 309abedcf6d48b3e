// A caller's query, streamed row by row: one SELECT, under the caller's rights and search_path, that cannot write.
#pragma once

#include "pg/pg.h"

extern "C" {
#include "access/htup.h"
#include "access/tupdesc.h"
}

// What is done with a query's rows. Both may ereport; neither may leave a C++ object behind when it does.
struct RowReader {
  // Once, before the first row: checks the columns.
  void (*describe)(TupleDesc desc, void* arg);
  // For every row, in a memory context that is reset after it.
  void (*row)(HeapTuple tuple, TupleDesc desc, void* arg);
  void* arg;
};

// Runs the query to its end; the caller has connected SPI. `own` is a query that the extension made itself, with the
// search_path that own statements have; a caller's must be exactly one SELECT, else error 22023 with `example` as its hint.
// Interrupts act between rows, and the progress view counts them.
void read_source(const char* query, bool own, const char* example, const RowReader& reader);

// The same for a stable function's query: read under the snapshot of the statement that calls it. `argument` is what an
// error calls the query.
void read_stable_source(const char* query, const char* argument, const char* example, const RowReader& reader);

// Whether values of a base type are numbers, as their text is read: a sum of money or an object's id is none.
bool is_number_type(Oid base);
