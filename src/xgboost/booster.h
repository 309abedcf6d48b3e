// libxgboost as the extension uses it.
#pragma once

#include "core/tabular/booster_api.h"

const retrain::BoosterApi* XgboostApi();
