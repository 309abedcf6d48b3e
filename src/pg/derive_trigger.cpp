// The trigger that keeps a row of ai_training_data true to itself: its intents without blanks around them, intent_correct to
// its columns, and the times at which it and its label changed. In C because every recorded message fires it twice.
#include <algorithm>
#include <string_view>

#include "core/text/normalise.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/pg.h"

extern "C" {
#include "commands/trigger.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
}

RETRAIN_FUNCTION(retrain_training_data_before_write);

enum InteractionColumn {
  kModelName,
  kUserMessage,
  kDetectedIntent,
  kCorrectIntent,
  kCorrectedByHuman,
  kIntentCorrect,
  kDatasetStatus,
  kDuplicateOf,
  kCorrectedAt,
  kIncluded,
  kLabelChangedAt,
  kUpdatedAt,
  kColumns
};

static constexpr const char* kNames[kColumns] = {
    "model_name",       "user_message",   "detected_intent", "correct_intent", "corrected_by_human",
    "intent_correct",   "dataset_status", "duplicate_of",    "corrected_at",   "included_in_training_run",
    "label_changed_at", "updated_at"};

// The columns that say what a training learns of a row, or measures by it, and which model's it is.
static constexpr InteractionColumn kLabelColumns[] = {
    kModelName, kUserMessage, kDetectedIntent, kCorrectIntent, kCorrectedByHuman, kIntentCorrect, kDatasetStatus};

struct Row {
  Datum values[kColumns];
  bool nulls[kColumns];
};

static void read_row(const Relation table, const int* numbers, HeapTuple tuple, Row* row) {
  for (int i = 0; i < kColumns; ++i)
    row->values[i] = heap_getattr(tuple, numbers[i], RelationGetDescr(table), &row->nulls[i]);
}

// Is distinct from, by bytes: every column here is equal when its bytes are.
static bool differ(const Relation table, const int* numbers, InteractionColumn a, const Row* left, InteractionColumn b,
                   const Row* right) {
  if (left->nulls[a] || right->nulls[b]) return left->nulls[a] != right->nulls[b];
  const Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table), numbers[a] - 1);
  return !datum_image_eq(left->values[a], right->values[b], attribute->attbyval, attribute->attlen);
}

static bool is_word(const Row* row, InteractionColumn column, const char* word) {
  if (row->nulls[column]) return false;
  const text* value = DatumGetTextPP(row->values[column]);
  const size_t size = strlen(word);
  return VARSIZE_ANY_EXHDR(value) == size && memcmp(VARDATA_ANY(value), word, size) == 0;
}

// Whether anything of an intent can be seen. ASCII's signs can be, and no other character has their bytes in a server's encoding.
static bool is_visible(text* name) {
  const std::string_view bytes(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
  if (std::any_of(bytes.begin(), bytes.end(), [](char c) { return c > ' ' && c < 0x7f; })) return true;
  const std::string_view utf8 = utf8_of_text(name);
  bool visible = false;
  guarded([&] { visible = !retrain::IdentityText(utf8, backend_stop()).empty(); });
  return visible;
}

// Blanks, tabs and line ends around an intent are no part of its name, whoever wrote it: corrections and imports cut the same.
// What has nothing else that can be seen, such as a no-break space, has an empty name. Null when the name is what it should be.
static text* trimmed(Datum value) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  const text* given = DatumGetTextPP(value);
  const char* begin = VARDATA_ANY(given);
  const char* end = begin + VARSIZE_ANY_EXHDR(given);
  const char* const whole_end = end;
  while (end > begin && is_blank(end[-1])) --end;
  while (begin < end && is_blank(*begin)) ++begin;
  if (begin == whole_end && begin == VARDATA_ANY(given)) return nullptr;
  text* name = cstring_to_text_with_len(begin, static_cast<int>(end - begin));
  if (!is_visible(name)) return cstring_to_text("");
  return begin == VARDATA_ANY(given) && end == whole_end ? nullptr : name;
}

struct Change {
  int numbers[kColumns];
  Datum values[kColumns];
  bool nulls[kColumns];
  int n;
};

static void set_column(Change* change, const int* numbers, Row* row, InteractionColumn column, Datum value,
                       bool is_null) {
  row->values[column] = value;
  row->nulls[column] = is_null;
  for (int i = 0; i < change->n; ++i)
    if (change->numbers[i] == numbers[column]) {
      change->values[i] = value;
      change->nulls[i] = is_null;
      return;
    }
  change->numbers[change->n] = numbers[column];
  change->values[change->n] = value;
  change->nulls[change->n++] = is_null;
}

// A restored row passes unchanged: its intents are trimmed, and its intent_correct follows from its columns, already.
Datum retrain_training_data_before_write(PG_FUNCTION_ARGS) {
  if (!CALLED_AS_TRIGGER(fcinfo))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("retrain_training_data_before_write is a trigger function")));
  const auto* data = reinterpret_cast<TriggerData*>(fcinfo->context);
  const bool update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
  if (!TRIGGER_FIRED_BEFORE(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
      (!update && !TRIGGER_FIRED_BY_INSERT(data->tg_event)))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("retrain_training_data_before_write fires before each row that is inserted or updated")));
  const Relation table = data->tg_relation;
  int numbers[kColumns];
  for (int i = 0; i < kColumns; ++i) {
    numbers[i] = get_attnum(RelationGetRelid(table), kNames[i]);
    if (numbers[i] <= 0)
      ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("column \"%s\" is missing", kNames[i])));
  }
  HeapTuple tuple = update ? data->tg_newtuple : data->tg_trigtuple;
  Row row, before;
  read_row(table, numbers, tuple, &row);
  if (update) read_row(table, numbers, data->tg_trigtuple, &before);
  Change change = {};
  const auto set = [&](InteractionColumn column, Datum value, bool is_null) {
    set_column(&change, numbers, &row, column, value, is_null);
  };
  const auto changed = [&](InteractionColumn column) { return differ(table, numbers, column, &row, column, &before); };

  for (InteractionColumn column : {kDetectedIntent, kCorrectIntent}) {
    if (row.nulls[column] || (update && !changed(column))) continue;
    if (const text* name = trimmed(row.values[column])) set(column, PointerGetDatum(name), false);
  }
  if (!row.nulls[kCorrectIntent]) {
    const bool right = !differ(table, numbers, kDetectedIntent, &row, kCorrectIntent, &row);
    if (row.nulls[kIntentCorrect] || DatumGetBool(row.values[kIntentCorrect]) != right)
      set(kIntentCorrect, BoolGetDatum(right), false);
  } else {
    // The correction was taken back, or what was said to be right is no longer what the row says: it is unreviewed again.
    const bool undone = update && (!before.nulls[kCorrectIntent] || changed(kDetectedIntent));
    if (undone && !row.nulls[kIntentCorrect] && !changed(kIntentCorrect))
      set(kIntentCorrect, static_cast<Datum>(0), true);
  }
  if (row.nulls[kCorrectIntent] && row.nulls[kIntentCorrect]) {
    if (is_word(&row, kDatasetStatus, "approved") && !row.nulls[kDetectedIntent])
      set(kIntentCorrect, BoolGetDatum(true), false);
  }
  if (update) {
    const Datum now = TimestampTzGetDatum(GetCurrentTimestamp());
    // A correction by plain UPDATE is dated too: of several of one text the newest answers.
    if (!row.nulls[kCorrectIntent] && changed(kCorrectIntent) && !changed(kCorrectedAt)) set(kCorrectedAt, now, false);
    // Whoever gives another status decides about the row itself.
    if (!row.nulls[kDuplicateOf] && changed(kDatasetStatus) && !changed(kDuplicateOf))
      set(kDuplicateOf, static_cast<Datum>(0), true);
    // What a training learnt or measured of the row is no longer what the row says: it counts as new.
    bool label_changed = false;
    for (InteractionColumn column : kLabelColumns) label_changed = label_changed || changed(column);
    if (label_changed && !changed(kIncluded)) {
      set(kIncluded, static_cast<Datum>(0), true);
      set(kLabelChangedAt, now, false);
    }
    set(kUpdatedAt, now, false);
  }
  if (change.n == 0) return PointerGetDatum(tuple);
  return PointerGetDatum(
      heap_modify_tuple_by_cols(tuple, RelationGetDescr(table), change.n, change.numbers, change.values, change.nulls));
}
