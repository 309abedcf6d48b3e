// A person's correction of a text: it answers at once, before any training.
//
// Rows are read under the active snapshot, so a correction counts from the moment it is made in its own transaction, from
// its commit in others, and is gone when rolled back.
#include "pg/correction_lookup.h"

#include "pg/key_scan.h"

extern "C" {
#include "utils/fmgroids.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

static constexpr RegProcedure kEquals[] = {F_TEXTEQ, F_UUID_EQ};

static void begin_scan(KeyScan* s, Oid schema, int n, const Datum* values) {
  begin_key_scan(s, schema, "ai_training_data", "ai_training_data_correction_idx", n, kEquals, values);
}

bool correction_exists(Oid schema, text* model_name) {
  KeyScan s;
  const Datum values[] = {PointerGetDatum(model_name)};
  begin_scan(&s, schema, 1, values);
  const bool found = next_row(&s);
  end_key_scan(&s);
  return found;
}

text* correction_find(Oid schema, text* model_name, const retrain::TextKey& key) {
  KeyScan s;
  const Datum values[] = {PointerGetDatum(model_name),
                          UUIDPGetDatum(reinterpret_cast<pg_uuid_t*>(const_cast<uint8_t*>(key.data())))};
  begin_scan(&s, schema, 2, values);
  const AttrNumber intent_column = column_number(&s, "correct_intent");
  const AttrNumber time_column = column_number(&s, "corrected_at");
  text* newest = nullptr;
  TimestampTz newest_at = 0;
  while (next_row(&s)) {
    bool no_intent, no_time;
    const Datum intent = slot_getattr(s.slot, intent_column, &no_intent);
    const Datum time = slot_getattr(s.slot, time_column, &no_time);
    const TimestampTz at = no_time ? DT_NOBEGIN : DatumGetTimestampTz(time);
    if (no_intent || (newest != nullptr && at < newest_at)) continue;
    newest = DatumGetTextPCopy(intent);
    newest_at = at;
  }
  end_key_scan(&s);
  return newest;
}
