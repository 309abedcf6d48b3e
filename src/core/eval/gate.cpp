// Compares two versions that were scored on the same rows.
#include "core/eval/gate.h"

#include <cstdio>

namespace retrain {
namespace {

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::string Rows(uint64_t rows) { return std::to_string(rows) + (rows == 1 ? " test row" : " test rows"); }

}  // namespace

GateVerdict Judge(const GatePolicy& policy, bool has_live, const GateNumbers& live, const GateNumbers& candidate,
                  const GateNumbers& live_recent, const GateNumbers& candidate_recent) {
  if (!has_live) return {true, "first_version", "first version of the model: there is no live version to compare with"};
  if (candidate.rows == 0)
    return {false, "no_test_rows", "there are no test rows, so the new version cannot be compared with the live one"};
  const double floor = live.macro_f1 - policy.max_f1_regression;
  if (!(candidate.macro_f1 >= floor))
    return {false, "f1_regression",
            "macro-F1 " + Number(candidate.macro_f1) + " on " + Rows(candidate.rows) + " is below " + Number(floor) +
                ", the live version's " + Number(live.macro_f1) + " less " + Number(policy.max_f1_regression)};
  if (candidate_recent.rows >= policy.recent_min_rows) {
    const double f1_floor = policy.recent_min_ratio * live_recent.macro_f1;
    const double accuracy_floor = policy.recent_min_ratio * live_recent.accuracy;
    if (!(candidate_recent.macro_f1 >= f1_floor))
      return {false, "recent_regression",
              "macro-F1 " + Number(candidate_recent.macro_f1) + " on " + Rows(candidate_recent.rows) +
                  " of the recent window is below " + Number(f1_floor) + ", " + Number(policy.recent_min_ratio) +
                  " of the live version's " + Number(live_recent.macro_f1)};
    if (!(candidate_recent.accuracy >= accuracy_floor))
      return {false, "recent_regression",
              "accuracy " + Number(candidate_recent.accuracy) + " on " + Rows(candidate_recent.rows) +
                  " of the recent window is below " + Number(accuracy_floor) + ", " + Number(policy.recent_min_ratio) +
                  " of the live version's " + Number(live_recent.accuracy)};
  }
  return {true, "passed",
          "macro-F1 " + Number(candidate.macro_f1) + " against the live version's " + Number(live.macro_f1) +
              " on the same " + Rows(candidate.rows)};
}

}  // namespace retrain
