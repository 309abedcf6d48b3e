// Reads the index of corrected messages directly: about a microsecond where a statement through SPI costs several.
//
// Rows are read under the active snapshot, so a correction counts from the moment it is made in its own transaction, from
// its commit in others, and is gone when rolled back.
#include "pg/correction_lookup.h"

extern "C" {
#include "access/genam.h"
#include "access/heapam.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

struct CorrectionScan {
  Relation table, index;
  IndexScanDesc scan;
  TupleTableSlot* slot;
};

static void begin_scan(CorrectionScan* s, Oid schema, text* model_name, const retrain::TextKey* key) {
  const Oid table_id = get_relname_relid("ai_training_data", schema);
  const Oid index_id = get_relname_relid("ai_training_data_correction_idx", schema);
  if (!OidIsValid(table_id) || !OidIsValid(index_id))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("the index of corrected messages is missing"),
                    errhint("DROP EXTENSION pg_retrain and restore it from a backup, or create the index again")));
  s->table = table_open(table_id, AccessShareLock);
  s->index = index_open(index_id, AccessShareLock);
  ScanKeyData keys[2];
  ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid, s->index->rd_indcollation[0], F_TEXTEQ,
                         PointerGetDatum(model_name));
  if (key != nullptr)
    ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid, InvalidOid, F_UUID_EQ,
                           UUIDPGetDatum(reinterpret_cast<pg_uuid_t*>(const_cast<uint8_t*>(key->data()))));
  const int n_keys = key != nullptr ? 2 : 1;
  s->slot = table_slot_create(s->table, nullptr);
#if PG_VERSION_NUM >= 180000
  s->scan = index_beginscan(s->table, s->index, GetActiveSnapshot(), nullptr, n_keys, 0);
#else
  s->scan = index_beginscan(s->table, s->index, GetActiveSnapshot(), n_keys, 0);
#endif
  index_rescan(s->scan, keys, n_keys, nullptr, 0);
}

static void end_scan(CorrectionScan* s) {
  index_endscan(s->scan);
  ExecDropSingleTupleTableSlot(s->slot);
  index_close(s->index, AccessShareLock);
  table_close(s->table, AccessShareLock);
}

bool correction_exists(Oid schema, text* model_name) {
  CorrectionScan s;
  begin_scan(&s, schema, model_name, nullptr);
  const bool found = index_getnext_slot(s.scan, ForwardScanDirection, s.slot);
  end_scan(&s);
  return found;
}

text* correction_find(Oid schema, text* model_name, const retrain::TextKey& key) {
  CorrectionScan s;
  begin_scan(&s, schema, model_name, &key);
  const AttrNumber intent_column = get_attnum(RelationGetRelid(s.table), "correct_intent");
  const AttrNumber time_column = get_attnum(RelationGetRelid(s.table), "corrected_at");
  text* newest = nullptr;
  TimestampTz newest_at = 0;
  while (index_getnext_slot(s.scan, ForwardScanDirection, s.slot)) {
    bool no_intent, no_time;
    const Datum intent = slot_getattr(s.slot, intent_column, &no_intent);
    const Datum time = slot_getattr(s.slot, time_column, &no_time);
    const TimestampTz at = no_time ? DT_NOBEGIN : DatumGetTimestampTz(time);
    if (no_intent || (newest != nullptr && at < newest_at)) continue;
    newest = DatumGetTextPCopy(intent);
    newest_at = at;
  }
  end_scan(&s);
  return newest;
}
