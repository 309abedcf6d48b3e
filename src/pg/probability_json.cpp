// Probabilities as numeric.
#include "pg/probability_json.h"

#include <cmath>

extern "C" {
#include "utils/builtins.h"
#include "utils/numeric.h"
}

static Numeric rounded(double probability) {
  int64 value = std::llround(probability * 1e6);
  int scale = 6;
  while (scale > 0 && value % 10 == 0) value /= 10, --scale;
  if (scale == 0) return int64_to_numeric(value);
#if PG_VERSION_NUM < 150000
  // int64_div_fast_to_numeric() of the first releases of PostgreSQL 14 reads past its powers of ten when the scale is a whole
  // number of numeric's digits, which have four decimals each.
  if (scale == 4) {
    char digits[16];
    snprintf(digits, sizeof digits, "0.%04d", static_cast<int>(value));
    return DatumGetNumeric(
        DirectFunctionCall3(numeric_in, CStringGetDatum(digits), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  }
#endif
  return int64_div_fast_to_numeric(value, scale);
}

void push_probability(JsonbParseState** state, std::string_view label, double probability) {
  JsonbValue key, value;
  key.type = jbvString;
  key.val.string.val = const_cast<char*>(label.data());  // read only
  key.val.string.len = static_cast<int>(label.size());
  value.type = jbvNumeric;
  value.val.numeric = rounded(probability);
  pushJsonbValue(state, WJB_KEY, &key);
  pushJsonbValue(state, WJB_VALUE, &value);
}
