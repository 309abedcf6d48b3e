// Trains a table model: describe the columns, add the rows, step until done, take the result.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/resumable.h"
#include "core/base/training.h"
#include "core/eval/gate.h"
#include "core/eval/metrics.h"
#include "core/tabular/booster_api.h"
#include "core/tabular/encoded_rows.h"
#include "core/tabular/kmeans.h"
#include "core/tabular/table_config.h"
#include "core/tabular/table_linear.h"
#include "core/tabular/table_metrics.h"
#include "core/tabular/table_model.h"

namespace retrain {

struct TableRequest {
  TableTask task = TableTask::kRegression;
  std::string algorithm;  // empty: chosen
  std::string target;     // empty for clustering
  std::string config_json = "{}";
  uint64_t min_samples = 20;
  uint64_t memory_budget = 0;  // bytes; work that needs more is refused before it starts
  double tolerance = 0.05;     // by how much a new version may be worse (see JudgeTables)
  bool has_live = false;
  std::vector<uint8_t> live_artifact;
  const BoosterApi* booster = nullptr;  // null: the optional library is not installed
  std::string dealt_by_json;            // TableResult::dealt_by of the live version; empty: unknown
};

struct SourceColumn {
  std::string name;
  ColumnKind kind = ColumnKind::kNumber;
  std::string type;  // as the user knows it, for messages
};

// Something about the rows that whoever trains ought to know. The training goes on.
struct TableWarning {
  std::string code, column, message;
};

struct FeatureImportance {
  std::string column;
  double importance = 0;  // shares that add up to 1
};

// How a version did on the test rows; what its task has not is left at rest.
struct TableEvaluation {
  Metrics classes;
  double auc = 0, brier = 0;  // of two classes
  RegressionMetrics values;
  double silhouette = 0, mean_distance = 0;  // clustering: in the candidate's features
  uint64_t rows = 0;
};

struct TableResult {
  bool failed = false;
  std::string failure;
  TableTask task = TableTask::kRegression;
  TableAlgorithm algorithm = TableAlgorithm::kRidge;
  std::string target;
  TableConfig config;
  uint64_t training_rows = 0, validation_rows = 0, test_rows = 0, ignored = 0;
  RowHash digest;
  // What the rows were shared out by, unless it is a column that says so: names of columns and what they are.
  std::vector<std::pair<std::string, ColumnKind>> dealt_by;
  std::vector<std::string> labels,
      all_labels;  // of the model; then those that only other rows or the live version have
  std::vector<uint8_t> artifact;
  uint64_t features = 0, trees = 0;
  std::vector<std::string> columns;
  TableEvaluation candidate, live;
  bool compared = false;
  std::string not_comparable;  // why the live version was not scored on the test rows
  GateVerdict verdict;
  std::vector<FeatureImportance> importance;  // largest first
  std::string importance_kind;                // gain | coefficient | permutation | separation
  std::string calibration = "none";           // what was fitted
  Kmeans clusters;                            // clustering: sizes, inertia, what was tried
  std::vector<uint32_t> cluster_numbers;
  std::vector<TableWarning> warnings;
};

// May the new version take the place of the live one? Both scored on the same rows. Classification: macro-F1 may fall by
// `tolerance`. Regression: RMSE may grow by that share. Clustering: the silhouette, in the new version's features, may fall
// by it.
GateVerdict JudgeTables(TableTask task, double tolerance, const TableEvaluation& live,
                        const TableEvaluation& candidate);

class TableTrainer final : public Training {
 public:
  // Throws Error(kInvalidParameter) for a bad configuration, Error(kNotSupported) for an algorithm whose library is missing.
  explicit TableTrainer(TableRequest request);
  ~TableTrainer() override;
  TableTrainer(const TableTrainer&) = delete;

  // Once, before the first row: what the source gives. Throws Error(kInvalidParameter) that names the column.
  void Describe(std::span<const SourceColumn> columns);
  // A row, cells in the order of the columns. Throws Error that gives the row's number, Cancelled.
  void Add(std::span<const Cell> cells, const Stop& stop);
  bool Step(const StepBudget& budget) override;
  TrainingProgress Progress() const override { return progress_; }
  const TableResult& result() const noexcept { return result_; }
  // Kind that the column of the target has, before the first row.
  TableAlgorithm algorithm() const noexcept { return result_.algorithm; }

 private:
  struct Mapping;  // of a model's columns to those of the table

  Resumable Run();
  Resumable Fit();
  Resumable FitTrees();
  Resumable FindLeaks();
  Resumable Permute();
  Resumable ScorePart(const TableModel& model, TablePart part, bool live);
  Resumable CalibrateModel();
  void FindRoles(std::span<const SourceColumn> columns);
  void CompareSplits(const TableModel& live);
  bool FindFormerDeal(std::vector<std::pair<std::string, Table::Role>>& columns);
  bool CheckRows();
  bool CheckTrainingRows();
  void NumberLabels();
  void ChooseColumns();
  std::optional<TableWarning> IdentifierWarning(const TableColumn& column) const;
  void CheckMemory(uint64_t needed, const char* what) const;
  uint64_t KeepBytes() const;
  void NumberClusters();
  void LinearImportance();
  void ForestImportance(const std::vector<double>& gain);
  void SetImportance(std::vector<double> of_column, const char* kind);
  void Conclude();
  void Warn(const char* code, const std::string& column, std::string message);
  bool MapColumns(const TableModel& model, std::vector<uint32_t>& place_of, std::string& why_not) const;
  double TargetNumber(const Cell& cell, std::string& text);
  size_t n_classes() const noexcept { return result_.labels.size(); }
  void Advance(TrainingPhase phase, double percent) {
    progress_.phase = phase;
    if (percent > progress_.percent) progress_.percent = percent;
    progress_.total = 1000;
    progress_.done = static_cast<uint64_t>(progress_.percent * 10);
  }

  TableRequest request_;
  TableResult result_;
  TrainingProgress progress_;
  Pace pace_;
  Resumable run_;
  bool started_ = false, own_splits_ = false;
  bool former_deal_ = false;  // the rows are to go by the columns of the live version's

  static constexpr uint32_t kNowhere = UINT32_MAX;
  std::vector<uint32_t> cell_of_;     // cell of each table column
  std::vector<ColumnKind> kind_of_;   // of each cell
  std::vector<std::string> name_of_;  // of each cell
  std::vector<bool> is_feature_;      // of each table column
  std::string dealt_anew_;  // why the rows are not shared out as those of the live version were; empty: they are
  uint32_t target_cell_ = kNowhere, split_cell_ = kNowhere;
  std::vector<Cell> row_;
  uint64_t n_seen_ = 0, unchecked_ = 0;
  Dictionary target_texts_;
  std::unique_ptr<Table> table_;
  std::vector<uint32_t> place_of_;  // table column of each of the encoder's
  TableModelParts parts_;
  std::optional<TableModel> model_;
  std::vector<double> gain_;
};

// The result as JSON text with the keys that the run and the version store (src/sql/: retrain_finish_run).
std::string ToJson(const TableResult& result);

}  // namespace retrain
