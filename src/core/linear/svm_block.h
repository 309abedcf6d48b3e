// Sixteen one-vs-rest SVMs over the same rows, solved together (problem and algorithm: svm_block.cpp).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/resumable.h"
#include "core/base/rng.h"
#include "core/linear/lanes.h"
#include "core/linear/linear.h"

namespace retrain {

struct RowDual {
  uint32_t row, label;
  float alpha;
};

// What all blocks of a fit share. Blocks write disjoint parts of `weights`, `held_out` and `duals`.
struct SvmShared {
  LinearProblem problem;
  LinearOptions options;           // defaults filled in
  std::vector<SvmRowTerms> terms;  // n
  LinearWeights weights;
  LargeVector<float> held_out;              // as LinearFit::TakeHeldOutMargins()
  std::vector<std::vector<RowDual>> duals;  // per block, by row and then class; only when options.keep_duals
  uint64_t max_duals = 0;                   // a block with more keeps none and says so
  std::atomic<bool> too_many_duals{false};
  std::atomic<uint32_t> fits_done{0};  // over all blocks; a block has 1 + folds of them
};

// The large arrays of a block. One that is done leaves them to the next: memory fresh from the system costs more than what
// is written into it.
struct SvmArrays {
  LargeVector<LaneRow> weights, alphas, full_weights, full_alphas;
};

class SvmBlock {
 public:
  SvmBlock(SvmShared& shared, uint32_t block, SvmArrays arrays);
  SvmBlock(const SvmBlock&) = delete;
  SvmBlock& operator=(const SvmBlock&) = delete;

  // Works for about 50 microseconds; true when the block's weights and held-out margins are written.
  bool Resume() { return work_.Resume(); }

  // When it is done.
  SvmArrays TakeArrays() {
    return {std::move(weights_), std::move(alphas_), std::move(full_weights_), std::move(full_alphas_)};
  }

  // Bytes of one block while it is being worked on; throws Error(kLimitExceeded).
  static uint64_t Bytes(uint64_t n_rows, uint64_t n_features, int folds);

 private:
  Resumable Run();
  Resumable Restart(float tolerance);
  Resumable Start();
  Resumable Adapt(float tolerance, float still, float enough);
  Resumable Solve(float tolerance, float still, int max_epochs);
  Resumable Epoch(int fold);
  Resumable HoldOut(int fold);
  Resumable Score(int fold);

  void BeginEpoch();
  void OpenChunk(int fold);
  bool EpochEnded() const;
  bool Within() const;
  std::vector<uint32_t> AllRows() const;
  void NextBatch();
  void VisitBatch();
  size_t StartRow(uint32_t i);
  size_t RemoveRow(uint32_t i);
  size_t ScoreRow(uint32_t i, size_t to);
  void KeepDuals();
  void KeepFull();

  SvmShared& shared_;
  const SparseMatrix& rows_;
  uint32_t block_;
  SvmLanes lanes_{};
  LargeVector<LaneRow> weights_, alphas_;  // of the fit that is being solved
  LargeVector<LaneRow> full_weights_,
      full_alphas_;              // of the fit over all rows, where every fold starts; alphas of part_
  std::vector<uint8_t> rest_;    // epochs that the row still sits out
  std::vector<uint8_t> calm_;    // visits in a row that found it still
  std::vector<uint32_t> order_;  // the rows that are worked on
  std::vector<uint32_t> moved_;  // rows that this epoch did not find still
  std::vector<uint32_t> part_;   // the rows that Adapt() or the folds are about
  Rng rng_;
  std::vector<uint32_t> chunks_;     // this epoch's permutation of order_'s chunks; the first opened_ have been begun
  uint32_t opened_ = 0, shift_ = 0;  // the first chunk is shift_ rows shorter than the others
  std::vector<uint32_t> awake_;      // rows of the chunk that this epoch visits; the first visited_ have been visited
  uint32_t visited_ = 0;
  float largest_violation_ = 0;  // of this epoch
  float tolerance_ = 0;          // of Solve()
  uint32_t beyond_ = 0;          // rows of this epoch whose violation is beyond it
  bool skipped_ = false;         // whether this epoch left out resting rows
  std::vector<uint32_t> batch_;
  std::vector<float> violations_;
  Resumable work_;
};

}  // namespace retrain
