// From the columns of a row to numbers: what every table model sees, fitted on training rows and stored with the model.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/codec/bytes.h"
#include "core/tabular/table.h"

namespace retrain {

inline constexpr uint32_t kNoCode = std::numeric_limits<uint32_t>::max();
// Numbers beyond it are refused in training and clamped in prediction: their squares still fit a double.
inline constexpr double kLargestNumber = 1e100;

// What of a column a dense feature is. Stored in artifacts: never renumber.
enum class DensePart : uint8_t { kValue = 0, kMissing = 1, kMonth = 2, kWeekday = 3, kHourOfDay = 4 };

struct DenseFeature {
  uint32_t column = 0;
  DensePart part = DensePart::kValue;
  // z = (x - mean) / scale; a missing x is the mean. kMissing is 0 or 1 and stays so (mean 0, scale 1).
  double mean = 0, scale = 1;
};

// The levels of a text column: of the most frequent texts of the training rows (ties by bytes), in the order of their bytes,
// codes 0 … levels - 1; then, where training rows had them, one code for null and one for all rarer texts. A text that is new
// takes the code of the rarer ones, or none.
struct CategoryFeature {
  uint32_t column = 0;
  std::vector<std::string> levels;
  bool has_null = false, has_other = false;
  uint32_t first = 0;  // of its codes among all one-hot columns

  uint32_t null_code() const noexcept {
    return has_null ? static_cast<uint32_t>(levels.size()) : has_other ? other_code() : kNoCode;
  }
  uint32_t other_code() const noexcept { return has_other ? static_cast<uint32_t>(levels.size()) + has_null : kNoCode; }
  uint32_t n_codes() const noexcept { return static_cast<uint32_t>(levels.size()) + has_null + has_other; }
};

struct EncoderOptions {
  uint32_t max_categories = 100;
  uint32_t min_category_rows = 1;
  bool date_parts = true;
};

// Rows as numbers: dense is rows × n_dense, NaN for missing; codes is rows × n_categories, kNoCode for none.
struct EncodedBlock {
  size_t rows = 0;
  std::vector<double> dense;
  std::vector<uint32_t> codes;
};

class Encoder {
 public:
  struct Column {
    std::string name;
    ColumnKind kind = ColumnKind::kNumber;
  };

  Encoder() = default;
  // Fitting: each usable column once, on rows first … first + n - 1 of its table. `instant` false: only the parts of a time
  // become features. False when the column says nothing (constant, or null throughout): it is then left out.
  bool AddColumn(const TableColumn& column, size_t first, size_t n, const EncoderOptions& options, bool instant);
  void EndFitting();
  // For models of other programs: columns of numbers as they are, or (n_codes > 0) of codes spelt "0" … "n_codes - 1", then
  // one for null and one for every other text.
  void AddPlainColumn(std::string_view name, uint32_t n_codes);

  std::span<const Column> columns() const noexcept { return columns_; }
  std::span<const DenseFeature> dense() const noexcept { return dense_; }
  std::span<const CategoryFeature> categories() const noexcept { return categories_; }
  size_t n_dense() const noexcept { return dense_.size(); }
  size_t n_categories() const noexcept { return categories_.size(); }
  size_t n_one_hot() const noexcept { return n_one_hot_; }
  size_t n_features() const noexcept { return dense_.size() + n_one_hot_; }
  std::string DenseName(size_t i) const;
  std::string CodeName(size_t category, uint32_t code) const;

  // One row; cells in the order of columns(). dense: n_dense raw values; codes: n_categories.
  void Encode(std::span<const Cell> cells, std::span<double> dense, std::span<uint32_t> codes) const;
  // Rows of a table whose columns(), by place_of, are these: one-hot places in codes. standardised: as linear models see them.
  void EncodeRows(const Table& table, std::span<const uint32_t> place_of, size_t first, size_t rows, bool standardised,
                  EncodedBlock& block) const;
  void Standardise(std::span<double> dense) const noexcept;
  // Whether a number may stand for a text of a column of texts: where texts that it knows are numbers.
  bool TakesNumbers(size_t column) const;
  // The code of a text in a category feature; kNoCode for a new one without a code for rare ones.
  uint32_t CodeOf(size_t category, std::string_view text) const;

  void Write(ByteWriter& out) const;
  // Throws Error(kDataCorrupted) for what no encoder is.
  static Encoder Read(ByteReader& in);

 private:
  bool AddDense(const TableColumn& column, size_t first, size_t n, const EncoderOptions& options, bool instant);
  bool AddCategory(const TableColumn& column, size_t first, size_t n, const EncoderOptions& options);
  void Index();

  std::vector<Column> columns_;
  std::vector<DenseFeature> dense_;
  std::vector<CategoryFeature> categories_;
  std::vector<std::vector<uint32_t>> dense_of_, category_of_;  // features of a column
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  std::vector<std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>>> codes_;
  size_t n_one_hot_ = 0;
};

}  // namespace retrain
