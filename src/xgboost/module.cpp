// The entry of pg_retrain_xgboost, a library of its own: loading libxgboost takes milliseconds that most connections do not
// need to spend, and a server without it does everything else.
#include "xgboost/booster.h"

extern "C" {
#include "postgres.h"

#include "fmgr.h"
}

#pragma GCC visibility push(default)
extern "C" {
#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "pg_retrain_xgboost", .version = RETRAIN_VERSION);
#else
PG_MODULE_MAGIC;
#endif
const void* retrain_xgboost_api(void);
}
#pragma GCC visibility pop

const void* retrain_xgboost_api(void) { return XgboostApi(); }
