// Confident learning: thresholds, the rule, and what the trainer keeps for it.
#include "core/eval/label_issues.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/intent/trainer.h"

namespace retrain {
namespace {

TEST(LabelDoubt, FollowsTheRuleOfConfidentLearning) {
  LabelDoubt doubt(3);
  const float sure[] = {0.9f, 0.1f, 0.0f}, fair[] = {0.7f, 0.2f, 0.1f}, weak[] = {0.5f, 0.4f, 0.1f};
  doubt.Learn(sure, 0);
  doubt.Learn(fair, 0);
  doubt.Learn(weak, 1);
  EXPECT_NEAR(doubt.threshold(0), 0.8, 1e-6);
  EXPECT_NEAR(doubt.threshold(1), 0.4, 1e-6);
  EXPECT_GT(doubt.threshold(2), 1);
  // Of class 0 with less than its threshold: no class at all.
  const float below[] = {0.75f, 0.2f, 0.05f};
  EXPECT_EQ(doubt.Judge(below, 1), std::nullopt);
  EXPECT_EQ(doubt.Judge(sure, 1), 0u);
  EXPECT_EQ(doubt.Judge(sure, 0), std::nullopt);
  // Confidently in 1 although 0 is more probable: 0 does not reach its own threshold.
  EXPECT_EQ(doubt.Judge(weak, 0), 1u);
  // Never the class that has no rows.
  const float unseen[] = {0.0f, 0.0f, 1.0f};
  EXPECT_EQ(doubt.Judge(unseen, 0), std::nullopt);
  LabelDoubt even(2);
  const float half[] = {0.5f, 0.5f};
  even.Learn(half, 0);
  even.Learn(half, 1);
  EXPECT_EQ(even.Judge(half, 0), std::nullopt);
  EXPECT_EQ(even.Judge(half, 1), std::nullopt);
}

TrainingResult Train(bool find, const char* classifier, CalibrationKind calibration, int wrong, int threads = 1) {
  const char* const kTopics[][3] = {
      {"refund", "money back", "return"}, {"password", "login", "account"}, {"parcel", "courier", "delivery"}};
  const char* const kLabels[] = {"refund", "login", "delivery"};
  TrainingRequest request;
  request.memory_budget = 1ull << 30;
  request.threads = threads;
  request.find_label_issues = find;
  request.config.classifier = classifier;
  request.config.calibration = calibration;
  IntentTrainer trainer(std::move(request));
  const Stop stop{};
  for (int i = 0; i < 150; ++i) {
    const auto k = static_cast<size_t>(i % 3);
    const std::string text = "message " + std::to_string(i) + " about the " + kTopics[k][i / 3 % 3];
    trainer.Add({text, kLabels[i < wrong ? (k + 1) % 3 : k], 1, "train"}, stop);
  }
  trainer.Add({"the only one of its kind", "single", 1, "train"}, stop);
  while (!trainer.Step({std::chrono::steady_clock::now() + std::chrono::microseconds(50), stop, threads})) {
  }
  return trainer.result();
}

TEST(Trainer, FindsTheLabelsThatWereSwapped) {
  for (const char* classifier : {"linear_svc", "logistic_regression"}) {
    for (const auto calibration : {CalibrationKind::kNone, CalibrationKind::kSoftmax, CalibrationKind::kSigmoid}) {
      const TrainingResult result = Train(true, classifier, calibration, 6);
      ASSERT_FALSE(result.failed) << result.failure;
      int found = 0;
      for (const LabelIssue& issue : result.label_issues) {
        EXPECT_NE(issue.given, issue.suggested);
        EXPECT_LT(result.labels[issue.given], std::string("single"));
        EXPECT_LE(issue.suggested_probability, 1);
        for (int i = 0; i < 6; ++i) {
          const char* const words[] = {"refund", "password", "parcel"};
          const char* const more[] = {"money back", "login", "courier"};
          const std::string text =
              "message " + std::to_string(i) + " about the " + (i < 3 ? words[i % 3] : more[i % 3]);
          found += issue.key == KeyOfText(text, Stop{});
        }
      }
      EXPECT_EQ(found, 6) << classifier;
      EXPECT_LE(result.label_issues.size(), 12u) << classifier;
    }
  }
}

TEST(Trainer, LabelIssuesAreTheSameOnAnyNumberOfThreadsAndOnlyWhenAskedFor) {
  const TrainingResult one = Train(true, "linear_svc", CalibrationKind::kSoftmax, 6, 1);
  const TrainingResult four = Train(true, "linear_svc", CalibrationKind::kSoftmax, 6, 4);
  ASSERT_EQ(one.label_issues.size(), four.label_issues.size());
  for (size_t i = 0; i < one.label_issues.size(); ++i) {
    EXPECT_EQ(one.label_issues[i].key, four.label_issues[i].key);
    EXPECT_EQ(one.label_issues[i].suggested_probability, four.label_issues[i].suggested_probability);
  }
  const TrainingResult without = Train(false, "linear_svc", CalibrationKind::kSoftmax, 6);
  EXPECT_TRUE(without.label_issues.empty());
  EXPECT_EQ(without.artifact, one.artifact);
}

}  // namespace
}  // namespace retrain
