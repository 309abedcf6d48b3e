// Networks: their kernels, their training, their bytes, and how they are weighed with the classifier.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/neural/blend.h"
#include "core/neural/ensemble_fit.h"
#include "core/neural/kernels.h"
#include "core/neural/network.h"

namespace retrain {
namespace {

float Uniform(Rng& rng) { return static_cast<float>(rng.Next() >> 40) * (2.0f / 16777216.0f) - 1.0f; }

std::vector<float> Floats(Rng& rng, size_t n) {
  std::vector<float> values(n);
  for (float& value : values) value = Uniform(rng);
  return values;
}

TEST(NetworkKernels, DoWhatTheirFormulasSay) {
  Rng rng(3);
  for (const uint32_t n : {16u, 48u, 256u}) {
    const std::vector<float> a = Floats(rng, n), b = Floats(rng, n);
    double dot = 0;
    for (uint32_t l = 0; l < n; ++l) dot += static_cast<double>(a[l]) * static_cast<double>(b[l]);
    EXPECT_NEAR(Dot(a.data(), b.data(), n), dot, 1e-4);
    std::vector<float> weights = a, squares(n, 0.25f);
    AdagradStep(2, b.data(), 0.1f, n, weights.data(), squares.data());
    for (uint32_t l = 0; l < n; ++l) {
      const float g = 2 * b[l], sum = 0.25f + g * g;
      EXPECT_FLOAT_EQ(squares[l], sum);
      EXPECT_NEAR(weights[l], a[l] - 0.1f * g / std::sqrt(sum + 1e-6f), 1e-5);
    }
    std::vector<float> scores = a;
    SoftmaxSlope(scores.data(), n - 5, n, 2, 0.1f, 3);
    double norm = 0;
    for (uint32_t k = 0; k < n - 5; ++k) norm += std::exp(static_cast<double>(a[k]));
    for (uint32_t k = 0; k < n; ++k) {
      const double target = 0.1 / (n - 5) + (k == 2 ? 0.9 : 0);
      EXPECT_NEAR(scores[k], k < n - 5 ? 3 * (std::exp(static_cast<double>(a[k])) / norm - target) : 0, 1e-5);
    }
  }
}

// Two words of four, one of two more: the intent depends on whether they agree, which no linear classifier can tell.
struct Puzzle {
  SparseMatrix rows;
  std::vector<uint32_t> labels, all;
  std::vector<float> weights;

  explicit Puzzle(uint32_t n, uint64_t seed = 5) {
    Rng rng(seed);
    rows.columns = 4;
    for (uint32_t i = 0; i < n; ++i) {
      const uint32_t a = rng.Below(2), b = rng.Below(2);
      rows.entries.push_back({a, 0.7071f});
      rows.entries.push_back({2 + b, 0.7071f});
      rows.begin.push_back(rows.entries.size());
      labels.push_back(a == b ? 0 : 1);
    }
    all.resize(n);
    std::iota(all.begin(), all.end(), 0u);
    weights.assign(n, 1.0f);
  }
  NetworkProblem problem() const { return {&rows, labels, weights, all, 2}; }
};

NetworkOptions Options(uint32_t networks, uint32_t passes) {
  NetworkOptions options;
  options.hidden = 64;
  options.passes = passes;
  options.ranges.assign(networks, ColumnRange{0, 4});
  return options;
}

std::vector<Network> Train(const NetworkProblem& problem, const NetworkOptions& options, int threads = 1,
                           std::chrono::microseconds step = std::chrono::seconds(10)) {
  const auto fit = MakeEnsembleFit(problem, options);
  double progress = 0;
  while (!fit->Step({std::chrono::steady_clock::now() + step, Stop{}, threads})) {
    EXPECT_GE(fit->Progress(), progress);
    progress = fit->Progress();
  }
  EXPECT_EQ(fit->Progress(), 1);
  return fit->TakeNetworks();
}

double Accuracy(const std::vector<Network>& networks, const Puzzle& puzzle) {
  NetworkScratch scratch;
  size_t right = 0;
  for (size_t i = 0; i < puzzle.labels.size(); ++i) {
    std::vector<float> scores(16);
    for (const Network& network : networks)
      AddScores(ViewOf(network), puzzle.rows.row(i), Stop{}, scratch, scores.data());
    right += (scores[1] > scores[0]) == (puzzle.labels[i] == 1);
  }
  return static_cast<double>(right) / static_cast<double>(puzzle.labels.size());
}

TEST(Networks, LearnWhatNoLinearClassifierCan) {
  const Puzzle puzzle(2000);
  EXPECT_EQ(Accuracy(Train(puzzle.problem(), Options(4, 20)), puzzle), 1.0);
}

TEST(Networks, LearnFromTheirRowsOnly) {
  // The other rows carry the opposite labels.
  Puzzle puzzle(2000);
  puzzle.all.resize(1000);
  const std::vector<uint32_t> right = puzzle.labels;
  for (size_t i = 1000; i < 2000; ++i) puzzle.labels[i] = 1 - puzzle.labels[i];
  const auto networks = Train(puzzle.problem(), Options(4, 40));
  puzzle.labels = right;
  EXPECT_EQ(Accuracy(networks, puzzle), 1.0);
}

TEST(Networks, SameBytesForAnyThreadsAndSteps) {
  const Puzzle puzzle(300);
  const NetworkOptions options = Options(5, 3);
  const auto reference = EncodeNetworks(Train(puzzle.problem(), options));
  for (const int threads : {1, 2, 4})
    EXPECT_EQ(EncodeNetworks(Train(puzzle.problem(), options, threads, std::chrono::microseconds(1))), reference);
  NetworkOptions other = options;
  other.seed = 43;
  EXPECT_NE(EncodeNetworks(Train(puzzle.problem(), other)), reference);
}

TEST(Networks, ReadOnlyTheirColumns) {
  const Puzzle puzzle(300);
  NetworkOptions options = Options(1, 3);
  options.ranges[0] = {2, 4};
  const auto networks = Train(puzzle.problem(), options);
  NetworkScratch scratch;
  std::vector<float> a(16), b(16);
  const SparseEntry x[] = {{0, 1.0f}, {2, 0.5f}}, y[] = {{1, 9.0f}, {2, 3.0f}};  // one column in range: length 1
  AddScores(ViewOf(networks[0]), x, Stop{}, scratch, a.data());
  AddScores(ViewOf(networks[0]), y, Stop{}, scratch, b.data());
  EXPECT_EQ(a, b);
}

TEST(Networks, LocalWeightsAndRestAddUpToTheScore) {
  const Puzzle puzzle(300);
  const auto networks = Train(puzzle.problem(), Options(3, 3));
  NetworkScratch scratch;
  const SparseEntry x[] = {{0, 0.6f}, {3, 0.8f}, {1, 0.1f}};
  for (const Network& network : networks) {
    const NetworkView view = ViewOf(network);
    std::vector<float> scores(16);
    AddScores(view, x, Stop{}, scratch, scores.data());
    for (uint32_t k = 0; k < 2; ++k) {
      std::vector<double> weights(3);
      double sum = AddLocalWeights(view, x, scratch, k, 2.0, weights);
      for (size_t i = 0; i < 3; ++i) sum += weights[i] * static_cast<double>(x[i].value);
      EXPECT_NEAR(sum, 2 * scores[k], 1e-4);
    }
  }
}

// What a fit leaves for a later one.
struct Earlier {
  std::vector<Network> networks;
  std::vector<NetworkSquares> squares;
  std::vector<NetworkView> views;
  std::vector<uint32_t> column_of, class_of;

  Earlier(const NetworkProblem& problem, const NetworkOptions& options)
      : column_of(problem.rows->columns), class_of(problem.n_classes) {
    const auto fit = MakeEnsembleFit(problem, options);
    while (!fit->Step({std::chrono::steady_clock::now() + std::chrono::seconds(10), Stop{}, 1})) {
    }
    networks = fit->TakeNetworks();
    squares = fit->TakeSquares();
    for (const Network& network : networks) views.push_back(ViewOf(network));
    std::iota(column_of.begin(), column_of.end(), 0u);
    std::iota(class_of.begin(), class_of.end(), 0u);
  }
  NetworkRestart restart() const { return {views, squares, column_of, class_of, {}}; }
};

// The same puzzle with columns and intents in another order, of which sixteen rows teach nothing to who does not know it.
TEST(Networks, GoOnFromAnEarlierModelWhoseColumnsAndIntentsWereOthers) {
  const Puzzle puzzle(2000);
  Earlier earlier(puzzle.problem(), Options(4, 20));
  Puzzle other = puzzle;
  for (SparseEntry& entry : other.rows.entries) entry.column = 3 - entry.column;
  for (uint32_t& label : other.labels) label = 1 - label;
  other.all.resize(16);
  NetworkOptions options = Options(4, 4);
  EXPECT_LT(Accuracy(Train(other.problem(), options), other), 0.9);
  earlier.column_of = {3, 2, 1, 0};
  earlier.class_of = {1, 0};
  const NetworkRestart restart = earlier.restart();
  options.restart = &restart;
  EXPECT_EQ(NetworkVisits(other.problem(), options), 16u);  // one pass of the four
  EXPECT_EQ(Accuracy(Train(other.problem(), options), other), 1.0);
}

// A new word that tells a new intent, in one row of twenty.
TEST(Networks, LearnNewWordsAndIntentsWithoutForgetting) {
  Puzzle puzzle(2000);
  const Earlier first(puzzle.problem(), Options(4, 20));
  puzzle.rows.columns = 5;
  for (size_t i = 0; i < 2000; i += 20) {
    puzzle.rows.entries[puzzle.rows.begin[i]].column = 4;
    puzzle.labels[i] = 2;
  }
  NetworkOptions options = Options(4, 16);
  for (ColumnRange& range : options.ranges) range.last = 5;
  NetworkRestart restart = first.restart();
  constexpr uint32_t kNotThere = NetworkRestart::kNotThere;
  const uint32_t column_of[] = {0, 1, 2, 3, kNotThere}, class_of[] = {0, 1, kNotThere};
  restart.column_of = column_of;
  restart.class_of = class_of;
  options.restart = &restart;
  NetworkProblem problem = puzzle.problem();
  problem.n_classes = 3;
  const auto networks = Train(problem, options);
  NetworkScratch scratch;
  for (size_t i = 0; i < puzzle.labels.size(); ++i) {
    std::vector<float> scores(16);
    for (const Network& network : networks)
      AddScores(ViewOf(network), puzzle.rows.row(i), Stop{}, scratch, scores.data());
    EXPECT_EQ(std::max_element(scores.begin(), scores.begin() + 3) - scores.begin(), puzzle.labels[i]) << i;
  }
}

// Rows that were learnt as the other intent are visited as often as in all passes.
TEST(Networks, VisitCorrectedRowsMoreOften) {
  const Puzzle puzzle(100);
  const Earlier earlier(puzzle.problem(), Options(1, 1));
  NetworkRestart restart = earlier.restart();
  NetworkOptions options = Options(1, 16);
  options.restart = &restart;
  EXPECT_EQ(NetworkVisits(puzzle.problem(), options), 3 * 100u);
  const auto as_before = EncodeNetworks(Train(puzzle.problem(), options));
  const uint32_t corrected[] = {3, 50};
  restart.corrected_rows = corrected;
  EXPECT_EQ(NetworkVisits(puzzle.problem(), options), 3 * (98 + 2 * 5u));
  EXPECT_NE(EncodeNetworks(Train(puzzle.problem(), options)), as_before);
}

// The kept means add up to the sums of all squared gradients; a restart that forgets them moves away from what it knows.
TEST(Networks, SquaredGradientsAreKept) {
  const Puzzle puzzle(500);
  Earlier earlier(puzzle.problem(), Options(1, 20));
  const NetworkSquares& kept = earlier.squares[0];
  EXPECT_TRUE(AreOf(kept, earlier.views[0]));
  const auto mean = [](const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  EXPECT_GT(mean(kept.input.rows), 0);
  EXPECT_NEAR(mean(kept.input.rows), mean(kept.input.columns), 1e-4 * mean(kept.input.rows));
  EXPECT_NEAR(mean(kept.output.rows), mean(kept.output.columns), 1e-4 * mean(kept.output.rows));
  NetworkRestart restart = earlier.restart();
  NetworkOptions options = Options(1, 4);
  options.restart = &restart;
  const auto moved = [&] {
    const Network now = Train(puzzle.problem(), options)[0];
    double squares = 0;
    for (size_t i = 0; i < now.output.size(); ++i) {
      const Network& before = earlier.networks[0];
      const auto difference =
          static_cast<double>(now.output_scale[i / now.stride] * static_cast<float>(now.output[i]) -
                              before.output_scale[i / now.stride] * static_cast<float>(before.output[i]));
      squares += difference * difference;
    }
    return std::sqrt(squares);
  };
  const double as_kept = moved();
  for (auto* values : {&earlier.squares[0].input.rows, &earlier.squares[0].output.rows, &earlier.squares[0].hidden_bias,
                       &earlier.squares[0].output_bias})
    std::fill(values->begin(), values->end(), 0.0f);
  EXPECT_LT(3 * as_kept, moved());
}

TEST(Networks, RestartsHaveOneOutcomeToo) {
  const Puzzle puzzle(300);
  const Earlier earlier(puzzle.problem(), Options(5, 3));
  const NetworkRestart restart = earlier.restart();
  NetworkOptions options = Options(5, 8);
  options.restart = &restart;
  const auto reference = EncodeNetworks(Train(puzzle.problem(), options));
  EXPECT_NE(reference, EncodeNetworks(earlier.networks));
  for (const int threads : {2, 4})
    EXPECT_EQ(EncodeNetworks(Train(puzzle.problem(), options, threads, std::chrono::microseconds(1))), reference);
}

TEST(Networks, RefuseToGoOnFromWhatDoesNotFit) {
  const Puzzle puzzle(50);
  const Earlier earlier(puzzle.problem(), Options(2, 1));
  const auto refused = [&](auto spoil) {
    NetworkRestart restart = earlier.restart();
    NetworkOptions options = Options(2, 1);
    options.restart = &restart;
    std::vector<NetworkSquares> squares = earlier.squares;
    restart.squares = squares;
    EXPECT_NO_THROW(MakeEnsembleFit(puzzle.problem(), options));
    std::vector<uint32_t> class_of = earlier.class_of;
    restart.class_of = class_of;
    spoil(restart, options, squares, class_of);
    EXPECT_THROW(MakeEnsembleFit(puzzle.problem(), options), Error);
  };
  refused([](auto& restart, auto&, auto&, auto&) { restart.networks = restart.networks.first(1); });
  refused([](auto& restart, auto&, auto&, auto&) { restart.squares = restart.squares.first(1); });
  refused([](auto& restart, auto&, auto&, auto&) { restart.column_of = restart.column_of.first(3); });
  refused([](auto& restart, auto&, auto&, auto&) { restart.class_of = restart.class_of.first(1); });
  refused([](auto&, auto& options, auto&, auto&) { options.hidden = 32; });
  refused([](auto&, auto&, auto& squares, auto&) { squares[1].input.rows.pop_back(); });
  refused([](auto&, auto&, auto& squares, auto&) { squares[1].output.columns.clear(); });
  refused([](auto&, auto&, auto&, auto& class_of) { class_of[1] = 16; });
}

TEST(Networks, StopEndsTheStep) {
  const Puzzle puzzle(300);
  const auto fit = MakeEnsembleFit(puzzle.problem(), Options(2, 100));
  const Stop stop{[]() noexcept { return true; }};
  EXPECT_FALSE(fit->Step({std::chrono::steady_clock::now() + std::chrono::hours(1), stop, 2}));
}

TEST(Networks, RefuseWhatDoesNotFitTogether) {
  const Puzzle puzzle(50);
  NetworkProblem problem = puzzle.problem();
  problem.n_classes = 1;
  EXPECT_THROW(MakeEnsembleFit(problem, Options(1, 1)), Error);
  problem = puzzle.problem();
  problem.train_rows = {};
  EXPECT_THROW(MakeEnsembleFit(problem, Options(1, 1)), Error);
  const uint32_t outside[] = {50};
  problem.train_rows = outside;
  EXPECT_THROW(MakeEnsembleFit(problem, Options(1, 1)), Error);
  for (const ColumnRange range : {ColumnRange{0, 5}, ColumnRange{2, 2}}) {
    NetworkOptions options = Options(1, 1);
    options.ranges[0] = range;
    EXPECT_THROW(MakeEnsembleFit(puzzle.problem(), options), Error);
  }
  NetworkOptions odd = Options(1, 1);
  odd.hidden = 20;
  EXPECT_THROW(MakeEnsembleFit(puzzle.problem(), odd), Error);
}

TEST(Networks, BytesGrowWithThreadsUpToTheNetworksAndOverflowIsAnError) {
  const NetworkOptions options = Options(3, 1);
  EXPECT_LT(EnsembleFitBytes(1000, 2, options, 1), EnsembleFitBytes(1000, 2, options, 2));
  EXPECT_EQ(EnsembleFitBytes(1000, 2, options, 3), EnsembleFitBytes(1000, 2, options, 9));
  EXPECT_THROW(EnsembleFitBytes(std::numeric_limits<uint64_t>::max(), 2, options, 1), Error);
}

TEST(NetworkBytes, GiveBackWhatWasWrittenAndRefuseTheRest) {
  const Puzzle puzzle(100);
  const auto networks = Train(puzzle.problem(), Options(2, 1));
  const std::vector<uint8_t> bytes = EncodeNetworks(networks);
  EXPECT_EQ(bytes.size(), sizeof(uint32_t) + 2 * NetworkBytes(4, 64, 16));
  const auto views = DecodeNetworks(bytes, 4, 16);
  ASSERT_EQ(views.size(), 2u);
  NetworkScratch scratch;
  for (size_t m = 0; m < 2; ++m) {
    std::vector<float> a(16), b(16);
    AddScores(ViewOf(networks[m]), puzzle.rows.row(0), Stop{}, scratch, a.data());
    AddScores(views[m], puzzle.rows.row(0), Stop{}, scratch, b.data());
    EXPECT_EQ(a, b);
  }
  for (size_t size = 0; size < bytes.size(); size += 7)
    EXPECT_THROW(DecodeNetworks(std::span(bytes).first(size), 4, 16), Error) << size;
  EXPECT_THROW(DecodeNetworks(bytes, 3, 16), Error);
  EXPECT_THROW(DecodeNetworks(bytes, 4, 32), Error);
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  EXPECT_THROW(DecodeNetworks(longer, 4, 16), Error);
  // Count, first, last, hidden, stride, then the first scale: each with a value that is impossible there.
  const std::pair<size_t, uint32_t> wrong[] = {{0, 0},   {0, 65},           {4, 4},           {8, 5}, {12, 65}, {12, 0},
                                               {16, 32}, {20, 0x7F800000u}, {20, 0x7FC00000u}};
  for (const auto& [at, value] : wrong) {
    std::vector<uint8_t> changed = bytes;
    std::memcpy(changed.data() + at, &value, sizeof value);
    EXPECT_THROW(DecodeNetworks(changed, 4, 16), Error) << at << " " << value;
  }
}

// Scores that know the answer and margins that do not, and the other way round.
TEST(Blend, FollowsWhatTheRowsSay) {
  constexpr uint32_t kClasses = 3;
  Rng rng(11);
  std::vector<float> knowing, guessing;
  std::vector<uint32_t> labels;
  for (size_t i = 0; i < 900; ++i) {
    labels.push_back(rng.Below(kClasses));
    for (uint32_t k = 0; k < kClasses; ++k) {
      knowing.push_back((k == labels.back() ? 1.0f : 0.0f) + Uniform(rng));
      guessing.push_back(Uniform(rng));
    }
  }
  const auto fit = [&](const std::vector<float>& margins, const std::vector<float>& scores) {
    BlendFit blend(margins, scores, labels, kClasses);
    while (!blend.Next(1, Stop{})) {
    }
    return blend.best();
  };
  const Blend networks = fit(guessing, knowing), both = fit(knowing, knowing);
  EXPECT_LT(networks.classifier, 0.1f * networks.networks);
  EXPECT_GT(networks.networks, 1);
  // Said twice, it is still only said once: the two weights add up to what the scores alone would get.
  EXPECT_NEAR(both.classifier + both.networks, networks.networks, 0.2);
}

}  // namespace
}  // namespace retrain
