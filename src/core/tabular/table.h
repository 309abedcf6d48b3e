// The rows that a table model is trained on: typed columns in compact storage, a target, a part for each row.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/tabular/compact_column.h"

namespace retrain {

// What the values of a source column are. Stored in artifacts: never renumber.
enum class ColumnKind : uint8_t {
  kNumber = 0,
  kBoolean = 1,   // 0 and 1
  kTime = 2,      // seconds since 1970-01-01 UTC
  kCategory = 3,  // text
  kUnusable = 4,  // of a type that no feature is made of
};
const char* NameOf(ColumnKind kind);

// One value of a row. NaN counts as null. Where a text is due and `text` has no data, the number stands for its name.
struct Cell {
  bool is_null = true;
  double number = 0;      // kNumber, kBoolean, kTime
  std::string_view text;  // kCategory
};

// How a number is spelt where it stands for a name: the shortest text that reads back as it; true and false of a boolean;
// date and time (UTC) of an instant.
std::string TextOfNumber(double value, ColumnKind kind);

// The distinct texts of a column in the order of their first row. Beyond kMaxDistinct new ones are not told apart.
class Dictionary {
 public:
  static constexpr uint32_t kMaxDistinct = 100000;
  static constexpr uint32_t kOverflow = kMaxDistinct;

  uint32_t Add(std::string_view text);
  uint32_t size() const noexcept { return static_cast<uint32_t>(texts_.size()); }
  bool overflowed() const noexcept { return overflowed_; }
  std::string_view text(uint32_t code) const noexcept { return *texts_[code]; }
  uint64_t hash(uint32_t code) const noexcept { return code < hashes_.size() ? hashes_[code] : 0; }
  uint64_t bytes() const noexcept { return bytes_; }

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> codes_;
  std::vector<const std::string*> texts_;  // keys of codes_, which never move
  std::vector<uint64_t> hashes_;
  uint64_t bytes_ = 0;
  bool overflowed_ = false;
};

enum class TablePart : uint8_t { kTrain = 0, kValidation = 1, kTest = 2 };

// How rows are shared out between training, validation and test.
struct SplitRule {
  enum class Kind : uint8_t { kRow, kGroup, kTime, kGiven };
  Kind kind = Kind::kRow;
  std::string column;  // kGroup, kTime, kGiven
  double train = 0.70, validation = 0.15;
};

struct TableColumn {
  std::string name;
  ColumnKind kind = ColumnKind::kNumber;
  CompactColumn values;  // numbers; codes of `texts` for kCategory; NaN for null
  Dictionary texts;
};

// 128 bits that identify what a row says.
struct RowHash {
  uint64_t low = 0, high = 0;
  auto operator<=>(const RowHash&) const = default;
};

// Rows are added, then arranged once: training rows first, then validation, then test rows, each part in the order of the
// rows' hashes. So a model does not depend on the order in which a query happens to give its rows.
//
// Without a split of its own a row's part follows from its feature values alone (from its group's value, with a group): it
// is the same at every training, so that a test row never becomes a training row and two versions can be compared on the
// same rows. Where columns have come since an earlier training, the rows go by the columns of that one, as long as they leave
// every part at least half of its share. By time, the oldest rows are for training and the newest for the test.
class Table {
 public:
  struct Role {
    ColumnKind kind;
    bool hashed;         // takes part in the row's hash
    bool dealt = false;  // the rows of an earlier training went by it
  };

  explicit Table(SplitRule rule) : rule_(std::move(rule)) {}
  // Columns in the order of the cells. deal: the rows go by the columns that are `dealt`, not by those that are hashed.
  void Describe(std::vector<std::pair<std::string, Role>> columns, bool deal = false);
  // target: a number, or the place of a label that `target_text` spells out. split: what the rule goes by. Throws
  // Error(kInvalidParameter) when the row names no known part.
  void Add(std::span<const Cell> cells, double target, std::string_view target_text, const Cell& split);

  size_t rows() const noexcept { return hashes_.size(); }
  size_t n_columns() const noexcept { return columns_.size(); }
  const TableColumn& column(size_t c) const noexcept { return columns_[c]; }
  uint64_t bytes() const noexcept;

  // The order of the rows by part and hash, then column by column; ArrangeColumn once for each column, then EndArranging.
  void BeginArranging();
  void ArrangeColumn(size_t c);
  void EndArranging();

  size_t first(TablePart part) const noexcept { return first_[static_cast<size_t>(part)]; }
  size_t count(TablePart part) const noexcept {
    return first_[static_cast<size_t>(part) + 1] - first_[static_cast<size_t>(part)];
  }
  // Once arranged: whether the rows go by the columns that are `dealt`.
  bool dealt() const noexcept { return dealt_; }
  double target(size_t row) const noexcept { return targets_[row]; }
  // Targets that are places of labels become what those places are numbered.
  void RenumberTargets(std::span<const double> numbers);
  // Over every row, whatever their order.
  RowHash digest() const noexcept;

 private:
  void ShareOut();
  void Deal(std::span<const uint64_t> keys);
  bool HasItsShares() const noexcept;
  void ShareOutByTime();

  SplitRule rule_;
  std::vector<TableColumn> columns_;
  std::vector<uint64_t> seeds_;       // of a column's name; 0 for a column that is not hashed
  std::vector<uint64_t> deal_seeds_;  // likewise of one that is not `dealt`; empty: the rows go by what is hashed
  std::vector<double> targets_;
  std::vector<RowHash> hashes_;
  std::vector<uint64_t> split_keys_;  // kRow, kGroup: hash; kTime: the instant; kGiven: the part
  std::vector<uint64_t> deal_keys_;   // kRow: as split_keys_ by the columns that are `dealt`
  bool dealt_ = false;
  std::vector<uint8_t> parts_;
  std::vector<uint32_t> order_;
  size_t first_[4] = {};
};

// A number from its seed in which every bit depends on every bit (SplitMix64's finaliser).
inline uint64_t MixBits(uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

}  // namespace retrain
