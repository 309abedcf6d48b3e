// Leaving out what only the row itself brought into the vocabulary (see unseen.h).
#include "core/intent/unseen.h"

#include <algorithm>
#include <cmath>

namespace retrain {

namespace {

bool IsTerm(const SparseEntry& entry, std::span<const float> idf) { return entry.column < idf.size(); }

bool IsLone(const SparseEntry& entry, std::span<const float> idf, float lone_idf) {
  return IsTerm(entry, idf) && idf[entry.column] >= lone_idf;
}

}  // namespace

bool DiffersUnseen(std::span<const SparseEntry> row, std::span<const float> idf, float lone_idf) {
  return std::any_of(row.begin(), row.end(), [&](const SparseEntry& entry) { return IsLone(entry, idf, lone_idf); });
}

void AppendUnseen(std::span<const SparseEntry> row, std::span<const float> idf, float lone_idf, SparseMatrix& out) {
  double squares = 0;
  for (const SparseEntry& entry : row)
    if (IsTerm(entry, idf) && !IsLone(entry, idf, lone_idf))
      squares += static_cast<double>(entry.value) * static_cast<double>(entry.value);
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (const SparseEntry& entry : row) {
    if (IsLone(entry, idf, lone_idf)) continue;
    const double value = static_cast<double>(entry.value);
    out.entries.push_back({entry.column, static_cast<float>(IsTerm(entry, idf) ? scale * value : value)});
  }
  out.begin.push_back(out.entries.size());
}

}  // namespace retrain
