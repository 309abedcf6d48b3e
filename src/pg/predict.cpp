// predict_intent, predict_intents and classify_intent; retrain_predict_texts for what has been recorded.
#include <algorithm>

#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/materialized.h"
#include "pg/messages.h"
#include "pg/probability_json.h"
#include "pg/scoring.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/jsonb.h"
}

RETRAIN_FUNCTION(classify_intent);
RETRAIN_FUNCTION(predict_intent);
RETRAIN_FUNCTION(predict_intents);
RETRAIN_FUNCTION(retrain_predict_texts);

static constexpr int kMaxTop = 1000;

// Columns of ai_intent_prediction.
enum PredictionColumn {
  kMessage,
  kPredictedIntent,
  kConfidence,
  kTopIntents,
  kDecision,
  kIsUncertain,
  kModelVersion,
  kModelTrained,
  kDecisionSource,
  kUncertainReason,
  kFamiliarity,
  kColumns
};

// What a call site keeps between calls.
struct PredictionSite {
  Oid schema;
  TupleDesc desc;
};

static Oid schema_of_site(FunctionCallInfo fcinfo) {
  if (fcinfo->flinfo->fn_extra == nullptr) {
    auto* site = static_cast<Oid*>(MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(Oid)));
    *site = own_schema(fcinfo);
    fcinfo->flinfo->fn_extra = site;
  }
  return *static_cast<Oid*>(fcinfo->flinfo->fn_extra);
}

Datum classify_intent(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  Answer answer;
  answer_message(schema_of_site(fcinfo), model_name_argument(fcinfo, 1), 0, PG_GETARG_TEXT_PP(0),
                 embedding_argument(fcinfo, 2), Wanted::kIntent, &answer);
  if (answer.correction != nullptr) PG_RETURN_TEXT_P(answer.correction);
  if (answer.cached == nullptr) PG_RETURN_NULL();
  PG_RETURN_TEXT_P(label_text(answer.cached, answer.best));
}

// {"intent": probability, ...} of the most probable intents; a corrected text has its correction alone.
static Datum top_intents(const Answer& answer, int top) {
  JsonbParseState* state = nullptr;
  pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  if (answer.correction != nullptr) {
    text* label = answer.correction;
    if (top > 0) push_probability(&state, {VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label)}, 1);
  } else {
    const auto& model = model_of<retrain::IntentModel>(answer.cached);
    retrain::ScoringScratch& scratch = scratch_of<retrain::IntentModel>(answer.cached);
    guarded([&] {
      model.Top(answer.best, static_cast<uint32_t>(top), scratch);
      // Classes are numbered in the order of their labels' bytes.
      std::sort(scratch.top.order.begin(), scratch.top.order.end(), [&model](uint32_t a, uint32_t b) {
        const size_t x = model.label(a).size(), y = model.label(b).size();
        return x != y ? x < y : a < b;
      });
    });
    for (const uint32_t k : scratch.top.order)
      push_probability(&state, server_of_utf8(model.label(k)), static_cast<double>(scratch.probabilities[k]));
  }
  return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
}

// Why an answer is no decision, or null. What is known of no kind of message says more than how sure the model is of it.
static const char* reason_for_doubt(const Answer& answer, float confidence) {
  if (answer.correction == nullptr && answer.novelty.out_of_scope)
    return answer.novelty.unknown_words ? "unknown_words" : "out_of_scope";
  return confidence < answer.resolved->confidence_threshold ? "low_confidence" : nullptr;
}

static HeapTuple prediction_tuple(const PredictionSite* site, text* model_name, text* message, int top,
                                  int64 version_id, const Embedding& embedding, Wanted wanted) {
  Datum values[kColumns] = {};
  bool nulls[kColumns];
  for (bool& is_null : nulls) is_null = true;
  const auto set = [&](PredictionColumn column, Datum value) {
    values[column] = value;
    nulls[column] = false;
  };
  Answer answer;
  if (message != nullptr) {
    set(kMessage, PointerGetDatum(message));
    answer_message(site->schema, model_name, version_id, message, embedding, wanted, &answer);
  } else {
    answer = {resolve_version(site->schema, model_name, version_id), nullptr, nullptr, 0, {}};
  }
  set(kModelTrained, BoolGetDatum(answer.resolved->version_id != 0));
  if (answer.resolved->version_id != 0) set(kModelVersion, CStringGetTextDatum(answer.resolved->version));
  const bool corrected = answer.correction != nullptr;
  if (corrected || answer.cached != nullptr) {
    const float confidence =
        corrected ? 1.0f : scratch_of<retrain::IntentModel>(answer.cached).probabilities[answer.best];
    const Datum intent = PointerGetDatum(corrected ? answer.correction : label_text(answer.cached, answer.best));
    const char* doubt = reason_for_doubt(answer, confidence);
    set(kPredictedIntent, intent);
    set(kConfidence, Float4GetDatum(confidence));
    set(kTopIntents, top_intents(answer, top));
    set(kDecision, doubt != nullptr ? CStringGetTextDatum("UNCERTAIN") : intent);
    set(kIsUncertain, BoolGetDatum(doubt != nullptr));
    set(kDecisionSource, CStringGetTextDatum(corrected ? "correction" : "model"));
    if (doubt != nullptr) set(kUncertainReason, CStringGetTextDatum(doubt));
    if (!corrected && answer.novelty.told) set(kFamiliarity, Float4GetDatum(answer.novelty.familiarity));
  }
  return heap_form_tuple(site->desc, values, nulls);
}

static int top_argument(FunctionCallInfo fcinfo, int n) {
  const int top = PG_ARGISNULL(n) ? 5 : PG_GETARG_INT32(n);
  if (top < 0 || top > kMaxTop)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_top is out of range"),
                    errdetail("given %d, accepted: 0 to %d", top, kMaxTop),
                    errhint("ask for the number of intents that you show")));
  return top;
}

static int64 version_argument(FunctionCallInfo fcinfo, int n) {
  if (PG_ARGISNULL(n)) return 0;
  const int64 version_id = PG_GETARG_INT64(n);
  if (version_id <= 0)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no version " INT64_FORMAT, version_id),
                    errhint("look in ai_model_metadata for the versions that exist")));
  return version_id;
}

Datum predict_intent(PG_FUNCTION_ARGS) {
  auto* site = static_cast<PredictionSite*>(fcinfo->flinfo->fn_extra);
  if (site == nullptr) {
    const MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
    site = static_cast<PredictionSite*>(palloc(sizeof(PredictionSite)));
    site->schema = own_schema(fcinfo);
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE || desc->natts != kColumns)
      ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("predict_intent is declared with another result"),
                      errhint("run ALTER EXTENSION pg_retrain UPDATE")));
    site->desc = BlessTupleDesc(desc);
    MemoryContextSwitchTo(old);
    fcinfo->flinfo->fn_extra = site;
  }
  text* model_name = model_name_argument(fcinfo, 1);
  const int top = top_argument(fcinfo, 2);
  const int64 version_id = version_argument(fcinfo, 3);
  text* message = PG_ARGISNULL(0) ? nullptr : PG_GETARG_TEXT_PP(0);
  const Embedding embedding = embedding_argument(fcinfo, 4);
  PG_RETURN_DATUM(
      HeapTupleGetDatum(prediction_tuple(site, model_name, message, top, version_id, embedding, Wanted::kPrediction)));
}

static void predict_each(FunctionCallInfo fcinfo, Wanted wanted) {
  ReturnSetInfo* result = begin_materialized(fcinfo);
  text* model_name = model_name_argument(fcinfo, 1);
  const int top = top_argument(fcinfo, 2);
  const int64 version_id = version_argument(fcinfo, 3);
  if (PG_ARGISNULL(0)) return;
  const PredictionSite site{own_schema(fcinfo), result->setDesc};
  ArrayType* messages = PG_GETARG_ARRAYTYPE_P(0);
  Datum* elements;
  bool* nulls;
  int n;
  deconstruct_array(messages, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
  const MemoryContext row_context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_retrain prediction", ALLOCSET_DEFAULT_SIZES);
  for (int i = 0; i < n; ++i) {
    CHECK_FOR_INTERRUPTS();
    const MemoryContext old = MemoryContextSwitchTo(row_context);
    text* message = nulls[i] ? nullptr : DatumGetTextPP(elements[i]);
    tuplestore_puttuple(result->setResult, prediction_tuple(&site, model_name, message, top, version_id, {}, wanted));
    MemoryContextSwitchTo(old);
    MemoryContextReset(row_context);
  }
  MemoryContextDelete(row_context);
}

Datum predict_intents(PG_FUNCTION_ARGS) {
  predict_each(fcinfo, Wanted::kPrediction);
  return static_cast<Datum>(0);
}

Datum retrain_predict_texts(PG_FUNCTION_ARGS) {
  predict_each(fcinfo, Wanted::kTextPrediction);
  return static_cast<Datum>(0);
}
