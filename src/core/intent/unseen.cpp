// Leaving out what only the row itself brought into the vocabulary (see unseen.h).
#include "core/intent/unseen.h"

#include <algorithm>
#include <cmath>

namespace retrain {

bool DiffersUnseen(std::span<const SparseEntry> row, const LoneTerms& lone) {
  return std::any_of(row.begin(), row.end(), [&](const SparseEntry& entry) { return lone.Has(entry); });
}

void AppendUnseen(std::span<const SparseEntry> row, const LoneTerms& lone, SparseMatrix& out) {
  double squares = 0;
  for (const SparseEntry& entry : row)
    if (lone.IsTerm(entry) && !lone.Has(entry))
      squares += static_cast<double>(entry.value) * static_cast<double>(entry.value);
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (const SparseEntry& entry : row) {
    if (lone.Has(entry)) continue;
    const double value = static_cast<double>(entry.value);
    out.entries.push_back({entry.column, static_cast<float>(lone.IsTerm(entry) ? scale * value : value)});
  }
  out.begin.push_back(out.entries.size());
}

}  // namespace retrain
