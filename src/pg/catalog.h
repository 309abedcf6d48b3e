// Where the extension's own objects are, and statements on them that a caller's search_path cannot bend.
#pragma once

#include "pg/pg.h"

extern "C" {
#include "executor/spi.h"
}

// Schema of the function that is being called: the extension's schema, whatever its name.
Oid own_schema(FunctionCallInfo fcinfo);

// "schema"."name", quoted, palloc'd.
char* own_name(Oid schema, const char* name);

// While alive (until restore), search_path is "pg_catalog, pg_temp". An error in between restores it by itself.
int pin_search_path();
void restore_search_path(int nest_level);

// Runs a statement that must give exactly one row and returns its first column by SPI; the caller has connected SPI.
void run_own_statement(const char* sql, int n_args, Oid* types, Datum* values, const char* nulls, int expected);
