// What the rules say of a message's words: its category, and what it thinks of the answer before it.
//
// Reads the rule tables directly, under the active snapshot: both are asked for at every recorded message, where two
// statements over some fifty rows took a quarter of the call.
#include <string_view>

#include "core/text/phrases.h"
#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/pg.h"

extern "C" {
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

RETRAIN_FUNCTION(retrain_categorise);
RETRAIN_FUNCTION(retrain_judge);

// A rule whose phrases the words contain. `first` and `second` are the columns that the question is about.
struct Match {
  int32 priority, id;
  bool shipped, has_first, has_second;
  Datum first, second;
};

struct Matches {
  Match* rules;
  int n, room;
  int32* own_ids;  // of rules that a user made or changed: they replace the shipped one of their id
  int n_own, own_room;
};

template <class T>
static T* slot_of(T** array, int* n, int* room) {
  if (*n == *room) {
    *room = *room == 0 ? 16 : 2 * *room;
    const Size bytes = sizeof(T) * static_cast<Size>(*room);
    *array = static_cast<T*>(*array == nullptr ? palloc(bytes) : repalloc(*array, bytes));
  }
  return &(*array)[(*n)++];
}

static bool says(std::string_view words, text* phrases) {
  bool found = false;
  const std::string_view bytes(VARDATA_ANY(phrases), VARSIZE_ANY_EXHDR(phrases));
  guarded([&] { found = retrain::SaysOneOf(words, bytes, backend_stop()); });
  return found;
}

static Datum copied(TupleTableSlot* slot, AttrNumber column, bool* has) {
  bool is_null;
  const Datum value = slot_getattr(slot, column, &is_null);
  const Form_pg_attribute attribute = TupleDescAttr(slot->tts_tupleDescriptor, column - 1);
  *has = !is_null;
  return is_null ? value : datumCopy(value, attribute->attbyval, attribute->attlen);
}

// The enabled rules of `table_name` that match. Error 42501 without the right to read the table.
static void find_matches(Oid schema, const char* table_name, const char* first, const char* second, text* words,
                         Matches* matches) {
  const Oid table_id = get_relname_relid(table_name, schema);
  if (!OidIsValid(table_id))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table %s is missing", table_name)));
  if (pg_class_aclcheck(table_id, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
    aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, table_name);
  const auto column = [&](const char* name) { return get_attnum(table_id, name); };
  const AttrNumber id = column("id"), priority = column("priority"), enabled = column("enabled"),
                   shipped = column("shipped"), phrases = column("phrases"), first_column = column(first),
                   second_column = second == nullptr ? first_column : column(second);
  const std::string_view said(VARDATA_ANY(words), VARSIZE_ANY_EXHDR(words));
  Relation table = table_open(table_id, AccessShareLock);
  TupleTableSlot* slot = table_slot_create(table, nullptr);
  TableScanDesc scan = table_beginscan(table, GetActiveSnapshot(), 0, nullptr);
  while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
    bool is_null;
    const bool is_shipped = DatumGetBool(slot_getattr(slot, shipped, &is_null));
    const int32 number = DatumGetInt32(slot_getattr(slot, id, &is_null));
    if (!is_shipped) *slot_of(&matches->own_ids, &matches->n_own, &matches->own_room) = number;
    if (!DatumGetBool(slot_getattr(slot, enabled, &is_null)) ||
        !says(said, DatumGetTextPP(slot_getattr(slot, phrases, &is_null))))
      continue;
    Match* match = slot_of(&matches->rules, &matches->n, &matches->room);
    match->id = number;
    match->shipped = is_shipped;
    match->priority = DatumGetInt32(slot_getattr(slot, priority, &is_null));
    match->first = copied(slot, first_column, &match->has_first);
    match->second = copied(slot, second_column, &match->has_second);
  }
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
  table_close(table, AccessShareLock);
}

static bool is_replaced(const Matches* matches, const Match* match) {
  for (int i = 0; match->shipped && i < matches->n_own; ++i)
    if (matches->own_ids[i] == match->id) return true;
  return false;
}

// The rule with the lowest (priority, id) that has the value; null when there is none.
static const Match* first_with(const Matches* matches, bool Match::*has) {
  const Match* best = nullptr;
  for (int i = 0; i < matches->n; ++i) {
    const Match* match = &matches->rules[i];
    if (!(match->*has) || is_replaced(matches, match)) continue;
    if (best == nullptr || match->priority < best->priority ||
        (match->priority == best->priority && match->id < best->id))
      best = match;
  }
  return best;
}

// (words text): the category by ai_category_rules, "general" without one.
Datum retrain_categorise(PG_FUNCTION_ARGS) {
  Matches matches = {};
  find_matches(own_schema(fcinfo), "ai_category_rules", "category", nullptr, PG_GETARG_TEXT_PP(0), &matches);
  const Match* rule = first_with(&matches, &Match::has_first);
  if (rule == nullptr) return CStringGetTextDatum("general");
  return rule->first;
}

// (words text): (quality_score smallint, was_successful boolean) by ai_quality_rules, the two decided apart. No rule:
// neutral, and no success.
Datum retrain_judge(PG_FUNCTION_ARGS) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("retrain_judge must return a row")));
  Matches matches = {};
  find_matches(own_schema(fcinfo), "ai_quality_rules", "quality_score", "was_successful", PG_GETARG_TEXT_PP(0),
               &matches);
  const Match* score = first_with(&matches, &Match::has_first);
  const Match* success = first_with(&matches, &Match::has_second);
  Datum values[] = {score != nullptr ? score->first : Int16GetDatum(3),
                    success != nullptr ? success->second : BoolGetDatum(false)};
  bool nulls[] = {false, false};
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
