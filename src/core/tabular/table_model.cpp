// Encodes, decodes and applies table models.
#include "core/tabular/table_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/json.h"
#include "core/base/math.h"

namespace retrain {
namespace {

// Sections of the artifact. Never reuse a number.
constexpr uint32_t kSettings = 1, kConfig = 2, kLabels = 3, kEncoder = 4, kCalibrator = 5, kLinear = 6, kCentroids = 7,
                   kForest = 8;

[[noreturn]] void Corrupted(const char* detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored model is corrupt", detail,
              "restore the version from a backup, or drop it and train again");
}

std::vector<double> ReadDoubles(ByteReader& in, uint64_t n) {
  const UnalignedArray<double> array(in.Take(n * sizeof(double)));
  std::vector<double> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = array[i];
    if (!std::isfinite(values[i])) Corrupted("a weight is not a finite number");
  }
  return values;
}

std::vector<uint8_t> SettingsOf(const TableModelParts& parts) {
  ByteWriter out;
  out.Put(static_cast<uint8_t>(parts.task));
  out.Put(static_cast<uint8_t>(parts.link));
  out.Put(parts.training_rows);
  out.PutString(parts.algorithm);
  out.PutString(parts.target);
  return out.Take();
}

std::vector<uint8_t> CalibratorOf(const TableCalibrator& calibrator) {
  ByteWriter out;
  out.Put(static_cast<uint8_t>(calibrator.kind));
  out.Put(calibrator.slope);
  out.Put(calibrator.intercept);
  out.Put(static_cast<uint32_t>(calibrator.from.size()));
  out.PutArray<double>(calibrator.from);
  out.PutArray<double>(calibrator.to);
  return out.Take();
}

// Each stored number is finite, their sums and products need not be, and the difference of two infinite ones is no number.
void CheckNumbers(std::span<const double> values, const char* detail) {
  for (const double value : values)
    if (std::isnan(value)) Corrupted(detail);
}

double Sigmoid(double m) { return m >= 0 ? 1 / (1 + Exp(-m)) : Exp(m) / (1 + Exp(m)); }

void Softmax(std::span<double> margins) {
  const double largest = *std::max_element(margins.begin(), margins.end());
  double sum = 0;
  for (double& m : margins) sum += m = Exp(m - largest);
  for (double& m : margins) m /= sum;
}

}  // namespace

std::vector<uint8_t> EncodeTableModel(const TableModelParts& parts) {
  ContainerWriter container;
  container.Add(kSettings, SettingsOf(parts));
  container.Add(kConfig, std::vector<uint8_t>(parts.config_json.begin(), parts.config_json.end()));
  ByteWriter labels;
  labels.Put(static_cast<uint32_t>(parts.labels.size()));
  for (const auto& label : parts.labels) labels.PutString(label);
  container.Add(kLabels, labels.Take());
  ByteWriter encoder;
  parts.encoder.Write(encoder);
  container.Add(kEncoder, encoder.Take());
  container.Add(kCalibrator, CalibratorOf(parts.calibrator));
  ByteWriter numbers;
  if (!parts.bias.empty()) {
    numbers.Put(static_cast<uint32_t>(parts.bias.size()));
    numbers.PutArray<double>(parts.weights);
    numbers.PutArray<double>(parts.bias);
    numbers.PutArray<double>(parts.means);
    container.Add(kLinear, numbers.Take());
  } else if (!parts.cluster_numbers.empty()) {
    numbers.Put(static_cast<uint32_t>(parts.cluster_numbers.size()));
    numbers.PutArray<double>(parts.centroids);
    numbers.PutArray<uint32_t>(parts.cluster_numbers);
    container.Add(kCentroids, numbers.Take());
  } else {
    container.Add(kForest, EncodeForest(*parts.forest));
  }
  return container.Finish(ModelKind::kTable);
}

TableModel::TableModel(std::span<const uint8_t> artifact, Checksum checksum) {
  const ContainerReader container(artifact, checksum, ModelKind::kTable);
  ReadSettings(container.Section(kSettings));
  const auto config = container.Section(kConfig);
  config_json_ = {reinterpret_cast<const char*>(config.data()), config.size()};
  ByteReader labels(container.Section(kLabels));
  const auto n_labels = labels.Get<uint32_t>();
  for (uint32_t k = 0; k < n_labels; ++k) labels_.emplace_back(labels.GetString());
  if ((task_ == TableTask::kClassification) != (n_labels >= 2)) Corrupted("the number of labels is impossible");
  ByteReader encoder(container.Section(kEncoder));
  encoder_ = Encoder::Read(encoder);
  ReadNumbers(container);
  player_of_.reserve(encoder_.n_dense() + encoder_.n_categories());
  for (const auto& feature : encoder_.dense()) player_of_.push_back(feature.column);
  for (const auto& feature : encoder_.categories()) player_of_.push_back(feature.column);
  own_bytes_ = (64ull << 10) + 128 * (encoder_.columns().size() + n_labels + encoder_.n_one_hot()) +
               8 * (weights_.size() + centroids_.size() + encoder_.n_features() * 4) +
               16 * (forest_ ? forest_->n_trees() : 0);
}

void TableModel::ReadSettings(std::span<const uint8_t> bytes) {
  ByteReader in(bytes);
  const auto task = in.Get<uint8_t>(), link = in.Get<uint8_t>();
  if (task > static_cast<uint8_t>(TableTask::kClustering)) Corrupted("unknown task");
  if (link > static_cast<uint8_t>(ForestLink::kShares)) Corrupted("unknown link");
  task_ = static_cast<TableTask>(task);
  link_ = static_cast<ForestLink>(link);
  training_rows_ = in.Get<uint64_t>();
  if (training_rows_ > std::numeric_limits<int32_t>::max()) Corrupted("the number of training rows is impossible");
  algorithm_ = in.GetString();
  target_ = in.GetString();
  // It becomes the model's own, and the next training is asked for it.
  if (!Does(algorithm_, task_)) Corrupted("the algorithm is none of the task");
}

void TableModel::ReadNumbers(const ContainerReader& container) {
  ByteReader calibrator(container.Section(kCalibrator));
  const auto kind = calibrator.Get<uint8_t>();
  if (kind > static_cast<uint8_t>(ProbabilityMap::kIsotonic)) Corrupted("unknown calibration");
  calibrator_.kind = static_cast<ProbabilityMap>(kind);
  calibrator_.slope = calibrator.Get<double>();
  calibrator_.intercept = calibrator.Get<double>();
  if (!std::isfinite(calibrator_.slope) || !std::isfinite(calibrator_.intercept))
    Corrupted("a calibration is impossible");
  const auto steps = calibrator.Get<uint32_t>();
  calibrator_.from = ReadDoubles(calibrator, steps);
  calibrator_.to = ReadDoubles(calibrator, steps);
  if ((calibrator_.kind == ProbabilityMap::kIsotonic) != (steps > 0) ||
      !std::is_sorted(calibrator_.from.begin(), calibrator_.from.end()))
    Corrupted("the steps of a calibration are impossible");
  const uint64_t p = encoder_.n_features();
  const size_t margins_of_classes = n_classes() == 2 ? 1 : n_classes();
  if (container.Has(kLinear)) {
    ByteReader in(container.Section(kLinear));
    n_outputs_ = in.Get<uint32_t>();
    if (n_outputs_ != (task_ == TableTask::kClassification ? margins_of_classes : 1) ||
        task_ == TableTask::kClustering || link_ != ForestLink::kIdentity)
      Corrupted("the number of outputs is impossible");
    weights_ = ReadDoubles(in, p * n_outputs_);
    bias_ = ReadDoubles(in, n_outputs_);
    means_ = ReadDoubles(in, p);
  } else if (container.Has(kCentroids)) {
    ByteReader in(container.Section(kCentroids));
    const auto k = in.Get<uint32_t>();
    if (k == 0 || task_ != TableTask::kClustering) Corrupted("the number of clusters is impossible");
    centroids_ = ReadDoubles(in, p * k);
    const UnalignedArray<uint32_t> numbers(in.Take(uint64_t{k} * sizeof(uint32_t)));
    for (size_t j = 0; j < k; ++j) {
      cluster_numbers_.push_back(numbers[j]);
      if (numbers[j] > std::numeric_limits<int32_t>::max()) Corrupted("the number of a cluster is impossible");
    }
    n_outputs_ = k;
  } else {
    ReadForest(container.Section(kForest));
    const bool fits = task_ == TableTask::kRegression
                          ? n_outputs_ == 1 && (link_ == ForestLink::kIdentity || link_ == ForestLink::kSigmoid ||
                                                link_ == ForestLink::kExp)
                      : link_ == ForestLink::kSigmoid ? n_classes() == 2 && n_outputs_ == 1
                      : link_ == ForestLink::kShares  ? n_outputs_ == margins_of_classes
                                                      : link_ == ForestLink::kSoftmax && n_outputs_ == n_classes();
    if (!fits || task_ == TableTask::kClustering) Corrupted("the number of outputs is impossible");
  }
}

void TableModel::ReadForest(std::span<const uint8_t> bytes) {
  ForestShape shape;
  shape.n_dense = static_cast<uint32_t>(encoder_.n_dense());
  for (const auto& feature : encoder_.categories()) shape.n_codes.push_back(feature.n_codes());
  forest_.emplace(bytes, shape);
  n_outputs_ = forest_->n_outputs();
}

std::unique_ptr<PredictionScratch> TableModel::NewScratch() const {
  auto scratch = std::make_unique<TableScratch>();
  scratch->cells.resize(encoder_.columns().size());
  scratch->dense.resize(encoder_.n_dense());
  scratch->codes.resize(encoder_.n_categories());
  scratch->single.resize(encoder_.n_dense());
  scratch->forest_margins.resize(n_outputs_);
  scratch->margins.resize(n_outputs_);
  scratch->probabilities.resize(labels_.size());
  return scratch;
}

std::string TableModel::Describe() const {
  JsonWriter json;
  json.Object().Key("format").Integer(1).Key("task").String(NameOf(task_)).Key("algorithm").String(algorithm_);
  json.Key("training_samples").Integer(static_cast<int64_t>(training_rows_)).Key("target");
  target_.empty() ? void(json.Null()) : void(json.String(target_));
  json.Key("columns").Array();
  for (const auto& column : encoder_.columns())
    json.Object().Key("name").String(column.name).Key("kind").String(NameOf(column.kind)).Close();
  json.Close().Key("features").Integer(static_cast<int64_t>(encoder_.n_features()));
  if (forest_) json.Key("trees").Integer(forest_->n_trees()).Key("depth").Integer(forest_->max_depth());
  json.Key("config").Raw(config_json_.empty() ? "{}" : CheckJsonObject(config_json_)).Key("labels").Array();
  for (const auto& label : labels_) json.String(label);
  for (const uint32_t number : cluster_numbers_) json.String(std::to_string(number));
  return json.Close().Close().Take();
}

std::vector<double> TableModel::Centroid(size_t cluster) const {
  std::vector<double> raw(encoder_.n_features());
  for (size_t i = 0; i < raw.size(); ++i) raw[i] = centroids_[i * n_outputs_ + cluster];
  for (size_t i = 0; i < encoder_.n_dense(); ++i)
    raw[i] = encoder_.dense()[i].mean + raw[i] * encoder_.dense()[i].scale;
  return raw;
}

void TableModel::Score(TableScratch& scratch) const {
  encoder_.Encode(scratch.cells, scratch.dense, scratch.codes);
  ScoreEncoded(scratch);
}

void TableModel::ScoreEncoded(TableScratch& scratch) const {
  const size_t d = encoder_.n_dense(), k = n_outputs_;
  if (forest_) {
    for (size_t i = 0; i < d; ++i)
      scratch.single[i] =
          static_cast<float>(std::clamp(scratch.dense[i], -static_cast<double>(std::numeric_limits<float>::max()),
                                        static_cast<double>(std::numeric_limits<float>::max())));
    forest_->Margins(scratch.single, scratch.codes, scratch.forest_margins);
    for (size_t j = 0; j < k; ++j) scratch.margins[j] = static_cast<double>(scratch.forest_margins[j]);
    CheckNumbers(scratch.margins, "a margin is not a number");
    return;
  }
  encoder_.Standardise(scratch.dense);
  if (bias_.empty()) {
    std::fill(scratch.margins.begin(), scratch.margins.end(), 0.0);
    for (size_t i = 0; i < d; ++i)
      for (size_t j = 0; j < k; ++j) {
        const double difference = scratch.dense[i] - centroids_[i * k + j];
        scratch.margins[j] += difference * difference;
      }
    for (size_t c = 0; c < encoder_.n_categories(); ++c) {
      const CategoryFeature& feature = encoder_.categories()[c];
      for (uint32_t code = 0; code < feature.n_codes(); ++code) {
        const double x = scratch.codes[c] == code ? 1 : 0;
        const double* of_code = centroids_.data() + (d + feature.first + code) * k;
        for (size_t j = 0; j < k; ++j) scratch.margins[j] += (x - of_code[j]) * (x - of_code[j]);
      }
    }
    return;
  }
  std::copy(bias_.begin(), bias_.end(), scratch.margins.begin());
  for (size_t i = 0; i < d; ++i)
    for (size_t j = 0; j < k; ++j) scratch.margins[j] += scratch.dense[i] * weights_[i * k + j];
  for (size_t c = 0; c < encoder_.n_categories(); ++c) {
    if (scratch.codes[c] == kNoCode) continue;
    const double* of_code = weights_.data() + (d + encoder_.categories()[c].first + scratch.codes[c]) * k;
    for (size_t j = 0; j < k; ++j) scratch.margins[j] += of_code[j];
  }
  CheckNumbers(scratch.margins, "a margin is not a number");
}

double TableModel::Value(const TableScratch& scratch) const {
  const double m = scratch.margins[0];
  return link_ == ForestLink::kSigmoid ? Sigmoid(m) : link_ == ForestLink::kExp ? Exp(m) : m;
}

void TableModel::LogScores(const TableScratch& scratch, std::span<double> scores) const {
  const std::vector<double>& m = scratch.margins;
  if (link_ == ForestLink::kShares) {  // shares of the classes in the leaves
    const double second = m.size() == 1 ? std::clamp(m[0], 0.0, 1.0) : 0;
    for (size_t j = 0; j < scores.size(); ++j) {
      const double share = m.size() > 1 ? std::clamp(m[j], 0.0, 1.0) : j == 1 ? second : 1 - second;
      scores[j] = Log(std::max(share, 1e-4));
    }
  } else if (m.size() == 1) {
    scores[0] = 0;
    scores[1] = m[0];
  } else {
    std::copy(m.begin(), m.end(), scores.begin());
  }
}

void TableModel::Probabilities(TableScratch& scratch) const {
  std::vector<double>& p = scratch.probabilities;
  const std::vector<double>& m = scratch.margins;
  if (link_ == ForestLink::kShares && calibrator_.kind == ProbabilityMap::kNone) {
    double sum = 0;
    for (size_t j = 0; j < p.size(); ++j)
      sum += p[j] = m.size() > 1 ? std::clamp(m[j], 0.0, 1.0)
                    : j == 1     ? std::clamp(m[0], 0.0, 1.0)
                                 : 1 - std::clamp(m[0], 0.0, 1.0);
    for (double& x : p) x = sum > 0 ? x / sum : 1 / static_cast<double>(p.size());
    return;
  }
  LogScores(scratch, p);
  Calibrate(calibrator_, p);
  CheckNumbers(p, "a probability is not a number");
}

void Calibrate(const TableCalibrator& calibrator, std::span<double> p) {
  if (p.size() == 2) {
    double margin = p[1] - p[0];
    if (calibrator.kind == ProbabilityMap::kIsotonic) {
      const auto step = std::upper_bound(calibrator.from.begin(), calibrator.from.end(), margin);
      const auto at = static_cast<size_t>(std::max<ptrdiff_t>(0, step - calibrator.from.begin() - 1));
      p[1] = std::clamp(calibrator.to[at], 0.0, 1.0);
    } else {
      if (calibrator.kind != ProbabilityMap::kNone) margin = calibrator.slope * margin + calibrator.intercept;
      p[1] = Sigmoid(margin);
    }
    p[0] = 1 - p[1];
    return;
  }
  if (calibrator.kind == ProbabilityMap::kTemperature)
    for (double& x : p) x *= calibrator.slope;
  Softmax(p);
}

uint32_t TableModel::Best(std::span<const double> probabilities) {
  return static_cast<uint32_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
}

uint32_t TableModel::Nearest(const TableScratch& scratch) const {
  return static_cast<uint32_t>(std::min_element(scratch.margins.begin(), scratch.margins.end()) -
                               scratch.margins.begin());
}

std::vector<TableContribution> TableModel::Contributions(TableScratch& scratch, uint32_t output, const Stop& stop,
                                                         double& base) const {
  std::vector<double> sums(encoder_.columns().size());
  const size_t d = encoder_.n_dense(), k = n_outputs_;
  // Two classes with one margin: the first class's is its negative.
  const bool single = task_ == TableTask::kClassification && k == 1;
  const double sign = single && output == 0 ? -1 : 1;
  const size_t o = single || task_ == TableTask::kRegression ? 0 : output;
  if (forest_) {
    base = forest_->Contributions(scratch.single, scratch.codes, static_cast<uint32_t>(o), player_of_, stop, sums);
  } else if (!bias_.empty()) {
    base = bias_[o];
    for (size_t i = 0; i < encoder_.n_features(); ++i) base += weights_[i * k + o] * means_[i];
    for (size_t i = 0; i < d; ++i)
      sums[encoder_.dense()[i].column] += weights_[i * k + o] * (scratch.dense[i] - means_[i]);
    for (size_t c = 0; c < encoder_.n_categories(); ++c) {
      const CategoryFeature& feature = encoder_.categories()[c];
      for (uint32_t code = 0; code < feature.n_codes(); ++code) {
        const size_t i = d + feature.first + code;
        sums[feature.column] += weights_[i * k + o] * ((scratch.codes[c] == code ? 1 : 0) - means_[i]);
      }
    }
  } else {
    base = 0;
    const uint32_t own = output;
    uint32_t next = own == 0 ? 1 : 0;
    for (uint32_t j = 0; j < k; ++j)
      if (j != own && scratch.margins[j] < scratch.margins[next]) next = j;
    const auto nearer = [&](size_t i, double x) {
      const double from_next = x - centroids_[i * k + next], from_own = x - centroids_[i * k + own];
      return from_next * from_next - from_own * from_own;
    };
    if (k > 1) {
      for (size_t i = 0; i < d; ++i) sums[encoder_.dense()[i].column] += nearer(i, scratch.dense[i]);
      for (size_t c = 0; c < encoder_.n_categories(); ++c) {
        const CategoryFeature& feature = encoder_.categories()[c];
        for (uint32_t code = 0; code < feature.n_codes(); ++code)
          sums[feature.column] += nearer(d + feature.first + code, scratch.codes[c] == code ? 1 : 0);
      }
    }
  }
  base *= sign;
  std::vector<TableContribution> contributions;
  for (uint32_t c = 0; c < sums.size(); ++c) contributions.push_back({c, sign * sums[c]});
  std::stable_sort(contributions.begin(), contributions.end(),
                   [](const auto& a, const auto& b) { return std::abs(a.contribution) > std::abs(b.contribution); });
  return contributions;
}

}  // namespace retrain
