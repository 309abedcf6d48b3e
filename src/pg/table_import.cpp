// retrain_xgboost_artifact: a model saved by XGBoost as an artifact of this extension.
#include "core/tabular/table_model.h"
#include "core/tabular/xgboost_import.h"
#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/owned.h"
#include "pg/settings.h"
#include "pg/training_run.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
}

RETRAIN_FUNCTION(retrain_xgboost_artifact);

struct Names {
  std::string_view* names;
  size_t size;
};

static Names names_argument(FunctionCallInfo fcinfo, int n, const char* argument) {
  Names result = {nullptr, 0};
  if (PG_ARGISNULL(n)) return result;
  Datum* elements;
  bool* nulls;
  int size;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &size);
  result.names = static_cast<std::string_view*>(palloc0(sizeof(std::string_view) * static_cast<size_t>(size + 1)));
  result.size = static_cast<size_t>(size);
  for (int i = 0; i < size; ++i) {
    if (nulls[i])
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not hold nulls", argument)));
    result.names[i] = utf8_of_text(DatumGetTextPP(elements[i]));
  }
  return result;
}

// (p_model bytea, p_feature_names text[], p_labels text[]) gives bytea.
Datum retrain_xgboost_artifact(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_model must not be null"),
                    errhint("pass the bytes of a file that Booster.save_model() wrote, .json or .ubj")));
  const bytea* model = PG_GETARG_BYTEA_PP(0);
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(VARDATA_ANY(model)), VARSIZE_ANY_EXHDR(model));
  const Names features = names_argument(fcinfo, 1, "p_feature_names"), labels = names_argument(fcinfo, 2, "p_labels");
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_retrain import", ALLOCSET_SMALL_SIZES);
  trim_after(context);
  const uint64_t memory = settings::training_memory();
  const auto* artifact = make_owned<std::vector<uint8_t>>(context, [&] {
    retrain::ReadBudget budget(backend_stop(), memory);
    return new std::vector<uint8_t>(
        retrain::ImportXgboost(bytes, {features.names, features.size}, {labels.names, labels.size}, budget));
  });
  bytea* result = bytea_of(*artifact);
  MemoryContextDelete(context);
  PG_RETURN_BYTEA_P(result);
}
