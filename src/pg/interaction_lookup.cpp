// The two rows that recording a message looks for: the one that took its idempotency key, and the turn before it.
//
// By key scans, not statements: recording happens a thousand times for each plan, and on a table without statistics the
// planner, offered row-level security's list of models as an index condition, reads every row of the model each time.
#include "pg/catalog.h"
#include "pg/key_scan.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

RETRAIN_FUNCTION(retrain_interaction_by_key);
RETRAIN_FUNCTION(retrain_unjudged_turn);

static constexpr RegProcedure kEquals[] = {F_TEXTEQ, F_TEXTEQ};

// What row-level security would say: the rows of a model are for those who may record or read it.
static bool may_see(Oid schema, Datum model_name) {
  const Oid table_id = get_relname_relid("ai_training_data", schema);
  if (OidIsValid(table_id) && check_enable_rls(table_id, InvalidOid, true) != RLS_ENABLED)
    return pg_class_aclcheck(table_id, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
  SPI_connect();
  Oid types[] = {TEXTOID};
  run_own_statement(
      psprintf("SELECT EXISTS (SELECT FROM %s s WHERE s.level OPERATOR(pg_catalog.=) ANY (ARRAY['recorder', "
               "'reader']) AND s.model_name OPERATOR(pg_catalog.=) $1)",
               own_name(schema, "ai_access_scope")),
      1, types, &model_name, nullptr, SPI_OK_SELECT);
  bool is_null = true;
  const bool seen = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
  SPI_finish();
  return seen;
}

static Datum copied_uuid(Datum value) {
  auto* copy = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  memcpy(copy, DatumGetUUIDP(value), sizeof *copy);
  return UUIDPGetDatum(copy);
}

// (model_name text, idempotency_key text): the id of the row that has the key; null without one.
Datum retrain_interaction_by_key(PG_FUNCTION_ARGS) {
  const Oid schema = own_schema(fcinfo);
  const Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
  if (!may_see(schema, values[0])) PG_RETURN_NULL();
  KeyScan s;
  begin_key_scan(&s, schema, "ai_training_data", "ai_training_data_idempotency_key", 2, kEquals, values);
  Datum id = static_cast<Datum>(0);
  const bool found = next_row(&s);
  bool is_null = true;
  if (found) id = copied_uuid(slot_getattr(s.slot, column_number(&s, "id"), &is_null));
  end_key_scan(&s);
  if (!found) PG_RETURN_NULL();
  PG_RETURN_DATUM(id);
}

// (model_name text, conversation_id text, id uuid, created_at timestamptz): the id of the newest row of the conversation up
// to that time, the row `id` itself left out; null without one, and when it has been evaluated.
Datum retrain_unjudged_turn(PG_FUNCTION_ARGS) {
  const Oid schema = own_schema(fcinfo);
  const Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
  const pg_uuid_t* own_id = PG_GETARG_UUID_P(2);
  const TimestampTz until = PG_GETARG_TIMESTAMPTZ(3);
  if (!may_see(schema, values[0])) PG_RETURN_NULL();
  KeyScan s;
  begin_key_scan(&s, schema, "ai_training_data", "ai_training_data_conversation_idx", 2, kEquals, values);
  const AttrNumber id = column_number(&s, "id"), created_at = column_number(&s, "created_at"),
                   evaluated_at = column_number(&s, "evaluated_at");
  Datum turn = static_cast<Datum>(0);
  bool found = false;
  while (!found && next_row(&s)) {  // the newest first
    bool is_null, is_open;
    const Datum row_id = slot_getattr(s.slot, id, &is_null);
    if (DatumGetTimestampTz(slot_getattr(s.slot, created_at, &is_null)) > until ||
        memcmp(DatumGetUUIDP(row_id), own_id, sizeof *own_id) == 0)
      continue;
    slot_getattr(s.slot, evaluated_at, &is_open);
    if (!is_open) break;
    turn = copied_uuid(row_id);
    found = true;
  }
  end_key_scan(&s);
  if (!found) PG_RETURN_NULL();
  PG_RETURN_DATUM(turn);
}
