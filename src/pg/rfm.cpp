// rfm: customers by recency, frequency and monetary value, with the segment that ai_segment_rules names.
#include <cmath>

#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/materialized.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/settings.h"
#include "pg/source_cursor.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
}

RETRAIN_FUNCTION(rfm);

enum RfmColumn { kCustomer, kTime, kAmount, kOrder, kRecency, kFrequency, kMonetary, kRfmColumns };

// Names that each column goes by, the first one is the one that messages use.
static const char* const kNames[kRfmColumns][12] = {
    {"customer_id", "customer", "client_id", "user_id", "cliente_id", "id_cliente", "cliente"},
    {"purchased_at", "ordered_at", "order_date", "invoice_ts", "invoice_date", "created_at", "ds", "date", "fecha",
     "fecha_pedido"},
    {"amount", "total", "total_amount", "revenue", "final_price", "price", "monto", "importe", "precio"},
    {"order_id", "invoice_no", "invoice_id", "invoice", "pedido_id", "id_pedido"},
    {"recency_days"},
    {"frequency"},
    {"monetary"},
};

struct RfmSource {
  retrain::RfmTable* table;
  int column[kRfmColumns];  // 1-based; 0: not there
  Oid type[kRfmColumns];
  Oid output[kRfmColumns];
  uint64 rows;
  int64 as_of;  // kLatest, or microseconds of UTC
};

static bool is_time(Oid type) { return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID; }

static void take_column(RfmSource* source, TupleDesc desc, RfmColumn c, int number) {
  const Oid type = TupleDescAttr(desc, number - 1)->atttypid;
  bool is_varlena;
  source->column[c] = number;
  source->type[c] = getBaseType(type);
  getTypeOutputInfo(type, &source->output[c], &is_varlena);
}

// The column by one of its names; else 0.
static int named_column(TupleDesc desc, RfmColumn c) {
  for (const char* name : kNames[c]) {
    if (name == nullptr) break;
    for (int i = 0; i < desc->natts; ++i)
      if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0) return i + 1;
  }
  return 0;
}

// The only column of a kind that is no other column already; 0 when there are none or several.
static int only_column(TupleDesc desc, const RfmSource& source, bool (*fits)(Oid)) {
  int found = 0;
  for (int i = 0; i < desc->natts; ++i) {
    bool taken = !fits(getBaseType(TupleDescAttr(desc, i)->atttypid));
    for (const int column : source.column) taken = taken || column == i + 1;
    if (taken) continue;
    if (found != 0) return 0;
    found = i + 1;
  }
  return found;
}

[[noreturn]] static void refuse_columns(const char* what) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_source gives no %s", what),
                  errdetail("needed: customer_id, a date or timestamp, an amount; or customer_id, recency_days, "
                            "frequency, monetary; optional: order_id"),
                  errhint("name the columns in the query, for example: select client as customer_id, day as "
                          "purchased_at, price as amount from sales")));
}

static void describe_rfm(TupleDesc desc, void* arg) {
  auto* source = static_cast<RfmSource*>(arg);
  for (int c = 0; c < kRfmColumns; ++c) {
    const int number = named_column(desc, static_cast<RfmColumn>(c));
    if (number != 0) take_column(source, desc, static_cast<RfmColumn>(c), number);
  }
  if (source->column[kCustomer] == 0) refuse_columns("column \"customer_id\"");
  if (source->column[kRecency] != 0 && source->column[kFrequency] != 0 && source->column[kMonetary] != 0) {
    for (const RfmColumn c : {kRecency, kFrequency, kMonetary})
      if (!is_number_type(source->type[c])) refuse_columns(psprintf("number in \"%s\"", kNames[c][0]));
    return;
  }
  source->column[kRecency] = 0;
  if (source->column[kTime] == 0) {
    const int number = only_column(desc, *source, is_time);
    if (number != 0) take_column(source, desc, kTime, number);
  }
  if (source->column[kTime] == 0 || !is_time(source->type[kTime])) refuse_columns("date or timestamp");
  if (source->column[kAmount] == 0) {
    const int number = only_column(desc, *source, is_number_type);
    if (number != 0) take_column(source, desc, kAmount, number);
  }
  if (source->column[kAmount] == 0 || !is_number_type(source->type[kAmount])) refuse_columns("amount");
  // Times without a zone are of the wall clock, where days have 24 hours also when the clock changes; so is the day looked at.
  if (source->type[kTime] != TIMESTAMPTZOID && source->as_of != retrain::RfmTable::kLatest)
    source->table->LookAt(
        DatumGetTimestamp(DirectFunctionCall1(timestamptz_timestamp, TimestampTzGetDatum(source->as_of))));
}

static Datum value_of(const RfmSource& source, RfmColumn c, HeapTuple tuple, TupleDesc desc) {
  bool is_null;
  const Datum value = SPI_getbinval(tuple, desc, source.column[c], &is_null);
  if (is_null)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("row " UINT64_FORMAT " of p_source has no value in \"%s\"", source.rows,
                           NameStr(TupleDescAttr(desc, source.column[c] - 1)->attname)),
                    errhint("filter such rows in the query")));
  return value;
}

static double number_of(const RfmSource& source, RfmColumn c, HeapTuple tuple, TupleDesc desc) {
  const Datum value = value_of(source, c, tuple, desc);
  const double number = source.type[c] == FLOAT8OID
                            ? DatumGetFloat8(value)
                            : DatumGetFloat8(DirectFunctionCall1(
                                  float8in, CStringGetDatum(OidOutputFunctionCall(source.output[c], value))));
  if (!std::isfinite(number))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("row " UINT64_FORMAT " of p_source has no finite value in \"%s\"", source.rows,
                           NameStr(TupleDescAttr(desc, source.column[c] - 1)->attname)),
                    errdetail("it has %s", std::isnan(number) ? "NaN"
                                           : number > 0       ? "infinity"
                                                              : "-infinity"),
                    errhint("filter such rows in the query")));
  return number;
}

static std::string_view name_of(const RfmSource& source, RfmColumn c, HeapTuple tuple, TupleDesc desc) {
  const Datum value = value_of(source, c, tuple, desc);
  if (source.type[c] == BPCHAROID) return utf8_of_padded(value);
  return utf8_of_cstring(OidOutputFunctionCall(source.output[c], value));
}

static int64 time_of(const RfmSource& source, HeapTuple tuple, TupleDesc desc) {
  Datum value = value_of(source, kTime, tuple, desc);
  if (source.type[kTime] == DATEOID) value = DirectFunctionCall1(date_timestamp, value);
  const int64 time = DatumGetTimestamp(value);
  if (TIMESTAMP_NOT_FINITE(time))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("row " UINT64_FORMAT " of p_source has no finite time", source.rows),
                    errdetail("it has %s", TIMESTAMP_IS_NOEND(time) ? "infinity" : "-infinity"),
                    errhint("filter such rows in the query")));
  return time;
}

static void check_memory(const RfmSource& source) {
  if (source.rows % 1024 != 0 || source.table->bytes() <= settings::training_memory()) return;
  ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("the customers need more memory than allowed"),
                  errdetail("after " UINT64_FORMAT " rows they need " UINT64_FORMAT
                            " bytes, pg_retrain.training_memory is " UINT64_FORMAT,
                            source.rows, static_cast<uint64>(source.table->bytes()),
                            static_cast<uint64>(settings::training_memory())),
                  errhint("raise pg_retrain.training_memory, or give one row per customer")));
}

static void add_purchase(HeapTuple tuple, TupleDesc desc, void* arg) {
  auto* source = static_cast<RfmSource*>(arg);
  ++source->rows;
  check_memory(*source);
  const std::string_view customer = name_of(*source, kCustomer, tuple, desc);
  if (source->column[kRecency] != 0) {
    const double recency = number_of(*source, kRecency, tuple, desc);
    const double frequency = number_of(*source, kFrequency, tuple, desc);
    const double monetary = number_of(*source, kMonetary, tuple, desc);
    if (recency < 0 || recency > 1e9 || frequency < 0 || frequency > 1e15)
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
               errmsg("row " UINT64_FORMAT " of p_source is out of range", source->rows),
               errdetail("recency_days is %g, frequency is %g; both are counted from 0 up", recency, frequency)));
    // Cut to a whole number, customers of less than one would all be alike.
    if (frequency != std::floor(frequency))
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
               errmsg("row " UINT64_FORMAT " of p_source has a part of a purchase in \"frequency\"", source->rows),
               errdetail("it has %g; frequency is the number of purchases", frequency),
               errhint("count the purchases, or give a row for each of them")));
    guarded([&] {
      source->table->AddKnown(customer, static_cast<int64>(recency), static_cast<int64>(frequency), monetary);
    });
    return;
  }
  retrain::Purchase purchase;
  purchase.customer = customer;
  purchase.time = time_of(*source, tuple, desc);
  purchase.amount = number_of(*source, kAmount, tuple, desc);
  if (source->column[kOrder] != 0) purchase.order = name_of(*source, kOrder, tuple, desc);
  guarded([&] { source->table->Add(purchase); });
}

// The rules in their order, a user's row in place of the shipped one of its id.
static std::vector<retrain::SegmentRule>* read_rules(Oid schema) {
  auto* rules = make_owned<std::vector<retrain::SegmentRule>>(CurrentMemoryContext,
                                                              [] { return new std::vector<retrain::SegmentRule>(); });
  const char* table = own_name(schema, "ai_segment_rules");
  const int nest_level = pin_search_path();
  if (SPI_execute(psprintf("SELECT s.segment, s.r_min, s.r_max, s.f_min, s.f_max, s.m_min, s.m_max FROM %s s "
                           "WHERE s.enabled AND NOT (s.shipped AND EXISTS (SELECT FROM %s o WHERE o.id = s.id AND NOT "
                           "o.shipped)) ORDER BY s.priority, s.id",
                           table, table),
                  true, 0) != SPI_OK_SELECT)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the rules of the segments cannot be read")));
  for (uint64 i = 0; i < SPI_processed; ++i) {
    int bounds[6];
    bool is_null;
    const HeapTuple row = SPI_tuptable->vals[i];
    for (int b = 0; b < 6; ++b) bounds[b] = DatumGetInt16(SPI_getbinval(row, SPI_tuptable->tupdesc, b + 2, &is_null));
    const std::string_view name = utf8_of_cstring(SPI_getvalue(row, SPI_tuptable->tupdesc, 1));
    guarded([&] {
      rules->push_back({std::string(name), bounds[0], bounds[1], bounds[2], bounds[3], bounds[4], bounds[5]});
    });
  }
  restore_search_path(nest_level);
  return rules;
}

static void put_customer(ReturnSetInfo* result, const retrain::RfmRow& row) {
  Datum values[8] = {PointerGetDatum(text_of_utf8(row.customer)),
                     Int32GetDatum(static_cast<int32>(row.recency_days)),
                     Int64GetDatum(row.frequency),
                     Float8GetDatum(row.monetary),
                     Int32GetDatum(row.r),
                     Int32GetDatum(row.f),
                     Int32GetDatum(row.m),
                     static_cast<Datum>(0)};
  bool nulls[8] = {};
  nulls[7] = row.segment.empty();
  if (!nulls[7]) values[7] = PointerGetDatum(text_of_utf8(row.segment));
  tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

// Rows (customer_id, recency_days, frequency, monetary, r, f, m, segment), by customer.
Datum rfm(PG_FUNCTION_ARGS) {
  ReturnSetInfo* result = begin_materialized(fcinfo);
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_source must not be null"),
                    errhint("pass a query of purchases, for example: 'select customer_id, ordered_at, amount from "
                            "orders'")));
  const int64 as_of = PG_ARGISNULL(1) ? retrain::RfmTable::kLatest : PG_GETARG_TIMESTAMPTZ(1);
  if (!PG_ARGISNULL(1) && TIMESTAMP_NOT_FINITE(as_of))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_as_of is not finite"),
                    errdetail("given %s", TIMESTAMP_IS_NOEND(as_of) ? "infinity" : "-infinity"),
                    errhint("leave it out to count back from the last purchase")));
  const Oid schema = own_schema(fcinfo);
  const char* query = text_to_cstring(PG_GETARG_TEXT_PP(0));
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_retrain rfm", ALLOCSET_SMALL_SIZES);
  SPI_connect();
  const MemoryContext old = MemoryContextSwitchTo(context);
  const std::vector<retrain::SegmentRule>* rules = read_rules(schema);
  RfmSource source = {};
  source.as_of = as_of;
  source.table = make_owned<retrain::RfmTable>(context, [&] { return new retrain::RfmTable(as_of); });
  read_source(query, false, "select customer_id, ordered_at, amount from orders",
              {describe_rfm, add_purchase, &source});
  const auto* rows = make_owned<std::vector<retrain::RfmRow>>(
      context, [&] { return new std::vector<retrain::RfmRow>(source.table->Compute(*rules, backend_stop())); });
  MemoryContextSwitchTo(old);
  SPI_finish();
  const MemoryContext row_context = AllocSetContextCreate(context, "pg_retrain rfm row", ALLOCSET_DEFAULT_SIZES);
  for (const retrain::RfmRow& row : *rows) {
    CHECK_FOR_INTERRUPTS();
    MemoryContextSwitchTo(row_context);
    put_customer(result, row);
    MemoryContextSwitchTo(old);
    MemoryContextReset(row_context);
  }
  MemoryContextDelete(context);
  return static_cast<Datum>(0);
}
