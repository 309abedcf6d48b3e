// A trained table model, read in place from its artifact, and what it says of a row.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/stop.h"
#include "core/codec/container.h"
#include "core/model/served_model.h"
#include "core/tabular/encoder.h"
#include "core/tabular/forest.h"
#include "core/tabular/table_config.h"
#include "core/tabular/xgboost_import.h"

namespace retrain {

// From margins to probabilities, beyond what the link does. Stored in artifacts: never renumber.
enum class ProbabilityMap : uint8_t { kNone = 0, kTemperature = 1, kSigmoid = 2, kIsotonic = 3 };

struct TableCalibrator {
  ProbabilityMap kind = ProbabilityMap::kNone;
  double slope = 1, intercept = 0;  // kTemperature: margins × slope; kSigmoid: of two classes
  std::vector<double> from, to;     // kIsotonic: steps from the margin on, ascending
};

// Turns scores (see TableModel::LogScores) into probabilities in place.
void Calibrate(const TableCalibrator& calibrator, std::span<double> scores);

// Everything an artifact holds, as training or an import hands it over.
struct TableModelParts {
  TableTask task = TableTask::kRegression;
  std::string algorithm, target, config_json = "{}";
  uint64_t training_rows = 0;
  std::vector<std::string> labels;  // classification, at least two
  Encoder encoder;
  TableCalibrator calibrator;
  // Exactly one of the three.
  std::vector<double> weights, bias, means;  // n_features × outputs; outputs; n_features
  std::vector<double> centroids;             // n_features × k
  std::vector<uint32_t> cluster_numbers;     // k
  std::optional<ForestParts> forest;
  ForestLink link = ForestLink::kIdentity;
};
std::vector<uint8_t> EncodeTableModel(const TableModelParts& parts);

// The artifact of a model that XGBoost saved, with the names of its features (empty: those in the file) and of its classes
// (empty: their numbers). Throws Error(kInvalidParameter), Error(kNotSupported), Error(kLimitExceeded), and what the budget
// throws.
std::vector<uint8_t> ImportXgboost(std::span<const uint8_t> bytes, std::span<const std::string_view> feature_names,
                                   std::span<const std::string_view> labels, ReadBudget& budget);

struct TableScratch final : PredictionScratch {
  std::vector<Cell> cells;  // of the row to be scored, in the order of the encoder's columns
  std::vector<double> dense;
  std::vector<uint32_t> codes;
  std::vector<float> single, forest_margins;
  std::vector<double> margins;        // of the row last scored
  std::vector<double> probabilities;  // n_classes
};

struct TableContribution {
  uint32_t column = 0;
  double contribution = 0;
};

// Immutable. Holds views into the artifact, which must outlive it.
class TableModel final : public ServedModel {
 public:
  static constexpr ModelKind kKind = ModelKind::kTable;
  using Scratch = TableScratch;

  // Checks every length and index; throws Error(kDataCorrupted) or Error(kNotSupported).
  explicit TableModel(std::span<const uint8_t> artifact, Checksum checksum = Checksum::kCompare);

  ModelKind kind() const noexcept override { return kKind; }
  uint64_t own_bytes() const noexcept override { return own_bytes_; }
  std::unique_ptr<PredictionScratch> NewScratch() const override;
  std::string Describe() const override;

  TableTask task() const noexcept { return task_; }
  std::string_view algorithm() const noexcept { return algorithm_; }
  std::string_view config_json() const noexcept { return config_json_; }
  std::string_view target() const noexcept { return target_; }
  const Encoder& encoder() const noexcept { return encoder_; }
  uint32_t n_classes() const noexcept { return static_cast<uint32_t>(labels_.size()); }
  const std::string& label(size_t k) const noexcept { return labels_[k]; }
  std::span<const std::string> labels() const noexcept { return labels_; }
  const TableCalibrator& calibrator() const noexcept { return calibrator_; }
  std::span<const uint32_t> cluster_numbers() const noexcept { return cluster_numbers_; }
  // A centroid in the units of the features: the mean of a dense one, the share of a one-hot one.
  std::vector<double> Centroid(size_t cluster) const;

  // Fills scratch.margins from scratch.cells, or from a row encoded as EncodeRows() gives it without standardising
  // (dense, codes).
  void Score(TableScratch& scratch) const;
  void ScoreEncoded(TableScratch& scratch) const;
  // Of the row last scored.
  double Value(const TableScratch& scratch) const;
  void Probabilities(TableScratch& scratch) const;
  // What a calibration maps: n_classes scores of the row last scored whose softmax is the uncalibrated probability.
  void LogScores(const TableScratch& scratch, std::span<double> scores) const;
  static uint32_t Best(std::span<const double> probabilities);
  uint32_t Nearest(const TableScratch& scratch) const;  // index of a cluster; margins are squared distances
  // What each column adds to the margin of a class (regression: to the value, before its link) of the row last scored; all
  // together, with `base`, they are that margin. For clusters: how much nearer the column brings the row to its cluster
  // than to the next one; base is 0.
  std::vector<TableContribution> Contributions(TableScratch& scratch, uint32_t output, const Stop& stop,
                                               double& base) const;

 private:
  void ReadSettings(std::span<const uint8_t> bytes);
  void ReadNumbers(const ContainerReader& container);
  void ReadForest(std::span<const uint8_t> bytes);

  TableTask task_ = TableTask::kRegression;
  ForestLink link_ = ForestLink::kIdentity;
  std::string algorithm_, target_;
  std::string_view config_json_;
  uint64_t training_rows_ = 0;
  std::vector<std::string> labels_;
  Encoder encoder_;
  TableCalibrator calibrator_;
  size_t n_outputs_ = 1;
  std::vector<double> weights_, bias_, means_, centroids_;
  std::vector<uint32_t> cluster_numbers_, player_of_;
  std::optional<Forest> forest_;
  uint64_t own_bytes_ = 0;
};

}  // namespace retrain
