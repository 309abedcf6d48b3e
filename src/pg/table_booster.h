// The optional module pg_retrain_xgboost.
#pragma once

#include "core/tabular/booster_api.h"

// Loaded at its first use; null where it is not installed. Error 0A000 when it is of another release, and the server's own when
// libxgboost is missing.
const retrain::BoosterApi* load_booster();
