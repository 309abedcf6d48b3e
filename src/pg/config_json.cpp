// Reads a jsonb object into configuration values, and lists the hyper-parameters.
#include "pg/config_json.h"

#include "pg/guard.h"
#include "pg/messages.h"
#include "pg/owned.h"

extern "C" {
#include "utils/numeric.h"
}

RETRAIN_FUNCTION(retrain_config_reference);

static double number_of(Numeric numeric) {
  return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(numeric)));
}

static void read_strings(JsonbContainer* container, int n, retrain::ConfigValue* value) {
  auto* strings = static_cast<std::string_view*>(palloc0(sizeof(std::string_view) * n));
  for (int i = 0; i < n; ++i) {
    JsonbValue* element = getIthJsonbValueFromContainer(container, static_cast<uint32>(i));
    if (element->type != jbvString) return;
    strings[i] = utf8_of_bytes(element->val.string.val, element->val.string.len);
  }
  value->type = retrain::ConfigValue::Type::kStrings;
  value->strings = {strings, static_cast<size_t>(n)};
}

// An array of numbers becomes numbers, one of texts texts; any other array or an object is a value of another type.
static void read_container(JsonbContainer* container, retrain::ConfigValue* value) {
  value->type = retrain::ConfigValue::Type::kOther;
  if (!JsonContainerIsArray(container)) return;
  const int n = JsonContainerSize(container);
  if (n > 0 && getIthJsonbValueFromContainer(container, 0)->type == jbvString) return read_strings(container, n, value);
  auto* numbers = static_cast<double*>(palloc(sizeof(double) * (n + 1)));
  for (int i = 0; i < n; ++i) {
    JsonbValue* element = getIthJsonbValueFromContainer(container, static_cast<uint32>(i));
    if (element->type != jbvNumeric) return;
    numbers[i] = number_of(element->val.numeric);
  }
  value->type = retrain::ConfigValue::Type::kNumbers;
  value->numbers = {numbers, static_cast<size_t>(n)};
}

static void read_value(const JsonbValue* json, retrain::ConfigValue* value) {
  using Type = retrain::ConfigValue::Type;
  switch (json->type) {
    case jbvNull:
      value->type = Type::kNull;
      break;
    case jbvBool:
      value->type = Type::kBool;
      value->boolean = json->val.boolean;
      break;
    case jbvNumeric:
      value->type = Type::kNumber;
      value->number = number_of(json->val.numeric);
      break;
    case jbvString:
      value->type = Type::kString;
      value->string = utf8_of_bytes(json->val.string.val, json->val.string.len);
      break;
    case jbvBinary:
      read_container(json->val.binary.data, value);
      break;
    default:
      value->type = Type::kOther;
      break;
  }
}

ConfigValues read_config(Jsonb* config) {
  if (!JB_ROOT_IS_OBJECT(config))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_config must be a JSON object"),
                    errhint("for example: '{\"preset\": \"classic\"}'")));
  ConfigValues result;
  result.size = 0;
  result.values =
      static_cast<retrain::ConfigValue*>(palloc0(sizeof(retrain::ConfigValue) * (JB_ROOT_COUNT(config) + 1)));
  JsonbIterator* iterator = JsonbIteratorInit(&config->root);
  JsonbValue json;
  JsonbIteratorToken token;
  while ((token = JsonbIteratorNext(&iterator, &json, true)) != WJB_DONE) {
    if (token == WJB_KEY) {
      result.values[result.size].key = utf8_of_bytes(json.val.string.val, json.val.string.len);
    } else if (token == WJB_VALUE) {
      read_value(&json, &result.values[result.size++]);
    }
  }
  return result;
}

// Rows (name, type, default_value, range, description) of every hyper-parameter.
Datum retrain_config_reference(PG_FUNCTION_ARGS) {
  using Doc = retrain::ParameterDoc;
  return parameter_rows(fcinfo, retrain::IntentParameterReference,
                        {&Doc::name, &Doc::type, &Doc::default_value, &Doc::range, &Doc::description});
}
