#include "core/segments/rfm.h"

#include <algorithm>
#include <cmath>

namespace retrain {

namespace {

constexpr int64_t kDay = int64_t{86400} * 1000000;
constexpr int kScores = 5;

// 1 + the number of fifths of the others that lie below: equal values score equal.
template <class Value>
void Score(std::vector<RfmRow>& rows, Value value, int RfmRow::*score) {
  std::vector<double> sorted(rows.size());
  std::transform(rows.begin(), rows.end(), sorted.begin(), value);
  std::sort(sorted.begin(), sorted.end());
  for (RfmRow& row : rows) {
    const auto below = std::lower_bound(sorted.begin(), sorted.end(), value(row)) - sorted.begin();
    const auto others = static_cast<int64_t>(sorted.size()) - 1;
    // The customers of the top value have the top score, however many they are.
    const auto above = sorted.end() - std::upper_bound(sorted.begin(), sorted.end(), value(row));
    row.*score =
        above == 0
            ? kScores
            : 1 + static_cast<int>(std::min<int64_t>(kScores - 1, kScores * below / std::max<int64_t>(others, 1)));
  }
}

bool Holds(const SegmentRule& rule, const RfmRow& row) {
  const auto within = [](int value, int low, int high) { return value >= low && value <= high; };
  return within(row.r, rule.r_min, rule.r_max) && within(row.f, rule.f_min, rule.f_max) &&
         within(row.m, rule.m_min, rule.m_max);
}

}  // namespace

RfmTable::Customer& RfmTable::Find(std::string_view name) {
  const auto [place, is_new] = customers_.try_emplace(std::string(name));
  if (is_new) bytes_ += sizeof(*place) + name.size() + 32;
  return place->second;
}

void RfmTable::Add(const Purchase& purchase) {
  if (as_of_ != kLatest && purchase.time > as_of_) return;
  Customer& customer = Find(purchase.customer);
  const double sum = customer.monetary + purchase.amount;
  customer.lost += std::abs(customer.monetary) >= std::abs(purchase.amount) ? customer.monetary - sum + purchase.amount
                                                                            : purchase.amount - sum + customer.monetary;
  customer.monetary = sum;
  if (!(purchase.amount > 0)) return;
  customer.last = customer.purchases == 0 ? purchase.time : std::max(customer.last, purchase.time);
  ++customer.purchases;
  latest_ = std::max(latest_, purchase.time);
  if (purchase.order.empty()) return;
  if (customer.orders.emplace(purchase.order).second) bytes_ += sizeof(std::string) + purchase.order.size() + 32;
}

void RfmTable::AddKnown(std::string_view name, int64_t recency_days, int64_t frequency, double monetary) {
  Customer& customer = Find(name);
  if (customer.known)
    throw Error(ErrorCode::kInvalidParameter, "a customer comes twice", "customer \"" + std::string(name) + "\"",
                "give one row per customer, or their purchases");
  customer = {0, frequency, recency_days, monetary, 0, true, {}};
}

std::vector<RfmRow> RfmTable::Compute(const std::vector<SegmentRule>& rules, const Stop& stop) {
  const int64_t as_of = as_of_ == kLatest ? latest_ : as_of_;
  std::vector<RfmRow> rows;
  for (const auto& [name, customer] : customers_) {
    if (!customer.known && customer.purchases == 0) continue;  // returns alone
    RfmRow row;
    row.customer = name;
    row.recency_days = customer.known ? customer.recency_days : (as_of - customer.last) / kDay;
    row.frequency = customer.orders.empty() ? customer.purchases : static_cast<int64_t>(customer.orders.size());
    row.monetary = customer.monetary + customer.lost;
    rows.push_back(std::move(row));
  }
  stop.Poll();
  std::sort(rows.begin(), rows.end(), [](const RfmRow& a, const RfmRow& b) { return a.customer < b.customer; });
  stop.Poll();
  Score(
      rows, [](const RfmRow& row) { return -static_cast<double>(row.recency_days); }, &RfmRow::r);
  Score(
      rows, [](const RfmRow& row) { return static_cast<double>(row.frequency); }, &RfmRow::f);
  Score(
      rows, [](const RfmRow& row) { return row.monetary; }, &RfmRow::m);
  for (RfmRow& row : rows)
    for (const SegmentRule& rule : rules)
      if (Holds(rule, row)) {
        row.segment = rule.segment;
        break;
      }
  return rows;
}

}  // namespace retrain
