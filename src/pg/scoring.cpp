// Scores one message by a model's live version, corrections first.
#include "pg/scoring.h"

#include "pg/correction_lookup.h"
#include "pg/guard.h"
#include "pg/messages.h"

extern "C" {
#include "utils/array.h"
}

text* model_name_argument(FunctionCallInfo fcinfo, int n) {
  if (PG_ARGISNULL(n))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_model_name must not be null"),
                    errhint("leave the argument out to use the model \"default\"")));
  return PG_GETARG_TEXT_PP(n);
}

Embedding embedding_argument(FunctionCallInfo fcinfo, int n) {
  if (PG_NARGS() <= n || PG_ARGISNULL(n)) return {};
  ArrayType* array = PG_GETARG_ARRAYTYPE_P(n);
  if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_embedding is not a list of numbers"),
             ARR_NDIM(array) > 1 ? errdetail("It has %d dimensions.", ARR_NDIM(array)) : errdetail("It has nulls."),
             errhint("pass the encoder's output as real[], for example '{0.12,-0.3}' or v::real[]")));
  return {reinterpret_cast<const float*>(ARR_DATA_PTR(array)), ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))};
}

void answer_message(Oid schema, text* model_name, int64 version_id, text* message, const Embedding& embedding,
                    Wanted wanted, Answer* answer) {
  answer->resolved = resolve_version(schema, model_name, version_id);
  answer->cached = nullptr;
  answer->correction = nullptr;
  answer->best = 0;
  answer->novelty = {};
  if (answer->resolved->version_id == 0) return;
  const std::string_view utf8 = utf8_of_text(message);
  if (answer->resolved->has_corrections) {
    retrain::TextKey key;
    guarded([&] { key = retrain::KeyOfText(utf8, backend_stop()); });
    answer->correction = correction_find(schema, model_name, key);
    if (answer->correction != nullptr && wanted != Wanted::kExplanation) return;
  }
  CachedModel* cached = load_version(schema, model_name, answer->resolved, retrain::ModelKind::kIntent);
  const retrain::IntentModel& model = model_of<retrain::IntentModel>(cached);
  if (wanted == Wanted::kTextPrediction && model.space().embedding > 0) return;
  answer->cached = cached;
  retrain::ScoringScratch& scratch = scratch_of<retrain::IntentModel>(answer->cached);
  guarded([&] {
    model.Margins(utf8, backend_stop(), scratch, {embedding.values, static_cast<size_t>(embedding.size)});
    answer->best = model.Best(scratch);
    if (wanted == Wanted::kIntent) return;
    model.Probabilities(scratch);
    answer->novelty = model.JudgeNovelty(scratch);
  });
}

text* label_text(const CachedModel* cached, uint32 k) {
  return text_of_utf8(model_of<retrain::IntentModel>(cached).label(k));
}
