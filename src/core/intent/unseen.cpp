// Leaving out what only the row itself brought into the vocabulary (see unseen.h).
#include "core/intent/unseen.h"

#include <algorithm>
#include <cmath>

namespace retrain {

bool AppendUnseen(std::span<const SparseEntry> row, std::span<const float> idf, float lone_idf, SparseMatrix& out) {
  const auto is_term = [&](const SparseEntry& entry) { return entry.column < idf.size(); };
  const auto is_lone = [&](const SparseEntry& entry) { return is_term(entry) && idf[entry.column] >= lone_idf; };
  if (std::none_of(row.begin(), row.end(), is_lone)) return false;
  double squares = 0;
  for (const SparseEntry& entry : row)
    if (is_term(entry) && !is_lone(entry))
      squares += static_cast<double>(entry.value) * static_cast<double>(entry.value);
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (const SparseEntry& entry : row) {
    if (is_lone(entry)) continue;
    const double value = is_term(entry) ? scale * static_cast<double>(entry.value) : static_cast<double>(entry.value);
    out.entries.push_back({entry.column, static_cast<float>(value)});
  }
  out.begin.push_back(out.entries.size());
  return true;
}

}  // namespace retrain
