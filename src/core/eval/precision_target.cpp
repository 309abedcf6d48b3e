// One pass over the rows, the most confident first.
#include "core/eval/precision_target.h"

#include <algorithm>

namespace retrain {

PrecisionTarget ChooseThreshold(std::vector<JudgedRow> rows, double target, float floor) {
  PrecisionTarget chosen{target, false, 1, rows.size(), 0, 0};
  std::sort(rows.begin(), rows.end(),
            [](const JudgedRow& a, const JudgedRow& b) { return a.confidence > b.confidence; });
  double wrong = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    wrong += rows[i].right ? 0 : 1;
    // Rows of one confidence are decided together or not at all.
    if (i + 1 < rows.size() && rows[i + 1].confidence == rows[i].confidence) continue;
    if (wrong + 1 > (1 - target) * (static_cast<double>(i + 1) + 1)) continue;
    chosen.reached = true;
    chosen.threshold = rows[i].confidence;
  }
  chosen.threshold = std::max(chosen.threshold, floor);
  uint64_t decided = 0, right = 0;
  for (const JudgedRow& row : rows) {
    if (row.confidence < chosen.threshold) break;
    ++decided;
    right += row.right;
  }
  if (decided > 0) {
    chosen.coverage = static_cast<double>(decided) / static_cast<double>(rows.size());
    chosen.precision = static_cast<double>(right) / static_cast<double>(decided);
  }
  return chosen;
}

}  // namespace retrain
