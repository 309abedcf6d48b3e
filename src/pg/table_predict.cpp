// predict_value, predict_class, predict_cluster and explain_prediction.
#include "core/base/json.h"
#include "core/tabular/table_model.h"
#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/live_version.h"
#include "pg/materialized.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/probability_json.h"
#include "pg/table_row.h"

extern "C" {
#include "utils/jsonb.h"
}

RETRAIN_FUNCTION(predict_value);
RETRAIN_FUNCTION(predict_class);
RETRAIN_FUNCTION(predict_cluster);
RETRAIN_FUNCTION(explain_prediction);

static constexpr int kMaxTop = 100000;

static RowSite* site_of(FunctionCallInfo fcinfo) {
  if (fcinfo->flinfo->fn_extra == nullptr) {
    const MemoryContext context = fcinfo->flinfo->fn_mcxt;
    auto* site = static_cast<RowSite*>(MemoryContextAllocZero(context, sizeof(RowSite)));
    site->context = AllocSetContextCreate(context, "pg_retrain row", ALLOCSET_SMALL_SIZES);
    site->schema = own_schema(fcinfo);
    fcinfo->flinfo->fn_extra = site;
  }
  return static_cast<RowSite*>(fcinfo->flinfo->fn_extra);
}

static int64 version_argument(FunctionCallInfo fcinfo, int n) {
  if (PG_ARGISNULL(n)) return 0;
  const int64 version_id = PG_GETARG_INT64(n);
  if (version_id <= 0)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no version " INT64_FORMAT, version_id),
                    errhint("look in ai_model_metadata for the versions that exist")));
  return version_id;
}

static const char* function_of(retrain::TableTask task) {
  switch (task) {
    case retrain::TableTask::kClassification:
      return "predict_class";
    case retrain::TableTask::kRegression:
      return "predict_value";
    default:
      return "predict_cluster";
  }
}

// The model of arguments 0 and `version`, with the row of argument 1 scored. `task` null: whatever it is.
static CachedModel* score_arguments(FunctionCallInfo fcinfo, int version, const retrain::TableTask* task) {
  RowSite* site = site_of(fcinfo);
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_model_name must not be null"),
                    errhint("name the model that train_model() trained")));
  text* name = PG_GETARG_TEXT_PP(0);
  const ResolvedVersion* resolved = resolve_version(site->schema, name, version_argument(fcinfo, version));
  if (resolved->version_id == 0)
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" has no live version", text_to_cstring(name)),
             errhint("train it with train_model() or promote a version with promote_model()")));
  CachedModel* cached = load_version(site->schema, name, resolved, retrain::ModelKind::kTable);
  const auto& model = model_of<retrain::TableModel>(cached);
  if (task != nullptr && model.task() != *task)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("model \"%s\" does not do %s", text_to_cstring(name), retrain::NameOf(*task)),
                    errdetail("Its task is %s.", retrain::NameOf(model.task())),
                    errhint("use %s()", function_of(model.task()))));
  read_row(site, cached, text_to_cstring(name), get_fn_expr_argtype(fcinfo->flinfo, 1), PG_GETARG_DATUM(1));
  auto& scratch = scratch_of<retrain::TableModel>(cached);
  guarded([&] { model.Score(scratch); });
  return cached;
}

Datum predict_value(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) PG_RETURN_NULL();
  static constexpr retrain::TableTask kTask = retrain::TableTask::kRegression;
  const CachedModel* cached = score_arguments(fcinfo, 2, &kTask);
  PG_RETURN_FLOAT8(model_of<retrain::TableModel>(cached).Value(scratch_of<retrain::TableModel>(cached)));
}

Datum predict_cluster(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) PG_RETURN_NULL();
  static constexpr retrain::TableTask kTask = retrain::TableTask::kClustering;
  const CachedModel* cached = score_arguments(fcinfo, 2, &kTask);
  const auto& model = model_of<retrain::TableModel>(cached);
  PG_RETURN_INT32(static_cast<int32>(model.cluster_numbers()[model.Nearest(scratch_of<retrain::TableModel>(cached))]));
}

static Datum probabilities_jsonb(const retrain::TableModel& model, const double* probabilities) {
  JsonbParseState* state = nullptr;
  pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  for (uint32 k = 0; k < model.n_classes(); ++k)
    push_probability(&state, server_of_utf8(model.label(k)), probabilities[k]);
  return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
}

// (label, probability, probabilities).
Datum predict_class(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) PG_RETURN_NULL();
  static constexpr retrain::TableTask kTask = retrain::TableTask::kClassification;
  const CachedModel* cached = score_arguments(fcinfo, 2, &kTask);
  const auto& model = model_of<retrain::TableModel>(cached);
  auto& scratch = scratch_of<retrain::TableModel>(cached);
  uint32 best = 0;
  guarded([&] {
    model.Probabilities(scratch);
    best = retrain::TableModel::Best(scratch.probabilities);
  });
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 3)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("predict_class is declared with another result"),
                    errhint("run ALTER EXTENSION pg_retrain UPDATE")));
  Datum values[3] = {PointerGetDatum(text_of_utf8(model.label(best))), Float8GetDatum(scratch.probabilities[best]),
                     probabilities_jsonb(model, scratch.probabilities.data())};
  bool nulls[3] = {};
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

struct RowExplanation {
  std::vector<retrain::TableContribution> contributions;
  std::vector<std::string> values;  // of the row's columns, in the order of `contributions`
  double base;
};

static RowExplanation* Explain(const retrain::TableModel& model, retrain::TableScratch& scratch, uint32 output,
                               size_t top) {
  auto explanation = std::make_unique<RowExplanation>();
  explanation->contributions = model.Contributions(scratch, output, backend_stop(), explanation->base);
  explanation->contributions.resize(std::min(explanation->contributions.size(), top));
  for (const auto& c : explanation->contributions) {
    const retrain::Cell& cell = scratch.cells[c.column];
    explanation->values.push_back(cell.is_null || cell.text.data() != nullptr
                                      ? std::string(cell.text)
                                      : retrain::TextOfNumber(cell.number, model.encoder().columns()[c.column].kind));
  }
  return explanation.release();
}

// The output to explain: the class of a label, or the one that is predicted.
static uint32 explained_output(FunctionCallInfo fcinfo, const retrain::TableModel& model,
                               retrain::TableScratch& scratch) {
  if (model.task() == retrain::TableTask::kClustering) return model.Nearest(scratch);
  if (model.task() == retrain::TableTask::kRegression) return 0;
  if (PG_ARGISNULL(3)) {
    guarded([&] { model.Probabilities(scratch); });
    return retrain::TableModel::Best(scratch.probabilities);
  }
  const std::string_view label = utf8_of_text(PG_GETARG_TEXT_PP(3));
  for (uint32 k = 0; k < model.n_classes(); ++k)
    if (model.label(k) == label) return k;
  ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                  errmsg("the model does not know the class \"%s\"", text_to_cstring(PG_GETARG_TEXT_PP(3))),
                  errhint("look at labels in ai_model_versions for the classes that it knows")));
  return 0;
}

static void put_contribution(ReturnSetInfo* result, text* feature, text* value, double contribution) {
  Datum values[3] = {PointerGetDatum(feature), PointerGetDatum(value), Float8GetDatum(contribution)};
  bool nulls[3] = {false, value == nullptr, false};
  tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

// Rows (feature, value, contribution), the largest contribution first, and the base as the last row: with p_top large
// enough they add up to what the model computes before its last step (value, or margin of the class).
Datum explain_prediction(PG_FUNCTION_ARGS) {
  ReturnSetInfo* result = begin_materialized(fcinfo);
  const int top = PG_ARGISNULL(2) ? 10 : PG_GETARG_INT32(2);
  if (top < 1 || top > kMaxTop)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_top is out of range"),
                    errdetail("given %d, accepted: 1 to %d", top, kMaxTop),
                    errhint("ask for the number of features that you show")));
  if (PG_ARGISNULL(1)) return static_cast<Datum>(0);
  const CachedModel* cached = score_arguments(fcinfo, 4, nullptr);
  const auto& model = model_of<retrain::TableModel>(cached);
  auto& scratch = scratch_of<retrain::TableModel>(cached);
  const uint32 output = explained_output(fcinfo, model, scratch);
  const auto* explanation = make_owned<RowExplanation>(
      CurrentMemoryContext, [&] { return Explain(model, scratch, output, static_cast<size_t>(top)); });
  for (size_t i = 0; i < explanation->contributions.size(); ++i) {
    const auto& c = explanation->contributions[i];
    put_contribution(result, text_of_utf8(model.encoder().columns()[c.column].name),
                     scratch.cells[c.column].is_null ? nullptr : text_of_utf8(explanation->values[i]), c.contribution);
  }
  put_contribution(result, cstring_to_text("(base)"), nullptr, explanation->base);
  return static_cast<Datum>(0);
}
