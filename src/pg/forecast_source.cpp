// Streams rows of times and values into the core.
#include "pg/forecast_source.h"

#include <cctype>
#include <cmath>

#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/source_cursor.h"

extern "C" {
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
}

static constexpr int kMostRegressors = 64;
static const char* const kExample = "select day as ds, sales as y, shop as series from my_sales";

// A column of a query.
struct Column {
  int number;  // 1-based; 0: not there
  Oid type;
  Oid output;
};

// What one of the three queries gives, and where its rows go.
struct TimedSource {
  const char* argument;  // that the query is called by
  Column ds, y, series, holiday;
  Column regressors[kMostRegressors];
  int n_regressors;
  const std::vector<std::string>* names;
  bool needs_y, needs_holiday;
  text* zone;  // of the wall clock; null: the session's
  retrain::ForecastTrainer* trainer;
  retrain::FutureRegressorTable* table;
  retrain::ForecastTrainer* (*make)(const ForecastSourceShape& shape, void* arg);
  void* arg;
};

[[noreturn]] static void refuse_type(const TimedSource& source, const char* name, Oid type, const char* wanted,
                                     const char* cast) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("column \"%s\" of %s has the wrong type", name, source.argument),
                  errdetail("found %s, expected %s", format_type_be(type), wanted),
                  errhint("cast it in the query, for example %s::%s", name, cast)));
  pg_unreachable();
}

static Column find_column(const TimedSource& source, TupleDesc desc, const char* name) {
  Column column = {0, InvalidOid, InvalidOid};
  for (int i = 0; i < desc->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, i);
    if (strcmp(NameStr(attribute->attname), name) != 0) continue;
    if (column.number != 0)
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                      errmsg("%s gives the column \"%s\" twice", source.argument, name),
                      errdetail("columns %d and %d of the query have that name", column.number, i + 1),
                      errhint("give one of them another name")));
    bool is_varlena;
    column.number = i + 1;
    column.type = getBaseType(attribute->atttypid);
    getTypeOutputInfo(attribute->atttypid, &column.output, &is_varlena);
  }
  return column;
}

static void require_column(const TimedSource& source, const Column& column, const char* name, const char* hint) {
  if (column.number != 0) return;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s gives no column \"%s\"", source.argument, name),
                  errhint("%s", hint)));
}

static void check_number(const TimedSource& source, const char* name, const Column& column) {
  if (!is_number_type(column.type))
    refuse_type(source, name, column.type, "a number", column.type == CASHOID ? "numeric" : "float8");
}

static void describe_timed(TupleDesc desc, void* arg) {
  auto* source = static_cast<TimedSource*>(arg);
  const char* hint = psprintf("name the columns in the query, for example: %s",
                              source->needs_holiday ? "select day as ds, name as holiday from my_holidays" : kExample);
  source->ds = find_column(*source, desc, "ds");
  require_column(*source, source->ds, "ds", hint);
  const Oid ds = source->ds.type;
  if (ds != DATEOID && ds != TIMESTAMPOID && ds != TIMESTAMPTZOID)
    refuse_type(*source, "ds", ds, "date, timestamp or timestamptz", "date");
  source->series = find_column(*source, desc, "series");
  if (source->needs_y) {
    source->y = find_column(*source, desc, "y");
    require_column(*source, source->y, "y", hint);
    check_number(*source, "y", source->y);
  }
  if (source->needs_holiday) {
    source->holiday = find_column(*source, desc, "holiday");
    require_column(*source, source->holiday, "holiday", hint);
  }
  for (int k = 0; k < source->n_regressors; ++k) {
    const char* name = pstrdup(text_to_cstring(text_of_utf8((*source->names)[static_cast<size_t>(k)])));
    source->regressors[k] = find_column(*source, desc, name);
    require_column(*source, source->regressors[k], name, "it is one of the regressors that the configuration names");
    check_number(*source, name, source->regressors[k]);
  }
  if (source->make != nullptr)
    source->trainer = source->make({source->series.number != 0, ds == TIMESTAMPTZOID}, source->arg);
}

// Microseconds on the wall clock and on UTC's.
struct Times {
  int64 wall, absolute;
};

static Timestamp wall_of(TimestampTz absolute, text* zone) {
  const Datum value = TimestampTzGetDatum(absolute);
  return DatumGetTimestamp(zone == nullptr ? DirectFunctionCall1(timestamptz_timestamp, value)
                                           : DirectFunctionCall2(timestamptz_zone, PointerGetDatum(zone), value));
}

static Times ds_of(const TimedSource& source, HeapTuple tuple, TupleDesc desc) {
  bool is_null;
  const Datum value = SPI_getbinval(tuple, desc, source.ds.number, &is_null);
  if (is_null)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a row of %s has no ds", source.argument),
                    errhint("leave such rows out: ... where ds is not null")));
  if (source.ds.type == TIMESTAMPTZOID)
    return {wall_of(DatumGetTimestampTz(value), source.zone), DatumGetTimestampTz(value)};
  const Datum wall = source.ds.type == TIMESTAMPOID ? value : DirectFunctionCall1(date_timestamp, value);
  // Only times of a model that keeps a zone are ever looked up on UTC's clock.
  if (source.zone == nullptr) return {DatumGetTimestamp(wall), DatumGetTimestamp(wall)};
  return {DatumGetTimestamp(wall),
          DatumGetTimestampTz(DirectFunctionCall2(timestamp_zone, PointerGetDatum(source.zone), wall))};
}

// Not a number for null.
static double number_of(const Column& column, HeapTuple tuple, TupleDesc desc) {
  bool is_null;
  const Datum value = SPI_getbinval(tuple, desc, column.number, &is_null);
  if (is_null) return NAN;
  switch (column.type) {
    case FLOAT8OID:
      return DatumGetFloat8(value);
    case FLOAT4OID:
      return static_cast<double>(DatumGetFloat4(value));
    case INT2OID:
      return DatumGetInt16(value);
    case INT4OID:
      return DatumGetInt32(value);
    case INT8OID:
      return static_cast<double>(DatumGetInt64(value));
    case NUMERICOID:
      return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
    default:
      return DatumGetFloat8(
          DirectFunctionCall1(float8in, CStringGetDatum(OidOutputFunctionCall(column.output, value))));
  }
}

static std::string_view text_of(const TimedSource& source, const Column& column, const char* name, HeapTuple tuple,
                                TupleDesc desc) {
  if (column.number == 0) return {};
  bool is_null;
  const Datum value = SPI_getbinval(tuple, desc, column.number, &is_null);
  if (is_null)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a row of %s has no %s", source.argument, name),
                    errhint("leave such rows out, or name them: coalesce(%s, '...')", name)));
  if (column.type == TEXTOID || column.type == VARCHAROID) return utf8_of_text(DatumGetTextP(value));
  if (column.type == BPCHAROID) return utf8_of_padded(value);
  return utf8_of_cstring(OidOutputFunctionCall(column.output, value));
}

static void add_timed(HeapTuple tuple, TupleDesc desc, void* arg) {
  auto* source = static_cast<TimedSource*>(arg);
  const Times times = ds_of(*source, tuple, desc);
  const std::string_view series = text_of(*source, source->series, "series", tuple, desc);
  if (source->needs_holiday) {
    const std::string_view name = text_of(*source, source->holiday, "holiday", tuple, desc);
    int64 day = times.wall / USECS_PER_DAY;
    if (times.wall % USECS_PER_DAY < 0) --day;
    guarded([&] { source->trainer->AddHoliday(day, name); });
    return;
  }
  double regressors[kMostRegressors];
  for (int k = 0; k < source->n_regressors; ++k) regressors[k] = number_of(source->regressors[k], tuple, desc);
  const std::span<const double> row(regressors, static_cast<size_t>(source->n_regressors));
  if (source->table != nullptr) {
    guarded([&] { source->table->Add(source->series.number != 0, series, times.wall, times.absolute, row); });
    return;
  }
  const double y = number_of(source->y, tuple, desc);
  guarded([&] { source->trainer->Add({series, times.wall, times.absolute, y, row}); });
}

retrain::ForecastTrainer* read_forecast_rows(const char* query, const std::vector<std::string>& regressors,
                                             retrain::ForecastTrainer* (*make)(const ForecastSourceShape& shape,
                                                                               void* arg),
                                             void* arg) {
  TimedSource source = {};
  source.argument = "p_source";
  source.needs_y = true;
  source.names = &regressors;
  source.n_regressors = static_cast<int>(regressors.size());
  source.make = make;
  source.arg = arg;
  read_source(query, false, kExample, {describe_timed, add_timed, &source});
  return source.trainer;
}

static bool begins_with_word(const char* text, const char* word) {
  const size_t size = strlen(word);
  if (pg_strncasecmp(text, word, size) != 0) return false;
  const auto next = static_cast<unsigned char>(text[size]);
  return !isalnum(next) && next != '_' && next != '$' && !IS_HIGHBIT_SET(next);
}

// A table's name has no white space and no parenthesis outside quotes; a query has, or begins with a word of its own.
static bool is_query(const char* text) {
  for (const char* word : {"select", "with", "values", "table"})
    if (begins_with_word(text, word)) return true;
  bool quoted = false;
  for (; *text != '\0'; ++text) {
    if (*text == '"') quoted = !quoted;
    if (!quoted && strchr(" \t\r\n(", *text) != nullptr) return true;
  }
  return false;
}

void read_holidays(const char* holidays, retrain::ForecastTrainer* trainer) {
  TimedSource source = {};
  source.argument = "holidays";
  source.needs_holiday = true;
  source.trainer = trainer;
  const char* query = is_query(holidays) ? holidays : psprintf("select * from %s", holidays);
  read_source(query, false, "select day as ds, name as holiday from my_holidays", {describe_timed, add_timed, &source});
}

void read_future_regressors(const char* query, const std::vector<std::string>& regressors, text* zone,
                            retrain::FutureRegressorTable* table) {
  TimedSource source = {};
  source.argument = "p_regressors";
  source.names = &regressors;
  source.n_regressors = static_cast<int>(regressors.size());
  source.zone = zone;
  source.table = table;
  read_stable_source(query, "p_regressors", "select day as ds, price from my_plan",
                     {describe_timed, add_timed, &source});
}
