// Sixteen one-vs-rest SVMs over the same rows, solved together (problem and algorithm: svm_block.cpp).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
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
  std::vector<uint8_t> lengths;    // n, the features of a row modulo 256
  LinearWeights weights;
  std::vector<std::vector<uint32_t>> scored;  // per fold, and last of no fold: the rows whose margins are wanted
  LargeVector<float> held_out;                // as LinearFit::TakeHeldOutMargins()
  std::vector<std::vector<RowDual>> duals;    // per block, by row and then class; only when options.keep_duals
  uint64_t max_duals = 0;                     // a block with more keeps none and says so
  std::atomic<bool> too_many_duals{false};
  std::atomic<uint32_t> fits_done{0};  // over all blocks; a block has 1 + folds of them
  std::mutex mutex;                    // guards what says so
  std::condition_variable changed;     // folds are ready, or a worker has nothing more to do
};

// The memory of large arrays. A block that is done leaves it to the next: memory fresh from the system costs more than what is
// written into it.
using SvmMemory = LargeVector<LaneRow>;

// A block's fit over all rows, where every fold starts, and the folds that are left. Any worker may take one.
struct SvmFolds {
  uint32_t block = 0;
  SvmMemory memory;
  std::span<LaneRow> weights, alphas;  // alphas of part
  std::vector<uint32_t> part;          // the rows that have alphas, and those of the block's classes
  bool ready = false;                  // guarded by SvmShared::mutex
  int taken = 0;                       // likewise

  // Bytes of one.
  static uint64_t Bytes(uint64_t n_rows, uint64_t n_features);
};

class SvmBlock {
 public:
  // What one takes on: the whole of a block, its fit over all rows and then as many of its folds as no other takes, or only
  // folds of a block that another has fitted.
  enum class Task { kBlock, kFolds };
  // `folds` is null where there are none to fit.
  SvmBlock(SvmShared& shared, uint32_t block, Task task, SvmMemory memory, std::shared_ptr<SvmFolds> folds);
  SvmBlock(const SvmBlock&) = delete;
  SvmBlock& operator=(const SvmBlock&) = delete;

  // Works for about 50 microseconds; true when what this one has taken on is written.
  bool Resume() { return work_.Resume(); }

  // When it is done.
  SvmMemory TakeMemory() { return std::move(memory_); }
  std::shared_ptr<SvmFolds> TakeFolds() { return std::move(folds_); }

  // Bytes of one while it is being worked on, without the folds' start; throws Error(kLimitExceeded).
  static uint64_t Bytes(uint64_t n_rows, uint64_t n_features);

 private:
  Resumable Run();
  Resumable Folds();
  Resumable Restart(float tolerance, float loose);
  Resumable Start();
  Resumable Approach(float tolerance, int max_epochs);
  Resumable Settle(float tolerance, float loose);
  Resumable Epoch(int fold);
  Resumable HoldOut(int fold);
  Resumable Score(std::span<const uint32_t> rows);

  void BeginEpoch();
  void OpenChunk(int fold);
  bool EpochEnded() const;
  bool Within() const;
  std::vector<uint32_t> AllRows() const;
  void WakeAll();
  void NextGroup();
  void NextBatch();
  void VisitBatch();
  size_t StartRow(uint32_t i);
  size_t RemoveRow(uint32_t i);
  size_t ScoreBatch(std::span<const uint32_t> rows, size_t next);
  void ListSupport();
  void KeepDuals();
  void KeepFull();
  int TakeFold();

  SvmShared& shared_;
  const SparseMatrix& rows_;
  uint32_t block_;
  SvmLanes lanes_{};
  std::shared_ptr<SvmFolds> folds_;
  SvmMemory memory_;                     // of the arrays in the next line
  std::span<LaneRow> weights_, alphas_;  // of the fit that is being solved
  std::vector<uint8_t> calm_;            // per row: the epochs it still sits out and how calm it is (svm_block.cpp)
  std::vector<uint32_t> order_;          // the rows that are worked on
  std::vector<uint32_t> moved_;          // its first n_moved_ are the rows that this epoch did not find still
  size_t n_moved_ = 0;
  std::vector<uint32_t> part_;  // the rows that Settle() is about, then those that have alphas
  Rng rng_;
  std::vector<uint32_t> chunks_;     // this epoch's permutation of order_'s chunks; the first opened_ have been begun
  uint32_t opened_ = 0, shift_ = 0;  // the first chunk is shift_ rows shorter than the others
  std::vector<uint32_t> awake_;      // its first n_awake_ are the rows of the chunk that this epoch visits
  uint32_t n_awake_ = 0, visited_ = 0, grouped_ = 0;  // of them visited, and put in order to visit them
  float largest_violation_ = 0;                       // of this epoch
  float tolerance_ = 0;                               // that Within() is about
  uint32_t beyond_ = 0;                               // rows of this epoch whose violation is beyond it
  int epochs_left_ = 0;                               // of the fit over all rows
  std::span<const uint32_t> batch_;  // the rows that are visited together: the last of the visited ones
  std::vector<float> violations_;
  Resumable work_;
};

}  // namespace retrain
