// Chooses the confidence from which on a model's answers are precise enough to be acted upon.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <vector>

namespace retrain {

// A row that the model had not seen.
struct JudgedRow {
  float confidence = 0;
  bool right = false;
};

struct PrecisionTarget {
  double target = 0;     // 0: none was asked for
  bool reached = false;  // some threshold keeps it
  float threshold = 0;   // answers with at least this confidence are decided
  uint64_t rows = 0;     // judged
  double coverage = 0;   // share of the rows that is decided at `threshold`
  double precision = 0;  // share of those that is right; 0 when there is none
};

// The lowest threshold, and so the largest coverage, with
//
//   (wrong + 1) / (decided + 1) <= 1 - target      over the rows with at least that confidence, 0 < target < 1.
//
// The added row keeps the promise in expectation for rows to come, and a handful of rows from making one (conformal risk
// control: Angelopoulos, Bates, Fisch, Lei, Schuster, ICLR 2024). Where no threshold does, it is 1: only what is certain is
// decided. Never below `floor`.
PrecisionTarget ChooseThreshold(std::vector<JudgedRow> rows, double target, float floor);

}  // namespace retrain
