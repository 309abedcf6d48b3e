// The order of a table model's training: rows, columns, fit, calibration, comparison.
#include "core/tabular/table_trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/json_value.h"
#include "core/base/utf8_clip.h"

namespace retrain {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr uint32_t kMaxClasses = 1000;
constexpr double kLargestLeaf = 1e38;          // of a tree, with room for sums in single precision
constexpr double kRounded = 9007199254740992;  // 2^53: from here on two integers may be one number
constexpr uint64_t kSmallWork = 2000000;       // rows times features
// A memory check costs a look at every column.
constexpr uint64_t kRowsBetweenChecks = 4096;

std::string Quoted(std::string_view name) { return "\"" + Shortened(name, 100) + "\""; }

}  // namespace

TableTrainer::TableTrainer(TableRequest request) : request_(std::move(request)) {
  const bool clustering = request_.task == TableTask::kClustering;
  result_.task = request_.task;
  result_.algorithm = ChooseAlgorithm(request_.task, request_.algorithm, request_.booster != nullptr);
  result_.config = ParseTableConfig(request_.config_json, result_.algorithm);
  result_.target = request_.target;
  if (NeedsBooster(result_.algorithm) && request_.booster == nullptr)
    throw Error(
        ErrorCode::kNotSupported,
        std::string("algorithm ") + NameOf(result_.algorithm) + " needs the module pg_retrain_xgboost",
        "the module is not installed on this server",
        std::string("install libxgboost-dev 1.7 or later, then make and make install again, or use p_algorithm => '") +
            (request_.task == TableTask::kClassification ? "logistic_regression" : "ridge") + "'");
  if (clustering && !request_.target.empty())
    throw Error(ErrorCode::kInvalidParameter, "clustering has no target", "p_target is " + Quoted(request_.target),
                "leave p_target out, or name the column in p_config: {\"exclude\": [...]}");
  if (!clustering && request_.target.empty())
    throw Error(ErrorCode::kInvalidParameter, "p_target must name the column to predict",
                std::string("task ") + NameOf(request_.task) + " has a target", "for example p_target => 'churn'");
}

TableTrainer::~TableTrainer() = default;

void TableTrainer::Warn(const char* code, const std::string& column, std::string message) {
  result_.warnings.push_back({code, column, std::move(message)});
}

void TableTrainer::CheckMemory(uint64_t needed, const char* what) const {
  if (needed <= request_.memory_budget) return;
  throw Error(ErrorCode::kOutOfMemory, "the training needs more memory than it may use",
              std::string(what) + " need " + std::to_string((needed + 1023) >> 10) +
                  " kB, pg_retrain.training_memory is " + std::to_string(request_.memory_budget >> 10) + " kB",
              "raise pg_retrain.training_memory, or train on fewer rows or columns");
}

// Half of what is left is for rows kept encoded.
uint64_t TableTrainer::KeepBytes() const {
  const uint64_t used = table_->bytes();
  return used < request_.memory_budget ? (request_.memory_budget - used) / 2 : 0;
}

void TableTrainer::FindRoles(std::span<const SourceColumn> columns) {
  const auto find = [&](const std::string& name) {
    for (uint32_t i = 0; i < columns.size(); ++i)
      if (columns[i].name == name) return i;
    return kNowhere;
  };
  const auto require = [&](const std::string& name, const std::string& what) {
    const uint32_t place = find(name);
    if (place != kNowhere) return place;
    std::string known;
    for (const auto& column : columns) known += (known.empty() ? "" : ", ") + column.name;
    throw Error(ErrorCode::kInvalidParameter, "p_source gives no column " + Quoted(name),
                what + "; its columns are: " + Shortened(known, 800),
                "add the column to the query, or correct the name");
  };
  for (uint32_t i = 0; i < columns.size(); ++i)
    if (find(columns[i].name) != i)
      throw Error(ErrorCode::kInvalidParameter, "p_source gives the column " + Quoted(columns[i].name) + " twice", {},
                  "name each column once");
  for (const auto& name : result_.config.exclude) require(name, "\"exclude\" names it");
  for (const auto& name : result_.config.categorical) require(name, "\"categorical\" names it");
  SplitRule& rule = result_.config.split;
  if (rule.kind == SplitRule::Kind::kGroup || rule.kind == SplitRule::Kind::kTime) {
    split_cell_ = require(rule.column, "\"split\" names it");
    const ColumnKind kind = columns[split_cell_].kind;
    const bool fits = rule.kind == SplitRule::Kind::kTime ? kind == ColumnKind::kTime || kind == ColumnKind::kNumber
                                                          : kind != ColumnKind::kUnusable;
    if (!fits)
      throw Error(ErrorCode::kInvalidParameter, "column " + Quoted(rule.column) + " cannot share out the rows",
                  "it is of type " + columns[split_cell_].type,
                  "by_time takes a date, timestamp or number; by takes text, a number or a uuid");
  } else if (const uint32_t place = find("split"); place != kNowhere && columns[place].kind == ColumnKind::kCategory) {
    split_cell_ = place;
    rule.kind = SplitRule::Kind::kGiven;
    own_splits_ = true;
  }
  if (request_.task == TableTask::kClustering) return;
  target_cell_ = require(request_.target, "p_target names it");
  const ColumnKind kind = columns[target_cell_].kind;
  if (target_cell_ == split_cell_)
    throw Error(ErrorCode::kInvalidParameter, "the target cannot share out the rows",
                "it is " + Quoted(request_.target), "choose another column for the split");
  if (kind == ColumnKind::kUnusable ||
      (request_.task == TableTask::kRegression && kind != ColumnKind::kNumber && kind != ColumnKind::kBoolean))
    throw Error(ErrorCode::kInvalidParameter, "column " + Quoted(request_.target) + " cannot be the target",
                "it is of type " + columns[target_cell_].type +
                    (request_.task == TableTask::kRegression ? "; regression predicts a number"
                                                             : "; classification predicts a text, boolean or number"),
                request_.task == TableTask::kRegression ? "cast it in the query, or use p_task => 'classification'"
                                                        : "cast it in the query, for example to text");
}

void TableTrainer::Describe(std::span<const SourceColumn> columns) {
  FindRoles(columns);
  table_ = std::make_unique<Table>(result_.config.split);
  const auto named = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<std::pair<std::string, Table::Role>> table_columns;
  for (uint32_t i = 0; i < columns.size(); ++i) {
    kind_of_.push_back(columns[i].kind);
    name_of_.push_back(columns[i].name);
    const bool excluded = named(result_.config.exclude, columns[i].name);
    if (i == target_cell_ || (columns[i].name == "split" && columns[i].kind == ColumnKind::kCategory)) continue;
    if (i == split_cell_ && result_.config.split.kind == SplitRule::Kind::kGroup) continue;
    if (columns[i].kind == ColumnKind::kUnusable) {
      if (!excluded)
        Warn("unusable_type", columns[i].name,
             "column " + Quoted(columns[i].name) + " is of type " + columns[i].type + " and no feature");
      continue;
    }
    if (named(result_.config.categorical, columns[i].name)) {
      if (columns[i].kind != ColumnKind::kNumber && columns[i].kind != ColumnKind::kCategory)
        throw Error(ErrorCode::kInvalidParameter, "column " + Quoted(columns[i].name) + " cannot be categorical",
                    "it is of type " + columns[i].type + "; \"categorical\" is for numbers that are names",
                    "leave it out of \"categorical\", or cast the column to text in the query");
      kind_of_[i] = ColumnKind::kCategory;
    }
    cell_of_.push_back(i);
    is_feature_.push_back(!excluded);
    table_columns.push_back({columns[i].name, {kind_of_[i], !excluded}});
  }
  if (std::find(is_feature_.begin(), is_feature_.end(), true) == is_feature_.end())
    throw Error(ErrorCode::kInvalidParameter, "p_source gives no column to learn from",
                "the target, the split and excluded columns are no features", "add columns to the query");
  row_.resize(table_columns.size());
  former_deal_ = result_.config.split.kind == SplitRule::Kind::kRow && FindFormerDeal(table_columns);
  table_->Describe(std::move(table_columns), former_deal_);
}

// Marks the columns that the live version's rows were shared out by: with others beside them, or without one that is no feature
// any more, rows that it has learnt from would be test rows. False where they are the ones that count anyway, or not all here.
bool TableTrainer::FindFormerDeal(std::vector<std::pair<std::string, Table::Role>>& columns) {
  for (const auto& [name, role] : columns)
    if (role.hashed) result_.dealt_by.emplace_back(name, role.kind);
  if (request_.dealt_by_json.empty()) return false;
  const JsonValue former = ParseJson(request_.dealt_by_json);
  size_t hashed = 0;
  std::vector<std::pair<std::string, ColumnKind>> dealt_by;
  for (const JsonMember& member : former.members) {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& column) {
      return column.first == member.key && NameOf(column.second.kind) == member.value.string;
    });
    if (found == columns.end()) {
      dealt_anew_ = "the live version's rows were shared out by the column " + Quoted(member.key) + " as " +
                    member.value.string + ", which these rows do not have";
      return false;
    }
    found->second.dealt = true;
    hashed += found->second.hashed;
    dealt_by.emplace_back(found->first, found->second.kind);
  }
  if (hashed == dealt_by.size() && hashed == result_.dealt_by.size()) return false;
  result_.dealt_by = std::move(dealt_by);
  return true;
}

// Test rows of one rule are rows that another has for training, unless the test takes no more from the same end. Splits that the
// rows bring along are the caller's word.
void TableTrainer::CompareSplits(const TableModel& live) {
  const SplitRule& now = result_.config.split;
  if (now.kind == SplitRule::Kind::kGiven) return;
  const std::optional<SplitRule> before = SplitOf(live.config_json());
  if (!before) return;
  constexpr double kRounding = 1e-9;
  const bool no_more = now.train + now.validation >= before->train + before->validation - kRounding;
  if (before->kind == now.kind && before->column == now.column && no_more) return;
  dealt_anew_ = "the live version's rows were shared out by the split " + ToJson(*before) + ", these by " + ToJson(now);
}

// The target as a number: its value, or the place of its text among those seen.
double TableTrainer::TargetNumber(const Cell& cell, std::string& text) {
  if (target_cell_ == kNowhere) return 0;
  if (cell.is_null || (kind_of_[target_cell_] != ColumnKind::kCategory && std::isnan(cell.number))) return kNan;
  if (request_.task == TableTask::kRegression) {
    const bool trees = NeedsBooster(result_.algorithm);
    if (std::abs(cell.number) <= (trees ? kLargestLeaf : kLargestNumber)) return cell.number;
    const bool ridge_takes_it = std::abs(cell.number) <= kLargestNumber;
    throw Error(ErrorCode::kInvalidParameter, "the target " + Quoted(request_.target) + " is out of range",
                "row " + std::to_string(n_seen_) + " has " +
                    (std::isinf(cell.number) ? "an infinite value"
                     : trees                 ? "a value beyond 1e38, and trees hold single precision"
                                             : "a value beyond 1e100"),
                ridge_takes_it ? "divide it in the query, or use p_algorithm => 'ridge'"
                               : "leave such rows out of the query, or correct them");
  }
  if (kind_of_[target_cell_] != ColumnKind::kCategory && std::isinf(cell.number))
    throw Error(ErrorCode::kInvalidParameter, "the target " + Quoted(request_.target) + " is out of range",
                "row " + std::to_string(n_seen_) + " has an infinite value",
                "leave such rows out of the query, or cast the column to text");
  if (kind_of_[target_cell_] == ColumnKind::kNumber && std::abs(cell.number) >= kRounded)
    throw Error(ErrorCode::kInvalidParameter, "the target " + Quoted(request_.target) + " is out of range",
                "row " + std::to_string(n_seen_) + " has a number of 2^53 or more, which would be rounded",
                "cast the column to text");
  text = kind_of_[target_cell_] == ColumnKind::kCategory ? std::string(cell.text)
                                                         : TextOfNumber(cell.number, kind_of_[target_cell_]);
  const uint32_t code = target_texts_.Add(text);
  if (code >= kMaxClasses)
    throw Error(ErrorCode::kLimitExceeded, "the target " + Quoted(request_.target) + " has too many classes",
                "more than " + std::to_string(kMaxClasses) + " different values by row " + std::to_string(n_seen_),
                "predict a number with p_task => 'regression', or group the values");
  return code;
}

void TableTrainer::Add(std::span<const Cell> cells, const Stop& stop) {
  ++n_seen_;
  std::string text;
  const double target = TargetNumber(target_cell_ == kNowhere ? Cell{} : cells[target_cell_], text);
  if (std::isnan(target)) {
    ++result_.ignored;
    return;
  }
  std::vector<std::string> texts;  // of numbers that are names
  texts.reserve(result_.config.categorical.size());
  for (size_t c = 0; c < row_.size(); ++c) {
    Cell& cell = row_[c] = cells[cell_of_[c]];
    if (cell.is_null) continue;
    if (kind_of_[cell_of_[c]] == ColumnKind::kCategory) {
      // Of a column that is no feature, too: it may be one of the live version's.
      if (cell.text.data() == nullptr) {
        if (is_feature_[c] && std::abs(cell.number) >= kRounded)
          throw Error(ErrorCode::kInvalidParameter, "column " + Quoted(name_of_[cell_of_[c]]) + " is out of range",
                      "row " + std::to_string(n_seen_) + " has a number of 2^53 or more, which would be rounded",
                      "cast the column to text");
        texts.push_back(TextOfNumber(cell.number, ColumnKind::kNumber));
        cell.text = texts.back();
      }
    } else if (is_feature_[c] && std::abs(cell.number) > kLargestNumber) {
      throw Error(ErrorCode::kInvalidParameter, "column " + Quoted(name_of_[cell_of_[c]]) + " is out of range",
                  "row " + std::to_string(n_seen_) + " has " +
                      (std::isinf(cell.number) ? "an infinite value" : "a value beyond 1e100"),
                  "turn such values into null in the query, for example with nullif()");
    }
  }
  const bool named = request_.task == TableTask::kClassification;
  table_->Add(row_, target, named ? std::string_view(text) : std::string_view(),
              split_cell_ == kNowhere ? Cell{} : cells[split_cell_]);
  if (++unchecked_ < kRowsBetweenChecks) return;
  unchecked_ = 0;
  stop.Poll();
  CheckMemory(table_->bytes(), "the rows");
}

bool TableTrainer::Step(const StepBudget& budget) {
  pace_.budget = &budget;
  budget.stop.Poll();
  if (!started_) {
    started_ = true;
    run_ = Run();
  }
  return run_.Resume();
}

Resumable TableTrainer::Run() {
  Advance(TrainingPhase::kWeighting, 1);
  result_.digest = table_->digest();
  if (!CheckRows()) co_return;
  CheckMemory(table_->bytes() + table_->rows() * 24, "the rows and their order");
  table_->BeginArranging();
  if (former_deal_ && !table_->dealt()) {
    dealt_anew_ = "the columns that the live version's rows were shared out by leave a part less than half of its rows";
    result_.dealt_by.clear();
    for (size_t c = 0; c < table_->n_columns(); ++c)
      if (is_feature_[c]) result_.dealt_by.emplace_back(table_->column(c).name, table_->column(c).kind);
  }
  for (size_t c = 0; c < table_->n_columns(); ++c) {
    table_->ArrangeColumn(c);
    if (pace_.Expired()) co_await Pause{};
  }
  table_->EndArranging();
  result_.training_rows = table_->count(TablePart::kTrain);
  result_.validation_rows = table_->count(TablePart::kValidation);
  result_.test_rows = table_->count(TablePart::kTest);
  if (!CheckTrainingRows()) co_return;
  if (request_.task == TableTask::kClassification) NumberLabels();
  if (result_.failed) co_return;
  co_await Pause{};

  ChooseColumns();
  EncoderOptions options{result_.config.max_categories, result_.config.min_category_rows, result_.config.date_parts};
  for (size_t c = 0; c < table_->n_columns(); ++c) {
    if (!is_feature_[c]) continue;
    const TableColumn& column = table_->column(c);
    const bool instant =
        result_.config.split.kind != SplitRule::Kind::kTime || column.name != result_.config.split.column;
    if (parts_.encoder.AddColumn(column, 0, result_.training_rows, options, instant)) {
      place_of_.push_back(static_cast<uint32_t>(c));
      result_.columns.push_back(column.name);
    } else {
      bool has_value = false;
      for (size_t i = 0; i < result_.training_rows && !has_value; ++i) has_value = !std::isnan(column.values[i]);
      if (has_value)
        Warn("constant_column", column.name,
             "column " + Quoted(column.name) + " has the same value in all training rows and is no feature");
      else
        Warn("all_null_column", column.name,
             "column " + Quoted(column.name) + " is null in all training rows and is no feature");
    }
    if (pace_.Expired()) co_await Pause{};
  }
  parts_.encoder.EndFitting();
  result_.features = parts_.encoder.n_features();
  if (result_.training_rows * result_.features < kSmallWork) pace_.most_threads = 1;
  if (result_.features == 0) {
    result_.failed = true;
    result_.failure = "no column is left to learn from: all are constant, null throughout or identifiers";
    co_return;
  }
  Advance(TrainingPhase::kFitting, 10);

  parts_.task = request_.task;
  parts_.algorithm = NameOf(result_.algorithm);
  parts_.target = request_.target;
  parts_.config_json = ToJson(result_.config, result_.algorithm);
  parts_.training_rows = result_.training_rows;
  parts_.labels = result_.labels;
  for (auto part = Fit(); !part.Resume();) co_await Pause{};
  if (result_.failed) co_return;
  Advance(TrainingPhase::kCalibrating, 80);
  result_.artifact = EncodeTableModel(parts_);
  model_.emplace(result_.artifact, Checksum::kCompared);
  if (request_.task == TableTask::kClassification)
    for (auto part = CalibrateModel(); !part.Resume();) co_await Pause{};
  parts_.forest.reset();

  Advance(TrainingPhase::kEvaluating, 85);
  for (auto part = ScorePart(*model_, TablePart::kTest, false); !part.Resume();) co_await Pause{};
  if (request_.task != TableTask::kClustering)
    for (auto part = FindLeaks(); !part.Resume();) co_await Pause{};
  Advance(TrainingPhase::kEvaluating, 92);
  if (result_.config.importance == "permutation")
    for (auto part = Permute(); !part.Resume();) co_await Pause{};
  if (request_.has_live) {
    std::optional<TableModel> live;
    try {
      live.emplace(request_.live_artifact);
      CompareSplits(*live);
    } catch (const Error& error) {
      live.reset();
      result_.not_comparable = "the live version cannot be read: " + error.message();
    }
    if (live)
      for (auto part = ScorePart(*live, TablePart::kTest, true); !part.Resume();) co_await Pause{};
  }
  Conclude();
  Advance(TrainingPhase::kDone, 100);
}

bool TableTrainer::CheckRows() {
  if (table_->rows() >= std::max<uint64_t>(request_.min_samples, 2)) return true;
  result_.failed = true;
  result_.failure = "there are " + std::to_string(table_->rows()) + " rows" +
                    (target_cell_ == kNowhere ? "" : " with a target") + ", at least " +
                    std::to_string(std::max<uint64_t>(request_.min_samples, 2)) + " are needed";
  return false;
}

bool TableTrainer::CheckTrainingRows() {
  if (result_.training_rows >= 2) return true;
  const SplitRule& split = result_.config.split;
  result_.failed = true;
  result_.failure = "there are " + std::to_string(result_.training_rows) + " training rows, at least 2 are needed";
  if (split.kind == SplitRule::Kind::kRow)
    result_.failure += ": equal rows go to the same part, and no column tells these apart";
  if (split.kind == SplitRule::Kind::kGroup)
    result_.failure +=
        ": rows with the same " + Quoted(split.column) + " go to the same part, and it has too few values";
  return false;
}

// Labels of training rows are the model's, in the order of their bytes; those of other rows alone come behind.
void TableTrainer::NumberLabels() {
  const uint32_t n = target_texts_.size();
  std::vector<uint64_t> in_train(n), in_test(n);
  for (size_t i = 0; i < table_->rows(); ++i)
    ++(i < result_.training_rows ? in_train : in_test)[static_cast<size_t>(table_->target(i))];
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    if ((in_train[a] > 0) != (in_train[b] > 0)) return in_train[a] > 0;
    return target_texts_.text(a) < target_texts_.text(b);
  });
  std::vector<double> numbers(n);
  for (uint32_t place = 0; place < n; ++place) {
    const uint32_t code = order[place];
    numbers[code] = place;
    const std::string label(target_texts_.text(code));
    if (in_train[code] > 0)
      result_.labels.push_back(label);
    else
      Warn("class_without_training_rows", request_.target,
           "class " + Quoted(label) + " occurs in held-out rows alone: the model cannot predict it");
    if (in_train[code] > 0 && in_test[code] == 0 && result_.test_rows + result_.validation_rows > 0)
      Warn("class_without_held_out_rows", request_.target,
           "class " + Quoted(label) + " occurs in training rows alone: nothing measures how well it is predicted");
    result_.all_labels.push_back(label);
  }
  table_->RenumberTargets(numbers);
  if (n_classes() >= 2) return;
  result_.failed = true;
  result_.failure = "all training rows are of one class, " + Quoted(result_.labels[0]);
}

bool TableTrainer::MapColumns(const TableModel& model, std::vector<uint32_t>& place_of, std::string& why_not) const {
  if (model.task() != request_.task || model.target() != request_.target) {
    why_not = "the live version predicts something else: " + std::string(NameOf(model.task())) +
              (model.target().empty() ? "" : " of " + Quoted(model.target()));
    return false;
  }
  for (const auto& wanted : model.encoder().columns()) {
    uint32_t place = kNowhere;
    for (uint32_t c = 0; c < table_->n_columns(); ++c)
      if (table_->column(c).name == wanted.name &&
          (table_->column(c).kind == ColumnKind::kCategory) == (wanted.kind == ColumnKind::kCategory) &&
          (table_->column(c).kind == ColumnKind::kTime) == (wanted.kind == ColumnKind::kTime))
        place = c;
    if (place == kNowhere) {
      why_not = "the live version needs the column " + Quoted(wanted.name) + " as " + NameOf(wanted.kind) +
                ", which these rows do not have";
      return false;
    }
    place_of.push_back(place);
  }
  return true;
}

}  // namespace retrain
