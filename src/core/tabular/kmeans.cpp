// k-means with k-means++ and restarts, silhouettes, and numbers that stay.
#include "core/tabular/kmeans.h"

#include <algorithm>
#include <numeric>
#include <cmath>
#include <limits>

#include "core/base/math.h"
#include "core/base/rng.h"

namespace retrain {
namespace {

constexpr size_t kGroup = 16;  // blocks between two looks at the clock
constexpr uint32_t kFewIterations = 6;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double SquaredLength(const Encoder& encoder, const EncodedBlock& block, size_t row) {
  const size_t d = encoder.n_dense();
  double sum = 0;
  for (size_t i = 0; i < d; ++i) sum += block.dense[row * d + i] * block.dense[row * d + i];
  for (size_t c = 0; c < encoder.n_categories(); ++c) sum += block.codes[row * encoder.n_categories() + c] != kNoCode;
  return sum;
}

void Norms(std::span<const double> centroids, size_t k, std::vector<double>& norms) {
  norms.assign(k, 0);
  for (size_t i = 0; i < centroids.size(); ++i) norms[i % k] += centroids[i] * centroids[i];
}

// |x - c|^2 = |x|^2 - 2 x c + |c|^2 of every row and centroid: rows × k.
void SquaredDistances(const Encoder& encoder, const EncodedBlock& block, std::span<const double> centroids,
                      std::span<const double> norms, std::vector<double>& out) {
  const size_t k = norms.size();
  BlockMargins(encoder, block, centroids, {}, k, out);
  for (size_t r = 0; r < block.rows; ++r) {
    const double length = SquaredLength(encoder, block, r);
    for (size_t j = 0; j < k; ++j) out[r * k + j] = std::max(0.0, length - 2 * out[r * k + j] + norms[j]);
  }
}

// One restart on the first n_blocks blocks.
class Restart {
 public:
  Restart(const EncodedRows& rows, size_t n_blocks, size_t n_rows, size_t k, const Pace& pace)
      : rows_(rows), n_blocks_(n_blocks), n_rows_(n_rows), k_(k), pace_(pace), p_(rows.encoder().n_features()) {
    scratch_.resize(kGroup);
  }

  // k-means++.
  Resumable Seed(Rng& rng, Kmeans& model) {
    const size_t trials = 2 + static_cast<size_t>(Log(static_cast<double>(k_)));
    std::vector<double> nearest(n_rows_, kInfinity), chosen(p_ * k_);
    for (size_t j = 0; j < k_; ++j) {
      const size_t n = j == 0 ? 1 : trials;
      std::vector<double> candidates(p_ * n), row(p_);
      std::vector<size_t> drawn(n);
      for (size_t t = 0; t < n; ++t) drawn[t] = j == 0 ? rng.Below(static_cast<uint32_t>(n_rows_)) : Draw(nearest, rng);
      for (size_t t = 0; t < n; ++t) {
        RowVector(drawn[t], row);
        for (size_t i = 0; i < p_; ++i) candidates[i * n + t] = row[i];
      }
      std::vector<double> norms, distances(n_rows_ * n), sums(n);
      Norms(candidates, n, norms);
      for (size_t first = 0; first < n_blocks_; first += kGroup) {
        const size_t group = std::min(kGroup, n_blocks_ - first);
        ParallelFor(group, pace_.threads(), [&](size_t i) {
          std::vector<double> of_block;
          const EncodedBlock& block = rows_.Block(first + i, scratch_[i]);
          SquaredDistances(rows_.encoder(), block, candidates, norms, of_block);
          std::copy(of_block.begin(), of_block.begin() + static_cast<ptrdiff_t>(RowsOf(first + i) * n),
                    distances.begin() + static_cast<ptrdiff_t>(rows_.first_of(first + i) * n));
        });
        if (pace_.Expired()) co_await Pause{};
      }
      for (size_t i = 0; i < n_rows_; ++i)
        for (size_t t = 0; t < n; ++t) sums[t] += std::min(nearest[i], distances[i * n + t]);
      const auto best = static_cast<size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin());
      for (size_t i = 0; i < n_rows_; ++i) nearest[i] = std::min(nearest[i], distances[i * n + best]);
      for (size_t i = 0; i < p_; ++i) chosen[i * k_ + j] = candidates[i * n + best];
    }
    model.k = k_;
    model.centroids = std::move(chosen);
    Norms(model.centroids, k_, model.norms);
  }

  // Lloyd's algorithm from the model's centroids.
  Resumable Improve(uint32_t max_iterations, Kmeans& model) {
    double tolerance = -1;
    for (uint32_t iteration = 0;; ++iteration) {
      for (auto part = Assign(model); !part.Resume();) co_await Pause{};
      model.iterations = iteration;
      if (iteration == max_iterations) break;
      if (tolerance < 0) tolerance = 1e-8 * Spread();
      Refill(model);
      double moved = 0;
      for (size_t j = 0; j < k_; ++j) {
        for (size_t i = 0; i < p_; ++i) {
          const double fresh = sums_[i * k_ + j] / counts_[j];
          moved += (fresh - model.centroids[i * k_ + j]) * (fresh - model.centroids[i * k_ + j]);
          model.centroids[i * k_ + j] = fresh;
        }
      }
      Norms(model.centroids, k_, model.norms);
      if (moved <= tolerance) {
        for (auto part = Assign(model); !part.Resume();) co_await Pause{};
        break;
      }
    }
    model.sizes.resize(k_);
    for (size_t j = 0; j < k_; ++j) model.sizes[j] = static_cast<uint64_t>(counts_[j]);
  }

 private:
  size_t RowsOf(size_t block) const {
    return std::min(EncodedRows::kBlockRows, n_rows_ - std::min(n_rows_, rows_.first_of(block)));
  }
  void RowVector(size_t i, std::vector<double>& out) {
    const EncodedBlock& block = rows_.Block(i / EncodedRows::kBlockRows, scratch_[0]);
    ExpandRow(rows_.encoder(), block, i % EncodedRows::kBlockRows, out);
  }

  // A row with a probability in proportion to its squared distance.
  size_t Draw(const std::vector<double>& weights, Rng& rng) const {
    double sum = 0;
    for (const double w : weights) sum += w;
    double left = static_cast<double>(rng.Next() >> 11) * 0x1.0p-53 * sum;
    for (size_t i = 0; i < weights.size(); ++i)
      if ((left -= weights[i]) < 0) return i;
    return weights.size() - 1;
  }

  // Assigns every row: sums, counts, inertia, and the farthest row of each block.
  Resumable Assign(Kmeans& model) {
    struct Part {
      std::vector<double> sums, counts;
      double inertia = 0, farthest = -1;
      size_t row = 0;
    };
    sums_.assign(p_ * k_, 0);
    counts_.assign(k_, 0);
    model.inertia = 0;
    far_.clear();
    std::vector<Part> parts(kGroup);
    for (size_t first = 0; first < n_blocks_; first += kGroup) {
      const size_t group = std::min(kGroup, n_blocks_ - first);
      ParallelFor(group, pace_.threads(), [&](size_t i) {
        const EncodedBlock& block = rows_.Block(first + i, scratch_[i]);
        Part& part = parts[i];
        part = {std::vector<double>(p_ * k_), std::vector<double>(k_), 0, -1, 0};
        std::vector<double> distances, membership(block.rows * k_);
        SquaredDistances(rows_.encoder(), block, model.centroids, model.norms, distances);
        for (size_t r = 0; r < RowsOf(first + i); ++r) {
          const double* of_row = distances.data() + r * k_;
          const auto j = static_cast<size_t>(std::min_element(of_row, of_row + k_) - of_row);
          membership[r * k_ + j] = 1;
          part.counts[j] += 1;
          part.inertia += of_row[j];
          if (of_row[j] > part.farthest) part.farthest = of_row[j], part.row = rows_.first_of(first + i) + r;
        }
        AddBlockGradient(rows_.encoder(), block, membership, k_, part.sums);
      });
      for (size_t i = 0; i < group; ++i) {
        for (size_t j = 0; j < sums_.size(); ++j) sums_[j] += parts[i].sums[j];
        for (size_t j = 0; j < k_; ++j) counts_[j] += parts[i].counts[j];
        model.inertia += parts[i].inertia;
        far_.emplace_back(parts[i].farthest, parts[i].row);
      }
      if (pace_.Expired()) co_await Pause{};
    }
  }

  // An empty cluster begins again at the row that is farthest from its centroid.
  void Refill(Kmeans&) {
    std::stable_sort(far_.begin(), far_.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    size_t next = 0;
    std::vector<double> row(p_);
    for (size_t j = 0; j < k_; ++j) {
      if (counts_[j] > 0) continue;
      RowVector(far_[next < far_.size() - 1 ? next++ : next].second, row);
      for (size_t i = 0; i < p_; ++i) sums_[i * k_ + j] = row[i];
      counts_[j] = 1;
    }
  }

  // Mean variance of the features, which says what a small move is.
  double Spread() {
    double squares = 0, rows = 0;
    std::vector<double> mean(p_);
    for (size_t b = 0; b < std::min<size_t>(n_blocks_, 8); ++b) {
      const EncodedBlock& block = rows_.Block(b, scratch_[0]);
      for (size_t r = 0; r < block.rows; ++r) squares += SquaredLength(rows_.encoder(), block, r);
      AddBlockGradient(rows_.encoder(), block, std::vector<double>(block.rows, 1.0), 1, mean);
      rows += static_cast<double>(block.rows);
    }
    double means = 0;
    for (const double m : mean) means += (m / rows) * (m / rows);
    return std::max(0.0, squares / rows - means);
  }

  const EncodedRows& rows_;
  size_t n_blocks_, n_rows_, k_;
  const Pace& pace_;
  size_t p_;
  std::vector<EncodedBlock> scratch_;
  std::vector<double> sums_, counts_;
  std::vector<std::pair<double, size_t>> far_;
};

// Whether two clusterings of n_rows rows are on their way to one optimum: each centroid of either has one of the other
// within three tenths of the root mean squared distance of a row to its centroid.
bool Alike(const Kmeans& a, const Kmeans& b, size_t n_rows) {
  const size_t k = a.k, p = a.centroids.size() / k;
  const double near = 0.09 * a.inertia / static_cast<double>(n_rows);
  std::vector<double> least_a(k, kInfinity), least_b(k, kInfinity);
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j < k; ++j) {
      double squares = 0;
      for (size_t f = 0; f < p; ++f) {
        const double difference = a.centroids[f * k + i] - b.centroids[f * k + j];
        squares += difference * difference;
      }
      least_a[i] = std::min(least_a[i], squares);
      least_b[j] = std::min(least_b[j], squares);
    }
  }
  const auto is_near = [near](double squares) { return squares <= near; };
  return std::all_of(least_a.begin(), least_a.end(), is_near) && std::all_of(least_b.begin(), least_b.end(), is_near);
}

bool Lower(const Kmeans& a, const Kmeans& b) { return a.inertia < b.inertia; }

// Puts a clustering in its place among the best, of which only the lowest of those that are alike stays.
void Enter(Kmeans model, size_t n_rows, size_t most, std::vector<Kmeans>& best) {
  for (const Kmeans& other : best)
    if (other.inertia <= model.inertia && Alike(other, model, n_rows)) return;
  std::erase_if(best, [&](const Kmeans& other) { return Alike(model, other, n_rows); });
  best.insert(std::upper_bound(best.begin(), best.end(), model, Lower), std::move(model));
  if (best.size() > most) best.pop_back();
}

// Several restarts on the first n_rows rows, the best first: four times as many are begun, and those that stand best after a
// few iterations, no two of them alike, go on to the end.
Resumable BestOf(const EncodedRows& rows, size_t n_rows, size_t k, uint32_t restarts, const KmeansOptions& options,
                 const Pace& pace, std::vector<Kmeans>& best) {
  const size_t n_blocks = (n_rows + EncodedRows::kBlockRows - 1) / EncodedRows::kBlockRows;
  const size_t most = std::max(1u, restarts / 2);
  Restart restart(rows, n_blocks, n_rows, k, pace);
  std::vector<Kmeans> begun;
  for (uint32_t i = 0; i < 4 * restarts; ++i) {
    Rng rng(options.seed + 0x9E3779B97F4A7C15ull * (i + 1) + k);
    Kmeans model;
    for (auto part = restart.Seed(rng, model); !part.Resume();) co_await Pause{};
    for (auto part = restart.Improve(std::min(kFewIterations, options.max_iterations), model); !part.Resume();)
      co_await Pause{};
    Enter(std::move(model), n_rows, most, begun);
  }
  best.clear();
  for (Kmeans& model : begun) {
    for (auto part = restart.Improve(options.max_iterations, model); !part.Resume();) co_await Pause{};
    Enter(std::move(model), n_rows, most, best);
  }
}

// Drops those whose inertia the rest of the rows will hardly bring below that of the first: the mean difference of the n_rows
// rows that they were fitted on is more than three standard errors above nought.
Resumable KeepContenders(const EncodedRows& rows, size_t n_rows, const Pace& pace, std::vector<Kmeans>& best) {
  std::vector<double> sums(best.size()), squares(best.size()), of_first, of_other;
  std::vector<uint32_t> nearest;
  EncodedBlock scratch;
  const auto n = static_cast<double>(n_rows);
  for (size_t b = 0; rows.first_of(b) < n_rows; ++b) {
    const EncodedBlock& block = rows.Block(b, scratch);
    const size_t used = std::min(block.rows, n_rows - rows.first_of(b));
    AssignBlock(rows.encoder(), block, best[0], nearest, &of_first);
    for (size_t m = 1; m < best.size(); ++m) {
      AssignBlock(rows.encoder(), block, best[m], nearest, &of_other);
      for (size_t r = 0; r < used; ++r) {
        const double difference = of_other[r] - of_first[r];
        sums[m] += difference;
        squares[m] += difference * difference;
      }
    }
    if (pace.Expired()) co_await Pause{};
  }
  std::vector<Kmeans> kept;
  for (size_t m = 0; m < best.size(); ++m) {
    const double mean = sums[m] / n, variance = std::max(0.0, squares[m] / n - mean * mean);
    if (mean <= 3 * std::sqrt(variance / n)) kept.push_back(std::move(best[m]));
  }
  best = std::move(kept);
}

std::vector<uint32_t> LabelsOf(const EncodedRows& rows, size_t n_rows, const Kmeans& model) {
  std::vector<uint32_t> labels, of_block;
  EncodedBlock scratch;
  for (size_t b = 0; labels.size() < n_rows; ++b) {
    AssignBlock(rows.encoder(), rows.Block(b, scratch), model, of_block, nullptr);
    labels.insert(labels.end(), of_block.begin(), of_block.end());
  }
  labels.resize(n_rows);
  return labels;
}

}  // namespace

uint64_t KmeansBytes(size_t n_rows, size_t n_features, const KmeansOptions& options) noexcept {
  const uint64_t k = std::max(options.k, options.k == 0 ? options.max_k : 0);
  const uint64_t sample = std::min<uint64_t>(n_rows, kSampleRows);
  return (kGroup + 6 + options.restarts) * n_features * k * sizeof(double) + 16 * sample * sizeof(double) +
         kSilhouetteRows * n_features * sizeof(double);
}

void AssignBlock(const Encoder& encoder, const EncodedBlock& block, const Kmeans& model, std::vector<uint32_t>& nearest,
                 std::vector<double>* distances) {
  std::vector<double> all;
  SquaredDistances(encoder, block, model.centroids, model.norms, all);
  nearest.resize(block.rows);
  if (distances != nullptr) distances->resize(block.rows);
  for (size_t r = 0; r < block.rows; ++r) {
    const double* of_row = all.data() + r * model.k;
    const auto j = static_cast<size_t>(std::min_element(of_row, of_row + model.k) - of_row);
    nearest[r] = static_cast<uint32_t>(j);
    if (distances != nullptr) (*distances)[r] = of_row[j];
  }
}

double Silhouette(const EncodedRows& rows, std::span<const uint32_t> labels, size_t k) {
  const size_t p = rows.encoder().n_features();
  const size_t n =
      std::min({labels.size(), rows.rows(), kSilhouetteRows, std::max<size_t>(100, (400u << 10) / (p + 1))});
  std::vector<double> vectors(n * p);
  std::vector<size_t> sizes(k);
  EncodedBlock scratch;
  for (size_t i = 0; i < n; ++i) {
    const EncodedBlock& block = rows.Block(i / EncodedRows::kBlockRows, scratch);
    ExpandRow(rows.encoder(), block, i % EncodedRows::kBlockRows, std::span(vectors).subspan(i * p, p));
    ++sizes[labels[i]];
  }
  if (std::count_if(sizes.begin(), sizes.end(), [](size_t size) { return size > 0; }) < 2)
    return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> sums(n * k);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) {
      double squares = 0;
      for (size_t f = 0; f < p; ++f) {
        const double difference = vectors[i * p + f] - vectors[j * p + f];
        squares += difference * difference;
      }
      const double distance = std::sqrt(squares);
      sums[i * k + labels[j]] += distance;
      sums[j * k + labels[i]] += distance;
    }
  }
  double total = 0;
  for (size_t i = 0; i < n; ++i) {
    if (sizes[labels[i]] < 2) continue;
    const double own = sums[i * k + labels[i]] / static_cast<double>(sizes[labels[i]] - 1);
    double other = kInfinity;
    for (size_t j = 0; j < k; ++j)
      if (j != labels[i] && sizes[j] > 0) other = std::min(other, sums[i * k + j] / static_cast<double>(sizes[j]));
    if (std::max(own, other) > 0) total += (other - own) / std::max(own, other);
  }
  return total / static_cast<double>(n);
}

Resumable FitKmeans(const EncodedRows& rows, const KmeansOptions& options, const Pace& pace, Kmeans& model,
                    double& done) {
  const size_t sample = std::min(rows.rows(), kSampleRows);
  size_t k = options.k;
  if (k == 0) {
    // More clusters than distinct rows have no silhouette; the best value wins, the fewest clusters among equals.
    double best = -kInfinity;
    k = 2;
    const size_t look_at = std::min<size_t>(sample, 5000);
    for (uint32_t candidate = 2; candidate <= options.max_k && candidate < look_at; ++candidate) {
      std::vector<Kmeans> fitted;
      for (auto part = BestOf(rows, look_at, candidate, std::min(3u, options.restarts), options, pace, fitted);
           !part.Resume();)
        co_await Pause{};
      const std::vector<uint32_t> labels = LabelsOf(rows, std::min(look_at, kSilhouetteRows), fitted[0]);
      const double silhouette = Silhouette(rows, labels, candidate);
      model.tried.emplace_back(candidate, silhouette);
      if (silhouette > best + 1e-12) best = silhouette, k = candidate;
      done = 0.6 * candidate / options.max_k;
      if (pace.Expired()) co_await Pause{};
    }
  }
  std::vector<std::pair<uint32_t, double>> tried = std::move(model.tried);
  std::vector<Kmeans> best;
  for (auto part = BestOf(rows, sample, k, options.restarts, options, pace, best); !part.Resume();) co_await Pause{};
  done = 0.8;
  if (sample < rows.rows()) {
    for (auto part = KeepContenders(rows, sample, pace, best); !part.Resume();) co_await Pause{};
    Restart all(rows, rows.n_blocks(), rows.rows(), k, pace);
    if (best.size() > 1) {
      for (Kmeans& contender : best)
        for (auto part = all.Improve(std::min(kFewIterations, options.max_iterations), contender); !part.Resume();)
          co_await Pause{};
      std::stable_sort(best.begin(), best.end(), Lower);
    }
    for (auto part = all.Improve(options.max_iterations, best[0]); !part.Resume();) co_await Pause{};
  }
  model = std::move(best[0]);
  model.tried = std::move(tried);
  done = 1;
}

// The nearest pair of all first, then the nearest of those that are left: a cluster that has not moved keeps its number however
// far another has gone, which the least sum of distances would not give it.
std::vector<uint32_t> MatchClusters(std::span<const double> distances, size_t n_new,
                                    std::span<const uint32_t> old_numbers) {
  const size_t n_old = old_numbers.size();
  std::vector<uint32_t> pairs(n_new * n_old), numbers(n_new, 0);
  std::iota(pairs.begin(), pairs.end(), 0u);
  std::stable_sort(pairs.begin(), pairs.end(), [&](uint32_t a, uint32_t b) { return distances[a] < distances[b]; });
  std::vector<bool> is_given(n_old);
  for (const uint32_t pair : pairs) {
    const size_t fresh = pair / n_old, old = pair % n_old;
    if (numbers[fresh] != 0 || is_given[old]) continue;
    numbers[fresh] = old_numbers[old];
    is_given[old] = true;
  }
  std::vector<uint32_t> taken(old_numbers.begin(), old_numbers.end());
  uint32_t next = 1;
  for (uint32_t& number : numbers) {
    if (number != 0) continue;
    while (std::find(taken.begin(), taken.end(), next) != taken.end()) ++next;
    number = next;
    taken.push_back(next);
  }
  return numbers;
}

}  // namespace retrain
