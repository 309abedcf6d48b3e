// Streams a query's rows into a trainer.
#include "pg/training_source.h"

#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/source_cursor.h"

extern "C" {
#include "executor/spi.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
}

enum SourceColumn { kText, kIntent, kWeight, kSplit, kCreatedAt, kHuman, kReviewed, kLabelledAt, kSourceColumns };
static const char* const kColumnNames[kSourceColumns] = {"text",       "intent", "weight",   "split",
                                                         "created_at", "human",  "reviewed", "labelled_at"};

struct Source {
  retrain::IntentTrainer* trainer;
  bool own;                    // a query that the extension made itself
  int column[kSourceColumns];  // 1-based; 0: not there
  Oid type[kSourceColumns];
  Oid output[kSourceColumns];  // output function of the type
  const char* embedding_name;  // null: none is wanted
  int embedding;               // its column, 1-based
  Oid embedding_type, embedding_output;
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
      fits = is_number_type(getBaseType(type));
      wanted = "a number";
      break;
    case kCreatedAt:
    case kLabelledAt: {
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

// Finds the column that the configuration names. Its type may be any whose text reads as an array of numbers.
static void find_embedding(TupleDesc desc, Source* source) {
  if (source->own)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("embedding_column needs p_source"),
                    errdetail("recorded interactions have no embeddings"),
                    errhint("train from a query that joins ai_training_data with your table of embeddings")));
  for (int i = 0; i < desc->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, i);
    if (strcmp(NameStr(attribute->attname), source->embedding_name) != 0) continue;
    source->embedding = i + 1;
    source->embedding_type = getBaseType(attribute->atttypid);
    bool is_varlena;
    getTypeOutputInfo(attribute->atttypid, &source->embedding_output, &is_varlena);
    return;
  }
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_source gives no column \"%s\"", source->embedding_name),
           errdetail("embedding_column is \"%s\"", source->embedding_name),
           errhint("select the embedding in the query, or set embedding_column to null")));
}

// The value that is being read, for what is said of one that does not convert.
struct ReadingValue {
  const Source* source;
  HeapTuple tuple;
  TupleDesc desc;
  const char* column;  // null: none that could fail
};

// The message stands for the row: rows of a query have no number that stays.
static void value_context(void* arg) {
  const auto* reading = static_cast<const ReadingValue*>(arg);
  if (reading->column == nullptr) return;
  errcontext("column \"%s\" of p_source", reading->column);
  if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION) return;
  errcode(ERRCODE_INVALID_PARAMETER_VALUE);
  char* message = SPI_getvalue(reading->tuple, reading->desc, reading->source->column[kText]);
  const int length = message == nullptr ? 0 : static_cast<int>(strlen(message));
  const int shown = message == nullptr ? 0 : pg_mbcliplen(message, length, 60);
  const bool embedding = reading->column == reading->source->embedding_name;
  errdetail("%s \"%s\" of p_source, of the message \"%.*s%s\"", embedding ? "embedding_column" : "column",
            reading->column, shown, message == nullptr ? "" : message, shown < length ? "..." : "");
  if (embedding)
    errhint("name a column whose values are lists of numbers: real[], float8[] or vector");
  else if (strcmp(reading->column, kColumnNames[kWeight]) == 0)
    errhint("give every row a weight between 1e-30 and 1e30");
  else
    errhint("give times that timestamptz holds, or null where none is known");
}

// Numbers of an embedding; none where it is null.
struct Numbers {
  const float* values;
  size_t size;
};

static void check_list(const Source& source, const ArrayType* array) {
  if (ARR_NDIM(array) > 1 || array_contains_nulls(const_cast<ArrayType*>(array)))
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("column \"%s\" of p_source is not a list of numbers", source.embedding_name),
             ARR_NDIM(array) > 1 ? errdetail("It has %d dimensions.", ARR_NDIM(array)) : errdetail("It has nulls.")));
}

// In single precision; what is too small for it is 0, as in a sum with the others.
static Numbers rounded(const Source& source, const ArrayType* array) {
  check_list(source, array);
  const auto n = static_cast<size_t>(ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
  const auto* doubles = reinterpret_cast<const double*>(ARR_DATA_PTR(array));
  auto* values = static_cast<float*>(palloc(sizeof(float) * (n + 1)));
  for (size_t i = 0; i < n; ++i) {
    values[i] = static_cast<float>(doubles[i]);
    if (isinf(values[i]) && !isinf(doubles[i]))
      ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                      errmsg("\"%g\" is out of range for type real", doubles[i])));
  }
  return {values, n};
}

// The row's embedding. pgvector writes [1,2], arrays write {1,2}.
static Numbers embedding_column(const Source& source, HeapTuple tuple, TupleDesc desc) {
  bool is_null;
  const Datum value = SPI_getbinval(tuple, desc, source.embedding, &is_null);
  if (is_null) return {nullptr, 0};
  if (source.embedding_type == FLOAT8ARRAYOID) return rounded(source, DatumGetArrayTypeP(value));
  if (source.embedding_type == FLOAT4ARRAYOID) {
    const ArrayType* array = DatumGetArrayTypeP(value);
    check_list(source, array);
    return {reinterpret_cast<const float*>(ARR_DATA_PTR(array)),
            static_cast<size_t>(ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)))};
  }
  char* numbers = OidOutputFunctionCall(source.embedding_output, value);
  const size_t length = strlen(numbers);
  if (length >= 2 && numbers[0] == '[' && numbers[length - 1] == ']') numbers[0] = '{', numbers[length - 1] = '}';
  return rounded(source, DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN, numbers, FLOAT8OID, -1)));
}

static void describe_source(TupleDesc desc, Source* source) {
  for (int i = 0; i < desc->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, i);
    for (int c = 0; c < (source->own ? kSourceColumns : kHuman); ++c) {
      if (strcmp(NameStr(attribute->attname), kColumnNames[c]) != 0) continue;
      if (source->column[c] != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("p_source gives the column \"%s\" twice", kColumnNames[c]),
                        errdetail("columns %d and %d of the query have that name", source->column[c], i + 1),
                        errhint("give one of them another name")));
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
         errhint("name the columns in the query, for example: select body as text, topic as intent from ...")));
  }
  if (source->embedding_name != nullptr) find_embedding(desc, source);
  if (!source->own && source->column[kSplit] != 0) source->trainer->TakeSplitsAtTheirWord();
}

static std::string_view text_column(const Source& source, SourceColumn c, HeapTuple tuple, TupleDesc desc) {
  bool is_null = true;
  if (source.column[c] == 0) return {};
  const Datum value = SPI_getbinval(tuple, desc, source.column[c], &is_null);
  if (is_null) return {};
  if (source.type[c] == TEXTOID || source.type[c] == VARCHAROID) return utf8_of_text(DatumGetTextPP(value));
  if (source.type[c] == BPCHAROID) return utf8_of_padded(value);
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

static int64 time_column(const Source& source, SourceColumn c, HeapTuple tuple, TupleDesc desc) {
  bool is_null = true;
  if (source.column[c] == 0) return retrain::kNoTime;
  Datum value = SPI_getbinval(tuple, desc, source.column[c], &is_null);
  if (is_null) return retrain::kNoTime;
  if (source.type[c] == TIMESTAMPOID) value = DirectFunctionCall1(timestamp_timestamptz, value);
  if (source.type[c] == DATEOID) value = DirectFunctionCall1(date_timestamptz, value);
  return DatumGetTimestampTz(value);
}

static bool flag_column(const Source& source, SourceColumn c, HeapTuple tuple, TupleDesc desc) {
  bool is_null = true;
  if (source.column[c] == 0) return false;
  const Datum value = SPI_getbinval(tuple, desc, source.column[c], &is_null);
  return !is_null && DatumGetBool(value);
}

static void add_row(const Source& source, HeapTuple tuple, TupleDesc desc) {
  retrain::LabelledMessage message;
  message.text = text_column(source, kText, tuple, desc);
  message.label = text_column(source, kIntent, tuple, desc);
  message.split = text_column(source, kSplit, tuple, desc);
  message.human = flag_column(source, kHuman, tuple, desc);
  message.reviewed = flag_column(source, kReviewed, tuple, desc);
  message.labelled_at = time_column(source, kLabelledAt, tuple, desc);
  ReadingValue reading = {&source, tuple, desc, nullptr};
  ErrorContextCallback context = {error_context_stack, value_context, &reading};
  error_context_stack = &context;
  reading.column = kColumnNames[kWeight];
  message.weight = weight_column(source, tuple, desc);
  reading.column = kColumnNames[kCreatedAt];
  message.created_at = time_column(source, kCreatedAt, tuple, desc);
  reading.column = source.embedding_name;
  if (source.embedding_name != nullptr) {
    const Numbers embedding = embedding_column(source, tuple, desc);
    message.embedding = {embedding.values, embedding.size};
  }
  error_context_stack = context.previous;
  guarded([&] { source.trainer->Add(message, backend_stop()); });
}

void read_training_rows(const char* query, bool own, retrain::IntentTrainer* trainer) {
  Source source = {};
  source.trainer = trainer;
  source.own = own;
  if (!trainer->embedding_column().empty()) source.embedding_name = pstrdup(trainer->embedding_column().c_str());
  const RowReader reader{
      [](TupleDesc desc, void* arg) { describe_source(desc, static_cast<Source*>(arg)); },
      [](HeapTuple tuple, TupleDesc desc, void* arg) { add_row(*static_cast<const Source*>(arg), tuple, desc); },
      &source};
  read_source(query, own, "select text, intent from my_messages", reader);
}
