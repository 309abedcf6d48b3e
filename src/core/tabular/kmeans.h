// Clusters of encoded rows: k-means.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/resumable.h"
#include "core/tabular/encoded_rows.h"

namespace retrain {

struct KmeansOptions {
  uint32_t k = 0;  // 0: chosen by silhouette among 2 … max_k
  uint32_t max_k = 10;
  uint32_t restarts = 10;
  uint32_t max_iterations = 300;
  uint64_t seed = 42;
};

struct Kmeans {
  size_t k = 0;
  std::vector<double> centroids;  // n_features × k, as BlockMargins wants them
  std::vector<double> norms;      // k: squared lengths
  std::vector<uint64_t> sizes;    // k: training rows
  double inertia = 0;             // sum of squared distances of the training rows
  uint32_t iterations = 0;
  std::vector<std::pair<uint32_t, double>> tried;  // k and its silhouette, when k was chosen
};

uint64_t KmeansBytes(size_t n_rows, size_t n_features, const KmeansOptions& options) noexcept;

// min over centroids of the sum of squared distances to the nearest one. Each restart begins with k-means++ (Arthur and
// Vassilvitskii, SODA 2007; of 2 + ln k candidates the one that lowers the sum most) and goes on with Lloyd's algorithm, the better half to where
// nothing moves by more than 1e-8 of the variance; four are begun for each that counts, and those that lead to one optimum
// count once. With more than kSampleRows rows the restarts run on that many; those that these rows cannot tell from the best go on with all.
// Empty clusters take the row farthest from its centroid.
Resumable FitKmeans(const EncodedRows& rows, const KmeansOptions& options, const Pace& pace, Kmeans& model,
                    double& done);

inline constexpr size_t kSampleRows = 20000;
inline constexpr size_t kSilhouetteRows = 1000;

// The nearest centroid of each row, lowest number first among equals; squared distances when asked for.
void AssignBlock(const Encoder& encoder, const EncodedBlock& block, const Kmeans& model, std::vector<uint32_t>& nearest,
                 std::vector<double>* distances);

// Mean silhouette (Rousseeuw 1987) of rows under labels 0 … k - 1; rows that are alone in their cluster count 0. Over the
// first kSilhouetteRows rows. NaN with fewer than two clusters among them.
double Silhouette(const EncodedRows& rows, std::span<const uint32_t> labels, size_t k);

// The numbers of new centroids: of the nearest pair of a new and an old one the new one takes the old one's, then of the nearest
// pair of those that are left, and so on; new ones beyond take the lowest free numbers. Distances: n_new × n_old.
std::vector<uint32_t> MatchClusters(std::span<const double> distances, size_t n_new,
                                    std::span<const uint32_t> old_numbers);

}  // namespace retrain
