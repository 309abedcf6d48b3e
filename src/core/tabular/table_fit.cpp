// The fit of each algorithm: from encoded rows to the numbers of a model.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/tabular/table_trainer.h"

namespace retrain {
namespace {

constexpr size_t kBatchRows = 4096;
constexpr uint32_t kOneHotCodes = 8;  // encoding auto: beyond, a column of codes that splits take sets of
// Largest absolute targets of a regression that trees are grown on as they are. The library takes a gain below 1e-6 for none,
// and keeps gains, which are squares, in single precision: others are multiplied by a power of two while the trees grow.
constexpr double kSmallestPlain = 0x1p-7, kLargestPlain = 0x1p30;
// Below, single precision has few digits left for leaves.
constexpr double kSmallestTarget = 1e-30;

// Rows of one part as the trees see them, handed over in batches of floats.
class TreeRows {
 public:
  TreeRows(const Table& table, const Encoder& encoder, std::span<const uint32_t> place_of, size_t first, size_t n,
           const TableConfig& config, const Stop& stop)
      : table_(table), encoder_(encoder), place_of_(place_of), first_(first), n_(n), stop_(stop) {
    // Trees know of missing values by themselves.
    for (uint32_t i = 0; i < encoder.n_dense(); ++i)
      if (encoder.dense()[i].part != DensePart::kMissing) dense_.push_back(i);
    columns_ = dense_.size();
    for (const CategoryFeature& feature : encoder.categories()) {
      const bool one_hot =
          config.encoding == "one_hot" ||
          (config.encoding == "auto" && (feature.n_codes() <= kOneHotCodes || config.tree_method == "exact"));
      one_hot_.push_back(one_hot);
      at_of_.push_back(columns_);
      columns_ += one_hot ? feature.n_codes() : 1;
    }
  }

  bool one_hot(size_t category) const noexcept { return one_hot_[category]; }
  size_t first_column(size_t category) const noexcept { return at_of_[category]; }

  std::span<const uint32_t> dense() const noexcept { return dense_; }

  size_t columns() const noexcept { return columns_; }
  bool cancelled() const noexcept { return cancelled_; }
  const std::string& failure() const noexcept { return failure_; }
  static void Reset(void* self) { static_cast<TreeRows*>(self)->at_ = 0; }
  static uint64_t Next(void* self, const float** batch) { return static_cast<TreeRows*>(self)->Next(batch); }

 private:
  // Called from inside the library: nothing may be thrown.
  uint64_t Next(const float** batch) noexcept {
    if (stop_.Requested()) cancelled_ = true;
    const size_t rows = std::min(kBatchRows, n_ - at_);
    if (cancelled_ || rows == 0) return 0;
    try {
      Encode(rows);
    } catch (const std::exception& error) {
      failure_ = error.what();
      return 0;
    }
    at_ += rows;
    *batch = batch_.data();
    return rows;
  }

  void Encode(size_t rows) {
    const size_t d = encoder_.n_dense(), n_categories = encoder_.n_categories();
    encoder_.EncodeRows(table_, place_of_, first_ + at_, rows, false, block_);
    batch_.assign(rows * columns_, 0);
    for (size_t r = 0; r < rows; ++r) {
      float* out = batch_.data() + r * columns_;
      for (size_t i = 0; i < dense_.size(); ++i)
        out[i] = static_cast<float>(std::clamp(block_.dense[r * d + dense_[i]],
                                               -static_cast<double>(std::numeric_limits<float>::max()),
                                               static_cast<double>(std::numeric_limits<float>::max())));
      for (size_t c = 0; c < n_categories; ++c) {
        const uint32_t code = block_.codes[r * n_categories + c];
        if (!one_hot_[c])
          out[at_of_[c]] = code == kNoCode ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(code);
        else if (code != kNoCode)
          out[at_of_[c] + code] = 1;
      }
    }
  }

  const Table& table_;
  const Encoder& encoder_;
  std::span<const uint32_t> place_of_;
  size_t first_, n_, columns_ = 0, at_ = 0;
  bool cancelled_ = false;
  std::vector<bool> one_hot_;  // of each category feature
  std::vector<size_t> at_of_;  // its first column
  const Stop& stop_;
  std::string failure_;
  std::vector<uint32_t> dense_;  // dense features that are columns
  EncodedBlock block_;
  std::vector<float> batch_;
};

// The library behind its table of functions.
class Booster {
 public:
  explicit Booster(const BoosterApi& api) : api_(api) {}
  ~Booster() {
    if (handle_ != nullptr) api_.destroy(handle_);
  }
  Booster(const Booster&) = delete;

  void Create(const BoosterRows& train, const BoosterRows* validation, bool quantised, int threads,
              const std::vector<std::pair<std::string, std::string>>& parameters) {
    std::vector<BoosterParameter> plain;
    for (const auto& [name, value] : parameters) plain.push_back({name.c_str(), value.c_str()});
    Check(api_.create(&train, validation, quantised, threads, plain.data(), plain.size(), &handle_, error_.data(),
                      error_.size()));
  }
  void Round(int iteration, std::span<const float> gradients, std::span<const float> hessians) {
    Check(api_.round(handle_, iteration, gradients.empty() ? nullptr : gradients.data(),
                     hessians.empty() ? nullptr : hessians.data(), gradients.size(), error_.data(), error_.size()));
  }
  double Evaluate(int iteration) {
    double value = 0;
    Check(api_.evaluate(handle_, iteration, &value, error_.data(), error_.size()));
    return value;
  }
  std::span<const uint8_t> Save() {
    const uint8_t* bytes = nullptr;
    uint64_t size = 0;
    Check(api_.save(handle_, &bytes, &size, error_.data(), error_.size()));
    return {bytes, static_cast<size_t>(size)};
  }

 private:
  void Check(int code) const {
    if (code != 0)
      throw Error(ErrorCode::kInternal, std::string(api_.engine) + " failed", error_.data(), "look at p_config");
  }
  const BoosterApi& api_;
  void* handle_ = nullptr;
  std::array<char, 1024> error_{};
};

std::string Number(double value) { return JsonWriter().Number(value).Take(); }

// What the targets are multiplied by while trees grow on them; `largest` of their absolute values.
double TargetScale(double largest, const std::string& target) {
  if (largest == 0 || (largest >= kSmallestPlain && largest <= kLargestPlain)) return 1;
  if (largest < kSmallestTarget)
    throw Error(ErrorCode::kInvalidParameter, "the target \"" + target + "\" is too small for trees",
                "no value is beyond " + Number(largest) + ", and trees hold single precision",
                "multiply it in the query, or use p_algorithm => 'ridge'");
  return std::ldexp(1.0, -std::ilogb(largest));
}

// A parameter in units of the target, or of its square, for targets multiplied by `scale`.
std::string Scaled(double value, double scale) {
  const double scaled = std::min(value * scale, static_cast<double>(std::numeric_limits<float>::max()));
  return Number(scaled < static_cast<double>(std::numeric_limits<float>::min()) ? 0 : scaled);
}

std::vector<std::pair<std::string, std::string>> ParametersOf(const TableConfig& config, const std::string& objective,
                                                              size_t n_classes, double scale) {
  std::vector<std::pair<std::string, std::string>> p{
      {"booster", "gbtree"},
      {"objective", objective},
      {"verbosity", "0"},
      {"tree_method", config.tree_method},
      {"seed", std::to_string(config.seed)},
      {"max_depth", std::to_string(config.max_depth)},
      {"max_bin", std::to_string(config.max_bin)},
      {"colsample_bytree", Number(config.colsample_bytree)},
      {"colsample_bylevel", Number(config.colsample_bylevel)},
      {"min_child_weight", Number(config.min_child_weight)},
      {"reg_lambda", Number(config.reg_lambda)},
      {"reg_alpha", Scaled(config.reg_alpha, scale)},
      {"gamma", Scaled(config.gamma, scale * scale)},
  };
  if (objective == "multi:softprob") p.emplace_back("num_class", std::to_string(n_classes));
  return p;
}

}  // namespace

Resumable TableTrainer::Fit() {
  double done = 0;
  const size_t n = result_.training_rows, p = result_.features;
  const auto advance = [&] { Advance(TrainingPhase::kFitting, 10 + 70 * done); };
  if (NeedsBooster(result_.algorithm)) {
    for (auto part = FitTrees(); !part.Resume();) co_await Pause{};
    co_return;
  }
  if (result_.algorithm == TableAlgorithm::kKmeans) {
    const KmeansOptions options{result_.config.k, result_.config.max_k, result_.config.restarts,
                                result_.config.max_iterations, result_.config.seed};
    if (const size_t k = options.k; n < std::max<size_t>(k, 2)) {
      result_.failed = true;
      result_.failure = "there are fewer training rows than clusters";
      co_return;
    }
    CheckMemory(table_->bytes() + KmeansBytes(n, p, options), "the rows and the clusters");
    const EncodedRows rows(*table_, parts_.encoder, place_of_, 0, n, KeepBytes());
    for (auto part = FitKmeans(rows, options, pace_, result_.clusters, done); !part.Resume();) {
      advance();
      co_await Pause{};
    }
    NumberClusters();
    co_return;
  }
  TableLinear linear;
  const bool ridge = result_.algorithm == TableAlgorithm::kRidge;
  const size_t outputs = ridge || n_classes() == 2 ? 1 : n_classes();
  CheckMemory(table_->bytes() + (ridge ? RidgeBytes(p) : LogisticBytes(p, outputs)), "the rows and the equations");
  const EncodedRows rows(*table_, parts_.encoder, place_of_, 0, n, KeepBytes());
  const LogisticOptions options{result_.config.c, result_.config.max_iterations, result_.config.balanced};
  Resumable part = ridge ? FitRidge(rows, result_.config.alpha, pace_, linear, done)
                         : FitLogistic(rows, n_classes(), options, pace_, linear, done);
  while (!part.Resume()) {
    advance();
    co_await Pause{};
  }
  parts_.weights = std::move(linear.weights);
  parts_.bias = std::move(linear.bias);
  parts_.means = std::move(linear.means);
  LinearImportance();
}

Resumable TableTrainer::FitTrees() {
  const TableConfig& config = result_.config;
  const Encoder& encoder = parts_.encoder;
  const bool forest = result_.algorithm == TableAlgorithm::kRandomForest;
  const bool classes = request_.task == TableTask::kClassification;
  const size_t n = result_.training_rows, n_validation = result_.validation_rows;
  // A forest predicts the share of each class in the leaves: one target for each, one for two classes.
  const size_t n_labels = forest && classes && n_classes() > 2 ? n_classes() : 1;
  TreeRows train(*table_, encoder, place_of_, 0, n, config, pace_.stop());
  TreeRows validation(*table_, encoder, place_of_, table_->first(TablePart::kValidation), n_validation, config,
                      pace_.stop());
  const bool quantised = config.tree_method == "hist";
  const uint64_t cell = quantised ? (config.max_bin > 256 ? 2 : 1) + 1 : 12;
  CheckMemory(table_->bytes() + n * train.columns() * cell + n * n_labels * 16 + kBatchRows * train.columns() * 16,
              "the rows and the trees");

  const bool stops_early = !forest && config.early_stopping_rounds > 0 && n_validation > 0;
  double mean = 0, largest = 0;
  if (!classes) {
    for (size_t i = 0; i < n; ++i) {
      mean += table_->target(i) / static_cast<double>(n);
      largest = std::max(largest, std::abs(table_->target(i)));
    }
    for (size_t i = 0; stops_early && i < n_validation; ++i)
      largest = std::max(largest, std::abs(table_->target(table_->first(TablePart::kValidation) + i)));
  }
  const double scale = TargetScale(largest, request_.target);
  const auto labels_of = [&](size_t first, size_t rows) {
    std::vector<float> labels(rows * n_labels);
    for (size_t i = 0; i < rows; ++i) {
      const double y = table_->target(first + i);
      if (n_labels == 1)
        labels[i] = static_cast<float>(y * scale);
      else if (y < static_cast<double>(n_labels))
        labels[i * n_labels + static_cast<size_t>(y)] = 1;
    }
    return labels;
  };
  std::vector<float> labels = labels_of(0, n), validation_labels;
  if (stops_early) {
    validation_labels = labels_of(table_->first(TablePart::kValidation), n_validation);
    for (float& label : validation_labels)  // a class that only held-out rows have
      if (classes && label >= static_cast<float>(n_classes())) label = 0;
  } else if (!forest && config.early_stopping_rounds > 0) {
    Warn("no_validation_rows", "", "there are no validation rows, so early_stopping_rounds has no effect");
  }
  std::vector<uint8_t> categorical(train.columns());
  for (size_t c = 0; c < encoder.n_categories(); ++c)
    categorical[train.first_column(c)] = !train.one_hot(c) && config.encoding != "ordinal";
  const auto columns = static_cast<uint32_t>(train.columns());
  const BoosterRows train_rows{
      &train,        TreeRows::Reset,   TreeRows::Next, n, columns, static_cast<uint32_t>(n_labels),
      labels.data(), categorical.data()};
  const BoosterRows validation_rows{&validation,
                                    TreeRows::Reset,
                                    TreeRows::Next,
                                    n_validation,
                                    columns,
                                    static_cast<uint32_t>(n_labels),
                                    validation_labels.data(),
                                    categorical.data()};
  const std::string objective = forest || !classes ? "reg:squarederror"
                                : n_classes() == 2 ? "binary:logistic"
                                                   : "multi:softprob";
  auto parameters = ParametersOf(config, objective, n_classes(), scale);
  if (forest) {
    // The library cuts the share of the columns to a whole number: of three columns it would try one at each split.
    const double all = static_cast<double>(train.columns()), tried = std::ceil(config.colsample_bynode * all - 1e-9);
    parameters.emplace_back("colsample_bynode", Number(std::min(1.0, (tried + 0.5) / all)));
    parameters.emplace_back("learning_rate", "1");
    parameters.emplace_back("base_score", "0");
  } else {
    parameters.emplace_back("colsample_bynode", Number(config.colsample_bynode));
    parameters.emplace_back("learning_rate", Number(config.learning_rate));
    parameters.emplace_back("subsample", Number(config.subsample));
    parameters.emplace_back("max_delta_step", Scaled(config.max_delta_step, scale));
    if (objective == "binary:logistic") parameters.emplace_back("scale_pos_weight", Number(config.scale_pos_weight));
  }
  Booster booster(*request_.booster);
  try {
    booster.Create(train_rows, stops_early ? &validation_rows : nullptr, quantised, pace_.threads(), parameters);
  } catch (const Error&) {
    pace_.stop().Poll();
    throw;
  }
  co_await Pause{};

  // A tree of a forest is fitted to the targets themselves on rows drawn for it: gradients y - mean with weight 0 or 1.
  std::vector<float> gradients, hessians;
  if (forest) gradients.resize(labels.size()), hessians.resize(labels.size());
  uint32_t rounds = 0, best_round = 0;
  double best = std::numeric_limits<double>::infinity();
  for (; rounds < config.n_estimators; ++rounds) {
    if (forest) {
      Rng rng(config.seed * 0x9E3779B97F4A7C15ull + rounds);
      for (size_t i = 0; i < n; ++i) {
        const bool drawn = static_cast<double>(rng.Next() >> 11) * 0x1.0p-53 < config.subsample;
        for (size_t j = 0; j < n_labels; ++j) {
          const size_t at = i * n_labels + j;
          const double y = n_labels == 1 ? table_->target(i) : static_cast<double>(labels[at]);
          gradients[at] = drawn ? static_cast<float>((mean - y) * scale) : 0;
          hessians[at] = drawn ? 1 : 0;
        }
      }
    }
    booster.Round(static_cast<int>(rounds), gradients, hessians);
    Advance(TrainingPhase::kFitting, 10 + 65 * (rounds + 1) / config.n_estimators);
    if (stops_early) {
      const double value = booster.Evaluate(static_cast<int>(rounds));
      if (value < best) best = value, best_round = rounds;
      if (rounds >= best_round + config.early_stopping_rounds) {
        ++rounds;
        break;
      }
    }
    if (pace_.Expired()) co_await Pause{};
  }
  const std::span<const uint8_t> saved = booster.Save();
  CheckMemory(table_->bytes() + saved.size() * 3, "the rows and the trees");
  ReadBudget reading(pace_.stop(), std::numeric_limits<uint64_t>::max());
  const XgboostModel model = ReadXgboostModel(saved, reading);
  co_await Pause{};
  std::vector<ForestFeature> features;
  ForestShape shape;
  shape.n_dense = static_cast<uint32_t>(encoder.n_dense());
  for (const uint32_t i : train.dense()) features.push_back({ForestFeature::Kind::kDense, i, 0});
  for (uint32_t c = 0; c < encoder.n_categories(); ++c) {
    shape.n_codes.push_back(encoder.categories()[c].n_codes());
    if (!train.one_hot(c)) features.push_back({ForestFeature::Kind::kCodes, c, 0});
    for (uint32_t code = 0; train.one_hot(c) && code < shape.n_codes.back(); ++code)
      features.push_back({ForestFeature::Kind::kOneHot, c, code});
  }
  const size_t kept = stops_early ? best_round + 1 : rounds;
  const auto back = static_cast<float>(1 / scale);
  ForestParts flat = FlattenTrees(model, features, shape, kept * model.n_outputs,
                                  forest ? back / static_cast<float>(config.n_estimators) : back, reading);
  for (float& base : flat.base) base = forest ? static_cast<float>(mean) : base * back;
  result_.trees = flat.roots.size();
  parts_.link = forest && classes ? ForestLink::kShares : model.link;
  ForestImportance(flat.gain);
  parts_.forest = std::move(flat);
}

// Clusters keep the numbers of the live version's clusters that they are nearest to; without one, the largest is 1.
void TableTrainer::NumberClusters() {
  const Kmeans& clusters = result_.clusters;
  const Encoder& encoder = parts_.encoder;
  const size_t k = clusters.k, p = encoder.n_features();
  std::vector<uint32_t> order(k);
  for (uint32_t j = 0; j < k; ++j) order[j] = j;
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return clusters.sizes[a] > clusters.sizes[b]; });
  parts_.centroids.resize(p * k);
  for (size_t i = 0; i < p; ++i)
    for (size_t j = 0; j < k; ++j) parts_.centroids[i * k + j] = clusters.centroids[i * k + order[j]];
  std::vector<uint64_t> sizes;
  for (const uint32_t j : order) sizes.push_back(clusters.sizes[j]);
  if (const auto empty = std::count(sizes.begin(), sizes.end(), 0u); empty > 0)
    Warn("empty_clusters", "",
         "the training rows are of " + std::to_string(k - static_cast<size_t>(empty)) +
             " kinds: " + std::to_string(empty) + " of " + std::to_string(k) + " clusters are empty");
  result_.clusters.sizes = std::move(sizes);
  result_.clusters.centroids = parts_.centroids;
  parts_.cluster_numbers.resize(k);
  for (uint32_t j = 0; j < k; ++j) parts_.cluster_numbers[j] = j + 1;
  if (request_.has_live) {
    try {
      const TableModel live(request_.live_artifact);
      if (live.task() == TableTask::kClustering && !live.cluster_numbers().empty()) {
        // Live centroids in the units of the features, then as the new encoder sees them; features that the live version does
        // not have do not count.
        std::vector<std::string> live_names;
        for (size_t i = 0; i < live.encoder().n_dense(); ++i) live_names.push_back(live.encoder().DenseName(i));
        for (size_t c = 0; c < live.encoder().n_categories(); ++c)
          for (uint32_t code = 0; code < live.encoder().categories()[c].n_codes(); ++code)
            live_names.push_back(live.encoder().CodeName(c, code));
        std::vector<std::string> names;
        for (size_t i = 0; i < encoder.n_dense(); ++i) names.push_back(encoder.DenseName(i));
        for (size_t c = 0; c < encoder.n_categories(); ++c)
          for (uint32_t code = 0; code < encoder.categories()[c].n_codes(); ++code)
            names.push_back(encoder.CodeName(c, code));
        const size_t n_old = live.cluster_numbers().size();
        std::vector<double> distances(k * n_old);
        for (size_t o = 0; o < n_old; ++o) {
          const std::vector<double> raw = live.Centroid(o);
          for (size_t i = 0; i < p; ++i) {
            const auto found = std::find(live_names.begin(), live_names.end(), names[i]);
            if (found == live_names.end()) continue;
            double x = raw[static_cast<size_t>(found - live_names.begin())];
            if (i < encoder.n_dense()) x = (x - encoder.dense()[i].mean) / encoder.dense()[i].scale;
            for (size_t j = 0; j < k; ++j) {
              const double difference = parts_.centroids[i * k + j] - x;
              distances[j * n_old + o] += difference * difference;
            }
          }
        }
        parts_.cluster_numbers = MatchClusters(distances, k, live.cluster_numbers());
      }
    } catch (const Error&) {  // the comparison says so
    }
  }
  result_.cluster_numbers = parts_.cluster_numbers;
  // What tells the clusters apart: the variance between them, of each feature.
  std::vector<double> of_column(encoder.columns().size());
  std::vector<double> rows(k);
  double all = 0;
  for (size_t j = 0; j < k; ++j) all += rows[j] = static_cast<double>(result_.clusters.sizes[j]);
  for (size_t i = 0; i < p; ++i) {
    double mean = 0, between = 0;
    for (size_t j = 0; j < k; ++j) mean += rows[j] / all * parts_.centroids[i * k + j];
    for (size_t j = 0; j < k; ++j) between += rows[j] / all * std::pow(parts_.centroids[i * k + j] - mean, 2);
    uint32_t column = 0;
    if (i < encoder.n_dense()) {
      column = encoder.dense()[i].column;
    } else {
      size_t c = encoder.n_categories() - 1;
      while (encoder.n_dense() + encoder.categories()[c].first > i) --c;
      column = encoder.categories()[c].column;
    }
    of_column[column] += between;
  }
  SetImportance(std::move(of_column), "separation");
}

void TableTrainer::LinearImportance() {
  const Encoder& encoder = parts_.encoder;
  const size_t k = parts_.bias.size(), d = encoder.n_dense();
  std::vector<double> of_column(encoder.columns().size());
  const auto size_of = [&](size_t i) {
    double sum = 0;
    for (size_t j = 0; j < k; ++j) sum += std::abs(parts_.weights[i * k + j]);
    return sum;
  };
  for (size_t i = 0; i < d; ++i) {
    const bool is_null = encoder.dense()[i].part == DensePart::kMissing;
    const double share = parts_.means[i], spread = is_null ? std::sqrt(std::max(0.0, share * (1 - share))) : 1;
    of_column[encoder.dense()[i].column] += size_of(i) * spread;
  }
  for (const CategoryFeature& feature : encoder.categories())
    for (uint32_t code = 0; code < feature.n_codes(); ++code) {
      const size_t i = d + feature.first + code;
      of_column[feature.column] += size_of(i) * std::sqrt(std::max(0.0, parts_.means[i] * (1 - parts_.means[i])));
    }
  SetImportance(std::move(of_column), "coefficient");
}

void TableTrainer::ForestImportance(const std::vector<double>& gain) {
  const Encoder& encoder = parts_.encoder;
  std::vector<double> of_column(encoder.columns().size());
  for (size_t i = 0; i < encoder.n_dense(); ++i) of_column[encoder.dense()[i].column] += gain[i];
  for (size_t c = 0; c < encoder.n_categories(); ++c)
    of_column[encoder.categories()[c].column] += gain[encoder.n_dense() + c];
  SetImportance(std::move(of_column), "gain");
}

void TableTrainer::SetImportance(std::vector<double> of_column, const char* kind) {
  double sum = 0;
  for (const double x : of_column) sum += x;
  result_.importance.clear();
  result_.importance_kind = kind;
  for (size_t c = 0; c < of_column.size(); ++c)
    result_.importance.push_back({parts_.encoder.columns()[c].name, sum > 0 ? of_column[c] / sum : 0});
  std::stable_sort(result_.importance.begin(), result_.importance.end(),
                   [](const auto& a, const auto& b) { return a.importance > b.importance; });
}

}  // namespace retrain
