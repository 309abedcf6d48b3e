// Streams a query's rows into a trainer.
#include "pg/training_source.h"

#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/progress.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
}

// A fetch holds its rows in memory: it grows from a few rows to this many while they stay below so many bytes.
static constexpr long kFirstFetch = 4, kLargestFetch = 512;
static constexpr uint64 kBytesPerFetch = 1 << 20;

enum SourceColumn { kText, kIntent, kWeight, kSplit, kCreatedAt, kHuman, kSourceColumns };
static const char* const kColumnNames[kSourceColumns] = {"text", "intent", "weight", "split", "created_at", "human"};

struct Source {
  int column[kSourceColumns];  // 1-based; 0: not there
  Oid type[kSourceColumns];
  Oid output[kSourceColumns];  // output function of the type
};

static void check_type(SourceColumn column, Oid type) {
  char category;
  bool preferred;
  get_type_category_preferred(getBaseType(type), &category, &preferred);
  bool fits = false;
  const char* wanted = "text";
  switch (column) {
    case kText:
    case kIntent:
    case kSplit:
      fits = category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM || type == UNKNOWNOID;
      break;
    case kWeight:
      fits = category == TYPCATEGORY_NUMERIC;
      wanted = "a number";
      break;
    case kCreatedAt: {
      const Oid base = getBaseType(type);
      fits = base == TIMESTAMPTZOID || base == TIMESTAMPOID || base == DATEOID;
      wanted = "timestamptz, timestamp or date";
      break;
    }
    default:
      fits = type == BOOLOID;
      wanted = "boolean";
  }
  if (!fits)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("column \"%s\" of p_source has the wrong type", kColumnNames[column]),
                    errdetail("found %s, expected %s", format_type_be(type), wanted),
                    errhint("cast it in the query, for example %s::%s", kColumnNames[column],
                            column == kWeight      ? "float8"
                            : column == kCreatedAt ? "timestamptz"
                                                   : "text")));
}

static void describe_source(TupleDesc desc, bool own, Source* source) {
  memset(source, 0, sizeof *source);
  for (int i = 0; i < desc->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, i);
    for (int c = 0; c < (own ? kSourceColumns : kHuman); ++c) {
      if (strcmp(NameStr(attribute->attname), kColumnNames[c]) != 0) continue;
      if (source->column[c] != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("p_source gives the column \"%s\" twice", kColumnNames[c])));
      check_type(static_cast<SourceColumn>(c), attribute->atttypid);
      source->column[c] = i + 1;
      source->type[c] = getBaseType(attribute->atttypid);
      bool is_varlena;
      getTypeOutputInfo(attribute->atttypid, &source->output[c], &is_varlena);
    }
  }
  for (const SourceColumn required : {kText, kIntent}) {
    if (source->column[required] != 0) continue;
    ereport(
        ERROR,
        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_source gives no column \"%s\"", kColumnNames[required]),
         errdetail("needed: text, intent; optional: weight, split, created_at"),
         errhint("name the columns in the query, for example: select body as text, topic as intent from …")));
  }
}

// A caller's query must be exactly one SELECT; anything else is refused before it runs.
static void check_select(SPIPlanPtr plan) {
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
  if (!select)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_source must be one SELECT statement"),
                    errhint("for example: 'select text, intent from my_messages'")));
}

static std::string_view text_column(const Source& source, SourceColumn c, HeapTuple tuple, TupleDesc desc) {
  bool is_null = true;
  if (source.column[c] == 0) return {};
  const Datum value = SPI_getbinval(tuple, desc, source.column[c], &is_null);
  if (is_null) return {};
  if (source.type[c] == TEXTOID || source.type[c] == VARCHAROID) return utf8_of_text(DatumGetTextP(value));
  return utf8_of_cstring(OidOutputFunctionCall(source.output[c], value));
}

static double weight_column(const Source& source, HeapTuple tuple, TupleDesc desc) {
  bool is_null = true;
  if (source.column[kWeight] == 0) return 1;
  const Datum value = SPI_getbinval(tuple, desc, source.column[kWeight], &is_null);
  if (is_null) return 1;
  if (source.type[kWeight] == FLOAT8OID) return DatumGetFloat8(value);
  return DatumGetFloat8(
      DirectFunctionCall1(float8in, CStringGetDatum(OidOutputFunctionCall(source.output[kWeight], value))));
}

static int64 time_column(const Source& source, HeapTuple tuple, TupleDesc desc) {
  bool is_null = true;
  if (source.column[kCreatedAt] == 0) return retrain::kNoTime;
  Datum value = SPI_getbinval(tuple, desc, source.column[kCreatedAt], &is_null);
  if (is_null) return retrain::kNoTime;
  if (source.type[kCreatedAt] == TIMESTAMPOID) value = DirectFunctionCall1(timestamp_timestamptz, value);
  if (source.type[kCreatedAt] == DATEOID) value = DirectFunctionCall1(date_timestamptz, value);
  return DatumGetTimestampTz(value);
}

static void add_row(const Source& source, HeapTuple tuple, TupleDesc desc, retrain::IntentTrainer* trainer) {
  retrain::LabelledMessage message;
  message.text = text_column(source, kText, tuple, desc);
  message.label = text_column(source, kIntent, tuple, desc);
  message.split = text_column(source, kSplit, tuple, desc);
  message.weight = weight_column(source, tuple, desc);
  message.created_at = time_column(source, tuple, desc);
  if (source.column[kHuman] != 0) {
    bool is_null;
    const Datum human = SPI_getbinval(tuple, desc, source.column[kHuman], &is_null);
    message.human = !is_null && DatumGetBool(human);
  }
  guarded([&] { trainer->Add(message, backend_stop()); });
}

static void fetch_rows(Portal portal, const Source& source, retrain::IntentTrainer* trainer) {
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
      add_row(source, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, trainer);
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

void read_training_rows(const char* query, bool own, retrain::IntentTrainer* trainer) {
  const int nest_level = own ? pin_search_path() : 0;
  // Functions that the query calls cannot write either, not even while it is planned. An error restores the flag with its
  // (sub)transaction.
  const bool was_read_only = XactReadOnly;
  XactReadOnly = true;
  SPIPlanPtr plan = SPI_prepare(query, 0, nullptr);
  if (plan == nullptr)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_source must be one SELECT statement"),
                    errdetail("SPI code %s.", SPI_result_code_string(SPI_result)),
                    errhint("for example: 'select text, intent from my_messages'")));
  if (!own) check_select(plan);
  // Not "read only" in SPI's sense, which would reuse the caller's snapshot: rows committed while this training waited for
  // another one, and the splits it has just assigned, must be seen.
  Portal portal = SPI_cursor_open(nullptr, plan, nullptr, nullptr, false);
  Source source;
  describe_source(portal->tupDesc, own, &source);
  if (!own && source.column[kSplit] != 0) trainer->TakeSplitsAtTheirWord();
  fetch_rows(portal, source, trainer);
  XactReadOnly = was_read_only;
  SPI_cursor_close(portal);
  SPI_freeplan(plan);
  if (own) restore_search_path(nest_level);
}
