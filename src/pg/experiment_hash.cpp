// Which variant a unit gets: a salted hash, the same on every server and in any other program that follows the formula.
#include "pg/messages.h"
#include "pg/pg.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
}

RETRAIN_FUNCTION(retrain_experiment_bucket);
RETRAIN_FUNCTION(retrain_hash_variant);

// A number in [0, 1) from the first 52 bits of SHA-256 of "salt:purpose:unit" in UTF-8.
static double bucket_of(std::string_view salt, std::string_view purpose, std::string_view unit) {
  const std::string_view parts[] = {salt, ":", purpose, ":", unit};
  Size size = VARHDRSZ;
  for (const std::string_view part : parts) size += part.size();
  auto* message = static_cast<bytea*>(palloc(size));
  SET_VARSIZE(message, size);
  char* end = VARDATA(message);
  for (const std::string_view part : parts) {
    memcpy(end, part.data(), part.size());
    end += part.size();
  }
  const bytea* digest = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(message)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(VARDATA_ANY(digest));
  uint64 bits = 0;
  for (int i = 0; i < 7; ++i) bits = bits << 8 | bytes[i];
  return static_cast<double>(bits >> 4) * 0x1p-52;
}

// retrain_experiment_bucket(p_salt, p_purpose, p_unit_id)
Datum retrain_experiment_bucket(PG_FUNCTION_ARGS) {
  PG_RETURN_FLOAT8(bucket_of(utf8_of_text(PG_GETARG_TEXT_PP(0)), utf8_of_text(PG_GETARG_TEXT_PP(1)),
                             utf8_of_text(PG_GETARG_TEXT_PP(2))));
}

// retrain_hash_variant(p_salt, p_unit_id, p_variants, p_weights, p_traffic); null outside the traffic. Two numbers that
// have nothing to do with each other decide who takes part and who gets what: more traffic lets units in and moves none.
Datum retrain_hash_variant(PG_FUNCTION_ARGS) {
  const std::string_view salt = utf8_of_text(PG_GETARG_TEXT_PP(0)), unit = utf8_of_text(PG_GETARG_TEXT_PP(1));
  ArrayType* names = PG_GETARG_ARRAYTYPE_P(2);
  ArrayType* weights = PG_GETARG_ARRAYTYPE_P(3);
  const double traffic = PG_GETARG_FLOAT8(4);
  if (ARR_NDIM(names) != 1 || ARR_NDIM(weights) != 1 || ARR_HASNULL(names) || ARR_HASNULL(weights) ||
      ARR_DIMS(names)[0] != ARR_DIMS(weights)[0] || ARR_LBOUND(names)[0] != 1)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the variants and their weights do not fit together")));
  if (traffic < 1 && bucket_of(salt, "traffic", unit) >= traffic) PG_RETURN_NULL();
  const auto* shares = reinterpret_cast<const double*>(ARR_DATA_PTR(weights));
  const int n = ARR_DIMS(names)[0];
  double left = bucket_of(salt, "variant", unit);
  int variant = 1;
  for (; variant < n; ++variant) {
    left -= shares[variant - 1];
    if (left < 0) break;
  }
  bool is_null;
  PG_RETURN_DATUM(array_get_element(PointerGetDatum(names), 1, &variant, -1, -1, false, TYPALIGN_INT, &is_null));
}
