// The gate: may a new version take the place of the live one?
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <string>

namespace retrain {

struct GatePolicy {
  double max_f1_regression = 0.05;  // macro-F1 may fall by at most this
  uint64_t recent_min_rows = 10;    // fewer recent test rows: the recent rule does not apply
  double recent_min_ratio = 0.95;   // on recent rows macro-F1 and accuracy must reach this share of the live version's
};

struct GateNumbers {
  uint64_t rows = 0;
  double accuracy = 0, macro_f1 = 0;
};

struct GateVerdict {
  bool promote = false;
  std::string rule;    // first_version | no_test_rows | f1_regression | recent_regression | passed
  std::string reason;  // one sentence with the numbers
};

// Both versions are scored on the same rows. has_live = false: the first version, promoted. Without test rows nothing
// can be compared, so a later version is not promoted.
GateVerdict Judge(const GatePolicy& policy, bool has_live, const GateNumbers& live, const GateNumbers& candidate,
                  const GateNumbers& live_recent, const GateNumbers& candidate_recent);

}  // namespace retrain
