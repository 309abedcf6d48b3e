// Finds the extension's own objects and runs its own statements.
#include "pg/catalog.h"

extern "C" {
#include "utils/guc.h"
#include "utils/lsyscache.h"
}

Oid own_schema(FunctionCallInfo fcinfo) {
  const Oid schema = get_func_namespace(fcinfo->flinfo->fn_oid);
  if (!OidIsValid(schema))
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("function %u has no schema", fcinfo->flinfo->fn_oid)));
  return schema;
}

char* own_name(Oid schema, const char* name) {
  const char* schema_name = get_namespace_name(schema);
  if (schema_name == nullptr)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_SCHEMA), errmsg("the schema of pg_retrain is gone"),
                    errdetail("Schema with OID %u does not exist.", schema)));
  return psprintf("%s.%s", quote_identifier(schema_name), quote_identifier(name));
}

int pin_search_path() {
  const int nest_level = NewGUCNestLevel();
  (void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                          false);
  return nest_level;
}

void restore_search_path(int nest_level) { AtEOXact_GUC(true, nest_level); }

void run_own_statement(const char* sql, int n_args, Oid* types, Datum* values, const char* nulls, int expected) {
  const int nest_level = pin_search_path();
  // A plan for any values: one for these would hold a copy of each, and some are whole models.
  SPIPlanPtr plan = SPI_prepare_cursor(sql, n_args, types, CURSOR_OPT_GENERIC_PLAN);
  const int code = plan == nullptr ? SPI_result : SPI_execute_plan(plan, values, nulls, false, 0);
  if (plan != nullptr) SPI_freeplan(plan);
  restore_search_path(nest_level);
  if (code != expected)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("a statement of pg_retrain failed"),
                    errdetail("SPI code %s.", SPI_result_code_string(code))));
}
