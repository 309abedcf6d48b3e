#include "core/segments/rfm.h"

#include <gtest/gtest.h>

namespace retrain {
namespace {

constexpr int64_t kDay = int64_t{86400} * 1000000;

std::vector<SegmentRule> Rules() { return {{"best", 4, 5, 4, 5, 4, 5}, {"recent", 4, 5, 1, 5, 1, 5}}; }

TEST(Rfm, CountsOrdersDaysAndMoney) {
  RfmTable table(RfmTable::kLatest);
  table.Add({"a", "1", 0, 10});
  table.Add({"a", "1", 0, 5});           // the same order
  table.Add({"a", "2", 3 * kDay, 0.1});  // ten times 0.1 is 1
  for (int i = 0; i < 9; ++i) table.Add({"a", "2", 3 * kDay, 0.1});
  table.Add({"b", "", 5 * kDay + 1, 7});
  table.Add({"b", "", 4 * kDay, -2});         // a return: money, no purchase
  table.Add({"only returns", "", kDay, -1});  // no customer
  const std::vector<RfmRow> rows = table.Compute({}, {});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].customer, "a");
  EXPECT_EQ(rows[0].recency_days, 2);
  EXPECT_EQ(rows[0].frequency, 2);
  EXPECT_EQ(rows[0].monetary, 16);
  EXPECT_EQ(rows[1].recency_days, 0);
  EXPECT_EQ(rows[1].frequency, 1);
  EXPECT_EQ(rows[1].monetary, 5);
  EXPECT_EQ(rows[1].segment, "");
}

TEST(Rfm, LooksAtNothingAfterTheDay) {
  RfmTable table(10 * kDay);
  table.Add({"a", "", 9 * kDay, 1});
  table.Add({"a", "", 11 * kDay, 1});
  table.Add({"b", "", 12 * kDay, 1});
  const std::vector<RfmRow> rows = table.Compute({}, {});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].recency_days, 1);
  EXPECT_EQ(rows[0].frequency, 1);
}

TEST(Rfm, ScoresAreFifthsAndEqualValuesScoreEqual) {
  RfmTable table(RfmTable::kLatest);
  for (int i = 0; i < 100; ++i) table.AddKnown("c" + std::to_string(100 + i), i, i < 60 ? 1 : i, i);
  const std::vector<RfmRow> rows = table.Compute(Rules(), {});
  ASSERT_EQ(rows.size(), 100u);
  int of_score[6] = {};
  for (const RfmRow& row : rows) ++of_score[row.m];
  for (int score = 1; score <= 5; ++score) EXPECT_NEAR(of_score[score], 20, 1) << score;
  for (int i = 0; i < 60; ++i) EXPECT_EQ(rows[i].f, 1);
  EXPECT_EQ(rows[99].f, 5);
  EXPECT_EQ(rows[0].r, 5);  // the most recent
  EXPECT_EQ(rows[99].r, 1);
  EXPECT_EQ(rows[0].segment, "recent");
  EXPECT_EQ(rows[99].segment, "");
}

// A customer's segment depends on the customers, not on the order in which they came.
TEST(Rfm, OrderOfRowsDoesNotMatter) {
  RfmTable forth(RfmTable::kLatest), back(RfmTable::kLatest);
  for (int i = 0; i < 50; ++i) forth.AddKnown("c" + std::to_string(i), i * 7 % 50, i * 3 % 50, i * 11 % 50);
  for (int i = 49; i >= 0; --i) back.AddKnown("c" + std::to_string(i), i * 7 % 50, i * 3 % 50, i * 11 % 50);
  const std::vector<RfmRow> a = forth.Compute(Rules(), {}), b = back.Compute(Rules(), {});
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].customer, b[i].customer);
    EXPECT_EQ(a[i].segment, b[i].segment);
    EXPECT_EQ(a[i].r * 100 + a[i].f * 10 + a[i].m, b[i].r * 100 + b[i].f * 10 + b[i].m);
  }
}

TEST(Rfm, OneCustomerTwiceIsRefused) {
  RfmTable table(RfmTable::kLatest);
  table.AddKnown("a", 1, 1, 1);
  EXPECT_THROW(table.AddKnown("a", 1, 1, 1), Error);
}

}  // namespace
}  // namespace retrain
