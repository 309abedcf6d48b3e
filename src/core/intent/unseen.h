// Training rows as a model that has not seen them reads them.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <span>

#include "core/linear/sparse.h"

namespace retrain {

// A term that is a feature because this row has it too would be none without the row: messages that come later have such terms
// left out, and the others have unit length without them. A row that keeps them has smaller margins than a message like it,
// and a calibration that was fitted on such margins is surer than it may be.
//
// idf: of each term, the first columns; lone_idf: of a term in as many rows as a feature must be in.

// Whether the row has such terms.
bool DiffersUnseen(std::span<const SparseEntry> row, std::span<const float> idf, float lone_idf);
// Appends the row as it would be read to `out`: without them. Columns beyond the terms stay as they are.
void AppendUnseen(std::span<const SparseEntry> row, std::span<const float> idf, float lone_idf, SparseMatrix& out);

}  // namespace retrain
