// Trees as flat arrays: scoring and exact contributions without the library that grew them.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/stop.h"
#include "core/codec/bytes.h"

namespace retrain {

// Trees over the features of an encoder: dense values and category codes.
//
// Nodes of a tree lie together, children behind their parent, the right child beside the left one. A row goes left where
// its dense value is below the threshold, or its code is not in the set; a missing value goes where the node says.
struct ForestParts {
  static constexpr uint32_t kLeaf = 1u << 31, kCategory = 1u << 30, kMissingLeft = 1u << 29,
                            kFeature = kMissingLeft - 1;

  std::vector<float> value;       // per node: threshold, leaf value, or (bits) the place of a set in `sets`
  std::vector<uint32_t> feature;  // per node: flags and the index of a dense or category feature
  std::vector<uint32_t> left;     // per node: left child; 0 for a leaf
  std::vector<float> cover;       // per node: weight of the training rows that came by
  std::vector<uint32_t> sets;     // bit sets of codes, (n_codes + 31) / 32 words each
  std::vector<uint32_t> roots;    // per tree
  std::vector<uint32_t> groups;   // per tree: the output it adds to
  std::vector<float> base;        // per output: where its sum begins
  std::vector<double> gain;       // per feature (dense, then categories), for importance; not stored
};

struct ForestShape {
  uint32_t n_dense = 0;
  std::vector<uint32_t> n_codes;  // of each category feature
};

std::vector<uint8_t> EncodeForest(const ForestParts& parts);

// Immutable views into stored bytes, which must outlive it.
class Forest {
 public:
  Forest() = default;
  // Checks every index; throws Error(kDataCorrupted).
  Forest(std::span<const uint8_t> bytes, const ForestShape& shape);

  uint32_t n_outputs() const noexcept { return static_cast<uint32_t>(base_.size()); }
  uint32_t n_trees() const noexcept { return static_cast<uint32_t>(roots_.size()); }
  uint32_t max_depth() const noexcept { return max_depth_; }
  // margins: n_outputs. dense: single precision, as the trees were grown on; NaN for missing.
  void Margins(std::span<const float> dense, std::span<const uint32_t> codes, std::span<float> margins) const noexcept;
  // Shapley values of one output's margin: contributions (n_players) and, returned, what is expected without any feature.
  // They add up to the margin. player_of: the player that each feature (dense, then categories) belongs to. Path-dependent
  // TreeSHAP: Lundberg, Erion, Lee, "Consistent individualized feature attribution for tree ensembles", 2018, algorithm 2.
  double Contributions(std::span<const float> dense, std::span<const uint32_t> codes, uint32_t output,
                       std::span<const uint32_t> player_of, const Stop& stop, std::span<double> contributions) const;

 private:
  struct Path;
  double Expectation(uint32_t root) const;
  bool GoesLeft(uint32_t node, std::span<const float> dense, std::span<const uint32_t> codes) const noexcept;
  uint32_t FeatureOf(uint32_t flags) const noexcept {
    return (flags & ForestParts::kFeature) + ((flags & ForestParts::kCategory) ? n_dense_ : 0);
  }

  uint32_t n_dense_ = 0, max_depth_ = 0;
  UnalignedArray<float> value_, cover_;
  UnalignedArray<uint32_t> feature_, left_, sets_;
  std::vector<uint32_t> roots_, groups_;
  std::vector<float> base_;
};

}  // namespace retrain
