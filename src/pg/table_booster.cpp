// Finds and loads the optional module, which lies beside this library.
#include "pg/table_booster.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include "pg/pg.h"

static char* module_path() {
  Dl_info own;
  if (dladdr(reinterpret_cast<const void*>(&load_booster), &own) == 0 || own.dli_fname == nullptr) return nullptr;
  const char* slash = strrchr(own.dli_fname, '/');
  // The ending of this library's own name: only PostgreSQL 15 and later tell it to extensions.
  const char* ending = slash == nullptr ? nullptr : strrchr(slash, '.');
  if (ending == nullptr) return nullptr;
  return psprintf("%.*s/pg_retrain_xgboost%s", static_cast<int>(slash - own.dli_fname), own.dli_fname, ending);
}

const retrain::BoosterApi* load_booster() {
  static const retrain::BoosterApi* api = nullptr;
  if (api != nullptr) return api;
  const char* path = module_path();
  struct stat found;
  if (path == nullptr || stat(path, &found) != 0) return nullptr;
  // OpenMP reads it when it is loaded: its threads sleep while they wait. Spinning, which is the default, takes the processors
  // from the other connections.
  setenv("OMP_WAIT_POLICY", "passive", 0);
  using Entry = const void* (*)();
  const auto entry = reinterpret_cast<Entry>(
      reinterpret_cast<void (*)()>(load_external_function(path, "retrain_xgboost_api", true, nullptr)));
  const auto* loaded = static_cast<const retrain::BoosterApi*>(entry());
  if (loaded->version != RETRAIN_BOOSTER_API_VERSION)
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("the module pg_retrain_xgboost is of another release than pg_retrain"),
             errdetail("Its interface has version %u, %u is needed.", loaded->version, RETRAIN_BOOSTER_API_VERSION),
             errhint("install both from the same build: make && make install")));
  api = loaded;
  return api;
}
