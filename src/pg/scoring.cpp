// Scores one message by a model's live version, corrections first.
#include "pg/scoring.h"

#include "pg/correction_lookup.h"
#include "pg/guard.h"
#include "pg/messages.h"

text* model_name_argument(FunctionCallInfo fcinfo, int n) {
  if (PG_ARGISNULL(n))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_model_name must not be null"),
                    errhint("leave the argument out to use the model \"default\"")));
  return PG_GETARG_TEXT_PP(n);
}

void answer_message(Oid schema, text* model_name, int64 version_id, text* message, bool in_full, Answer* answer) {
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
    if (answer->correction != nullptr && !in_full) return;
  }
  answer->cached = load_version(schema, model_name, answer->resolved, retrain::ModelKind::kIntent);
  const retrain::IntentModel& model = model_of<retrain::IntentModel>(answer->cached);
  retrain::ScoringScratch& scratch = scratch_of<retrain::IntentModel>(answer->cached);
  guarded([&] {
    model.Margins(utf8, backend_stop(), scratch);
    answer->best = model.Best(scratch);
    if (!in_full) return;
    model.Probabilities(scratch);
    answer->novelty = model.JudgeNovelty(scratch);
  });
}

text* label_text(const CachedModel* cached, uint32 k) {
  return text_of_utf8(model_of<retrain::IntentModel>(cached).label(k));
}
