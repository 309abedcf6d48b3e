// Rows that are scored in the place of a problem's own (StandIns in core/linear/linear.h).
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "linear_testing.h"

namespace retrain {
namespace {

constexpr uint32_t kClasses = 20;
constexpr int kFolds = 4;

void Copy(std::span<const SparseEntry> row, SparseMatrix& to) {
  to.entries.insert(to.entries.end(), row.begin(), row.end());
  to.begin.push_back(to.entries.size());
}

// Every third of the scored rows is stood for by the next but so many rows: one of the same fold.
StandIns NextOfTheFold(const OwnedProblem& p, size_t rows) {
  StandIns others;
  others.rows.columns = p.rows.columns;
  for (size_t i = 0; i < rows; ++i) {
    const bool other = i % 3 == 0 && i + kFolds < rows;
    others.at.push_back(other ? static_cast<uint32_t>(others.rows.rows()) : StandIns::kItself);
    if (other) Copy(p.rows.row(i + kFolds), others.rows);
  }
  return others;
}

TEST(StandIns, AreScoredInThePlaceOfHeldOutRows) {
  OwnedProblem p = RandomProblem(240, 12, kClasses, 21);
  LinearOptions options = InFolds(p, kFolds);
  for (const auto make : {MakeSvmFit, MakeLogisticFit}) {
    for (const size_t rows : {240u, 80u}) {
      options.held_out_rows = rows;
      const FitResult plain = Finish(make(p.view(), options));
      const StandIns others = NextOfTheFold(p, rows);
      LinearOptions replaced = options;
      replaced.stand_ins = &others;
      const FitResult result = Finish(make(p.view(), replaced));
      EXPECT_EQ(result.weights.q, plain.weights.q);
      ASSERT_EQ(result.held_out.size(), plain.held_out.size());
      size_t different = 0;
      for (size_t h = 0; h < others.at.size(); ++h) {
        const size_t from = others.at[h] == StandIns::kItself ? h : h + kFolds;
        for (size_t k = 0; k < kClasses; ++k)
          ASSERT_EQ(result.held_out[h * kClasses + k], plain.held_out[from * kClasses + k]) << h;
        different += from != h;
      }
      EXPECT_GE(different, others.at.size() / 4);
    }
  }
}

TEST(StandIns, AreScoredInThePlaceOfFreshRows) {
  const OwnedProblem p = RandomProblem(60, 12, kClasses, 22);
  DualSolution start{std::vector<uint64_t>(61, 1), {{3, 1.0f}}};  // of row 0 alone, for class 3
  start.begin[0] = 0;
  const std::vector<uint32_t> fresh{10, 20};
  StandIns others;
  others.rows.columns = p.rows.columns;
  others.at = {0, StandIns::kItself};
  Copy(p.rows.row(20), others.rows);
  LinearOptions options;
  options.start = &start;
  options.fresh_rows = fresh;
  options.stand_ins = &others;
  const FitResult result = Finish(MakeSvmFit(p.view(), options));
  ASSERT_EQ(result.held_out.size(), 2 * kClasses);
  EXPECT_NE(result.held_out[3], 0);
  EXPECT_EQ(result.held_out[3], result.held_out[kClasses + 3]);
  options.stand_ins = nullptr;
  const FitResult plain = Finish(MakeSvmFit(p.view(), options));
  EXPECT_NE(plain.held_out[3], plain.held_out[kClasses + 3]);
}

TEST(StandIns, ThatDoNotFitAreRefused) {
  OwnedProblem p = RandomProblem(40, 12, kClasses, 23);
  LinearOptions options = InFolds(p, kFolds);
  const StandIns good = NextOfTheFold(p, p.size());
  const auto refused = [&](const StandIns& others) {
    options.stand_ins = &others;
    EXPECT_THROW(MakeSvmFit(p.view(), options), Error);
    EXPECT_THROW(MakeLogisticFit(p.view(), options), Error);
  };
  StandIns bad = good;
  bad.at.pop_back();
  refused(bad);
  bad = good;
  bad.at[1] = static_cast<uint32_t>(bad.rows.rows());
  refused(bad);
  bad = good;
  bad.rows.columns = 13;
  refused(bad);
  bad = good;
  bad.rows.entries[0].column = 12;
  refused(bad);
}

}  // namespace
}  // namespace retrain
