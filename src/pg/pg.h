// PostgreSQL's headers, in the one order that works beside C++: core headers and the standard library first.
//
// No file includes both this and Eigen. port.h redefines the printf family and postgres.h brings macros with everyday
// names; both are undone here, so that later C++ code says what it means.
#pragma once

#include "pg/core.h"

extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
}

#undef Abs
#undef Max
#undef Min
#undef gettext
#undef dgettext
#undef ngettext
#undef dngettext

// Declares an SQL-callable C function of the same name. Before PostgreSQL 16 PGDLLEXPORT is empty on ELF systems, so the
// hidden visibility that the library is built with is lifted here by hand.
#define RETRAIN_FUNCTION(name)                         \
  _Pragma("GCC visibility push(default)") extern "C" { \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);          \
    PG_FUNCTION_INFO_V1(name);                         \
  }                                                    \
  _Pragma("GCC visibility pop") static_assert(true, "")
