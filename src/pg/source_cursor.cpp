// Streams a caller's query through a cursor.
#include "pg/source_cursor.h"

#include "pg/catalog.h"
#include "pg/progress.h"

extern "C" {
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
}

// A fetch holds its rows in memory: it grows from a few rows to this many while they stay below so many bytes.
static constexpr long kFirstFetch = 4, kLargestFetch = 512;
static constexpr uint64 kBytesPerFetch = 1 << 20;

[[noreturn]] static void refuse_query(const char* argument, const char* example, const char* detail) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be one SELECT statement", argument),
                  detail != nullptr ? errdetail("%s", detail) : 0, errhint("for example: '%s'", example)));
}

// Anything but one SELECT is refused before it runs.
static void check_select(SPIPlanPtr plan, const char* argument, const char* example) {
  List* sources = SPI_plan_get_plan_sources(plan);
  bool select = list_length(sources) == 1;
  if (select) {
    auto* source = static_cast<CachedPlanSource*>(linitial(sources));
    select = list_length(source->query_list) == 1;
    if (select) {
      const auto* query = static_cast<const Query*>(linitial(source->query_list));
      select = query->commandType == CMD_SELECT && query->utilityStmt == nullptr && !query->hasModifyingCTE;
    }
  }
  if (!select) refuse_query(argument, example, nullptr);
}

static void fetch_rows(Portal portal, const RowReader& reader) {
  const MemoryContext row_context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_retrain source row", ALLOCSET_DEFAULT_SIZES);
  uint64 rows = 0;
  long wanted = kFirstFetch;
  for (;;) {
    SPI_cursor_fetch(portal, true, wanted);
    if (SPI_processed == 0) break;
    uint64 bytes = 0;
    for (uint64 i = 0; i < SPI_processed; ++i) {
      CHECK_FOR_INTERRUPTS();
      bytes += SPI_tuptable->vals[i]->t_len;
      const MemoryContext old = MemoryContextSwitchTo(row_context);
      reader.row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, reader.arg);
      MemoryContextSwitchTo(old);
      MemoryContextReset(row_context);
    }
    rows += SPI_processed;
    progress_update(retrain::NameOf(retrain::TrainingPhase::kReading), rows, 0, 0);
    SPI_freetuptable(SPI_tuptable);
    if (bytes > kBytesPerFetch)
      wanted = wanted > 1 ? wanted / 2 : 1;
    else if (bytes < kBytesPerFetch / 4 && wanted < kLargestFetch)
      wanted *= 2;
  }
  SPI_freetuptable(SPI_tuptable);
  MemoryContextDelete(row_context);
}

void read_source(const char* query, bool own, const char* example, const RowReader& reader) {
  const int nest_level = own ? pin_search_path() : 0;
  // Functions that the query calls cannot write either, not even while it is planned. An error restores the flag with its
  // (sub)transaction.
  const bool was_read_only = XactReadOnly;
  XactReadOnly = true;
  SPIPlanPtr plan = SPI_prepare(query, 0, nullptr);
  if (plan == nullptr) refuse_query("p_source", example, psprintf("SPI code %s.", SPI_result_code_string(SPI_result)));
  if (!own) check_select(plan, "p_source", example);
  // Not "read only" in SPI's sense, which would reuse the caller's snapshot: rows committed while this training waited for
  // another one, and the splits it has just assigned, must be seen.
  Portal portal = SPI_cursor_open(nullptr, plan, nullptr, nullptr, false);
  reader.describe(portal->tupDesc, reader.arg);
  fetch_rows(portal, reader);
  XactReadOnly = was_read_only;
  SPI_cursor_close(portal);
  SPI_freeplan(plan);
  if (own) restore_search_path(nest_level);
}

void read_stable_source(const char* query, const char* argument, const char* example, const RowReader& reader) {
  const bool was_read_only = XactReadOnly;
  XactReadOnly = true;
  SPIPlanPtr plan = SPI_prepare(query, 0, nullptr);
  if (plan == nullptr) refuse_query(argument, example, psprintf("SPI code %s.", SPI_result_code_string(SPI_result)));
  check_select(plan, argument, example);
  Portal portal = SPI_cursor_open(nullptr, plan, nullptr, nullptr, true);
  reader.describe(portal->tupDesc, reader.arg);
  fetch_rows(portal, reader);
  XactReadOnly = was_read_only;
  SPI_cursor_close(portal);
  SPI_freeplan(plan);
}

bool is_number_type(Oid base) {
  switch (base) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case FLOAT4OID:
    case FLOAT8OID:
    case NUMERICOID:
      return true;
    default:
      break;
  }
  // The server's own others are money, oid and names of objects.
  if (base < FirstNormalObjectId) return false;
  char category;
  bool preferred;
  get_type_category_preferred(base, &category, &preferred);
  return category == TYPCATEGORY_NUMERIC;
}
