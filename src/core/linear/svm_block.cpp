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
#include <array>
#include <limits>
#include <numeric>

#include "core/base/lane_math.h"
#include "core/linear/problem.h"
#include "core/linear/quantise.h"

namespace retrain {
namespace {

// A row whose lanes are all within this share of the tolerance is left alone and begins to rest. Measured on intent
// texts: a low threshold for rows with a loose one for the end gives closer weights for the same work than the reverse.
constexpr float kStillFull = 0.08f;
// The folds only serve calibration and the search for wrong labels, and start close to their solution: sweeps over some of the
// rows, each over those that the one before moved, to a looser end. Some of the rows are those with alphas and a class' own, of
// which one may stand in for its near duplicate; with all rows neither the log loss nor the calibration error of CLINC150 and
// BANKING77 changes beyond its sampling error. Here a high threshold for rows with a close end is the better one. How far the
// sweeps go is what the sigmoids of two trainings of nearly the same rows differ by, and with them the answers: after 1 % new
// rows an incremental run of `classic` gives 99.81 and 99.83 % of the answers of a full one, 99.76 and 99.77 % with sweeps that
// end 2.5 times looser, no more with such that end twice as close. Rows that were taken away leave a gap that the others must
// fill: after one sweep the held-out margins are too small.
constexpr float kFoldLooser = 2.4f;
constexpr float kStillFold = 0.4f;
constexpr int kAllRows = -1;  // the fit that holds nothing out

// A row that is found still n times in a row rests for 4 n - 1 epochs, at most 15: with 2^n - 1 the same end takes 5 to 7 %
// more work. One byte keeps both: the epochs in its low half, the visits in its high one.
constexpr uint8_t kRest = 15;
constexpr int kLongestCalm = 4;
constexpr std::array<uint8_t, kLongestCalm + 1> kCalmer = [] {
  std::array<uint8_t, kLongestCalm + 1> calmer{};
  for (int visits = 0; visits <= kLongestCalm; ++visits) {
    const int now = std::min(visits + 1, kLongestCalm);
    calmer[static_cast<size_t>(visits)] = static_cast<uint8_t>(now << 4 | (4 * now - 1));
  }
  return calmer;
}();
// Rows that rest are approached until an epoch finds none this much further off than the tolerance. Then all are looked at, and
// those that moved are worked on until they are within it, in turns until a look finds none this much further off. Resting to
// the end takes a tenth more visits on 15 000 rows and a third more on 300 000. With ten choices of 1 % new rows, restarts that
// end so give 99.92 and 99.97 % of the test predictions of a full fit of `default` on CLINC150 and BANKING77; with 2.5 times the
// tolerance of a full fit, 99.90 and 99.94 % for a sixth less work.
constexpr float kLookLooser = 4.0f;
constexpr int kFreshEpochs = 8;
// The largest of more violations is larger: of so many rows one may be beyond the tolerance at the end, up to twice as far.
// A million rows took twice the epochs without that, for the same log loss.
constexpr size_t kRowsPerStraggler = 30000;

// Bounds of one slice of work between two looks at the clock.
constexpr size_t kBatchRows = 64;
constexpr uint64_t kBatchEntries = 8192;

// Of so many rows, but no more than such a share of a chunk, those of the same length are visited one after the other: each time
// that the loops over features end sooner or later than the last time costs as much as some features, a twentieth of the time
// with some ten of them. Of a greater share together the same end takes more visits, and margins are further off there.
constexpr uint32_t kGroupRows = 256, kGroupShare = 16;
constexpr uint32_t kLengths = 64;  // modulo which lengths are told apart

// Rows that are shuffled together. What a visit touches of so many stays in the cache nearest but one; a million rows in one
// shuffle took three times as long, most of it waiting for memory. Problems up to this size are one chunk.
constexpr uint32_t kChunkRows = 16384;

}  // namespace

SvmBlock::SvmBlock(SvmShared& shared, uint32_t block, Task task, SvmMemory memory, std::shared_ptr<SvmFolds> folds)
    : shared_(shared),
      rows_(*shared.problem.rows),
      block_(block),
      folds_(std::move(folds)),
      memory_(std::move(memory)),
      rng_(shared.options.seed) {
  const size_t n = rows_.rows(), d = rows_.columns;
  memory_.resize(n + d + 1);
  std::fill(memory_.begin(), memory_.end(), LaneRow{});
  weights_ = std::span(memory_).first(d + 1);
  alphas_ = std::span(memory_).subspan(d + 1);
  calm_.resize(n);
  moved_.resize(n);
  awake_.resize(std::min<size_t>(n, kChunkRows));
  violations_.resize(kBatchRows);

  lanes_.rows = &rows_;
  lanes_.labels = shared.problem.labels.data();
  lanes_.terms = shared.terms.data();
  lanes_.first_class = block * kLanes;
  for (uint32_t l = 0; l < kLanes; ++l)
    lanes_.one.at[l] = lanes_.first_class + l < shared.problem.n_classes ? 1.f : 0.f;
  lanes_.weights = weights_.data();
  lanes_.alphas = alphas_.data();
  work_ = task == Task::kBlock ? Run() : Folds();
}

uint64_t SvmBlock::Bytes(uint64_t n_rows, uint64_t n_features) {
  ByteSum sum;
  sum.Add({sizeof(LaneRow), n_rows}).Add({sizeof(LaneRow), n_features}).Add({sizeof(LaneRow)});
  return sum.Add({n_rows, sizeof(uint8_t) + 3 * sizeof(uint32_t)}).total();
}

uint64_t SvmFolds::Bytes(uint64_t n_rows, uint64_t n_features) {
  ByteSum sum;
  sum.Add({sizeof(LaneRow) + sizeof(uint32_t), n_rows}).Add({sizeof(LaneRow), n_features}).Add({sizeof(LaneRow)});
  return sum.total();
}

// The fit over all rows, then the folds.
Resumable SvmBlock::Run() {
  const LinearOptions& options = shared_.options;
  const float tolerance = static_cast<float>(options.tolerance), loose = tolerance * kLookLooser;
  lanes_.still = tolerance * kStillFull;
  epochs_left_ = options.max_epochs;
  if (options.start != nullptr) {
    for (Resumable restart = Restart(tolerance, loose); !restart.Resume();) co_await Pause{};
  } else {
    order_ = AllRows();
    for (Resumable approach = Approach(loose, options.max_epochs); !approach.Resume();) co_await Pause{};
  }
  part_ = AllRows();
  for (Resumable settle = Settle(tolerance, loose); !settle.Resume();) co_await Pause{};
  StoreBlock(weights_.data(), 1, block_, shared_.weights);
  ListSupport();
  if (options.keep_duals) KeepDuals();
  ++shared_.fits_done;
  if (folds_ == nullptr) co_return;

  for (Resumable score = Score(shared_.scored.back()); !score.Resume();) co_await Pause{};
  KeepFull();
  for (Resumable folds = Folds(); !folds.Resume();) co_await Pause{};
}

// Fits folds, each from the fit over all rows without the fold's own, until none is left. Every fold begins the random order
// anew, so that it does not matter who fits it.
Resumable SvmBlock::Folds() {
  const LinearOptions& options = shared_.options;
  const float loose = static_cast<float>(options.tolerance) * kFoldLooser;
  lanes_.still = loose * kStillFold;
  for (int fold = TakeFold(); fold < options.folds; fold = TakeFold()) {
    rng_ = Rng(options.seed);
    for (Resumable hold_out = HoldOut(fold); !hold_out.Resume();) co_await Pause{};
    order_ = folds_->part;
    largest_violation_ = std::numeric_limits<float>::max();
    for (int sweep = 0; sweep < options.max_epochs && largest_violation_ > loose; ++sweep) {
      for (Resumable epoch = Epoch(fold); !epoch.Resume();) co_await Pause{};
      order_.assign(moved_.begin(), moved_.begin() + static_cast<ptrdiff_t>(n_moved_));
    }
    for (Resumable score = Score(shared_.scored[static_cast<size_t>(fold)]); !score.Resume();) co_await Pause{};
    ++shared_.fits_done;
  }
}

// The next fold that nobody has taken; options.folds when none is left.
int SvmBlock::TakeFold() {
  const std::lock_guard<std::mutex> lock(shared_.mutex);
  return folds_->taken < shared_.options.folds ? folds_->taken++ : shared_.options.folds;
}

// From the duals of an earlier solution to this problem's: first the fresh rows by themselves, then they and the rows that
// have alphas. Most rows have none, before as after.
Resumable SvmBlock::Restart(float tolerance, float loose) {
  for (Resumable start = Start(); !start.Resume();) co_await Pause{};
  order_.assign(shared_.options.fresh_rows.begin(), shared_.options.fresh_rows.end());
  for (Resumable fresh = Approach(tolerance, kFreshEpochs); !fresh.Resume();) co_await Pause{};
  for (Resumable settle = Settle(tolerance, loose); !settle.Resume();) co_await Pause{};
}

// Takes over the duals to start from, w = sum_i a_i y_i x_i, and scores the fresh rows before anything learns of them.
// Leaves in part_ the fresh rows and those with alphas.
Resumable SvmBlock::Start() {
  const std::span<const uint32_t> fresh = shared_.options.fresh_rows;
  uint64_t entries = 0;
  auto next = fresh.begin();
  part_.clear();
  for (uint32_t i = 0; i < alphas_.size(); ++i) {
    const size_t added = StartRow(i);
    const bool is_fresh = next != fresh.end() && *next == i;
    if (is_fresh) ++next;
    if (added > 0 || is_fresh) part_.push_back(i);
    if ((entries += 1 + added) < kBatchEntries) continue;
    entries = 0;
    co_await Pause{};
  }
  if (shared_.options.folds >= 2) co_return;
  for (Resumable score = Score(fresh); !score.Resume();) co_await Pause{};
}

// Epochs over the rows of order_ until the largest |PG| of one is within `tolerance`, but for a few stragglers. Rows that are
// found still rest.
Resumable SvmBlock::Approach(float tolerance, int max_epochs) {
  tolerance_ = tolerance;
  std::fill(calm_.begin(), calm_.end(), uint8_t{0});
  for (bool within = false; !within && max_epochs > 0 && epochs_left_ > 0; --max_epochs) {
    for (Resumable epoch = Epoch(kAllRows); !epoch.Resume();) co_await Pause{};
    within = Within();
    --epochs_left_;
  }
}

// From near the solution: in turns all rows of part_ once, and those of them that moved until they are within `tolerance`, but
// for a few stragglers. Ends with such a look at all that finds none beyond `loose`, or of so many rows that there may be
// stragglers none twice as far.
Resumable SvmBlock::Settle(float tolerance, float loose) {
  tolerance_ = tolerance;
  const float enough = alphas_.size() >= kRowsPerStraggler ? 2 * loose : loose;
  for (bool within = false; !within && epochs_left_ > 0;) {
    order_ = part_;
    WakeAll();
    for (Resumable all = Epoch(kAllRows); !all.Resume();) co_await Pause{};
    within = largest_violation_ <= enough;
    for (--epochs_left_; !Within() && epochs_left_ > 0; --epochs_left_) {
      order_.assign(moved_.begin(), moved_.begin() + static_cast<ptrdiff_t>(n_moved_));
      for (Resumable some = Epoch(kAllRows); !some.Resume();) co_await Pause{};
    }
  }
}

// Whether the epoch left all but a few stragglers within tolerance_.
bool SvmBlock::Within() const {
  return largest_violation_ <= 2 * tolerance_ && beyond_ <= alphas_.size() / kRowsPerStraggler;
}

Resumable SvmBlock::Epoch(int fold) {
  BeginEpoch();
  while (!EpochEnded()) {
    if (visited_ == n_awake_) OpenChunk(fold);
    NextBatch();
    VisitBatch();
    co_await Pause{};
  }
}

std::vector<uint32_t> SvmBlock::AllRows() const {
  std::vector<uint32_t> rows(alphas_.size());
  std::iota(rows.begin(), rows.end(), 0u);
  return rows;
}

// No row rests. How calm they were is remembered.
void SvmBlock::WakeAll() {
  for (uint8_t& calm : calm_) calm &= static_cast<uint8_t>(~kRest);
}

// Where chunks begin changes from epoch to epoch. Were the same few hundred rows always visited one after the other, duals would
// settle more slowly: 3 to 5 % more visits on CLINC150 with a last chunk of 500 rows, up to three times the epochs on others.
void SvmBlock::BeginEpoch() {
  const uint32_t n = static_cast<uint32_t>(order_.size());
  shift_ = n > kChunkRows ? rng_.Below(kChunkRows) : 0;
  chunks_.resize((n + shift_ + kChunkRows - 1) / kChunkRows);
  std::iota(chunks_.begin(), chunks_.end(), 0u);
  opened_ = visited_ = grouped_ = n_awake_ = 0;
  largest_violation_ = 0;
  beyond_ = 0;
  n_moved_ = 0;
}

// Goes on with a chunk that the epoch has not visited, each as likely as the others: those of its rows that are neither
// resting nor held out. The trainer gives its rows in the order of a hash of their text, so that a chunk is a sample of all.
void SvmBlock::OpenChunk(int fold) {
  const uint32_t n = static_cast<uint32_t>(order_.size()), left = static_cast<uint32_t>(chunks_.size()) - opened_;
  if (left > 1) std::swap(chunks_[opened_], chunks_[opened_ + rng_.Below(left)]);
  const uint32_t chunk = chunks_[opened_++], end = (chunk + 1) * kChunkRows - shift_;
  // Without branches: which row rests is as good as random.
  uint32_t n_awake = 0;
  for (uint32_t at = chunk == 0 ? 0 : chunk * kChunkRows - shift_; at < std::min(n, end); ++at) {
    const uint32_t i = order_[at], calm = calm_[i];
    const bool here = fold == kAllRows || shared_.options.fold_of_row[i] != fold, rests = here && (calm & kRest) > 0;
    awake_[n_awake] = i;
    n_awake += here && !rests;
    calm_[i] = static_cast<uint8_t>(calm - rests);
  }
  n_awake_ = n_awake;
  visited_ = grouped_ = 0;
}

bool SvmBlock::EpochEnded() const { return visited_ == n_awake_ && opened_ == chunks_.size(); }

// The next rows of a forward Fisher-Yates shuffle of the chunk's, those of a length together and the lengths in random order.
// In ascending order of lengths the same end takes more visits.
void SvmBlock::NextGroup() {
  const uint32_t first = grouped_,
                 last = std::min(n_awake_, first + std::clamp(n_awake_ / kGroupShare, 1u, kGroupRows));
  // A random odd factor and a random sum permute the numbers below a power of two.
  const uint32_t factor = 2 * rng_.Below(kLengths / 2) + 1, sum = rng_.Below(kLengths);
  std::array<uint8_t, kGroupRows> places;
  std::array<uint32_t, kLengths + 1> begin{};
  for (uint32_t at = first; at < last; ++at) {
    std::swap(awake_[at], awake_[at + rng_.Below(n_awake_ - at)]);
    const uint32_t place = (shared_.lengths[awake_[at]] * factor + sum) % kLengths;
    places[at - first] = static_cast<uint8_t>(place);
    ++begin[place + 1];
  }
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::array<uint32_t, kGroupRows> group;
  for (uint32_t at = first; at < last; ++at) group[begin[places[at - first]]++] = awake_[at];
  std::copy_n(group.begin(), last - first, awake_.begin() + first);
  grouped_ = last;
}

// As many of the group's rows as one slice of work may take.
void SvmBlock::NextBatch() {
  if (visited_ == grouped_) NextGroup();
  const uint32_t first = visited_, last = std::min<uint32_t>(grouped_, first + kBatchRows);
  uint32_t next = first;
  for (uint64_t entries = 0; next < last && entries < kBatchEntries; ++next) entries += rows_.row(awake_[next]).size();
  batch_ = std::span(awake_).subspan(first, next - first);
  visited_ = next;
}

// Without branches, as above: which row has moved is as good as random.
void SvmBlock::VisitBatch() {
  SvmVisit(lanes_, batch_, grouped_ - visited_, violations_.data());
  float largest = largest_violation_;
  size_t n_moved = n_moved_;
  for (size_t t = 0; t < batch_.size(); ++t) {
    const uint32_t i = batch_[t];
    const float violation = violations_[t];
    const bool moved = violation > lanes_.still;
    largest = std::max(largest, violation);
    beyond_ += violation > tolerance_;
    moved_[n_moved] = i;
    n_moved += moved;
    const uint8_t calmer = kCalmer[calm_[i] >> 4];
    calm_[i] = moved ? uint8_t{0} : calmer;
  }
  largest_violation_ = largest;
  n_moved_ = n_moved;
}

// Leaves in part_ the rows that have alphas.
void SvmBlock::ListSupport() {
  part_.clear();
  for (uint32_t i = 0; i < alphas_.size(); ++i)
    if (LaneMax(alphas_[i].at, kLanes) > 0) part_.push_back(i);
}

// Keeps the solution over all rows, where every fold starts: its weights, and the alphas of part_ and of the block's classes'
// own rows.
void SvmBlock::KeepFull() {
  SvmFolds& folds = *folds_;
  folds.part.clear();
  auto next = part_.begin();
  for (uint32_t i = 0; i < alphas_.size(); ++i) {
    const bool own = shared_.problem.labels[i] - lanes_.first_class < kLanes,
               supports = next != part_.end() && *next == i;
    next += supports;
    if (own || supports) folds.part.push_back(i);
  }
  folds.memory.resize(weights_.size() + folds.part.size());
  folds.weights = std::span(folds.memory).first(weights_.size());
  folds.alphas = std::span(folds.memory).subspan(weights_.size());
  std::copy(weights_.begin(), weights_.end(), folds.weights.begin());
  for (size_t p = 0; p < folds.part.size(); ++p) folds.alphas[p] = alphas_[folds.part[p]];
  {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    folds.ready = true;
  }
  shared_.changed.notify_all();
}

// Starts a fold: the full fit's solution with the alphas of the held-out rows set to zero and their share taken from w.
Resumable SvmBlock::HoldOut(int fold) {
  const SvmFolds& full = *folds_;
  std::copy(full.weights.begin(), full.weights.end(), weights_.begin());
  uint64_t entries = 0;
  for (size_t p = 0; p < full.part.size(); ++p) {
    const uint32_t i = full.part[p];
    calm_[i] = 0;
    alphas_[i] = full.alphas[p];
    if (shared_.options.fold_of_row[i] == fold) entries += RemoveRow(i);
    if (++entries < kBatchEntries) continue;
    entries = 0;
    co_await Pause{};
  }
}

// Writes the margins of some of the rows whose margins are wanted: of the first held_out_rows where there are folds, else of the
// fresh ones.
Resumable SvmBlock::Score(std::span<const uint32_t> rows) {
  for (size_t next = 0; next < rows.size();) {
    next = ScoreBatch(rows, next);
    co_await Pause{};
  }
}

// The functions below are not part of the coroutines because compilers do not align what a coroutine keeps.
size_t SvmBlock::StartRow(uint32_t i) {
  const DualSolution& start = *shared_.options.start;
  const auto first = start.entries.begin() + static_cast<ptrdiff_t>(start.begin[i]);
  const auto last = start.entries.begin() + static_cast<ptrdiff_t>(start.begin[i + 1]);
  auto entry = std::lower_bound(first, last, lanes_.first_class, [](const auto& e, uint32_t k) { return e.label < k; });
  if (entry == last || entry->label >= lanes_.first_class + kLanes) return 0;
  LaneRow step{};
  for (; entry != last && entry->label < lanes_.first_class + kLanes; ++entry) {
    const uint32_t lane = entry->label - lanes_.first_class;
    alphas_[i].at[lane] = entry->alpha;
    step.at[lane] = entry->label == shared_.problem.labels[i] ? entry->alpha : -entry->alpha;
  }
  LaneAdd(rows_.row(i), step, weights_.data(), rows_.columns);
  return rows_.row(i).size() + 1;
}

size_t SvmBlock::RemoveRow(uint32_t i) {
  const uint32_t own = shared_.problem.labels[i] - lanes_.first_class;
  LaneRow step;
  for (uint32_t l = 0; l < kLanes; ++l) step.at[l] = l == own ? -alphas_[i].at[l] : alphas_[i].at[l];
  LaneAdd(rows_.row(i), step, weights_.data(), rows_.columns);
  alphas_[i] = LaneRow{};
  return rows_.row(i).size();
}

// Scores rows from next on; returns the first that is left.
size_t SvmBlock::ScoreBatch(std::span<const uint32_t> rows, size_t next) {
  const uint32_t n_classes = shared_.problem.n_classes;
  const bool folds = shared_.options.folds >= 2;
  std::array<LaneScored, kBatchRows> batch;
  size_t n = 0;
  for (uint64_t entries = 0; next < rows.size() && n < kBatchRows && entries < kBatchEntries; ++next, ++n) {
    const size_t h = folds ? rows[next] : next;
    batch[n] = {RowToScore(shared_.problem, shared_.options, rows[next], h),
                shared_.held_out.data() + h * n_classes + lanes_.first_class};
    entries += batch[n].x.size();
  }
  LaneScore(std::span(batch).first(n), weights_.data(), rows_.columns,
            std::min(kLanes, n_classes - lanes_.first_class));
  return next;
}

// Those of part_.
void SvmBlock::KeepDuals() {
  std::vector<RowDual>& kept = shared_.duals[block_];
  for (const uint32_t i : part_) {
    for (uint32_t l = 0; l < kLanes; ++l)
      if (alphas_[i].at[l] > 0) kept.push_back({i, lanes_.first_class + l, alphas_[i].at[l]});
    if (kept.size() <= shared_.max_duals) continue;
    kept = {};
    shared_.too_many_duals = true;
    return;
  }
}

}  // namespace retrain
