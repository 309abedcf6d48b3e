// Reads rows into cells: which attribute is which column is found out once for each call site, model and type of row.
#include "pg/table_row.h"

#include "core/tabular/table_model.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/model_cache.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
}

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kSecondsPerDay = 86400;
// From 1970-01-01 to 2000-01-01, where PostgreSQL's clocks begin.
static constexpr double kEpochDays = POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;

CellType cell_type_of(Oid type) {
  using retrain::ColumnKind;
  const Oid base = getBaseType(type);
  switch (base) {
    case INT2OID:
      return {CellReader::kInt2, ColumnKind::kNumber, InvalidOid};
    case INT4OID:
      return {CellReader::kInt4, ColumnKind::kNumber, InvalidOid};
    case INT8OID:
      return {CellReader::kInt8, ColumnKind::kNumber, InvalidOid};
    case FLOAT4OID:
      return {CellReader::kFloat4, ColumnKind::kNumber, InvalidOid};
    case FLOAT8OID:
      return {CellReader::kFloat8, ColumnKind::kNumber, InvalidOid};
    case NUMERICOID:
      return {CellReader::kNumeric, ColumnKind::kNumber, InvalidOid};
    case BOOLOID:
      return {CellReader::kBool, ColumnKind::kBoolean, InvalidOid};
    case DATEOID:
      return {CellReader::kDate, ColumnKind::kTime, InvalidOid};
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return {CellReader::kTimestamp, ColumnKind::kTime, InvalidOid};
    case TIMEOID:
      return {CellReader::kTime, ColumnKind::kNumber, InvalidOid};
    case INTERVALOID:
      return {CellReader::kInterval, ColumnKind::kNumber, InvalidOid};
    case TEXTOID:
    case VARCHAROID:
      return {CellReader::kText, ColumnKind::kCategory, InvalidOid};
    case BPCHAROID:
      return {CellReader::kPadded, ColumnKind::kCategory, InvalidOid};
    default:
      break;
  }
  char category;
  bool preferred;
  get_type_category_preferred(base, &category, &preferred);
  if (category != TYPCATEGORY_STRING && category != TYPCATEGORY_ENUM && base != UUIDOID && base != CHAROID &&
      base != UNKNOWNOID)
    return {CellReader::kUnusable, ColumnKind::kUnusable, InvalidOid};
  CellType result = {CellReader::kOutput, ColumnKind::kCategory, InvalidOid};
  bool is_varlena;
  getTypeOutputInfo(base, &result.output, &is_varlena);
  return result;
}

static double number_of_date(DateADT date) {
  if (DATE_IS_NOBEGIN(date)) return -kInfinity;
  if (DATE_IS_NOEND(date)) return kInfinity;
  return (date + kEpochDays) * kSecondsPerDay;
}

static double number_of_timestamp(Timestamp timestamp) {
  if (TIMESTAMP_IS_NOBEGIN(timestamp)) return -kInfinity;
  if (TIMESTAMP_IS_NOEND(timestamp)) return kInfinity;
  return static_cast<double>(timestamp) / USECS_PER_SEC + kEpochDays * kSecondsPerDay;
}

retrain::Cell cell_of_datum(const CellType& type, Datum value, bool is_null) {
  retrain::Cell cell;
  if (is_null || type.reader == CellReader::kUnusable) return cell;
  cell.is_null = false;
  switch (type.reader) {
    case CellReader::kInt2:
      cell.number = DatumGetInt16(value);
      break;
    case CellReader::kInt4:
      cell.number = DatumGetInt32(value);
      break;
    case CellReader::kInt8:
      cell.number = static_cast<double>(DatumGetInt64(value));
      break;
    case CellReader::kFloat4:
      cell.number = static_cast<double>(DatumGetFloat4(value));
      break;
    case CellReader::kFloat8:
      cell.number = DatumGetFloat8(value);
      break;
    case CellReader::kNumeric:
      cell.number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
      break;
    case CellReader::kBool:
      cell.number = DatumGetBool(value) ? 1 : 0;
      break;
    case CellReader::kDate:
      cell.number = number_of_date(DatumGetDateADT(value));
      break;
    case CellReader::kTimestamp:
      cell.number = number_of_timestamp(DatumGetTimestamp(value));
      break;
    case CellReader::kTime:
      cell.number = static_cast<double>(DatumGetTimeADT(value)) / USECS_PER_SEC;
      break;
    case CellReader::kInterval: {
      const Interval* interval = DatumGetIntervalP(value);
      cell.number = static_cast<double>(interval->time) / USECS_PER_SEC +
                    kSecondsPerDay * (interval->day + 30.0 * interval->month);
      break;
    }
    case CellReader::kText:
      cell.text = utf8_of_text(DatumGetTextPP(value));
      break;
    case CellReader::kPadded:
      cell.text = utf8_of_padded(value);
      break;
    default:
      cell.text = utf8_of_cstring(OidOutputFunctionCall(type.output, value));
      break;
  }
  return cell;
}

[[noreturn]] static void report_missing(const char* model_name, std::string_view column, const char* kind) {
  ereport(
      ERROR,
      (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
       errmsg("the row has no column \"%s\"", text_to_cstring(text_of_utf8(column))),
       errdetail("Model \"%s\" was trained with it, as %s.", model_name, kind),
       errhint("pass a row with the columns of the training, whatever their order; null stands for an unknown value")));
  pg_unreachable();
}

[[noreturn]] static void report_mistyped(const char* model_name, std::string_view column, const char* kind,
                                         const char* found) {
  ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                  errmsg("column \"%s\" of the row has the wrong type", text_to_cstring(text_of_utf8(column))),
                  errdetail("Model \"%s\" was trained with %s; the row has %s.", model_name, kind, found),
                  errhint("cast the column, as the training's query did")));
  pg_unreachable();
}

// A text of JSON where a number was learnt: to_jsonb() writes intervals and times of day as texts, which the model knows as
// numbers.
[[noreturn]] static void report_text_for_number(const char* model_name, std::string_view column, const char* value) {
  ereport(ERROR,
          (errcode(ERRCODE_DATATYPE_MISMATCH),
           errmsg("column \"%s\" of the row has the wrong type", text_to_cstring(text_of_utf8(column))),
           errdetail("Model \"%s\" was trained with number; the row has a text, \"%s\".", model_name, value),
           errhint("give a JSON number; an interval or a time of day is one of seconds: extract(epoch from ...), or "
                   "pass the row itself instead of JSON")));
  pg_unreachable();
}

// Whether values of one kind serve where a model was trained with another: a number may be the name of a category, where
// the names that the model knows are numbers.
static bool kind_fits(const retrain::Encoder& encoder, size_t column, retrain::ColumnKind given) {
  using retrain::ColumnKind;
  const ColumnKind trained = encoder.columns()[column].kind;
  if (trained == given) return true;
  return (trained == ColumnKind::kCategory && given == ColumnKind::kNumber && encoder.TakesNumbers(column)) ||
         (trained == ColumnKind::kNumber && given == ColumnKind::kBoolean);
}

// Finds the model's columns among the row's.
static void map_columns(RowSite* site, const retrain::TableModel& model, const char* model_name, Oid type,
                        int32 typmod) {
  const TupleDesc desc = lookup_rowtype_tupdesc(type, typmod);
  const auto columns = model.encoder().columns();
  const MemoryContext old = MemoryContextSwitchTo(site->context);
  site->desc = CreateTupleDescCopy(desc);
  site->attribute = static_cast<int*>(palloc0(sizeof(int) * (columns.size() + 1)));
  site->types = static_cast<CellType*>(palloc0(sizeof(CellType) * (columns.size() + 1)));
  site->values = static_cast<Datum*>(palloc0(sizeof(Datum) * static_cast<size_t>(desc->natts + 1)));
  site->nulls = static_cast<bool*>(palloc0(sizeof(bool) * static_cast<size_t>(desc->natts + 1)));
  ReleaseTupleDesc(desc);
  for (size_t c = 0; c < columns.size(); ++c) {
    int at = -1;
    for (int i = 0; i < site->desc->natts && at < 0; ++i) {
      const Form_pg_attribute attribute = TupleDescAttr(site->desc, i);
      if (!attribute->attisdropped && utf8_of_cstring(NameStr(attribute->attname)) == columns[c].name) at = i;
    }
    if (at < 0) report_missing(model_name, columns[c].name, retrain::NameOf(columns[c].kind));
    const Oid found = TupleDescAttr(site->desc, at)->atttypid;
    site->attribute[c] = at;
    site->types[c] = cell_type_of(found);
    if (!kind_fits(model.encoder(), c, site->types[c].kind))
      report_mistyped(model_name, columns[c].name, retrain::NameOf(columns[c].kind), format_type_be(found));
  }
  MemoryContextSwitchTo(old);
}

static void read_composite(RowSite* site, const CachedModel* cached, const char* model_name, Datum row) {
  const HeapTupleHeader header = DatumGetHeapTupleHeader(row);
  const Oid type = HeapTupleHeaderGetTypeId(header);
  const int32 typmod = HeapTupleHeaderGetTypMod(header);
  const uint64 row_type = assign_record_type_identifier(type, typmod);
  const auto& model = model_of<retrain::TableModel>(cached);
  if (row_type != site->row_type || strcmp(site->model_key, cached->key) != 0) {
    MemoryContextReset(site->context);
    site->model_key[0] = '\0';  // until everything is found
    site->row_type = row_type;
    map_columns(site, model, model_name, type, typmod);
    strlcpy(site->model_key, cached->key, sizeof site->model_key);
  }
  HeapTupleData tuple;
  tuple.t_len = HeapTupleHeaderGetDatumLength(header);
  ItemPointerSetInvalid(&tuple.t_self);
  tuple.t_tableOid = InvalidOid;
  tuple.t_data = header;
  heap_deform_tuple(&tuple, site->desc, site->values, site->nulls);
  auto& cells = scratch_of<retrain::TableModel>(cached).cells;
  for (size_t c = 0; c < cells.size(); ++c) {
    const int at = site->attribute[c];
    cells[c] = cell_of_datum(site->types[c], site->values[at], site->nulls[at]);
  }
}

static const char* json_kind(const JsonbValue* value) {
  switch (value->type) {
    case jbvNumeric:
      return "a number";
    case jbvString:
      return "a text";
    case jbvBool:
      return "a boolean";
    default:
      return "an array or object";
  }
}

static void time_context(void* column) {
  errcontext("column \"%s\" of the row", static_cast<const char*>(column));
  if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION) return;
  errcode(ERRCODE_INVALID_PARAMETER_VALUE);
  errdetail("Column \"%s\" of the row is a date or a time.", static_cast<const char*>(column));
  errhint("write it as 2026-01-31 or 2026-01-31T12:00:00+01:00");
}

// A date or timestamp in JSON is a text as PostgreSQL reads it; without a time zone it is one in UTC, as a timestamp of a row
// is, whatever the session's.
static double number_of_json_time(const JsonbValue* value, std::string_view column) {
  char* text = pnstrdup(value->val.string.val, static_cast<Size>(value->val.string.len));
  ErrorContextCallback context;
  context.callback = time_context;
  context.arg = text_to_cstring(text_of_utf8(column));
  context.previous = error_context_stack;
  error_context_stack = &context;
  pg_tz* const session = session_timezone;
  Datum timestamp = 0;
  session_timezone = pg_tzset("UTC");
  PG_TRY();
  {
    timestamp =
        DirectFunctionCall3(timestamptz_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
  }
  PG_FINALLY();
  { session_timezone = session; }
  PG_END_TRY();
  error_context_stack = context.previous;
  return number_of_timestamp(DatumGetTimestamp(timestamp));
}

static retrain::Cell cell_of_json(const retrain::Encoder& encoder, size_t place, const JsonbValue* value,
                                  const char* model_name) {
  using retrain::ColumnKind;
  const retrain::Encoder::Column& column = encoder.columns()[place];
  retrain::Cell cell;
  if (value->type == jbvNull) return cell;
  cell.is_null = false;
  if (value->type == jbvNumeric && kind_fits(encoder, place, ColumnKind::kNumber)) {
    cell.number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
  } else if (value->type == jbvBool && (column.kind == ColumnKind::kBoolean || column.kind == ColumnKind::kNumber)) {
    cell.number = value->val.boolean ? 1 : 0;
  } else if (value->type == jbvString && column.kind == ColumnKind::kCategory) {
    cell.text = utf8_of_bytes(value->val.string.val, value->val.string.len);
  } else if (value->type == jbvString && column.kind == ColumnKind::kTime) {
    cell.number = number_of_json_time(value, column.name);
  } else if (value->type == jbvString && column.kind == ColumnKind::kNumber) {
    const int shown = pg_mbcliplen(value->val.string.val, value->val.string.len, 40);
    report_text_for_number(model_name, column.name, pnstrdup(value->val.string.val, static_cast<Size>(shown)));
  } else {
    report_mistyped(model_name, column.name, retrain::NameOf(column.kind), json_kind(value));
  }
  return cell;
}

static void read_json(const CachedModel* cached, const char* model_name, Jsonb* row) {
  if (!JB_ROOT_IS_OBJECT(row))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_row must be a row or a JSON object"),
                    errhint("for example: '{\"area\": 120, \"town\": \"Ames\"}'::jsonb")));
  const retrain::Encoder& encoder = model_of<retrain::TableModel>(cached).encoder();
  const auto columns = encoder.columns();
  auto& cells = scratch_of<retrain::TableModel>(cached).cells;
  for (size_t c = 0; c < columns.size(); ++c) {
    text* key = text_of_utf8(columns[c].name);
    JsonbValue key_value;
    key_value.type = jbvString;
    key_value.val.string.val = VARDATA_ANY(key);
    key_value.val.string.len = static_cast<int>(VARSIZE_ANY_EXHDR(key));
    const JsonbValue* value = findJsonbValueFromContainer(&row->root, JB_FOBJECT, &key_value);
    if (value == nullptr) report_missing(model_name, columns[c].name, retrain::NameOf(columns[c].kind));
    cells[c] = cell_of_json(encoder, c, value, model_name);
  }
}

void read_row(RowSite* site, const CachedModel* cached, const char* model_name, Oid type, Datum row) {
  const Oid base = getBaseType(type);
  if (base == JSONBOID) {
    read_json(cached, model_name, DatumGetJsonbP(row));
  } else if (base == JSONOID) {
    char* json = text_to_cstring(DatumGetTextPP(row));
    read_json(cached, model_name, DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json))));
  } else if (base == RECORDOID || type_is_rowtype(base)) {
    read_composite(site, cached, model_name, row);
  } else {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("p_row must be a row or a JSON object"),
                    errdetail("Its type is %s.", format_type_be(type)),
                    errhint("pass the row itself: select predict_value('price', h) from houses h")));
  }
}
