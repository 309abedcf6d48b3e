// explain_intent: which words and characters of a message speak for an intent.
#include "core/intent/model.h"
#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/materialized.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/scoring.h"

RETRAIN_FUNCTION(explain_intent);

static constexpr int kMaxExplained = 1000000;

struct NamedExplanation {
  retrain::Explanation of;
  std::vector<std::string> names;
};

// The class of an intent by name, or n_classes when the version does not know it.
static uint32 class_of_intent(const retrain::IntentModel& model, std::string_view intent) {
  uint32 k = 0;
  while (k < model.n_classes() && model.label(k) != intent) ++k;
  return k;
}

static void put_row(ReturnSetInfo* result, text* feature, const char* kind, const retrain::Contribution& c) {
  Datum values[5] = {PointerGetDatum(feature), CStringGetTextDatum(kind), Float4GetDatum(c.tfidf),
                     Float4GetDatum(c.weight), Float8GetDatum(c.contribution)};
  bool nulls[5] = {};
  tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

// Rows (feature, kind, tfidf, weight, contribution), the largest contribution first, and the bias as the last row: with
// p_top large enough they add up to the margin.
Datum explain_intent(PG_FUNCTION_ARGS) {
  ReturnSetInfo* result = begin_materialized(fcinfo);
  text* model_name = model_name_argument(fcinfo, 1);
  const int top = PG_ARGISNULL(3) ? 10 : PG_GETARG_INT32(3);
  if (top < 1 || top > kMaxExplained)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_top is out of range"),
                    errdetail("given %d, accepted: 1 to %d", top, kMaxExplained),
                    errhint("ask for the number of features that you show")));
  if (PG_ARGISNULL(0)) return static_cast<Datum>(0);
  const Oid schema = own_schema(fcinfo);
  Answer answer;
  answer_message(schema, model_name, PG_ARGISNULL(4) ? 0 : PG_GETARG_INT64(4), PG_GETARG_TEXT_PP(0),
                 embedding_argument(fcinfo, 5), Wanted::kExplanation, &answer);
  if (answer.cached == nullptr)
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" has no live version", text_to_cstring(model_name)),
             errhint("train it with train_intent_model() or promote a version with promote_model()")));
  const retrain::IntentModel& model = model_of<retrain::IntentModel>(answer.cached);
  uint32 k = answer.best;
  if (!PG_ARGISNULL(2)) {
    k = class_of_intent(model, utf8_of_text(PG_GETARG_TEXT_PP(2)));
    if (k == model.n_classes())
      ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                      errmsg("version %s does not know the intent \"%s\"", answer.resolved->version,
                             text_to_cstring(PG_GETARG_TEXT_PP(2))),
                      errhint("look at labels in ai_model_versions for the intents that it knows")));
  }
  auto* explanation = make_owned<NamedExplanation>(CurrentMemoryContext, [&] {
    auto made = std::make_unique<NamedExplanation>();
    made->of = model.Explain(scratch_of<retrain::IntentModel>(answer.cached), k);
    auto& contributions = made->of.contributions;
    contributions.resize(std::min<size_t>(contributions.size(), static_cast<size_t>(top)));
    for (const auto& c : contributions) made->names.push_back(model.FeatureName(c.column));
    return made.release();
  });
  for (size_t i = 0; i < explanation->names.size(); ++i) {
    const retrain::Contribution& c = explanation->of.contributions[i];
    put_row(result, text_of_utf8(explanation->names[i]), model.FeatureKindName(c.column), c);
  }
  const double bias = explanation->of.bias;
  put_row(result, cstring_to_text("(bias)"), "bias", {0, 1, static_cast<float>(bias), bias});
  return static_cast<Datum>(0);
}
