// Stochastic gradient descent for the network of network.h, one row at a time.
//
//   min  sum_i v_i H(t_i, softmax(out(x_i)))   t_i = (1 - e) [k = y_i] + e / K   (label smoothing: Szegedy, Vanhoucke,
//                                              Ioffe, Shlens and Wojna, "Rethinking the Inception architecture", 2016)
//
// with inverted dropout of features and hidden units (Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov,
// "Dropout", JMLR 15, 2014) and Adagrad (Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011), whose
// rate falls in a straight line to zero. Each visit of a row draws anew which of its features and which units take part:
//
//   (a) h = max(0, b + sum_i x_i E_i) / (1 - p)   for the units drawn
//   (b) d = v (softmax(c + h W) - t)
//   (c) s_j = (W_j . d) / (1 - p) for units above zero, else 0;  W, c take their step along h_j d, d
//   (d) E_i, b take their step along x_i s, s
//
// A single network is no better than the linear classifier. The mean of several that differ in their first weights, their
// draws and the columns they read is: see docs/training.md for the numbers.
#include "core/neural/network_fit.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/linear/problem.h"
#include "core/neural/kernels.h"

namespace retrain {
namespace {

// Found on held-out rows of CLINC150 and BANKING77, and none of them sharp.
constexpr float kRate = 0.05f, kSmoothing = 0.05f;
constexpr float kFeatureDropout = 0.5f, kHiddenDropout = 0.4f;
constexpr float kInputFrom = 0.05f;  // first weights are uniform up to here, those of the output up to sqrt(3 / units)

// A long message drops more of its features, so that one visit stays below a millisecond or two.
constexpr size_t kFeaturesOfVisit = 2048;
// Features of the rows between two looks at the clock.
constexpr uint64_t kFeaturesOfSlice = 2048;
// A row that weighs more than this many others could throw the network off its way in one step.
constexpr float kHeaviest = 8;

// Sixteen random bits at a time.
class Coins {
 public:
  Coins(Rng& rng, float probability) : rng_(rng), below_(static_cast<uint32_t>(probability * 65536.0f)) {}
  // True with the probability.
  bool Toss() {
    if (left_ == 0) bits_ = rng_.Next(), left_ = 4;
    const bool heads = (bits_ & 65535) < below_;
    bits_ >>= 16;
    --left_;
    return heads;
  }

 private:
  Rng& rng_;
  uint32_t below_;
  uint64_t bits_ = 0;
  int left_ = 0;
};

// Passes after a restart, as a share of all.
constexpr double kRestartShare = 3.0 / 16;

uint32_t PassesOf(const NetworkOptions& options) {
  const double share = options.restart == nullptr ? 1 : kRestartShare;
  return static_cast<uint32_t>(std::ceil(share * options.passes));
}

// What networks know of an intent that is new to them is only what its rows tell, and a row that they learnt as another intent is
// not unlearnt in a few visits: these are visited in every pass after a restart so often that it comes to as many visits as in
// all passes.
uint32_t TimesInPass(const NetworkProblem& problem, const NetworkOptions& options, uint32_t row) {
  if (options.restart == nullptr) return 1;
  const NetworkRestart& restart = *options.restart;
  if (restart.class_of[problem.labels[row]] != NetworkRestart::kNotThere &&
      !std::binary_search(restart.corrected_rows.begin(), restart.corrected_rows.end(), row))
    return 1;
  return options.passes / PassesOf(options);
}

uint64_t SeedOf(uint64_t seed, size_t which) { return Rng(seed + 0x5851F42D4C957F2Dull * (which + 1)).Next(); }

}  // namespace

uint64_t RowsOfPass(const NetworkProblem& problem, const NetworkOptions& options) {
  uint64_t rows = 0;
  for (const uint32_t row : problem.train_rows) rows += TimesInPass(problem, options, row);
  return rows;
}

uint64_t NetworkVisits(const NetworkProblem& problem, const NetworkOptions& options) {
  return PassesOf(options) * RowsOfPass(problem, options);
}

NetworkFit::NetworkFit(const NetworkProblem& problem, const NetworkOptions& options, size_t which,
                       std::atomic<uint64_t>& rows_done)
    : problem_(problem), options_(options), which_(which), rng_(SeedOf(options.seed, which)), rows_done_(rows_done) {
  network_.first = options.ranges[which].first;
  network_.last = options.ranges[which].last;
  network_.hidden = options.hidden;
  network_.stride = (problem.n_classes + 15) / 16 * 16;
  work_ = Run();
}

uint64_t NetworkFit::Bytes(uint64_t n_rows, uint64_t columns, uint64_t hidden, uint64_t stride) {
  ByteSum sum;
  // Weights and their squares, and the stored bytes beside them at the end.
  sum.Add({2 * sizeof(float) + 1, columns, hidden}).Add({2 * sizeof(float) + 1, stride, hidden});
  sum.Add({4 * sizeof(float), columns}).Add({12 * sizeof(float), hidden}).Add({6 * sizeof(float), stride});
  return sum.Add({n_rows, sizeof(uint32_t)}).total();
}

Resumable NetworkFit::Run() {
  const uint32_t hidden = network_.hidden, stride = network_.stride;
  hidden_bias_.Resize(hidden);
  output_bias_.Resize(stride);
  hidden_.resize(hidden);
  hidden_slope_.resize(hidden);
  scores_.resize(stride);
  double weight = 0;
  for (const uint32_t row : problem_.train_rows) {
    weight += static_cast<double>(problem_.row_weights[row]);
    order_.insert(order_.end(), TimesInPass(problem_, options_, row), row);
  }
  mean_weight_ = static_cast<float>(weight / static_cast<double>(problem_.train_rows.size()));
  Resumable part = options_.restart == nullptr ? BeginAtRandom() : GoOn(*options_.restart);
  while (!part.Resume()) co_await Pause{};
  for (part = Walk(); !part.Resume();) co_await Pause{};
  for (part = KeepSquares(); !part.Resume();) co_await Pause{};
  for (part = Store(input_, hidden, network_.input_scale, network_.input); !part.Resume();) co_await Pause{};
  for (part = Store(output_, stride, network_.output_scale, network_.output); !part.Resume();) co_await Pause{};
  network_.hidden_bias = std::move(hidden_bias_.values);
  network_.output_bias = std::move(output_bias_.values);
}

Resumable NetworkFit::BeginAtRandom() {
  const uint32_t hidden = network_.hidden, columns = network_.last - network_.first;
  for (Resumable draw = Draw(input_, kInputFrom, columns, hidden, hidden); !draw.Resume();) co_await Pause{};
  for (Resumable draw =
           Draw(output_, std::sqrt(3.0f / static_cast<float>(hidden)), hidden, network_.stride, problem_.n_classes);
       !draw.Resume();)
    co_await Pause{};
}

Resumable NetworkFit::Walk() {
  const uint32_t passes = PassesOf(options_);
  const double visits = static_cast<double>(passes) * static_cast<double>(order_.size());
  double visited = 0;
  for (uint32_t pass = 0; pass < passes; ++pass) {
    // A forward Fisher-Yates shuffle, walked as it is made.
    for (size_t at = 0; at < order_.size(); ++at) {
      std::swap(order_[at], order_[at + rng_.Below(static_cast<uint32_t>(order_.size() - at))]);
      Visit(order_[at], kRate * static_cast<float>(1 - visited / visits));
      ++visited;
      rows_done_.fetch_add(1, std::memory_order_relaxed);
      if ((done_in_slice_ += features_.size() + 16) < kFeaturesOfSlice) continue;
      done_in_slice_ = 0;
      co_await Pause{};
    }
  }
}

// Rows of `width` that are uniform in [-largest, largest]; lanes from `used` on stay zero.
Resumable NetworkFit::Draw(Weights& weights, float largest, uint32_t n_rows, uint32_t width, uint32_t used) {
  weights.Reserve(size_t{n_rows} * width);
  size_t drawn = 0;
  for (size_t at = 0; at < size_t{n_rows} * width; at += width) {
    weights.Resize(at + width);
    for (uint32_t l = 0; l < used; ++l)
      weights.values[at + l] = largest * (static_cast<float>(rng_.Next() >> 40) * (2.0f / 16777216.0f) - 1.0f);
    if ((drawn += width) < kWeightsOfSlice) continue;
    drawn = 0;
    co_await Pause{};
  }
}

// Rows as signed bytes, scale = largest / 127.
Resumable NetworkFit::Store(const Weights& weights, uint32_t width, std::vector<float>& scale,
                            std::vector<int8_t>& bytes) {
  constexpr float kRoundShift = 12582912.0f;  // 1.5 * 2^23: adding and subtracting it rounds, ties to even
  const size_t n_rows = weights.values.size() / width;
  scale.resize(n_rows);
  bytes.reserve(weights.values.size());
  size_t stored = 0;
  for (size_t row = 0; row < n_rows; ++row) {
    const float* values = weights.values.data() + row * width;
    float largest = 0;
    bool finite = true;
    for (uint32_t l = 0; l < width; ++l) {
      finite &= std::isfinite(values[l]);
      largest = std::max(largest, std::fabs(values[l]));
    }
    if (!finite)
      throw Error(ErrorCode::kInternal, "training produced weights that are not finite", {},
                  "check the features for values of very different size");
    float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    scale[row] = largest / 127.0f;
    if (!std::isfinite(inverse)) inverse = scale[row] = 0.0f;
    for (uint32_t l = 0; l < width; ++l) {
      const float rounded = (values[l] * inverse + kRoundShift) - kRoundShift;
      bytes.push_back(static_cast<int8_t>(std::clamp(rounded, -127.0f, 127.0f)));
    }
    if ((stored += width) < kWeightsOfSlice) continue;
    stored = 0;
    co_await Pause{};
  }
}

void NetworkFit::Visit(uint32_t row, float rate) {
  ReadFeatures(row);
  ReadHidden();
  Learn(row, rate);
}

// The row's features in the network's columns, scaled to length 1, without those that this visit drops.
void NetworkFit::ReadFeatures(uint32_t row) {
  features_.clear();
  double squares = 0;
  for (const SparseEntry& entry : problem_.rows->row(row)) {
    if (entry.column < network_.first || entry.column >= network_.last) continue;
    squares += static_cast<double>(entry.value) * static_cast<double>(entry.value);
    features_.push_back({entry.column - network_.first, entry.value});
  }
  if (!(squares > 0)) return features_.clear();
  const float kept =
      std::min(1 - kFeatureDropout, static_cast<float>(kFeaturesOfVisit) / static_cast<float>(features_.size()));
  const float scale = static_cast<float>(1 / std::sqrt(squares)) / kept;
  Coins keep(rng_, kept);
  size_t n = 0;
  for (const SparseEntry& entry : features_)
    if (keep.Toss()) features_[n++] = {entry.column, scale * entry.value};
  features_.resize(n);
}

// Step (a).
void NetworkFit::ReadHidden() {
  const uint32_t hidden = network_.hidden;
  hidden_.assign(hidden_bias_.values.begin(), hidden_bias_.values.end());
  for (const SparseEntry& entry : features_)
    AddScaledRow(entry.value, input_.values.data() + size_t{entry.column} * hidden, hidden, hidden_.data());
  open_.clear();
  Coins drop(rng_, kHiddenDropout);
  for (uint32_t j = 0; j < hidden; ++j) {
    const bool dropped = drop.Toss();
    if (dropped || !(hidden_[j] > 0)) continue;
    hidden_[j] *= 1 / (1 - kHiddenDropout);
    open_.push_back(j);
  }
}

// Steps (b), (c), (d).
void NetworkFit::Learn(uint32_t row, float rate) {
  const uint32_t hidden = network_.hidden, stride = network_.stride;
  scores_.assign(output_bias_.values.begin(), output_bias_.values.end());
  for (const uint32_t j : open_)
    AddScaledRow(hidden_[j], output_.values.data() + size_t{j} * stride, stride, scores_.data());
  float weight = std::min(problem_.row_weights[row] / mean_weight_, kHeaviest);
  // With its whole weight at each of many visits a new intent would seem more frequent than it is; with as much less of it as
  // there are more, it is learnt too late.
  if (const uint32_t times = TimesInPass(problem_, options_, row); times > 1)
    weight /= std::sqrt(static_cast<float>(times));
  SoftmaxSlope(scores_.data(), problem_.n_classes, stride, problem_.labels[row], kSmoothing, weight);
  std::fill(hidden_slope_.begin(), hidden_slope_.end(), 0.0f);
  for (const uint32_t j : open_) {
    float* values = output_.values.data() + size_t{j} * stride;
    hidden_slope_[j] = Dot(values, scores_.data(), stride) * (1 / (1 - kHiddenDropout));
    AdagradStep(hidden_[j], scores_.data(), rate, stride, values, output_.squares.data() + size_t{j} * stride);
  }
  AdagradStep(1, scores_.data(), rate, stride, output_bias_.values.data(), output_bias_.squares.data());
  for (const SparseEntry& entry : features_) {
    const size_t at = size_t{entry.column} * hidden;
    AdagradStep(entry.value, hidden_slope_.data(), rate, hidden, input_.values.data() + at, input_.squares.data() + at);
  }
  AdagradStep(1, hidden_slope_.data(), rate, hidden, hidden_bias_.values.data(), hidden_bias_.squares.data());
}

}  // namespace retrain
