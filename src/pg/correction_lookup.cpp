// A person's correction of a text: it answers at once, before any training.
//
// Rows are read under the active snapshot, so a correction counts from the moment it is made in its own transaction, from
// its commit in others, and is gone when rolled back.
#include "pg/correction_lookup.h"

#include "pg/key_scan.h"

#include <algorithm>

extern "C" {
#include "catalog/pg_collation.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

static constexpr RegProcedure kEquals[] = {F_TEXTEQ, F_UUID_EQ};

static void begin_scan(KeyScan* s, Oid schema, int n, const Datum* values) {
  begin_key_scan(s, schema, "ai_training_data", "ai_training_data_correction_idx", n, kEquals, values);
}

// An intent of nothing but blanks is none. As btrim(text, E' \t\r\n') in ai_labelled_data has it.
static bool is_blank(Datum intent) {
  const text* value = DatumGetTextPP(intent);
  const char* const bytes = VARDATA_ANY(value);
  const char* const end = bytes + VARSIZE_ANY_EXHDR(value);
  return std::all_of(bytes, end, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
}

static bool is_greater(Datum intent, text* other) {
  return DatumGetInt32(DirectFunctionCall2Coll(bttextcmp, C_COLLATION_OID, intent, PointerGetDatum(other))) > 0;
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
  const AttrNumber message_time_column = column_number(&s, "created_at");
  text* newest = nullptr;
  TimestampTz newest_at = 0, newest_message_at = 0;
  while (next_row(&s)) {
    bool no_intent, no_time, no_message_time;
    const Datum intent = slot_getattr(s.slot, intent_column, &no_intent);
    const Datum time = slot_getattr(s.slot, time_column, &no_time);
    const TimestampTz message_at = DatumGetTimestampTz(slot_getattr(s.slot, message_time_column, &no_message_time));
    const TimestampTz at = no_time ? message_at : DatumGetTimestampTz(time);
    if (no_intent || is_blank(intent)) continue;
    // The order in which a training chooses among a text's labels: see ai_labelled_data.
    if (newest != nullptr &&
        (at < newest_at || (at == newest_at && (message_at < newest_message_at ||
                                                (message_at == newest_message_at && !is_greater(intent, newest))))))
      continue;
    newest = DatumGetTextPCopy(intent);
    newest_at = at;
    newest_message_at = message_at;
  }
  end_key_scan(&s);
  return newest;
}
