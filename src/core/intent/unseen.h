// Training rows as a model that has not seen them reads them.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <span>

#include "core/linear/sparse.h"

namespace retrain {

// Terms that are features because a row has them too: messages that come later have such terms left out, and the others have
// unit length without them. A row that keeps them has smaller margins than a message like it, and a calibration that was
// fitted on such margins is surer than it may be.
struct LoneTerms {
  std::span<const float> idf;  // of each term; terms are the first columns
  float lone_idf;              // of a term in just as many rows as a feature must be in

  bool IsTerm(const SparseEntry& entry) const noexcept { return entry.column < idf.size(); }
  bool Has(const SparseEntry& entry) const noexcept { return IsTerm(entry) && idf[entry.column] >= lone_idf; }
};

// Whether a row without its lone terms is another.
bool DiffersUnseen(std::span<const SparseEntry> row, const LoneTerms& lone);
// Appends the row without them to `out`, its other terms of unit length. Columns beyond the terms stay as they are.
void AppendUnseen(std::span<const SparseEntry> row, const LoneTerms& lone, SparseMatrix& out);

}  // namespace retrain
