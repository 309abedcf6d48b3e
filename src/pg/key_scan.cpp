// Index scans on the extension's own tables.
#include "pg/key_scan.h"

extern "C" {
#include "access/heapam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

static constexpr int kMaxKeys = 4;

void begin_key_scan(KeyScan* s, Oid schema, const char* table_name, const char* index_name, int n,
                    const RegProcedure* equals, const Datum* values) {
  const Oid table_id = get_relname_relid(table_name, schema);
  const Oid index_id = get_relname_relid(index_name, schema);
  if (!OidIsValid(table_id) || !OidIsValid(index_id))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("the index %s is missing", index_name),
                    errhint("DROP EXTENSION pg_retrain and restore it from a backup, or create the index again")));
  s->table = table_open(table_id, AccessShareLock);
  s->index = index_open(index_id, AccessShareLock);
  ScanKeyData keys[kMaxKeys];
  Assert(n <= kMaxKeys);
  for (int i = 0; i < n; ++i)
    ScanKeyEntryInitialize(&keys[i], 0, static_cast<AttrNumber>(i + 1), BTEqualStrategyNumber, InvalidOid,
                           s->index->rd_indcollation[i], equals[i], values[i]);
  s->slot = table_slot_create(s->table, nullptr);
#if PG_VERSION_NUM >= 180000
  s->scan = index_beginscan(s->table, s->index, GetActiveSnapshot(), nullptr, n, 0);
#else
  s->scan = index_beginscan(s->table, s->index, GetActiveSnapshot(), n, 0);
#endif
  index_rescan(s->scan, keys, n, nullptr, 0);
}

bool next_row(KeyScan* s) { return index_getnext_slot(s->scan, ForwardScanDirection, s->slot); }

void end_key_scan(KeyScan* s) {
  index_endscan(s->scan);
  ExecDropSingleTupleTableSlot(s->slot);
  index_close(s->index, AccessShareLock);
  table_close(s->table, AccessShareLock);
}

AttrNumber column_number(const KeyScan* s, const char* name) { return get_attnum(RelationGetRelid(s->table), name); }
