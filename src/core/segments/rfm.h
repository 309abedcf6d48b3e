// Recency, frequency and monetary value of customers, their scores from 1 to 5, and the segment that a rule names.
//
// Hughes, A. M. (1994), Strategic Database Marketing. Scores are quintiles of the customers; equal values have equal scores,
// and a segment is what the rules say of the scores, so that its name does not move from one computation to the next.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/stop.h"

namespace retrain {

struct Purchase {
  std::string_view customer;
  std::string_view order;  // empty: every purchase is an order of its own
  int64_t time = 0;        // microseconds
  double amount = 0;       // negative or zero: money given back, which is no purchase
};

// Bounds of the three scores, inclusive; the first rule that holds names the segment.
struct SegmentRule {
  std::string segment;
  int r_min = 1, r_max = 5, f_min = 1, f_max = 5, m_min = 1, m_max = 5;
};

struct RfmRow {
  std::string customer;
  int64_t recency_days = 0;  // whole days from the last purchase to the day looked at, at least 0
  int64_t frequency = 0;     // orders
  double monetary = 0;       // sum of amounts, returns deducted
  int r = 0, f = 0, m = 0;   // 1 to 5; 5: the most recent, most frequent, most valuable
  std::string segment;       // empty: no rule holds
};

class RfmTable {
 public:
  static constexpr int64_t kLatest = std::numeric_limits<int64_t>::min();

  // Purchases after `as_of` are not looked at; kLatest: the last purchase is the day looked at.
  explicit RfmTable(int64_t as_of) : as_of_(as_of) {}
  // The same, before the first purchase.
  void LookAt(int64_t as_of) noexcept { as_of_ = as_of; }

  void Add(const Purchase& purchase);
  // A customer whose three values are known already; not together with Add(). Throws Error(kInvalidParameter) for a
  // customer that comes twice.
  void AddKnown(std::string_view customer, int64_t recency_days, int64_t frequency, double monetary);
  // What the table holds, in bytes, about.
  uint64_t bytes() const noexcept { return bytes_; }
  // One row for every customer with at least one purchase, ordered by customer as bytes.
  std::vector<RfmRow> Compute(const std::vector<SegmentRule>& rules, const Stop& stop);

 private:
  struct Customer {
    int64_t last = 0, purchases = 0, recency_days = 0;
    double monetary = 0, lost = 0;  // the sum and what its rounding lost (Neumaier 1974)
    bool known = false;
    std::unordered_set<std::string> orders;
  };
  Customer& Find(std::string_view name);

  int64_t as_of_, latest_ = kLatest;
  uint64_t bytes_ = 0;
  std::unordered_map<std::string, Customer> customers_;
};

}  // namespace retrain
