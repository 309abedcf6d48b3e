// What is wrong with a source's columns: identifiers, columns that give the target away.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "core/base/utf8_clip.h"
#include "core/tabular/table_trainer.h"

namespace retrain {
namespace {

constexpr size_t kLeakRows = 4000;   // of either side at most
constexpr size_t kLeakMinRows = 20;  // held out
constexpr uint32_t kLeakBins = 64;
constexpr double kLeakLimit = 0.99;
constexpr uint32_t kLeakClasses = 20;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

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
    AddEdges(values);
    if (edges_.size() < kLeakBins / 2 && !values.empty()) {  // one value of most rows: the others in bins of their own
      const auto same = std::equal_range(values.begin(), values.end(), values[values.size() / 2]);
      values.erase(same.first, same.second);
      AddEdges(values);
      std::sort(edges_.begin(), edges_.end());
      edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
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
  void AddEdges(const std::vector<double>& sorted) {
    for (uint32_t b = 1; b < kLeakBins && !sorted.empty(); ++b) {
      const double edge = sorted[sorted.size() * b / kLeakBins];
      if (edges_.empty() || edge != edges_.back()) edges_.push_back(edge);
    }
  }

  const TableColumn& column_;
  std::vector<double> edges_;
  size_t n_bins_ = 0;
};

struct Sides {
  size_t n_train, first_held_out, n_held_out;
};

// R² on held-out rows of the bins' means of the targets, as `scale` has them. Rows for which it gives NaN do not count.
template <class Scale>
double LeakOf(const Table& table, const Bins& bins, const Sides& sides, const Scale& scale) {
  double mean = 0, counted = 0;
  std::vector<double> sums(bins.n_bins()), rows(bins.n_bins());
  for (size_t i = 0; i < sides.n_train; ++i)
    if (const double y = scale(table.target(i)); !std::isnan(y)) mean += y, counted += 1;
  mean /= counted;
  for (size_t i = 0; i < sides.n_train; ++i) {
    const double y = scale(table.target(i));
    if (std::isnan(y)) continue;
    sums[bins.Of(i)] += y - mean;
    rows[bins.Of(i)] += 1;
  }
  std::vector<double> truth, predicted;
  for (size_t i = sides.first_held_out; i < sides.first_held_out + sides.n_held_out; ++i) {
    const double y = scale(table.target(i));
    if (std::isnan(y)) continue;
    const size_t b = bins.Of(i);
    truth.push_back(y - mean);
    predicted.push_back(rows[b] > 0 ? sums[b] / rows[b] : 0);
  }
  return truth.size() < kLeakMinRows ? 0 : EvaluateValues(truth, predicted).r2;
}

double LeakOfValues(const Table& table, const Bins& bins, const Sides& sides) {
  return LeakOf(table, bins, sides, [](double y) { return y; });
}

// The same of the targets' ranks among those of the training rows. Bins are too coarse for the few largest values of a
// skewed target, which make most of its variance.
class Ranks {
 public:
  Ranks(const Table& table, size_t n_train) {
    for (size_t i = 0; i < n_train; ++i) all_.push_back(table.target(i));
    std::sort(all_.begin(), all_.end());
    // One value of most rows, such as a zero, is told from the others by their ranks, and nothing else is.
    common_ = all_[all_.size() / 2];
    const auto same = std::equal_range(all_.begin(), all_.end(), common_);
    if (static_cast<size_t>(same.second - same.first) <= all_.size() / 2) return;
    others_.assign(all_.begin(), same.first);
    others_.insert(others_.end(), same.second, all_.end());
    has_common_ = true;
  }

  double Leak(const Table& table, const Bins& bins, const Sides& sides) const {
    const double of_all = LeakOf(table, bins, sides, [&](double y) { return Of(all_, y); });
    if (!has_common_ || !(of_all >= kLeakLimit)) return of_all;
    return std::min(of_all, LeakOf(table, bins, sides, [&](double y) { return y == common_ ? kNan : Of(others_, y); }));
  }

 private:
  static double Of(const std::vector<double>& sorted, double y) {
    const auto same = std::equal_range(sorted.begin(), sorted.end(), y);
    return static_cast<double>((same.first - sorted.begin()) + (same.second - sorted.begin()));
  }

  std::vector<double> all_, others_;
  double common_ = 0;
  bool has_common_ = false;
};

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
    if (column.texts.overflowed())
      return TableWarning{
          "identifier_column", column.name,
          name + " has more than " + std::to_string(Dictionary::kMaxDistinct) + " different texts and is no feature"};
    const size_t distinct = column.texts.size();
    if (distinct == present)
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
  std::optional<Ranks> ranks;
  if (!classes && sides.n_train > 0) ranks.emplace(*table_, sides.n_train);
  for (const uint32_t place : place_of_) {
    const TableColumn& column = table_->column(place);
    const Bins bins(column, sides.n_train);
    double score = classes ? LeakOfClasses(*table_, bins, sides, static_cast<uint32_t>(n_classes()))
                           : LeakOfValues(*table_, bins, sides);
    const bool by_rank = ranks && !(score >= kLeakLimit);
    if (by_rank) score = ranks->Leak(*table_, bins, sides);
    if (score >= kLeakLimit)
      Warn("leakage", column.name,
           "column \"" + Shortened(column.name, 100) + "\" alone predicts \"" + Shortened(request_.target, 100) +
               "\" (" +
               (classes   ? "AUC "
                : by_rank ? "R2 of ranks "
                          : "R2 ") +
               Percent(score) + " on held-out rows): is it made from the target, or known only afterwards?");
    if (pace_.Expired()) co_await Pause{};
  }
}

}  // namespace retrain
