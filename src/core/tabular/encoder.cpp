// Fits, applies, writes and reads the encoding of a table's columns.
#include "core/tabular/encoder.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"

namespace retrain {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kSecondsPerDay = 86400;

[[noreturn]] void Corrupted(const char* detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored model is corrupt", detail,
              "restore the version from a backup, or drop it and train again");
}

// Month (1-12) of a day counted from 1970-01-01: the year is taken to begin in March (Hinnant, "chrono-compatible low-level
// date algorithms").
double MonthOf(double day) {
  const auto z = static_cast<int64_t>(day) + 719468;
  const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const auto doe = static_cast<uint32_t>(z - era * 146097);
  const uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const uint32_t mp = (5 * doy + 2) / 153;
  return mp < 10 ? mp + 3 : mp - 9;
}

// What a part of a column is, from the column's value; NaN stays NaN but for kMissing. Times beyond ±10 000 years have no parts.
double PartOf(DensePart part, ColumnKind kind, double value) {
  if (part == DensePart::kMissing) return std::isnan(value) ? 1 : 0;
  if (std::isnan(value) || kind != ColumnKind::kTime) return value;
  const double day = std::floor(value / kSecondsPerDay);
  if (part == DensePart::kValue) return value / kSecondsPerDay;
  if (std::abs(day) > 3.66e6) return kNan;
  switch (part) {
    case DensePart::kMonth:
      return MonthOf(day);
    case DensePart::kWeekday: {  // ISO: Monday is 1; 1970-01-01 was a Thursday
      const double weekday = std::fmod(day + 3, 7);
      return 1 + (weekday < 0 ? weekday + 7 : weekday);
    }
    default:
      return std::floor((value - day * kSecondsPerDay) / 3600);
  }
}

struct Moments {
  double mean = 0, variance = 0;  // of the present values; the variance over all rows, the missing ones at the mean
  size_t missing = 0;
  bool constant = true;
};

Moments MomentsOf(const TableColumn& column, DensePart part, size_t first, size_t n) {
  Moments m;
  double sum = 0, lowest = kNan;
  for (size_t i = 0; i < n; ++i) {
    const double x = PartOf(part, column.kind, column.values[first + i]);
    if (std::isnan(x)) {
      ++m.missing;
      continue;
    }
    sum += x;
    if (std::isnan(lowest)) lowest = x;
    if (x != lowest) m.constant = false;
  }
  if (m.missing == n) return m;
  m.mean = m.constant ? lowest : sum / static_cast<double>(n - m.missing);
  double squares = 0;
  for (size_t i = 0; i < n; ++i) {
    const double x = PartOf(part, column.kind, column.values[first + i]);
    if (!std::isnan(x)) squares += (x - m.mean) * (x - m.mean);
  }
  m.variance = squares / static_cast<double>(n);
  return m;
}

}  // namespace

bool Encoder::AddColumn(const TableColumn& column, size_t first, size_t n, const EncoderOptions& options,
                        bool instant) {
  columns_.push_back({column.name, column.kind});
  const bool useful = column.kind == ColumnKind::kCategory ? AddCategory(column, first, n, options)
                                                           : AddDense(column, first, n, options, instant);
  if (!useful) columns_.pop_back();
  return useful;
}

bool Encoder::AddDense(const TableColumn& column, size_t first, size_t n, const EncoderOptions& options, bool instant) {
  const auto place = static_cast<uint32_t>(columns_.size() - 1);
  const size_t before = dense_.size();
  const auto add = [&](DensePart part) {
    const Moments m = MomentsOf(column, part, first, n);
    if (m.missing == n || m.constant || !(m.variance > 0)) return m;
    dense_.push_back({place, part, m.mean, std::sqrt(m.variance)});
    return m;
  };
  const Moments whole = instant ? add(DensePart::kValue) : MomentsOf(column, DensePart::kValue, first, n);
  if (column.kind == ColumnKind::kTime && options.date_parts && whole.missing < n && !whole.constant)
    for (const DensePart part : {DensePart::kMonth, DensePart::kWeekday, DensePart::kHourOfDay}) add(part);
  // A column that is null now and then says something by being null, also where its value never changes.
  if (whole.missing > 0 && whole.missing < n) dense_.push_back({place, DensePart::kMissing, 0, 1});
  return dense_.size() > before;
}

bool Encoder::AddCategory(const TableColumn& column, size_t first, size_t n, const EncoderOptions& options) {
  std::vector<uint32_t> counts(column.texts.size() + 1);
  size_t nulls = 0;
  for (size_t i = 0; i < n; ++i) {
    const double code = column.values[first + i];
    if (std::isnan(code))
      ++nulls;
    else
      ++counts[std::min<size_t>(static_cast<size_t>(code), column.texts.size())];
  }
  std::vector<uint32_t> order;
  for (uint32_t code = 0; code < column.texts.size(); ++code)
    if (counts[code] > 0) order.push_back(code);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b] : column.texts.text(a) < column.texts.text(b);
  });
  CategoryFeature feature;
  feature.column = static_cast<uint32_t>(columns_.size() - 1);
  size_t kept = 0;
  while (kept < order.size() && kept < options.max_categories && counts[order[kept]] >= options.min_category_rows)
    ++kept;
  feature.has_null = nulls > 0;
  feature.has_other = kept < order.size() || counts.back() > 0;
  order.resize(kept);
  for (const uint32_t code : order) feature.levels.emplace_back(column.texts.text(code));
  std::sort(feature.levels.begin(), feature.levels.end());
  if (feature.n_codes() < 2) return false;
  categories_.push_back(std::move(feature));
  return true;
}

void Encoder::AddPlainColumn(std::string_view name, uint32_t n_codes) {
  const auto place = static_cast<uint32_t>(columns_.size());
  columns_.push_back({std::string(name), n_codes > 0 ? ColumnKind::kCategory : ColumnKind::kNumber});
  if (n_codes == 0) {
    dense_.push_back({place, DensePart::kValue, 0, 1});
    return;
  }
  CategoryFeature feature;
  feature.column = place;
  for (uint32_t code = 0; code < n_codes; ++code) feature.levels.push_back(std::to_string(code));
  feature.has_null = feature.has_other = true;
  categories_.push_back(std::move(feature));
}

void Encoder::EndFitting() { Index(); }

bool Encoder::TakesNumbers(size_t column) const {
  bool any = false;
  for (const uint32_t feature : category_of_[column]) {
    for (const std::string& level : categories_[feature].levels) {
      double number;
      const char* const end = level.data() + level.size();
      const auto [rest, error] = std::from_chars(level.data(), end, number);
      if (error == std::errc() && rest == end) return true;
      any = true;
    }
  }
  return !any;
}

void Encoder::Index() {
  dense_of_.assign(columns_.size(), {});
  category_of_.assign(columns_.size(), {});
  for (size_t i = 0; i < dense_.size(); ++i) dense_of_[dense_[i].column].push_back(static_cast<uint32_t>(i));
  codes_.assign(categories_.size(), {});
  n_one_hot_ = 0;
  for (size_t i = 0; i < categories_.size(); ++i) {
    category_of_[categories_[i].column].push_back(static_cast<uint32_t>(i));
    categories_[i].first = static_cast<uint32_t>(n_one_hot_);
    n_one_hot_ += categories_[i].n_codes();
    for (uint32_t code = 0; code < categories_[i].levels.size(); ++code)
      codes_[i].emplace(categories_[i].levels[code], code);
  }
}

std::string Encoder::DenseName(size_t i) const {
  const std::string& name = columns_[dense_[i].column].name;
  switch (dense_[i].part) {
    case DensePart::kMissing:
      return name + " is null";
    case DensePart::kMonth:
      return name + " month";
    case DensePart::kWeekday:
      return name + " weekday";
    case DensePart::kHourOfDay:
      return name + " hour";
    default:
      return name;
  }
}

std::string Encoder::CodeName(size_t category, uint32_t code) const {
  const CategoryFeature& feature = categories_[category];
  const std::string& name = columns_[feature.column].name;
  if (code < feature.levels.size()) return name + "=" + feature.levels[code];
  return name + (feature.has_null && code == feature.levels.size() ? " is null" : " is another");
}

uint32_t Encoder::CodeOf(size_t category, std::string_view text) const {
  const auto found = codes_[category].find(text);
  return found != codes_[category].end() ? found->second : categories_[category].other_code();
}

void Encoder::Encode(std::span<const Cell> cells, std::span<double> dense, std::span<uint32_t> codes) const {
  for (size_t i = 0; i < dense_.size(); ++i) {
    const DenseFeature& feature = dense_[i];
    const Cell& cell = cells[feature.column];
    double x = cell.is_null || std::isinf(cell.number) ? kNan : cell.number;
    if (x > kLargestNumber) x = kLargestNumber;
    if (x < -kLargestNumber) x = -kLargestNumber;
    dense[i] = PartOf(feature.part, columns_[feature.column].kind, x);
  }
  for (size_t i = 0; i < categories_.size(); ++i) {
    const Cell& cell = cells[categories_[i].column];
    codes[i] = cell.is_null                  ? categories_[i].null_code()
               : cell.text.data() == nullptr ? CodeOf(i, TextOfNumber(cell.number, ColumnKind::kNumber))
                                             : CodeOf(i, cell.text);
  }
}

void Encoder::EncodeRows(const Table& table, std::span<const uint32_t> place_of, size_t first, size_t rows,
                         bool standardised, EncodedBlock& block) const {
  const size_t d = dense_.size(), n_categories = categories_.size();
  block.rows = rows;
  block.dense.resize(rows * d);
  block.codes.resize(rows * n_categories);
  for (size_t i = 0; i < d; ++i) {
    const DenseFeature& feature = dense_[i];
    const TableColumn& column = table.column(place_of[feature.column]);
    const double scale = 1 / feature.scale;
    for (size_t r = 0; r < rows; ++r) {
      const double x = PartOf(feature.part, column.kind, column.values[first + r]);
      block.dense[r * d + i] = !standardised ? x : std::isnan(x) ? 0 : (x - feature.mean) * scale;
    }
  }
  for (size_t i = 0; i < n_categories; ++i) {
    const CategoryFeature& feature = categories_[i];
    const TableColumn& column = table.column(place_of[feature.column]);
    // A text's code by its place in the table's dictionary; the last for those that the dictionary does not tell apart.
    std::vector<uint32_t> code_of(column.texts.size() + 1, feature.other_code());
    for (uint32_t code = 0; code < column.texts.size(); ++code) code_of[code] = CodeOf(i, column.texts.text(code));
    for (size_t r = 0; r < rows; ++r) {
      const double stored = column.values[first + r];
      block.codes[r * n_categories + i] =
          std::isnan(stored) ? feature.null_code()
                             : code_of[std::min<size_t>(static_cast<size_t>(stored), column.texts.size())];
    }
  }
}

void Encoder::Standardise(std::span<double> dense) const noexcept {
  for (size_t i = 0; i < dense_.size(); ++i)
    dense[i] = std::isnan(dense[i]) ? 0 : (dense[i] - dense_[i].mean) * (1 / dense_[i].scale);
}

void Encoder::Write(ByteWriter& out) const {
  out.Put(static_cast<uint32_t>(columns_.size()));
  for (const Column& column : columns_) {
    out.PutString(column.name);
    out.Put(static_cast<uint8_t>(column.kind));
  }
  out.Put(static_cast<uint32_t>(dense_.size()));
  for (const DenseFeature& feature : dense_) {
    out.Put(feature.column);
    out.Put(static_cast<uint8_t>(feature.part));
    out.Put(feature.mean);
    out.Put(feature.scale);
  }
  out.Put(static_cast<uint32_t>(categories_.size()));
  for (const CategoryFeature& feature : categories_) {
    out.Put(feature.column);
    out.Put(static_cast<uint8_t>(feature.has_null));
    out.Put(static_cast<uint8_t>(feature.has_other));
    out.Put(static_cast<uint32_t>(feature.levels.size()));
    for (const std::string& level : feature.levels) out.PutString(level);
  }
}

Encoder Encoder::Read(ByteReader& in) {
  Encoder encoder;
  const auto n_columns = in.Get<uint32_t>();
  for (uint32_t c = 0; c < n_columns; ++c) {
    Column column;
    column.name = in.GetString();
    const auto kind = in.Get<uint8_t>();
    if (kind > static_cast<uint8_t>(ColumnKind::kCategory)) Corrupted("a column is of no known kind");
    column.kind = static_cast<ColumnKind>(kind);
    encoder.columns_.push_back(std::move(column));
  }
  const auto n_dense = in.Get<uint32_t>();
  for (uint32_t i = 0; i < n_dense; ++i) {
    DenseFeature feature;
    feature.column = in.Get<uint32_t>();
    const auto part = in.Get<uint8_t>();
    feature.mean = in.Get<double>();
    feature.scale = in.Get<double>();
    if (feature.column >= n_columns || encoder.columns_[feature.column].kind == ColumnKind::kCategory)
      Corrupted("a feature is of no column of numbers");
    if (part > static_cast<uint8_t>(DensePart::kHourOfDay)) Corrupted("a feature is no known part of its column");
    if (!std::isfinite(feature.mean) || !std::isfinite(feature.scale) || !(feature.scale > 0))
      Corrupted("a feature's scale is impossible");
    feature.part = static_cast<DensePart>(part);
    encoder.dense_.push_back(feature);
  }
  const auto n_categories = in.Get<uint32_t>();
  for (uint32_t i = 0; i < n_categories; ++i) {
    CategoryFeature feature;
    feature.column = in.Get<uint32_t>();
    feature.has_null = in.Get<uint8_t>() != 0;
    feature.has_other = in.Get<uint8_t>() != 0;
    const auto n_levels = in.Get<uint32_t>();
    if (feature.column >= n_columns || encoder.columns_[feature.column].kind != ColumnKind::kCategory)
      Corrupted("a feature is of no column of texts");
    for (uint32_t k = 0; k < n_levels; ++k) feature.levels.emplace_back(in.GetString());
    encoder.categories_.push_back(std::move(feature));
  }
  encoder.Index();
  for (size_t i = 0; i < encoder.categories_.size(); ++i)
    if (encoder.codes_[i].size() != encoder.categories_[i].levels.size()) Corrupted("a level occurs twice");
  return encoder;
}

}  // namespace retrain
