// train_model: any query's rows in, a table model and its verdict out.
#include "core/tabular/table_trainer.h"
#include "pg/catalog.h"
#include "pg/config_json.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/progress.h"
#include "pg/settings.h"
#include "pg/source_cursor.h"
#include "pg/table_booster.h"
#include "pg/table_row.h"
#include "pg/training.h"
#include "pg/training_run.h"

extern "C" {
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "tcop/utility.h"
}

RETRAIN_FUNCTION(train_model);
RETRAIN_FUNCTION(retrain_table_config_reference);

// A source as its rows are read: plain data.
struct TableSource {
  retrain::TableTrainer* trainer;
  int n;
  CellType* types;
  Datum* values;
  bool* nulls;
  retrain::Cell* cells;
};

static void describe_source(TupleDesc desc, void* arg) {
  auto* source = static_cast<TableSource*>(arg);
  const auto n = static_cast<size_t>(desc->natts);
  source->n = desc->natts;
  source->types = static_cast<CellType*>(palloc0(sizeof(CellType) * (n + 1)));
  source->values = static_cast<Datum*>(palloc0(sizeof(Datum) * (n + 1)));
  source->nulls = static_cast<bool*>(palloc0(sizeof(bool) * (n + 1)));
  source->cells = static_cast<retrain::Cell*>(palloc0(sizeof(retrain::Cell) * (n + 1)));
  auto* names = static_cast<std::string_view*>(palloc0(sizeof(std::string_view) * (n + 1)));
  auto** type_names = static_cast<char**>(palloc0(sizeof(char*) * (n + 1)));
  for (size_t i = 0; i < n; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, static_cast<int>(i));
    source->types[i] = cell_type_of(attribute->atttypid);
    names[i] = utf8_of_cstring(NameStr(attribute->attname));
    type_names[i] = format_type_be(attribute->atttypid);
  }
  guarded([&] {
    std::vector<retrain::SourceColumn> columns;
    for (size_t i = 0; i < n; ++i) columns.push_back({std::string(names[i]), source->types[i].kind, type_names[i]});
    source->trainer->Describe(columns);
  });
}

static void add_row(HeapTuple tuple, TupleDesc desc, void* arg) {
  auto* source = static_cast<TableSource*>(arg);
  heap_deform_tuple(tuple, desc, source->values, source->nulls);
  for (int i = 0; i < source->n; ++i)
    source->cells[i] = cell_of_datum(source->types[i], source->values[i], source->nulls[i]);
  guarded([&] { source->trainer->Add({source->cells, static_cast<size_t>(source->n)}, backend_stop()); });
}

// The stored task of a model, null when there is no such model; the caller has connected SPI.
static char* stored_task(Oid schema, const char* model_name) {
  Oid types[] = {TEXTOID};
  Datum values[] = {CStringGetTextDatum(model_name)};
  run_own_statement(psprintf("SELECT (SELECT m.task FROM %s m WHERE m.model_name OPERATOR(pg_catalog.=) $1)",
                             own_name(schema, "ai_models")),
                    1, types, values, nullptr, SPI_OK_SELECT);
  bool is_null;
  const Datum task = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
  return is_null ? nullptr : TextDatumGetCString(task);
}

static retrain::TableTask task_argument(Oid schema, RunRequest* request) {
  if (request->task == nullptr && request->model_name != nullptr)
    request->task = stored_task(schema, request->model_name);
  if (request->task == nullptr)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_task must not be null"),
                    errdetail("The model has never been trained, so no task is stored."),
                    errhint("use classification, regression or clustering")));
  const auto task = retrain::TableTaskOf(request->task);
  if (!task)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_task is not known"),
                    errdetail("given %s, accepted: classification, regression, clustering", request->task),
                    errhint("intents are trained by train_intent_model(), forecasts by train_forecast()")));
  return *task;
}

static retrain::TableTrainer* make_trainer(Oid schema, MemoryContext context, retrain::TableTask task) {
  const char* target = begin_text("target");
  const char* algorithm = begin_text("algorithm");
  bytea* live = read_live(schema).artifact;
  const std::string_view config =
      utf8_of_cstring(JsonbToCString(nullptr, &DatumGetJsonbPCopy(begin_value("effective_config"))->root, 0));
  bool dealt_unknown;
  const Datum dealt_by = begin_column("dealt_by", &dealt_unknown);
  const std::string_view dealt_by_json =
      dealt_unknown ? std::string_view()
                    : utf8_of_cstring(JsonbToCString(nullptr, &DatumGetJsonbPCopy(dealt_by)->root, 0));
  const std::string_view target_name = target == nullptr ? std::string_view() : utf8_of_cstring(target);
  const int32 min_samples = DatumGetInt32(begin_value("min_samples"));
  const float4 tolerance = DatumGetFloat4(begin_value("max_f1_regression"));
  // The module is only looked for where something may come of it.
  const bool may_boost =
      task != retrain::TableTask::kClustering &&
      (algorithm == nullptr || strcmp(algorithm, "xgboost") == 0 || strcmp(algorithm, "random_forest") == 0);
  const retrain::BoosterApi* booster = may_boost ? load_booster() : nullptr;
  const uint64_t memory = settings::training_memory();
  return make_owned<retrain::TableTrainer>(context, [&] {
    retrain::TableRequest request;
    request.task = task;
    request.algorithm = algorithm == nullptr ? "" : algorithm;
    request.target = target_name;
    request.config_json = config;
    request.dealt_by_json = dealt_by_json;
    request.min_samples = static_cast<uint64_t>(min_samples);
    request.memory_budget = memory;
    request.tolerance = static_cast<double>(tolerance);
    request.booster = booster;
    if (live != nullptr) {
      const auto* bytes = reinterpret_cast<const uint8_t*>(VARDATA_ANY(live));
      request.has_live = true;
      request.live_artifact.assign(bytes, bytes + VARSIZE_ANY_EXHDR(live));
    }
    return new retrain::TableTrainer(std::move(request));
  });
}

RunOutcome train_table(Oid schema, const char* model_name, retrain::TableTask task) {
  const char* query = begin_text("rows_query");
  if (query == nullptr)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_source must not be null"),
                    errdetail("The model has never been trained, so no source is stored."),
                    errhint("pass the query that gives the rows, for example 'select * from customers'")));
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_retrain training", ALLOCSET_SMALL_SIZES);
  trim_after(context);
  TableSource source = {};
  source.trainer = make_trainer(schema, context, task);
  progress_begin(context, model_name);
  read_source(query, false, "select * from customers", {describe_source, add_row, &source});
  run_steps(source.trainer);
  const retrain::TableResult& result = source.trainer->result();
  const auto* json = make_owned<std::string>(context, [&] { return new std::string(retrain::ToJson(result)); });
  const RunOutcome outcome{jsonb_of_json(*json), result.failed ? nullptr : bytea_of(result.artifact), nullptr};
  MemoryContextDelete(context);
  return outcome;
}

Datum train_model(PG_FUNCTION_ARGS) {
  PreventCommandIfReadOnly("train_model()");
  PreventCommandDuringRecovery("train_model()");
  const Oid schema = own_schema(fcinfo);
  RunRequest request = {};
  request.run_type = "full";
  request.model_name = argument_cstring(fcinfo, 0);
  request.task = argument_cstring(fcinfo, 1);
  request.source = argument_cstring(fcinfo, 2);
  request.target = argument_cstring(fcinfo, 3);
  request.algorithm = argument_cstring(fcinfo, 4);
  request.config = PG_ARGISNULL(5) ? nullptr : PG_GETARG_JSONB_P(5);
  request.promote = argument_cstring(fcinfo, 6);
  check_promote(request.promote);
  SPI_connect();
  const retrain::TableTask task = task_argument(schema, &request);
  pg_uuid_t* run_id = begin_run(schema, request);
  const RunOutcome outcome = train_table(schema, request.model_name, task);
  const Datum row = finish_run(schema, run_id, outcome, request.promote);
  SPI_finish();
  PG_RETURN_DATUM(row);
}

// Rows (name, type, default_value, range, algorithms, description, other_name) of every hyper-parameter.
Datum retrain_table_config_reference(PG_FUNCTION_ARGS) {
  using Doc = retrain::TableParameterDoc;
  return parameter_rows(fcinfo, retrain::TableParameterReference,
                        {&Doc::name, &Doc::type, &Doc::default_value, &Doc::range, &Doc::algorithms, &Doc::description,
                         &Doc::other_name});
}
