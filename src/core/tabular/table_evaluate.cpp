// Scores versions on held-out rows, calibrates, and judges.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/base/math.h"
#include "core/base/rng.h"
#include "core/tabular/table_trainer.h"

namespace retrain {
namespace {

constexpr size_t kScoreRows = 512;
constexpr size_t kPermutationRows = 2000;
constexpr size_t kCalibrationMinRows = 100;

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// Scores rows of a table; each gives its scratch to `use`.
template <class Use>
void ScoreRows(const TableModel& model, const Table& table, std::span<const uint32_t> place_of, size_t first, size_t n,
               TableScratch& scratch, EncodedBlock& block, Use&& use) {
  const Encoder& encoder = model.encoder();
  encoder.EncodeRows(table, place_of, first, n, false, block);
  for (size_t r = 0; r < n; ++r) {
    std::copy_n(block.dense.begin() + static_cast<ptrdiff_t>(r * encoder.n_dense()), encoder.n_dense(),
                scratch.dense.begin());
    std::copy_n(block.codes.begin() + static_cast<ptrdiff_t>(r * encoder.n_categories()), encoder.n_categories(),
                scratch.codes.begin());
    model.ScoreEncoded(scratch);
    use(first + r);
  }
}

}  // namespace

Resumable TableTrainer::ScorePart(const TableModel& model, TablePart part, bool live) {
  TableEvaluation& evaluation = live ? result_.live : result_.candidate;
  const size_t first = table_->first(part), n = table_->count(part);
  std::vector<uint32_t> place_of;
  if (!live) {
    place_of = place_of_;
  } else if (!MapColumns(model, place_of, result_.not_comparable)) {
    co_return;
  } else if (!dealt_anew_.empty()) {
    result_.not_comparable = dealt_anew_ + ": some of the test rows would be rows that it has learnt from";
    co_return;
  }
  const auto scratch_owner = model.NewScratch();
  auto& scratch = static_cast<TableScratch&>(*scratch_owner);
  EncodedBlock block;
  // Labels of the live version by their place among all labels.
  std::vector<uint32_t> label_of;
  for (const std::string& label : model.labels()) {
    const auto known = std::find(result_.all_labels.begin(), result_.all_labels.end(), label);
    label_of.push_back(static_cast<uint32_t>(known - result_.all_labels.begin()));
    if (known == result_.all_labels.end()) result_.all_labels.push_back(label);
  }
  std::vector<ScoredRow> scored;
  std::vector<double> truth, predicted;
  std::vector<bool> positive;
  std::vector<uint32_t> clusters;
  double squares = 0;
  for (size_t at = 0; at < n; at += kScoreRows) {
    ScoreRows(model, *table_, place_of, first + at, std::min(kScoreRows, n - at), scratch, block, [&](size_t row) {
      if (request_.task == TableTask::kRegression) {
        truth.push_back(table_->target(row));
        predicted.push_back(model.Value(scratch));
      } else if (request_.task == TableTask::kClustering) {
        clusters.push_back(model.Nearest(scratch));
        squares += scratch.margins[clusters.back()];
      } else {
        model.Probabilities(scratch);
        const uint32_t best = TableModel::Best(scratch.probabilities);
        const auto label = static_cast<uint32_t>(table_->target(row));
        ScoredRow s{label, label_of[best], static_cast<float>(scratch.probabilities[best]), 0};
        for (size_t k = 0; k < label_of.size(); ++k)
          if (label_of[k] == label) s.truth_probability = static_cast<float>(scratch.probabilities[k]);
        scored.push_back(s);
        if (label_of.size() == 2) {
          predicted.push_back(scratch.probabilities[1]);
          positive.push_back(label == label_of[1]);
        }
      }
    });
    if (pace_.Expired()) co_await Pause{};
  }
  evaluation.rows = n;
  evaluation.classes = Evaluate(scored);
  evaluation.values =
      EvaluateValues(truth, request_.task == TableTask::kRegression ? predicted : std::vector<double>{});
  evaluation.auc = std::numeric_limits<double>::quiet_NaN();
  if (!positive.empty()) {
    evaluation.auc = AreaUnderRoc(predicted, positive);
    for (size_t i = 0; i < positive.size(); ++i)
      evaluation.brier += (predicted[i] - positive[i]) * (predicted[i] - positive[i]) / static_cast<double>(n);
  }
  if (request_.task == TableTask::kClustering) {
    const EncodedRows rows(*table_, parts_.encoder, place_of_, first, n, 0);
    evaluation.silhouette =
        n < 2 ? std::numeric_limits<double>::quiet_NaN() : Silhouette(rows, clusters, model.cluster_numbers().size());
    evaluation.mean_distance = n == 0 ? 0 : squares / static_cast<double>(n);
  }
  if (live) result_.compared = n > 0;
}

// One temperature where validation rows say that it helps by more than chance would; another map only when asked for.
Resumable TableTrainer::CalibrateModel() {
  const TableCalibration wanted = result_.config.calibration;
  if (wanted == TableCalibration::kNone) co_return;
  const bool linear = result_.algorithm == TableAlgorithm::kLogisticRegression;
  if (wanted == TableCalibration::kAuto && linear) co_return;  // calibrated by what it minimises
  const size_t k = n_classes();
  const size_t n =
      std::min({static_cast<size_t>(result_.validation_rows), kCalibrationRows, std::max<size_t>(1000, 400000 / k)});
  const bool two_class_map = wanted == TableCalibration::kSigmoid || wanted == TableCalibration::kIsotonic;
  if (two_class_map && k != 2)
    throw Error(ErrorCode::kInvalidParameter, "this calibration is for two classes",
                "calibration is " + std::string(wanted == TableCalibration::kSigmoid ? "sigmoid" : "isotonic") +
                    ", there are " + std::to_string(k) + " classes",
                "use \"calibration\": \"temperature\"");
  if (n < (wanted == TableCalibration::kAuto ? kCalibrationMinRows : 10)) {
    if (wanted != TableCalibration::kAuto)
      Warn("no_validation_rows", "", "there are too few validation rows, so nothing was calibrated");
    co_return;
  }
  std::vector<double> scores;
  std::vector<uint32_t> truth;
  const auto scratch_owner = model_->NewScratch();
  auto& scratch = static_cast<TableScratch&>(*scratch_owner);
  EncodedBlock block;
  std::vector<double> of_row(k);
  const size_t first = table_->first(TablePart::kValidation);
  for (size_t at = 0; at < n; at += kScoreRows) {
    ScoreRows(*model_, *table_, place_of_, first + at, std::min(kScoreRows, n - at), scratch, block, [&](size_t row) {
      if (table_->target(row) >= static_cast<double>(k)) return;
      model_->LogScores(scratch, of_row);
      scores.insert(scores.end(), of_row.begin(), of_row.end());
      truth.push_back(static_cast<uint32_t>(table_->target(row)));
    });
    if (pace_.Expired()) co_await Pause{};
  }
  const ProbabilityMap kind = wanted == TableCalibration::kSigmoid    ? ProbabilityMap::kSigmoid
                              : wanted == TableCalibration::kIsotonic ? ProbabilityMap::kIsotonic
                                                                      : ProbabilityMap::kTemperature;
  const TableCalibrator calibrator = FitCalibrator(kind, scores, truth, k);
  // Akaike: a parameter has to be worth more than one nat; twice that, since the rows are few.
  if (wanted == TableCalibration::kAuto && LogLoss({}, scores, truth, k) - LogLoss(calibrator, scores, truth, k) < 2)
    co_return;
  parts_.calibrator = calibrator;
  result_.calibration = kind == ProbabilityMap::kSigmoid    ? "sigmoid"
                        : kind == ProbabilityMap::kIsotonic ? "isotonic"
                                                            : "temperature";
  model_.reset();
  result_.artifact = EncodeTableModel(parts_);
  model_.emplace(result_.artifact, Checksum::kCompared);
}

// What the model loses on held-out rows when a column's values are dealt out anew (Breiman 2001): log loss or squared error.
Resumable TableTrainer::Permute() {
  const Encoder& encoder = parts_.encoder;
  const size_t first = result_.training_rows < table_->rows() ? result_.training_rows : 0;
  const size_t n = std::min(kPermutationRows, table_->rows() - first);
  const size_t d = encoder.n_dense(), n_categories = encoder.n_categories();
  EncodedBlock block;
  encoder.EncodeRows(*table_, place_of_, first, n, false, block);
  const auto scratch_owner = model_->NewScratch();
  auto& scratch = static_cast<TableScratch&>(*scratch_owner);
  std::vector<uint32_t> order(n);
  Rng rng(result_.config.seed);
  std::vector<double> of_column(encoder.columns().size());
  double unshuffled = 0;
  // Column `columns().size()` stands for none.
  for (size_t shuffled = encoder.columns().size() + 1; shuffled-- > 0;) {
    for (uint32_t i = 0; i < n; ++i) order[i] = i;
    rng.Shuffle(std::span<uint32_t>(order));
    double loss = 0;
    for (size_t r = 0; r < n; ++r) {
      for (size_t i = 0; i < d; ++i)
        scratch.dense[i] = block.dense[(encoder.dense()[i].column == shuffled ? order[r] : r) * d + i];
      for (size_t c = 0; c < n_categories; ++c)
        scratch.codes[c] = block.codes[(encoder.categories()[c].column == shuffled ? order[r] : r) * n_categories + c];
      model_->ScoreEncoded(scratch);
      if (request_.task == TableTask::kRegression) {
        loss += std::pow(model_->Value(scratch) - table_->target(first + r), 2);
      } else if (table_->target(first + r) < static_cast<double>(n_classes())) {
        model_->Probabilities(scratch);
        loss -= Log(std::max(1e-15, scratch.probabilities[static_cast<size_t>(table_->target(first + r))]));
      }
      if ((r & 255) == 255 && pace_.Expired()) co_await Pause{};
    }
    if (shuffled == encoder.columns().size())
      unshuffled = loss;
    else
      of_column[shuffled] = std::max(0.0, loss - unshuffled);
  }
  SetImportance(std::move(of_column), "permutation");
}

GateVerdict JudgeTables(TableTask task, double tolerance, const TableEvaluation& live,
                        const TableEvaluation& candidate) {
  if (task == TableTask::kClassification) {
    GatePolicy policy;
    policy.max_f1_regression = tolerance;
    const auto numbers = [](const TableEvaluation& e) {
      return GateNumbers{e.rows, e.classes.accuracy, e.classes.macro_f1};
    };
    return Judge(policy, true, numbers(live), numbers(candidate), {}, {});
  }
  const std::string rows = std::to_string(candidate.rows) + (candidate.rows == 1 ? " test row" : " test rows");
  if (task == TableTask::kRegression) {
    const double limit = live.values.rmse * (1 + tolerance);
    const bool passed = candidate.values.rmse <= limit;
    return {passed, passed ? "passed" : "rmse_regression",
            passed ? "RMSE " + Number(candidate.values.rmse) + " against the live version's " +
                         Number(live.values.rmse) + " on the same " + rows
                   : "RMSE " + Number(candidate.values.rmse) + " on " + rows + " is above " + Number(limit) +
                         ", the live version's " + Number(live.values.rmse) + " and " + Number(100 * tolerance) + " %"};
  }
  if (std::isnan(live.silhouette) || std::isnan(candidate.silhouette)) {
    const bool passed = std::isnan(live.silhouette);
    return {passed, passed ? "passed" : "silhouette_regression",
            std::string(passed ? "the live version" : "the new version") + " puts all of the " + rows +
                " into one cluster"};
  }
  const double floor = live.silhouette - tolerance;
  const bool passed = candidate.silhouette >= floor;
  return {passed, passed ? "passed" : "silhouette_regression",
          passed ? "silhouette " + Number(candidate.silhouette) + " against the live version's " +
                       Number(live.silhouette) + " on the same " + rows
                 : "silhouette " + Number(candidate.silhouette) + " on " + rows + " is below " + Number(floor) +
                       ", the live version's " + Number(live.silhouette) + " less " + Number(tolerance)};
}

void TableTrainer::Conclude() {
  if (!request_.has_live && own_splits_ && result_.test_rows == 0) {
    result_.verdict = {false, "no_test_rows",
                       "the rows' own splits leave no test rows, so nothing is known of the version"};
  } else if (!request_.has_live) {
    result_.verdict = {true, "first_version", "first version of the model: there is no live version to compare with"};
  } else if (result_.test_rows == 0) {
    result_.verdict = {false, "no_test_rows",
                       "there are no test rows, so the new version cannot be compared with the live one"};
  } else if (!result_.compared) {
    result_.verdict = {false, "not_comparable",
                       result_.not_comparable + "; promote it with p_promote => 'always' or promote_model()"};
  } else {
    result_.verdict = JudgeTables(request_.task, request_.tolerance, result_.live, result_.candidate);
  }
}

}  // namespace retrain
