// Walks flat trees: margins and Shapley values.
#include "core/tabular/forest.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "core/base/error.h"

namespace retrain {
namespace {

constexpr uint32_t kMaxDepth = 512;

[[noreturn]] void Corrupted(const char* detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored model is corrupt", detail,
              "restore the version from a backup, or drop it and train again");
}

template <class T>
UnalignedArray<T> TakeArray(ByteReader& in, uint64_t n) {
  return UnalignedArray<T>(in.Take(n * sizeof(T)));
}

}  // namespace

std::vector<uint8_t> EncodeForest(const ForestParts& parts) {
  ByteWriter out;
  out.Put(static_cast<uint32_t>(parts.value.size()));
  out.Put(static_cast<uint32_t>(parts.sets.size()));
  out.Put(static_cast<uint32_t>(parts.roots.size()));
  out.Put(static_cast<uint32_t>(parts.base.size()));
  for (size_t i = 0; i < parts.value.size(); ++i) {
    out.Put(parts.value[i]);
    out.Put(parts.feature[i]);
    out.Put(parts.left[i]);
  }
  out.PutArray<float>(parts.cover);
  out.PutArray<uint32_t>(parts.sets);
  out.PutArray<uint32_t>(parts.roots);
  out.PutArray<uint32_t>(parts.groups);
  out.PutArray<float>(parts.base);
  return out.Take();
}

Forest::Forest(std::span<const uint8_t> bytes, const ForestShape& shape) : n_dense_(shape.n_dense) {
  ByteReader in(bytes);
  const auto n_nodes = in.Get<uint32_t>(), n_sets = in.Get<uint32_t>(), n_trees = in.Get<uint32_t>(),
             n_outputs = in.Get<uint32_t>();
  nodes_ = TakeArray<uint32_t>(in, 3 * uint64_t{n_nodes});
  cover_ = TakeArray<float>(in, n_nodes);
  sets_ = TakeArray<uint32_t>(in, n_sets);
  const auto roots = TakeArray<uint32_t>(in, n_trees), groups = TakeArray<uint32_t>(in, n_trees);
  const auto base = TakeArray<float>(in, n_outputs);
  if (!in.empty()) Corrupted("there are bytes behind the trees");
  if (n_outputs == 0) Corrupted("the trees have no output");
  for (size_t i = 0; i < n_outputs; ++i) {
    if (!std::isfinite(base[i])) Corrupted("a base score is not a finite number");
    base_.push_back(base[i]);
  }
  std::vector<uint16_t> depth(n_nodes);
  std::vector<bool> is_root(n_nodes);
  for (size_t t = 0; t < n_trees; ++t) {
    if (roots[t] >= n_nodes || groups[t] >= n_outputs) Corrupted("a tree's root or output lies outside");
    is_root[roots[t]] = true;
    roots_.push_back(roots[t]);
    groups_.push_back(groups[t]);
  }
  // Children behind parents, each node one parent at most: every walk ends.
  std::vector<bool> has_parent(n_nodes);
  for (uint32_t i = 0; i < n_nodes; ++i) {
    const uint32_t flags = FlagsOf(i);
    if (!(cover_[i] >= 0) || !std::isfinite(cover_[i])) Corrupted("a node's cover is impossible");
    if ((flags & ForestParts::kLeaf) != 0) {
      if (!std::isfinite(ValueOf(i))) Corrupted("a leaf is not a finite number");
      continue;
    }
    const uint32_t left = LeftOf(i), f = flags & ForestParts::kFeature;
    if (left <= i || left >= n_nodes - 1) Corrupted("a node's children lie outside");
    for (const uint32_t child : {left, left + 1}) {
      if (has_parent[child] || is_root[child]) Corrupted("a node has two parents");
      has_parent[child] = true;
      depth[child] = static_cast<uint16_t>(depth[i] + 1);
    }
    if (depth[left] > kMaxDepth) Corrupted("a tree is too deep");
    max_depth_ = std::max<uint32_t>(max_depth_, depth[left]);
    if ((flags & ForestParts::kCategory) != 0) {
      if (f >= shape.n_codes.size()) Corrupted("a node splits on no category");
      const auto place = std::bit_cast<uint32_t>(ValueOf(i));
      const uint64_t words = (uint64_t{shape.n_codes[f]} + 31) / 32;
      if (place + words > n_sets) Corrupted("a node's set lies outside");
    } else {
      if (f >= n_dense_) Corrupted("a node splits on no feature");
      if (std::isnan(ValueOf(i))) Corrupted("a threshold is no number");
    }
  }
}

bool Forest::GoesLeft(uint32_t node, std::span<const float> dense, std::span<const uint32_t> codes) const noexcept {
  const uint32_t flags = FlagsOf(node), f = flags & ForestParts::kFeature;
  if ((flags & ForestParts::kCategory) != 0) {
    const uint32_t code = codes[f];
    if (code == std::numeric_limits<uint32_t>::max()) return (flags & ForestParts::kMissingLeft) != 0;
    const auto place = std::bit_cast<uint32_t>(ValueOf(node));
    return (sets_[place + code / 32] >> (code % 32) & 1) == 0;
  }
  // Without a branch: which way a row goes is what nobody can predict.
  const float x = dense[f];
  return static_cast<unsigned>(x < ValueOf(node)) |
         (static_cast<unsigned>(std::isnan(x)) & static_cast<unsigned>((flags & ForestParts::kMissingLeft) != 0));
}

// Several trees are walked at once, each a step in turn: while one waits for its node to come from memory, the others go on. A
// tree that has reached its leaf makes room for the next one. Leaves are added in the order of the trees.
void Forest::Margins(std::span<const float> dense, std::span<const uint32_t> codes,
                     std::span<float> margins) const noexcept {
  constexpr size_t kTogether = 128, kChunk = 256;
  std::copy(base_.begin(), base_.end(), margins.begin());
  float leaves[kChunk];
  for (size_t first = 0; first < roots_.size(); first += kChunk) {
    const size_t n = std::min(kChunk, roots_.size() - first);
    uint32_t nodes[kTogether];
    uint32_t trees[kTogether];
    uint32_t next = 0;
    size_t inside = 0;
    for (; inside < std::min(kTogether, n); ++inside) nodes[inside] = roots_[first + next], trees[inside] = next++;
    while (inside > 0) {
      for (size_t i = 0; i < inside;) {
        const uint32_t flags = FlagsOf(nodes[i]);
        if ((flags & ForestParts::kLeaf) == 0) {
          nodes[i] = LeftOf(nodes[i]) + (GoesLeft(nodes[i], dense, codes) ? 0 : 1);
          nodes_.Prefetch(3 * size_t{nodes[i]});
          ++i;
          continue;
        }
        leaves[trees[i]] = ValueOf(nodes[i]);
        if (next < n) {
          nodes[i] = roots_[first + next];
          trees[i++] = next++;
        } else {
          --inside;
          nodes[i] = nodes[inside];
          trees[i] = trees[inside];
        }
      }
    }
    for (size_t i = 0; i < n; ++i) margins[groups_[first + i]] += leaves[i];
  }
}

// The features of a path with the shares of rows that flow through when they are unknown (zero) and known (one), and the
// weights of their subsets.
struct Forest::Path {
  struct Element {
    uint32_t player;
    double zero, one, weight;
  };

  const Forest& forest;
  std::span<const float> dense;
  std::span<const uint32_t> codes;
  std::span<const uint32_t> player_of;
  const Stop& stop;
  std::span<double> out;
  uint32_t visited = 0;

  static void Extend(std::vector<Element>& path, double zero, double one, uint32_t player) {
    const size_t l = path.size();
    path.push_back({player, zero, one, l == 0 ? 1.0 : 0.0});
    const auto length = static_cast<double>(l + 1);
    for (size_t i = l; i-- > 0;) {
      path[i + 1].weight += one * path[i].weight * static_cast<double>(i + 1) / length;
      path[i].weight *= zero * static_cast<double>(l - i) / length;
    }
  }

  static void Unwind(std::vector<Element>& path, size_t at) {
    const size_t l = path.size() - 1;
    const double one = path[at].one, zero = path[at].zero, length = static_cast<double>(l + 1);
    double next = path[l].weight;
    for (size_t i = l; i-- > 0;) {
      if (one != 0) {
        const double weight = path[i].weight;
        path[i].weight = next * length / (static_cast<double>(i + 1) * one);
        next = weight - path[i].weight * zero * static_cast<double>(l - i) / length;
      } else {
        path[i].weight *= length / (zero * static_cast<double>(l - i));
      }
    }
    for (size_t i = at; i < l; ++i) {
      path[i].player = path[i + 1].player;
      path[i].zero = path[i + 1].zero;
      path[i].one = path[i + 1].one;
    }
    path.pop_back();
  }

  static double UnwoundSum(const std::vector<Element>& path, size_t at) {
    const size_t l = path.size() - 1;
    const double one = path[at].one, zero = path[at].zero, length = static_cast<double>(l + 1);
    double next = path[l].weight, total = 0;
    for (size_t i = l; i-- > 0;) {
      if (one != 0) {
        const double weight = next * length / (static_cast<double>(i + 1) * one);
        total += weight;
        next = path[i].weight - weight * zero * static_cast<double>(l - i) / length;
      } else if (zero != 0) {
        total += path[i].weight * length / (zero * static_cast<double>(l - i));
      }
    }
    return total;
  }

  void Walk(uint32_t node, std::vector<Element> path, double zero, double one, uint32_t player) {
    if ((++visited & 1023) == 0) stop.Poll();
    Extend(path, zero, one, player);
    const uint32_t flags = forest.FlagsOf(node);
    if ((flags & ForestParts::kLeaf) != 0) {
      const auto value = static_cast<double>(forest.ValueOf(node));
      for (size_t i = 1; i < path.size(); ++i)
        out[path[i].player] += UnwoundSum(path, i) * (path[i].one - path[i].zero) * value;
      return;
    }
    const uint32_t left = forest.LeftOf(node);
    const bool goes_left = forest.GoesLeft(node, dense, codes);
    const uint32_t hot = goes_left ? left : left + 1, cold = goes_left ? left + 1 : left;
    double zero_before = 1, one_before = 1;
    const uint32_t own = player_of[forest.FeatureOf(flags)];
    for (size_t i = 1; i < path.size(); ++i) {
      if (path[i].player != own) continue;
      zero_before = path[i].zero;
      one_before = path[i].one;
      Unwind(path, i);
      break;
    }
    const auto cover = static_cast<double>(forest.cover_[left]) + static_cast<double>(forest.cover_[left + 1]);
    const double hot_share = cover > 0 ? static_cast<double>(forest.cover_[hot]) / cover : 0.5;
    const double cold_share = cover > 0 ? static_cast<double>(forest.cover_[cold]) / cover : 0.5;
    if (hot_share > 0 || one_before > 0) Walk(hot, path, hot_share * zero_before, one_before, own);
    if (cold_share * zero_before > 0) Walk(cold, std::move(path), cold_share * zero_before, 0, own);
  }
};

// The mean leaf of a tree, over the training rows that its covers count.
double Forest::Expectation(uint32_t root) const {
  std::vector<std::pair<uint32_t, double>> open{{root, 1.0}};
  double sum = 0;
  while (!open.empty()) {
    const auto [node, share] = open.back();
    open.pop_back();
    if ((FlagsOf(node) & ForestParts::kLeaf) != 0) {
      sum += share * static_cast<double>(ValueOf(node));
      continue;
    }
    const uint32_t left = LeftOf(node);
    const double cover = static_cast<double>(cover_[left]) + static_cast<double>(cover_[left + 1]);
    const double left_share = cover > 0 ? static_cast<double>(cover_[left]) / cover : 0.5;
    open.emplace_back(left, share * left_share);
    open.emplace_back(left + 1, share * (1 - left_share));
  }
  return sum;
}

double Forest::Contributions(std::span<const float> dense, std::span<const uint32_t> codes, uint32_t output,
                             std::span<const uint32_t> player_of, const Stop& stop,
                             std::span<double> contributions) const {
  std::fill(contributions.begin(), contributions.end(), 0.0);
  auto expected = static_cast<double>(base_[output]);
  Path walk{*this, dense, codes, player_of, stop, contributions};
  for (size_t t = 0; t < roots_.size(); ++t) {
    if (groups_[t] != output) continue;
    expected += Expectation(roots_[t]);
    walk.Walk(roots_[t], {}, 1, 1, std::numeric_limits<uint32_t>::max());
  }
  return expected;
}

}  // namespace retrain
