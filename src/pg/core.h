// The core headers that the glue sees, all of them before PostgreSQL's: pg.h includes this first, so no file can get the
// order wrong. Std-only headers; none of them includes Eigen.
#pragma once

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/codec/container.h"
#include "core/forecast/trainer.h"
#include "core/intent/model.h"
#include "core/intent/trainer.h"
#include "core/segments/rfm.h"
#include "core/tabular/table_trainer.h"
#include "core/text/normalise.h"
