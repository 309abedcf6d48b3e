// Reads rows through one of the extension's own indexes without a statement: about a microsecond where SPI costs several.
//
// Rows are those of the active snapshot. Neither rights nor row-level security are looked at: that is the caller's part.
#pragma once

#include "pg/pg.h"

extern "C" {
#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
}

struct KeyScan {
  Relation table, index;
  IndexScanDesc scan;
  TupleTableSlot* slot;
};

// Starts a scan of `index_name` where its first n columns equal the values; column i compares by the function equals[i].
// Error 42P01 when table or index is missing.
void begin_key_scan(KeyScan* s, Oid schema, const char* table_name, const char* index_name, int n,
                    const RegProcedure* equals, const Datum* values);
// The next row into s->slot; false at the end.
bool next_row(KeyScan* s);
void end_key_scan(KeyScan* s);

// The column's number in the scanned table.
AttrNumber column_number(const KeyScan* s, const char* name);
