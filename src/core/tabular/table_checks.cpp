// What is wrong with a source's columns: identifiers, columns that give the target away.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/utf8_clip.h"
#include "core/tabular/table_trainer.h"

namespace retrain {
namespace {

constexpr size_t kLeakRows = 10000;  // of either side at most
constexpr size_t kLeakMinRows = 20;  // held out
constexpr uint32_t kLeakBins = 64;
constexpr double kLeakLimit = 0.99;
constexpr uint32_t kLeakClasses = 20;

std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", share);
  return text;
}

// A column cut into bins by its values in the training rows: quantiles of numbers, texts as they are, nulls apart.
class Bins {
 public:
  Bins(const TableColumn& column, size_t n_train) : column_(column) {
    if (column.kind == ColumnKind::kCategory) {
      n_bins_ = column.texts.size() + 2;
      return;
    }
    std::vector<double> values;
    for (size_t i = 0; i < n_train; ++i)
      if (const double x = column.values[i]; !std::isnan(x)) values.push_back(x);
    std::sort(values.begin(), values.end());
    for (uint32_t b = 1; b < kLeakBins && !values.empty(); ++b) {
      const double edge = values[values.size() * b / kLeakBins];
      if (edges_.empty() || edge > edges_.back()) edges_.push_back(edge);
    }
    n_bins_ = edges_.size() + 2;
  }

  size_t n_bins() const noexcept { return n_bins_; }
  size_t Of(size_t row) const noexcept {
    const double x = column_.values[row];
    if (std::isnan(x)) return n_bins_ - 1;
    if (column_.kind == ColumnKind::kCategory) return std::min<size_t>(static_cast<size_t>(x), n_bins_ - 2);
    return static_cast<size_t>(std::upper_bound(edges_.begin(), edges_.end(), x) - edges_.begin());
  }

 private:
  const TableColumn& column_;
  std::vector<double> edges_;
  size_t n_bins_ = 0;
};

struct Sides {
  size_t n_train, first_held_out, n_held_out;
};

// R² on held-out rows of the bins' mean targets.
double LeakOfValues(const Table& table, const Bins& bins, const Sides& sides) {
  double mean = 0;
  for (size_t i = 0; i < sides.n_train; ++i) mean += table.target(i) / static_cast<double>(sides.n_train);
  std::vector<double> sums(bins.n_bins()), rows(bins.n_bins());
  for (size_t i = 0; i < sides.n_train; ++i) {
    sums[bins.Of(i)] += table.target(i) - mean;
    rows[bins.Of(i)] += 1;
  }
  std::vector<double> truth, predicted;
  for (size_t i = sides.first_held_out; i < sides.first_held_out + sides.n_held_out; ++i) {
    const size_t b = bins.Of(i);
    truth.push_back(table.target(i) - mean);
    predicted.push_back(rows[b] > 0 ? sums[b] / rows[b] : 0);
  }
  return EvaluateValues(truth, predicted).r2;
}

// The least area under the ROC curve, over the classes, of the bins' shares of the class.
double LeakOfClasses(const Table& table, const Bins& bins, const Sides& sides, uint32_t n_classes) {
  double least = 1;
  bool any = false;
  for (uint32_t k = n_classes == 2 ? 1 : 0; k < std::min(n_classes, kLeakClasses); ++k) {
    std::vector<double> positives(bins.n_bins()), rows(bins.n_bins()), scores;
    double all = 0;
    for (size_t i = 0; i < sides.n_train; ++i) {
      const bool is_k = table.target(i) == k;
      positives[bins.Of(i)] += is_k;
      rows[bins.Of(i)] += 1;
      all += is_k;
    }
    std::vector<bool> truth;
    for (size_t i = sides.first_held_out; i < sides.first_held_out + sides.n_held_out; ++i) {
      const size_t b = bins.Of(i);
      truth.push_back(table.target(i) == k);
      scores.push_back(rows[b] > 0 ? positives[b] / rows[b] : all / static_cast<double>(sides.n_train));
    }
    const double auc = AreaUnderRoc(scores, truth);
    if (std::isnan(auc)) continue;
    least = std::min(least, auc);
    any = true;
  }
  return any ? least : 0;
}

}  // namespace

// Texts that never repeat, or hardly ever, are names of rows and say nothing of another row; so are numbers that never
// repeat in a column called an identifier.
std::optional<TableWarning> TableTrainer::IdentifierWarning(const TableColumn& column) const {
  const size_t n = table_->rows();
  size_t present = 0;
  for (size_t i = 0; i < n; ++i) present += !std::isnan(column.values[i]);
  if (present < 20) return std::nullopt;
  const std::string name = "column \"" + Shortened(column.name, 100) + "\"";
  if (column.kind == ColumnKind::kCategory) {
    const size_t distinct = column.texts.overflowed() ? present : column.texts.size();
    if (distinct == present || column.texts.overflowed())
      return TableWarning{"identifier_column", column.name, name + " is different in every row and is no feature"};
    if (distinct > present / 2 && distinct > result_.config.max_categories)
      return TableWarning{"identifier_column", column.name,
                          name + " has " + std::to_string(distinct) + " different texts in " + std::to_string(present) +
                              " rows and is no feature"};
    return std::nullopt;
  }
  const bool called_so = column.name == "id" || (column.name.size() > 3 && column.name.ends_with("_id"));
  if (column.kind != ColumnKind::kNumber || !called_so) return std::nullopt;
  std::vector<double> values;
  for (size_t i = 0; i < n; ++i)
    if (const double x = column.values[i]; !std::isnan(x)) values.push_back(x);
  std::sort(values.begin(), values.end());
  if (std::adjacent_find(values.begin(), values.end()) != values.end()) return std::nullopt;
  return TableWarning{"identifier_column", column.name, name + " is different in every row and is no feature"};
}

void TableTrainer::ChooseColumns() {
  for (size_t c = 0; c < table_->n_columns(); ++c) {
    if (!is_feature_[c]) continue;
    const TableColumn& column = table_->column(c);
    const auto& forced = result_.config.categorical;
    if (std::find(forced.begin(), forced.end(), column.name) != forced.end()) continue;
    if (auto warning = IdentifierWarning(column)) {
      is_feature_[c] = false;
      result_.warnings.push_back(std::move(*warning));
    } else if (column.kind == ColumnKind::kCategory && column.texts.size() > result_.config.max_categories) {
      Warn("many_categories", column.name,
           "column \"" + Shortened(column.name, 100) + "\" has " + std::to_string(column.texts.size()) +
               " different texts: the " + std::to_string(result_.config.max_categories) +
               " most frequent are told apart, all others are one");
    }
  }
}

// A single column that predicts the target as well as any model could is usually made from it, or known only afterwards.
Resumable TableTrainer::FindLeaks() {
  Sides sides{std::min(result_.training_rows, static_cast<uint64_t>(kLeakRows)), result_.training_rows, 0};
  sides.n_held_out = std::min<size_t>(kLeakRows, table_->rows() - sides.first_held_out);
  if (sides.n_held_out < kLeakMinRows) co_return;
  const bool classes = request_.task == TableTask::kClassification;
  for (const uint32_t place : place_of_) {
    const TableColumn& column = table_->column(place);
    const Bins bins(column, sides.n_train);
    const double score = classes ? LeakOfClasses(*table_, bins, sides, static_cast<uint32_t>(n_classes()))
                                 : LeakOfValues(*table_, bins, sides);
    if (score >= kLeakLimit)
      Warn("leakage", column.name,
           "column \"" + Shortened(column.name, 100) + "\" alone predicts \"" + Shortened(request_.target, 100) +
               "\" (" + (classes ? "AUC " : "R2 ") + Percent(score) +
               " on held-out rows): is it made from the target, or known only afterwards?");
    if (pace_.Expired()) co_await Pause{};
  }
}

}  // namespace retrain
