// Embeddings that the caller computes, from the row to the answer.
#include "core/text/embedding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/intent/trainer.h"

namespace retrain {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

Error Refusal(std::vector<float> embedding, uint32_t wanted) {
  try {
    CheckEmbedding(embedding, wanted);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "accepted";
  return Error(ErrorCode::kInternal, "");
}

TEST(Embedding, BadOnesAreRefusedWithTheirValues) {
  EXPECT_NO_THROW(CheckEmbedding(std::vector<float>{1, 2}, 2));
  EXPECT_NO_THROW(CheckEmbedding(std::vector<float>{0, 0, 0}, 0));
  EXPECT_EQ(Refusal({}, 0).message(), "the embedding of a message is missing");
  EXPECT_EQ(Refusal({}, 4).detail(), "given 0 numbers, needed 4");
  EXPECT_EQ(Refusal({1, 2, 3}, 4).detail(), "given 3 numbers, needed 4");
  EXPECT_EQ(Refusal({1, kNan}, 2).detail(), "number 2 of 2 is NaN");
  EXPECT_EQ(Refusal({-kInf, 1}, 0).detail(), "number 1 of 2 is -Infinity");
  EXPECT_EQ(Refusal(std::vector<float>(kMaxEmbedding + 1), 0).detail(), "given 16385 numbers, at most 16384");
  EXPECT_EQ(Refusal({kInf}, 1).code(), ErrorCode::kInvalidParameter);
}

TEST(Embedding, IsScaledToLengthOne) {
  std::vector<SparseEntry> entries{{3, 1.0f}};
  AppendEmbedding(std::vector<float>{3e20f, 0, -4e20f}, 7, entries);
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries[1].column, 7u);
  EXPECT_FLOAT_EQ(entries[1].value, 0.6f);
  EXPECT_FLOAT_EQ(entries[3].value, -0.8f);
  entries.clear();
  AppendEmbedding(std::vector<float>{0, 0}, 0, entries);
  EXPECT_EQ(entries[0].value, 0);
}

struct Row {
  std::string text, label, split;
  std::vector<float> embedding;
};

// The text says nothing of the intent, the embedding everything.
std::vector<Row> Rows(size_t n, float sign = 1) {
  Rng rng(9);
  std::vector<Row> rows;
  for (size_t i = 0; i < n; ++i) {
    const bool up = i % 2 == 0;
    const float noise = static_cast<float>(rng.Below(1000)) / 1000 - 0.5f;
    rows.push_back({"message " + std::to_string(i) + " w" + std::to_string(rng.Below(20)),
                    up ? "up" : "down",
                    i % 5 == 0 ? "test" : "train",
                    {sign * (up ? 2.0f : -2.0f) + noise, noise, 1.0f}});
  }
  return rows;
}

TrainingRequest Request(uint32_t networks = 0) {
  TrainingRequest request;
  request.config.embedding_column = "e";
  request.config.networks = networks;
  request.config.hidden_units = 32;
  request.memory_budget = 1ull << 30;
  return request;
}

TrainingResult Train(TrainingRequest request, const std::vector<Row>& rows,
                     std::chrono::microseconds step = std::chrono::seconds(10)) {
  const int threads = request.threads;
  IntentTrainer trainer(std::move(request));
  for (const Row& row : rows) trainer.Add({row.text, row.label, 1, row.split, kNoTime, false, row.embedding}, Stop{});
  while (!trainer.Step({std::chrono::steady_clock::now() + step, Stop{}, threads})) {
  }
  return trainer.result();
}

TEST(Embedding, JoinsTheNgramsInTrainingAndServing) {
  const auto rows = Rows(200);
  for (const uint32_t networks : {0u, 3u}) {
    const TrainingResult result = Train(Request(networks), rows);
    ASSERT_FALSE(result.failed) << result.failure;
    EXPECT_EQ(result.candidate.all.accuracy, 1) << networks;
    const IntentModel model(result.artifact);
    EXPECT_EQ(model.space().embedding, 3u);
    ScoringScratch scratch;
    for (const auto& [x, label] : {std::pair{5.0f, "up"}, {-5.0f, "down"}}) {
      model.Margins("message", Stop{}, scratch, std::vector<float>{x, 0, 1});
      EXPECT_EQ(model.label(model.Best(scratch)), label);
      const Explanation explanation = model.Explain(scratch, 1);
      double sum = explanation.bias;
      bool there = false;
      for (const auto& c : explanation.contributions) {
        sum += c.contribution;
        there |= model.FeatureName(c.column) == "embedding[1]" &&
                 std::string_view(model.FeatureKindName(c.column)) == "embedding";
      }
      EXPECT_NEAR(sum, scratch.margins[1], 1e-3);
      EXPECT_TRUE(there);
    }
    EXPECT_THROW(model.Margins("message", Stop{}, scratch), Error);
    EXPECT_THROW(model.Margins("message", Stop{}, scratch, std::vector<float>{1, 2}), Error);
    EXPECT_THROW(model.Margins("message", Stop{}, scratch, std::vector<float>{1, 2, kNan}), Error);
    TrainingRequest threaded = Request(networks);
    threaded.threads = 3;
    EXPECT_EQ(Train(threaded, rows, std::chrono::microseconds(1)).artifact, result.artifact);
  }
}

TEST(Embedding, ChangesTheDigestAndDoesNotDependOnTheOrderOfDuplicates) {
  auto rows = Rows(60);
  const TrainingResult one = Train(Request(), rows), other = Train(Request(), Rows(60, -1));
  EXPECT_NE(one.dataset_digest, other.dataset_digest);
  rows.push_back(rows[1]);
  rows.back().embedding = {9, 9, 9};
  const TrainingResult last = Train(Request(), rows);
  std::swap(rows[1], rows.back());
  EXPECT_EQ(Train(Request(), rows).artifact, last.artifact);
}

TEST(Embedding, EveryRowNeedsOneOfTheSameDimension) {
  auto rows = Rows(40);
  rows[7].embedding.clear();
  EXPECT_THROW(Train(Request(), rows), Error);
  rows[7].embedding = {1, 2};
  EXPECT_THROW(Train(Request(), rows), Error);
}

TEST(Embedding, ALiveVersionWithAnotherOneIsNotCompared) {
  const auto rows = Rows(100);
  const TrainingResult live = Train(Request(), rows);
  TrainingRequest request = Request();
  request.config.embedding_column.clear();
  request.has_live = true;
  request.live_artifact = live.artifact;
  const TrainingResult result = Train(request, rows);
  EXPECT_FALSE(result.compared);
  EXPECT_FALSE(result.verdict.promote);
  EXPECT_EQ(result.verdict.rule, "live_incomparable");
  EXPECT_NE(result.verdict.reason.find("3 numbers"), std::string::npos) << result.verdict.reason;
}

}  // namespace
}  // namespace retrain
