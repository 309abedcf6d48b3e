// Collects the rows of a table, shares them out and puts them in order.
#include "core/tabular/table.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/utf8_clip.h"
#include "core/text/little_endian.h"
#include "core/text/normalise.h"

namespace retrain {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

uint64_t HashText(std::string_view text) { return LoadLittle64(Hash128(text).data()); }

uint64_t HashNumber(double value) {
  return MixBits(std::bit_cast<uint64_t>(value == 0 ? 0.0 : value) + 0x9E3779B97F4A7C15ull);
}

// Of a null, or of a text beyond those told apart.
constexpr uint64_t kNullHash = 0x6E756C6C00000000ull;

uint8_t PartOf(const Cell& cell, size_t row) {
  const std::string_view text = cell.is_null ? std::string_view() : cell.text;
  if (text == "train") return static_cast<uint8_t>(TablePart::kTrain);
  if (text == "validation" || text == "val") return static_cast<uint8_t>(TablePart::kValidation);
  if (text == "test") return static_cast<uint8_t>(TablePart::kTest);
  throw Error(ErrorCode::kInvalidParameter, "the column \"split\" of p_source names no part",
              "row " + std::to_string(row) + " says " +
                  (cell.is_null ? std::string("null") : "\"" + Shortened(text) + "\"") +
                  ", accepted: train, validation, test",
              "correct the value, or leave the column out to have the rows shared out");
}

}  // namespace

const char* NameOf(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kNumber:
      return "number";
    case ColumnKind::kBoolean:
      return "boolean";
    case ColumnKind::kTime:
      return "time";
    case ColumnKind::kCategory:
      return "text";
    default:
      return "other";
  }
}

// 2024-02-29, or 2024-02-29 08:30:00.25; beyond ±10 000 years the seconds as they are.
static std::string TextOfTime(double seconds) {
  const double micros = std::round(seconds * 1e6);
  if (!(std::abs(micros) < 3e17)) return JsonWriter().Number(seconds).Take();
  const std::chrono::microseconds since{static_cast<int64_t>(micros)};
  const auto day = std::chrono::floor<std::chrono::days>(since);
  const std::chrono::year_month_day date{std::chrono::sys_days{day}};
  char text[64];
  int length = std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                             static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  const int64_t rest = (since - day).count(), second = rest / 1000000;
  if (rest != 0)
    length += std::snprintf(text + length, sizeof text - static_cast<size_t>(length), " %02d:%02d:%02d",
                            static_cast<int>(second / 3600), static_cast<int>(second / 60 % 60),
                            static_cast<int>(second % 60));
  if (const int64_t fraction = rest % 1000000; fraction != 0) {
    length +=
        std::snprintf(text + length, sizeof text - static_cast<size_t>(length), ".%06d", static_cast<int>(fraction));
    while (text[length - 1] == '0') --length;
  }
  return std::string(text, static_cast<size_t>(length));
}

std::string TextOfNumber(double value, ColumnKind kind) {
  if (kind == ColumnKind::kTime) return TextOfTime(value);
  if (kind == ColumnKind::kBoolean) return value != 0 ? "true" : "false";
  return JsonWriter().Number(value).Take();
}

uint32_t Dictionary::Add(std::string_view text) {
  const auto found = codes_.find(text);
  if (found != codes_.end()) return found->second;
  if (size() == kMaxDistinct) {
    overflowed_ = true;
    return kOverflow;
  }
  const uint32_t code = size();
  const auto added = codes_.emplace(text, code).first;
  texts_.push_back(&added->first);
  hashes_.push_back(HashText(text));
  bytes_ += 96 + text.size();
  return code;
}

void Table::Describe(std::vector<std::pair<std::string, Role>> columns, bool deal) {
  columns_.resize(columns.size());
  for (size_t c = 0; c < columns.size(); ++c) {
    const uint64_t seed = HashText(columns[c].first) | 1;
    seeds_.push_back(columns[c].second.hashed ? seed : 0);
    if (deal) deal_seeds_.push_back(columns[c].second.dealt ? seed : 0);
    columns_[c].kind = columns[c].second.kind;
    columns_[c].name = std::move(columns[c].first);
  }
}

void Table::Add(std::span<const Cell> cells, double target, std::string_view target_text, const Cell& split) {
  const size_t row = rows() + 1;
  RowHash hash;
  uint64_t deal = 0;
  for (size_t c = 0; c < columns_.size(); ++c) {
    const Cell& cell = cells[c];
    TableColumn& column = columns_[c];
    uint64_t value_hash = kNullHash;
    double value = kNan;
    if (!cell.is_null && column.kind == ColumnKind::kCategory) {
      const uint32_t code = column.texts.Add(cell.text);
      value = code;
      value_hash = code == Dictionary::kOverflow ? HashText(cell.text) : column.texts.hash(code);
    } else if (!cell.is_null && !std::isnan(cell.number)) {
      value = cell.number;
      value_hash = HashNumber(value);
    }
    column.values.Append(value);
    if (!deal_seeds_.empty() && deal_seeds_[c] != 0) deal += MixBits(value_hash ^ deal_seeds_[c]);
    if (seeds_[c] == 0) continue;
    hash.low += MixBits(value_hash ^ seeds_[c]);
    hash.high += MixBits(std::rotl(value_hash, 23) + seeds_[c]);
  }
  switch (rule_.kind) {
    case SplitRule::Kind::kRow:
      split_keys_.push_back(MixBits(hash.low));
      if (!deal_seeds_.empty()) deal_keys_.push_back(MixBits(deal));
      break;
    case SplitRule::Kind::kGroup:
      split_keys_.push_back(MixBits(split.is_null        ? kNullHash
                                    : split.text.empty() ? HashNumber(split.number)
                                                         : HashText(split.text)));
      break;
    case SplitRule::Kind::kTime:
      split_keys_.push_back(std::bit_cast<uint64_t>(
          split.is_null || std::isnan(split.number) ? -std::numeric_limits<double>::infinity() : split.number));
      break;
    case SplitRule::Kind::kGiven:
      split_keys_.push_back(PartOf(split, row));
      break;
  }
  targets_.push_back(target);
  const uint64_t target_hash = target_text.data() == nullptr ? HashNumber(target) : HashText(target_text);
  hash.low += MixBits(target_hash ^ 0x746172676574ull);
  hash.high += MixBits(std::rotl(target_hash, 23) + 0x746172676574ull);
  hashes_.push_back(hash);
}

uint64_t Table::bytes() const noexcept {
  uint64_t sum = targets_.capacity() * sizeof(double) + hashes_.capacity() * sizeof(RowHash) +
                 (split_keys_.capacity() + deal_keys_.capacity()) * sizeof(uint64_t);
  for (const auto& column : columns_) sum += column.values.bytes() + column.texts.bytes();
  return sum;
}

void Table::Deal(std::span<const uint64_t> keys) {
  for (size_t i = 0; i < rows(); ++i) {
    const double share = static_cast<double>(keys[i] >> 11) * 0x1.0p-53;
    parts_[i] = share < rule_.train ? 0 : share < rule_.train + rule_.validation ? 1 : 2;
  }
}

// Whether every part has at least half of the rows that it is due: a few columns of few values may leave one empty.
bool Table::HasItsShares() const noexcept {
  size_t counts[3] = {};
  for (const uint8_t part : parts_) ++counts[part];
  const double due[3] = {rule_.train, rule_.validation, 1 - rule_.train - rule_.validation};
  for (size_t p = 0; p < 3; ++p)
    if (static_cast<double>(counts[p]) < std::floor(0.5 * due[p] * static_cast<double>(rows()))) return false;
  return true;
}

void Table::ShareOut() {
  parts_.resize(rows());
  if (rule_.kind == SplitRule::Kind::kGiven) {
    for (size_t i = 0; i < rows(); ++i) parts_[i] = static_cast<uint8_t>(split_keys_[i]);
    return;
  }
  if (!deal_keys_.empty()) {
    Deal(deal_keys_);
    dealt_ = HasItsShares();
  }
  if (!dealt_) Deal(split_keys_);
}

// Rows of one instant stay together, in the earlier part.
void Table::ShareOutByTime() {
  std::vector<double> times(rows());
  for (size_t i = 0; i < rows(); ++i) times[i] = std::bit_cast<double>(split_keys_[i]);
  std::vector<double> sorted = times;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double share) {
    const auto place = static_cast<size_t>(std::llround(share * static_cast<double>(sorted.size())));
    return place == 0               ? -std::numeric_limits<double>::infinity()
           : place >= sorted.size() ? std::numeric_limits<double>::infinity()
                                    : sorted[place - 1];
  };
  const double last_train = at(rule_.train), last_validation = at(rule_.train + rule_.validation);
  parts_.resize(rows());
  for (size_t i = 0; i < rows(); ++i) parts_[i] = times[i] <= last_train ? 0 : times[i] <= last_validation ? 1 : 2;
}

void Table::BeginArranging() {
  rule_.kind == SplitRule::Kind::kTime ? ShareOutByTime() : ShareOut();
  order_.resize(rows());
  std::iota(order_.begin(), order_.end(), 0u);
  std::sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) {
    if (parts_[a] != parts_[b]) return parts_[a] < parts_[b];
    return hashes_[a] < hashes_[b];
  });
  size_t counts[3] = {};
  for (const uint8_t part : parts_) ++counts[part];
  for (size_t p = 0; p < 3; ++p) first_[p + 1] = first_[p] + counts[p];
}

void Table::ArrangeColumn(size_t c) {
  CompactColumn arranged;
  for (const uint32_t row : order_) arranged.Append(columns_[c].values[row]);
  columns_[c].values = std::move(arranged);
}

void Table::EndArranging() {
  std::vector<double> targets(rows());
  for (size_t i = 0; i < rows(); ++i) targets[i] = targets_[order_[i]];
  targets_ = std::move(targets);
  order_ = {};
  parts_ = {};
  split_keys_ = {};
  deal_keys_ = {};
}

void Table::RenumberTargets(std::span<const double> numbers) {
  for (double& target : targets_) target = numbers[static_cast<size_t>(target)];
}

RowHash Table::digest() const noexcept {
  RowHash sum;
  for (size_t i = 0; i < rows(); ++i) {
    // What shares the rows out need not be among the features.
    const uint64_t part = rule_.kind == SplitRule::Kind::kRow ? 0 : MixBits(split_keys_[i] + 1);
    sum.low += MixBits(hashes_[i].low ^ part);
    sum.high += MixBits(hashes_[i].high + part);
  }
  return sum;
}

}  // namespace retrain
