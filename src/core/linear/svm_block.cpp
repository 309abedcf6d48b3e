// Dual coordinate descent for the L2-regularised, squared-hinge, one-vs-rest linear SVM.
//
// For each class k, with y_i = +1 on its own rows and -1 on all others, and the constant feature 1 as regularised bias:
//
//   primal   min_w  1/2 w.w + sum_i C_i max(0, 1 - y_i w.x_i)^2
//   dual     min_a  1/2 a'(Q + D)a - sum_i a_i,  a_i >= 0,  Q_ij = y_i y_j x_i.x_j,  D_ii = 1 / (2 C_i),
//   with     w = sum_i a_i y_i x_i  and  C_i = C * row_weight_i * (class_weight_k on the class' own rows, else 1).
//
// Hsieh, Chang, Lin, Keerthi, Sundararajan, "A dual coordinate descent method for large-scale linear SVM", ICML 2008.
// Algorithm 3 with its random permutations; one coordinate step is (labels a, b, c of Algorithm 1)
//
//   (a) G  = y_i w.x_i - 1 + D_ii a_i
//   (b) PG = min(G, 0) if a_i = 0, else G
//   (c) if PG != 0:  a_i' = max(a_i - G / (Q_ii + D_ii), 0),  w += (a_i' - a_i) y_i x_i
//
// Sixteen classes take the step on the same row together (lanes.cpp). Instead of the paper's shrinking, which only
// removes rows at the bound and hence hardly ever a row of sixteen classes, rows that are found still rest for a growing
// number of epochs (in the spirit of Glasmachers and Dogan, "Accelerated coordinate descent with adaptive coordinate
// frequencies", ACML 2013). The end is only declared by an epoch that visits every row.
#include "core/linear/svm_block.h"

#include <algorithm>
#include <numeric>

#include "core/linear/problem.h"
#include "core/linear/quantise.h"

namespace retrain {
namespace {

// A row whose lanes are all within this share of the tolerance is left alone and begins to rest. Measured on intent
// texts: a low threshold for rows with a loose one for the end gives closer weights for the same work than the reverse.
constexpr float kStillFull = 0.15f;
// The folds only serve calibration and the search for wrong labels, and start close to their solution. Looser than
// this, the held-out margins come out too small (rows that were taken away leave a gap that the others must fill);
// tighter changes neither the temperature nor the held-out accuracy by more than their sampling error.
constexpr float kFoldLooser = 5.0f;
constexpr float kStillFold = 0.05f;
constexpr int kAllRows = -1;     // the fit that holds nothing out
constexpr int kLongestCalm = 4;  // a calm row rests 1, 3, 7, 15 epochs

// Bounds of one slice of work between two looks at the clock.
constexpr size_t kBatchRows = 64;
constexpr uint64_t kBatchEntries = 8192;
constexpr uint32_t kScanRows = 8192;

// Rows that are shuffled together. What a visit touches of so many stays in the cache nearest but one; a million rows in one
// shuffle took three times as long, most of it waiting for memory. Problems up to this size are one chunk.
constexpr uint32_t kChunkRows = 16384;

}  // namespace

SvmBlock::SvmBlock(SvmShared& shared, uint32_t block)
    : shared_(shared), rows_(*shared.problem.rows), block_(block), rng_(shared.options.seed) {
  const size_t n = rows_.rows(), d = rows_.columns;
  weights_.resize(d + 1);
  alphas_.resize(n);
  rest_.resize(n);
  calm_.resize(n);
  order_.resize(n);
  std::iota(order_.begin(), order_.end(), 0u);
  chunks_.resize((n + kChunkRows - 1) / kChunkRows);
  std::iota(chunks_.begin(), chunks_.end(), 0u);
  batch_.reserve(kBatchRows);
  violations_.resize(kBatchRows);

  lanes_.rows = &rows_;
  lanes_.labels = shared.problem.labels.data();
  lanes_.terms = shared.terms.data();
  lanes_.first_class = block * kLanes;
  for (uint32_t l = 0; l < kLanes; ++l)
    lanes_.one.at[l] = lanes_.first_class + l < shared.problem.n_classes ? 1.f : 0.f;
  lanes_.weights = weights_.data();
  lanes_.alphas = alphas_.data();
  work_ = Run();
}

uint64_t SvmBlock::Bytes(uint64_t n_rows, uint64_t n_features, int folds) {
  const uint64_t copies = folds >= 2 ? 2 : 1;
  ByteSum sum;
  sum.Add({copies, sizeof(LaneRow), n_rows}).Add({copies, sizeof(LaneRow), n_features}).Add({copies, sizeof(LaneRow)});
  return sum.Add({n_rows, 2 * sizeof(uint8_t) + sizeof(uint32_t)}).total();
}

// The fit over all rows, then one fit per fold that starts from it without the fold's rows.
Resumable SvmBlock::Run() {
  const LinearOptions& options = shared_.options;
  const float tolerance = static_cast<float>(options.tolerance), loose = tolerance * kFoldLooser;
  for (Resumable solve = Solve(kAllRows, tolerance, tolerance * kStillFull); !solve.Resume();) co_await Pause{};
  StoreBlock(weights_.data(), block_, shared_.weights);
  ++shared_.fits_done;
  if (options.folds < 2) co_return;

  for (Resumable score = Score(kNeverHeldOut); !score.Resume();) co_await Pause{};
  full_weights_ = weights_;
  full_alphas_ = alphas_;
  for (int fold = 0; fold < options.folds; ++fold) {
    for (Resumable hold_out = HoldOut(fold); !hold_out.Resume();) co_await Pause{};
    for (Resumable solve = Solve(fold, loose, loose * kStillFold); !solve.Resume();) co_await Pause{};
    for (Resumable score = Score(fold); !score.Resume();) co_await Pause{};
    ++shared_.fits_done;
  }
}

// Epochs over the rows outside `fold` until the largest |PG| of a complete one is within `tolerance`.
Resumable SvmBlock::Solve(int fold, float tolerance, float still) {
  lanes_.still = still;
  std::fill(rest_.begin(), rest_.end(), uint8_t{0});
  std::fill(calm_.begin(), calm_.end(), uint8_t{0});
  for (int epoch = 0; epoch < shared_.options.max_epochs; ++epoch) {
    BeginEpoch();
    while (!EpochEnded()) {
      NextBatch(fold);
      VisitBatch();
      co_await Pause{};
    }
    if (largest_violation_ > tolerance) continue;
    if (!skipped_) co_return;
    std::fill(rest_.begin(), rest_.end(), uint8_t{0});
  }
}

void SvmBlock::BeginEpoch() {
  largest_violation_ = 0;
  skipped_ = false;
  opened_ = 0;
  OpenChunk();
}

// Goes on with a chunk that the epoch has not visited, each as likely as the others.
void SvmBlock::OpenChunk() {
  const uint32_t n = static_cast<uint32_t>(order_.size()), left = static_cast<uint32_t>(chunks_.size()) - opened_;
  if (left > 1) std::swap(chunks_[opened_], chunks_[opened_ + rng_.Below(left)]);
  position_ = chunks_[opened_++] * kChunkRows;
  chunk_end_ = n - position_ > kChunkRows ? position_ + kChunkRows : n;
}

bool SvmBlock::EpochEnded() const { return position_ == chunk_end_ && opened_ == chunks_.size(); }

// Collects the next rows that are neither resting nor held out, walking a forward Fisher-Yates shuffle of the chunk. The
// trainer gives its rows in the order of a hash of their text, so that a chunk is a sample of them all.
void SvmBlock::NextBatch(int fold) {
  if (position_ == chunk_end_) OpenChunk();
  const uint32_t stop = chunk_end_ - position_ > kScanRows ? position_ + kScanRows : chunk_end_;
  uint64_t entries = 0;
  batch_.clear();
  while (position_ < stop && batch_.size() < kBatchRows && entries < kBatchEntries) {
    std::swap(order_[position_], order_[position_ + rng_.Below(chunk_end_ - position_)]);
    const uint32_t i = order_[position_++];
    if (fold != kAllRows && shared_.options.fold_of_row[i] == fold) continue;
    if (rest_[i] > 0) {
      --rest_[i];
      skipped_ = true;
      continue;
    }
    batch_.push_back(i);
    entries += rows_.begin[i + 1] - rows_.begin[i];
  }
}

void SvmBlock::VisitBatch() {
  SvmVisit(lanes_, batch_, violations_.data());
  for (size_t t = 0; t < batch_.size(); ++t) {
    const uint32_t i = batch_[t];
    largest_violation_ = std::max(largest_violation_, violations_[t]);
    if (violations_[t] > lanes_.still) {
      calm_[i] = 0;
    } else {
      calm_[i] = static_cast<uint8_t>(std::min(calm_[i] + 1, kLongestCalm));
      rest_[i] = static_cast<uint8_t>((1 << calm_[i]) - 1);
    }
  }
}

// Starts a fold: the full fit's solution with the alphas of the held-out rows set to zero and their share taken from w.
Resumable SvmBlock::HoldOut(int fold) {
  std::copy(full_weights_.begin(), full_weights_.end(), weights_.begin());
  uint64_t entries = 0;
  for (uint32_t i = 0; i < alphas_.size(); ++i) {
    alphas_[i] = full_alphas_[i];
    if (shared_.options.fold_of_row[i] == fold) entries += RemoveRow(i);
    if (++entries < kBatchEntries) continue;
    entries = 0;
    co_await Pause{};
  }
}

// Writes the margins of the rows that the fold holds out.
Resumable SvmBlock::Score(int fold) {
  uint64_t entries = 0;
  for (uint32_t i = 0; i < alphas_.size(); ++i) {
    if (shared_.options.fold_of_row[i] == fold) entries += ScoreRow(i);
    if (++entries < kBatchEntries) continue;
    entries = 0;
    co_await Pause{};
  }
}

// The two functions below are not part of the coroutines because compilers do not align what a coroutine keeps.
size_t SvmBlock::RemoveRow(uint32_t i) {
  const uint32_t own = shared_.problem.labels[i] - lanes_.first_class;
  LaneRow step;
  for (uint32_t l = 0; l < kLanes; ++l) step.at[l] = l == own ? -alphas_[i].at[l] : alphas_[i].at[l];
  LaneAdd(rows_.row(i), step, weights_.data(), rows_.columns);
  alphas_[i] = LaneRow{};
  return rows_.row(i).size();
}

size_t SvmBlock::ScoreRow(uint32_t i) {
  const uint32_t n_classes = shared_.problem.n_classes;
  const uint32_t lanes = std::min(kLanes, n_classes - lanes_.first_class);
  LaneRow margins;
  LaneMargins(rows_.row(i), weights_.data(), rows_.columns, margins);
  std::copy(margins.at, margins.at + lanes,
            shared_.held_out.data() + static_cast<size_t>(i) * n_classes + lanes_.first_class);
  return rows_.row(i).size();
}

}  // namespace retrain
