// The whole way from labelled messages to an artifact that predicts.
#include "core/intent/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/codec/container.h"
#include "core/intent/sections.h"
#include "core/intent/training_state.h"

namespace retrain {
namespace {

struct Row {
  std::string text, label, split;
  bool human = false;
  int64_t at = kNoTime;
  double weight = 1;
};

const char* const kTopics[][6] = {
    {"refund", "devolución", "money back", "return the parcel", "reembolso", "cancel order"},
    {"password", "contraseña", "cannot sign in", "reset login", "acceso", "account locked"},
    {"delivery", "envío", "where is my parcel", "tracking number", "entrega", "courier late"}};
const char* const kLabels[] = {"refund", "login", "delivery"};

// n rows over three intents; every fifth one is a test row.
std::vector<Row> Lessons(int n) {
  Rng rng(7);
  std::vector<Row> rows;
  for (int i = 0; i < n; ++i) {
    const auto k = static_cast<size_t>(i % 3);
    std::string text = "message " + std::to_string(i);
    for (int word = 0; word < 4; ++word) text += std::string(" ") + kTopics[k][rng.Below(6)];
    rows.push_back({text, kLabels[k], i % 5 == 4 ? "test" : "train"});
  }
  return rows;
}

TrainingRequest Request() {
  TrainingRequest request;
  request.memory_budget = 1ull << 30;
  return request;
}

bool never() noexcept { return false; }
bool always() noexcept { return true; }

TrainingResult Train(TrainingRequest request, const std::vector<Row>& rows,
                     std::chrono::microseconds step = std::chrono::milliseconds(50)) {
  const Stop stop{never};
  const int threads = request.threads;
  IntentTrainer trainer(std::move(request));
  for (const Row& row : rows) trainer.Add({row.text, row.label, row.weight, row.split, row.at, row.human}, stop);
  double percent = 0;
  for (bool done = false; !done;) {
    done = trainer.Step({std::chrono::steady_clock::now() + step, stop, threads});
    EXPECT_GE(trainer.Progress().percent, percent);
    percent = trainer.Progress().percent;
  }
  EXPECT_EQ(percent, 100);
  return trainer.result();
}

std::string Answer(const TrainingResult& result, std::string_view message) {
  const IntentModel model(result.artifact);
  ScoringScratch scratch;
  model.Margins(message, Stop{}, scratch);
  return std::string(model.label(model.Best(scratch)));
}

TEST(Trainer, LearnsAndServes) {
  const TrainingResult result = Train(Request(), Lessons(150));
  ASSERT_FALSE(result.failed) << result.failure;
  EXPECT_EQ(result.training_rows, 120u);
  EXPECT_EQ(result.test_rows, 30u);
  EXPECT_EQ(result.labels, (std::vector<std::string>{"delivery", "login", "refund"}));
  EXPECT_GE(result.candidate.all.accuracy, 0.95);
  EXPECT_EQ(Answer(result, "¿dónde está mi ENVIO?"), "delivery");
  EXPECT_EQ(Answer(result, "olvidé la CONTRASEÑA"), "login");
  EXPECT_EQ(result.verdict.rule, "first_version");
}

TEST(Trainer, TheArtifactDependsOnRowsConfigurationAndSeedAlone) {
  auto rows = Lessons(300);
  const TrainingResult reference = Train(Request(), rows);
  Rng rng(1);
  rng.Shuffle(std::span<Row>(rows));
  TrainingRequest threaded = Request();
  threaded.threads = 4;
  EXPECT_EQ(Train(threaded, rows, std::chrono::microseconds(1)).artifact, reference.artifact);
  EXPECT_EQ(Train(Request(), rows).dataset_digest, reference.dataset_digest);
  rows[0].weight = 2;
  EXPECT_NE(Train(Request(), rows).dataset_digest, reference.dataset_digest);
}

TEST(Trainer, EveryPresetClassifierAndCalibrationServesAsItWasMeasured) {
  const auto rows = Lessons(120);
  for (const char* classifier : {"linear_svc", "logistic_regression"}) {
    for (const auto calibration : {CalibrationKind::kNone, CalibrationKind::kSoftmax, CalibrationKind::kSigmoid}) {
      TrainingRequest request = Request();
      request.config.classifier = classifier;
      request.config.calibration = calibration;
      request.config.analyzer.text_stats = true;
      const TrainingResult result = Train(request, rows);
      ASSERT_FALSE(result.failed) << result.failure;
      EXPECT_GE(result.candidate.all.accuracy, 0.9) << classifier;
      const IntentModel model(result.artifact);
      ScoringScratch scratch;
      uint64_t correct = 0;
      for (const Row& row : rows) {
        if (row.split != "test") continue;
        model.Margins(row.text, Stop{}, scratch);
        model.Probabilities(scratch);
        const uint32_t best = model.Best(scratch);
        correct += model.label(best) == row.label;
        float sum = 0;
        for (const float p : scratch.probabilities) sum += p;
        EXPECT_NEAR(sum, 1, 1e-4);
        EXPECT_EQ(scratch.probabilities[best],
                  *std::max_element(scratch.probabilities.begin(), scratch.probabilities.end()));
      }
      EXPECT_EQ(static_cast<double>(correct) / static_cast<double>(result.test_rows), result.candidate.all.accuracy);
    }
  }
}

// Test rows are not analysed again for every version; what they are scored from must be what serving would find in them.
TEST(Trainer, BothVersionsAreScoredBitForBitAsTheyServe) {
  auto rows = Lessons(300);
  for (size_t i = 4; i < rows.size(); i += 5)
    rows[i].text += " entrega ENTREGA nunca vista " + std::to_string(7 * i) + "?";
  const auto served = [&](const TrainingResult& result, std::span<const uint8_t> artifact) {
    const IntentModel model(artifact);
    ScoringScratch scratch;
    std::vector<ScoredRow> scored;
    for (const Row& row : rows) {
      if (row.split != "test") continue;
      model.Margins(row.text, Stop{}, scratch);
      model.Probabilities(scratch);
      const uint32_t best = model.Best(scratch);
      const auto truth = static_cast<uint32_t>(std::find(result.labels.begin(), result.labels.end(), row.label) -
                                               result.labels.begin());
      scored.push_back({truth, best, scratch.probabilities[best], scratch.probabilities[truth]});
    }
    return Evaluate(scored);
  };
  for (const auto& [words, chars] :
       {std::pair(NgramRange{1, 2}, NgramRange{2, 4}), {NgramRange{1, 1}, NgramRange{0, 0}}}) {
    TrainingRequest first = Request();
    first.config.analyzer.word_ngrams = words;
    first.config.analyzer.char_ngrams = chars;
    first.config.analyzer.text_stats = true;
    TrainingRequest second = Request();
    second.has_live = true;
    second.live_artifact = Train(first, rows).artifact;
    const std::vector<uint8_t> live = second.live_artifact;
    const TrainingResult result = Train(second, rows);
    ASSERT_TRUE(result.compared);
    for (const auto& [of_training, of_serving] :
         {std::pair(result.candidate.all, served(result, result.artifact)), {result.live.all, served(result, live)}}) {
      EXPECT_EQ(of_training.log_loss, of_serving.log_loss);
      EXPECT_EQ(of_training.mean_confidence, of_serving.mean_confidence);
      EXPECT_EQ(of_training.confusion, of_serving.confusion);
    }
  }
}

// Test rows are read with the others: what only they say is no feature, however rare a feature may be.
TEST(Trainer, WordsOfTestRowsAloneAreNoFeatures) {
  auto rows = Lessons(150);
  TrainingRequest request = Request();
  request.config.min_df = 1e-9;
  const TrainingResult before = Train(request, rows);
  for (size_t i = 4; i < rows.size(); i += 5) rows[i].text += " onlyhere" + std::to_string(i);
  EXPECT_EQ(Train(request, rows).features, before.features);
}

TEST(Trainer, ContributionsAndBiasAddUpToTheMargin) {
  const TrainingResult result = Train(Request(), Lessons(120));
  const IntentModel model(result.artifact);
  ScoringScratch scratch;
  model.Margins("please send my money back, the courier was late", Stop{}, scratch);
  for (uint32_t k = 0; k < model.n_classes(); ++k) {
    const Explanation explanation = model.Explain(scratch, k);
    double sum = explanation.bias;
    EXPECT_FALSE(explanation.contributions.empty());
    for (const auto& c : explanation.contributions) sum += c.contribution;
    EXPECT_NEAR(sum, scratch.margins[k], 1e-4);
  }
}

TEST(Trainer, TuningKeepsWhatNothingBeats) {
  const auto rows = Lessons(300);
  TrainingRequest request = Request();
  request.config.tune = true;
  const TrainingResult plain = Train(Request(), rows), tuned = Train(request, rows);
  ASSERT_FALSE(tuned.failed) << tuned.failure;
  EXPECT_TRUE(plain.tuning.empty());
  ASSERT_GE(tuned.tuning.size(), 8u);
  size_t chosen = 0;
  for (const TuningTrial& trial : tuned.tuning) chosen += trial.chosen;
  EXPECT_EQ(chosen, 1u);
  EXPECT_TRUE(tuned.tuning[0].chosen);
  EXPECT_EQ(tuned.tuning_rows, tuned.training_rows);
  EXPECT_FALSE(tuned.config.tune);
  EXPECT_EQ(ToJson(tuned.config), ToJson(plain.config));
  // The n-grams that were read for the other candidates leave no trace.
  EXPECT_EQ(tuned.artifact, plain.artifact);
  const std::string json = ToJson(tuned);
  EXPECT_NE(json.find("\"tuning\":{\"rows\":240,\"trials\":[{\"word_ngrams\":[1,2],\"char_ngrams\":[2,4],\"c\":3,"),
            std::string::npos);
}

// Whether the answer is "yes" depends on two words that stand side by side, and single words say nothing.
TEST(Trainer, TuningFindsTheNgramsThatTellTheIntentsApart) {
  std::vector<Row> rows;
  const char* const words[] = {"uno", "dos"};
  for (int i = 0; i < 400; ++i) {
    const int a = i & 1, b = i >> 1 & 1, filler = i / 4;
    Row row;
    row.text = "n" + std::to_string(filler) + " " + words[a] + " " + words[b] + " m" + std::to_string(filler * 7 % 50);
    row.label = a == b ? "same" : "other";
    row.split = i % 5 == 0 ? "test" : "train";
    rows.push_back(row);
  }
  TrainingRequest request = Request();
  request.config.analyzer.word_ngrams = {1, 1};
  request.config.tune = true;
  const TrainingResult result = Train(request, rows);
  ASSERT_FALSE(result.failed) << result.failure;
  EXPECT_GE(result.config.analyzer.word_ngrams.max, 2);
  EXPECT_FALSE(result.tuning[0].chosen);
  EXPECT_GE(result.candidate.all.accuracy, 0.95);
  // A training with what was chosen is the same training, and so are others of any threads and steps.
  TrainingRequest again = Request();
  again.config = result.config;
  EXPECT_EQ(Train(again, rows).artifact, result.artifact);
  request.threads = 4;
  EXPECT_EQ(Train(request, rows, std::chrono::microseconds(1)).artifact, result.artifact);
}

TrainingRequest Accurate() {
  TrainingRequest request = Request();
  const ConfigValue preset{"preset", ConfigValue::Type::kString, false, 0, "accurate", {}};
  request.config = ParseIntentConfig({&preset, 1});
  request.config.networks = 3;
  request.config.hidden_units = 32;
  return request;
}

TEST(Trainer, NetworksServeAsTheyWereMeasuredOnAnyThreadsAndSteps) {
  auto rows = Lessons(300);
  const TrainingResult reference = Train(Accurate(), rows);
  ASSERT_FALSE(reference.failed) << reference.failure;
  EXPECT_GE(reference.candidate.all.accuracy, 0.95);
  EXPECT_EQ(reference.config.passes, 40u);
  Rng rng(1);
  rng.Shuffle(std::span<Row>(rows));
  TrainingRequest threaded = Accurate();
  threaded.threads = 4;
  EXPECT_EQ(Train(threaded, rows, std::chrono::microseconds(1)).artifact, reference.artifact);
  const IntentModel model(reference.artifact);
  ScoringScratch scratch;
  uint64_t correct = 0;
  for (const Row& row : rows) {
    if (row.split != "test") continue;
    model.Margins(row.text, Stop{}, scratch);
    correct += model.label(model.Best(scratch)) == row.label;
    for (uint32_t k = 0; k < model.n_classes(); ++k) {
      const Explanation explanation = model.Explain(scratch, k);
      double sum = explanation.bias;
      for (const auto& c : explanation.contributions) sum += c.contribution;
      EXPECT_NEAR(sum, scratch.margins[k], 1e-3);
    }
  }
  EXPECT_EQ(static_cast<double>(correct) / static_cast<double>(reference.test_rows), reference.candidate.all.accuracy);
}

TEST(Trainer, NetworksAreWeighedOnValidationRowsWhereThereAreEnough) {
  auto rows = Lessons(900);
  const TrainingResult without = Train(Accurate(), rows);
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i].split == "train" && i % 2 == 0) rows[i].split = "val";
  TrainingRequest request = Accurate();
  request.config.target_precision = 0.9;
  request.config.out_of_scope = 0.04;
  for (const bool enough : {true, false}) {
    if (!enough)
      for (Row& row : rows)
        if (row.split == "val") row.split = "train";
    const TrainingResult result = Train(request, rows);
    ASSERT_FALSE(result.failed) << result.failure;
    EXPECT_EQ(result.limits_from_validation, enough);
    EXPECT_TRUE(result.precision_target.reached);
    EXPECT_GT(result.precision_target.rows, 100u);
    EXPECT_LE(result.precision_target.rows, result.limit_rows);
    EXPECT_GT(result.decisions.decided, result.decisions.rows / 2);
    EXPECT_LE(result.candidate.all.expected_calibration_error, 0.1);
  }
}

TEST(Trainer, NetworksAreInTheBudget) {
  TrainingRequest request = Accurate();
  request.config.networks = 32;
  request.config.hidden_units = 1024;
  request.memory_budget = 8ull << 20;
  try {
    Train(request, Lessons(200));
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
    EXPECT_NE(error.detail().find("fitting the networks"), std::string::npos) << error.detail();
  }
}

TEST(Trainer, OneTextCountsOnceAndAPersonsLabelWins) {
  auto rows = Lessons(60);
  rows.push_back({"¿Dónde está mi paquete?", "login", "train", false, 100});
  rows.push_back({"¿DONDE ESTA  mi paquete?", "delivery", "train", true, 50});
  rows.push_back({"¿dónde está mi paquete?", "refund", "train", false, 200});
  const TrainingResult result = Train(Request(), rows);
  EXPECT_EQ(result.training_rows, 49u);
  EXPECT_EQ(result.duplicates, 2u);
  EXPECT_EQ(Answer(result, "¿dónde está mi paquete?"), "delivery");
}

TEST(Trainer, WithoutASplitTheTextDecidesAndNeverMoves) {
  auto rows = Lessons(2000);
  for (Row& row : rows) row.split.clear();
  const TrainingResult all = Train(Request(), rows);
  EXPECT_NEAR(static_cast<double>(all.training_rows) / 2000, 0.70, 0.04);
  EXPECT_NEAR(static_cast<double>(all.test_rows) / 2000, 0.15, 0.03);
  rows.resize(1000);
  const TrainingResult half = Train(Request(), rows);
  // The rows that stayed kept their split: the counts of the first half can only grow by the second.
  EXPECT_LT(half.test_rows, all.test_rows);
  EXPECT_EQ(half.training_rows + half.validation_rows + half.test_rows, 1000u);
}

TEST(Trainer, ExpectedFailuresAreResults) {
  EXPECT_NE(Train(Request(), {}).failure.find("not enough samples: 0"), std::string::npos);
  EXPECT_NE(Train(Request(), Lessons(19)).failure.find("not enough samples: 19"), std::string::npos);
  auto one = Lessons(40);
  for (Row& row : one) row.label = "refund";
  EXPECT_NE(Train(Request(), one).failure.find("only one intent"), std::string::npos);
  auto tested = Lessons(40);
  for (Row& row : tested) row.split = "test";
  EXPECT_NE(Train(Request(), tested).failure.find("no training rows"), std::string::npos);
  std::vector<Row> empty(40, Row{"  \u200b ", "refund", "train"});
  EXPECT_EQ(Train(Request(), empty).ignored, 40u);
  auto unnamed = Lessons(40);
  for (size_t i = 0; i < unnamed.size(); ++i) unnamed[i].label = i % 2 == 0 ? "" : " \t\r\n";
  EXPECT_EQ(Train(Request(), unnamed).ignored, 40u);
  std::vector<Row> marks;
  for (int i = 0; i < 40; ++i) marks.push_back({std::string(static_cast<size_t>(i + 1), '!'), kLabels[i % 2], "train"});
  TrainingRequest words = Request();
  words.config.analyzer.char_ngrams = {};
  EXPECT_NE(Train(words, marks).failure.find("no features"), std::string::npos);
}

// Rows are read some thousand at a time; a later batch may take back what an earlier one gave.
TEST(Trainer, BatchesOfRowsDoNotMatter) {
  std::vector<Row> rows = Lessons(9000);
  const std::vector<Row> plain = rows;
  for (size_t i = 0; i < 9000; i += 100) {
    Row corrected = plain[i];
    corrected.label = kLabels[(i + 1) % 3];
    corrected.human = true;
    rows.push_back(corrected);
  }
  const TrainingResult forward = Train(Request(), rows);
  std::reverse(rows.begin(), rows.end());
  TrainingRequest request = Request();
  request.threads = 3;
  const TrainingResult backward = Train(std::move(request), rows);
  EXPECT_EQ(forward.duplicates, 90u);
  EXPECT_EQ(forward.training_rows + forward.test_rows, 9000u);
  EXPECT_EQ(forward.artifact, backward.artifact);
  EXPECT_EQ(forward.dataset_digest, backward.dataset_digest);
  EXPECT_NE(forward.artifact, Train(Request(), plain).artifact) << "the corrections count";
}

// Of one text a person's last word counts, whichever message it is about; then what a person has confirmed; then the newest.
TEST(Trainer, TheLastWordOfAPersonDecides) {
  const auto result = [](bool reversed) {
    std::vector<LabelledMessage> given{
        {"said twice", "earlier", 1, "train", 20, true, {}, true, 30},
        {"said twice", "later", 1, "train", 10, true, {}, true, 40},
        {"said twice", "newest", 1, "train", 50, false, {}, true, 50},
        {"confirmed", "confirmed", 1, "train", 10, false, {}, true},
        {"confirmed", "guessed", 1, "train", 20, false, {}, false},
        {"guessed", "first", 1, "train", 10, false},
        {"guessed", "second", 1, "train", 20, false},
    };
    if (reversed) std::reverse(given.begin(), given.end());
    Dataset dataset(Request().config, 1);
    for (const LabelledMessage& message : given) dataset.Add(message, Stop{});
    dataset.Finish(Stop{});
    std::vector<std::string> labels;
    for (const DatasetRow& row : dataset.rows()) labels.push_back(dataset.labels()[row.label]);
    std::sort(labels.begin(), labels.end());
    return labels;
  };
  EXPECT_EQ(result(false), (std::vector<std::string>{"confirmed", "later", "second"}));
  EXPECT_EQ(result(true), result(false));
}

TEST(Trainer, BadRowsAreErrors) {
  const Stop stop{never};
  IntentTrainer trainer(Request());
  for (const double weight : {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)})
    EXPECT_THROW(trainer.Add({"text", "label", weight, "", kNoTime, false}, stop), Error);
  EXPECT_THROW(trainer.Add({"text", "label", 1, "holdout", kNoTime, false}, stop), Error);
  const std::string overlong(kMaxLabelBytes + 1, 'x');
  EXPECT_THROW(trainer.Add({"text", overlong, 1, "", kNoTime, false}, stop), Error);
}

TEST(Trainer, SingletonAndRareIntentsDoNotBreakAnything) {
  auto rows = Lessons(60);
  for (int i = 0; i < 20; ++i)
    rows.push_back({"unique thing " + std::to_string(i * 7919), "rare " + std::to_string(i), "train"});
  for (const auto calibration : {CalibrationKind::kSoftmax, CalibrationKind::kSigmoid}) {
    TrainingRequest request = Request();
    request.config.calibration = calibration;
    const TrainingResult result = Train(request, rows);
    ASSERT_FALSE(result.failed) << result.failure;
    EXPECT_EQ(result.labels.size(), 23u);
    EXPECT_GE(result.candidate.all.accuracy, 0.8);
  }
}

// No fold can hold a row out: nothing says how sure to be.
TEST(Trainer, WhereEveryIntentHasOneRowNothingIsSure) {
  std::vector<Row> rows;
  for (int i = 0; i < 30; ++i) {
    rows.push_back({"thing " + std::to_string(i * 7919), "label " + std::to_string(i), "train"});
    rows.push_back({"question " + std::to_string(i * 104729), "label " + std::to_string(i), "test"});
  }
  for (const auto calibration : {CalibrationKind::kSoftmax, CalibrationKind::kSigmoid}) {
    TrainingRequest request = Request();
    request.config.calibration = calibration;
    const TrainingResult result = Train(request, rows);
    ASSERT_FALSE(result.failed) << result.failure;
    EXPECT_LT(result.candidate.all.mean_confidence, 0.2);
  }
}

TEST(Trainer, OverTheBudgetIsRefusedWithBothNumbers) {
  TrainingRequest request = Request();
  request.memory_budget = 64 * 1024;
  try {
    Train(request, Lessons(600));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
    EXPECT_NE(error.detail().find("pg_retrain.training_memory is 1 MB"), std::string::npos) << error.detail();
  }
}

// Every thread has arrays of its own.
TEST(Trainer, WhereMemoryIsShortFewerThreadsTrain) {
  std::vector<Row> rows = Lessons(600);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].label += std::to_string(i % 20);
  TrainingRequest request = Request();
  std::optional<TrainingResult> alone;
  for (request.memory_budget = 0; !alone.has_value();) {
    request.memory_budget += 64 * 1024;
    try {
      alone = Train(request, rows);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kOutOfMemory);
    }
  }
  request.threads = 4;
  EXPECT_EQ(Train(request, rows).artifact, alone->artifact);
}

TEST(Trainer, TheLiveVersionIsScoredOnTheSameRows) {
  const auto rows = Lessons(150);
  TrainingRequest request = Request();
  request.has_live = true;
  request.live_artifact = Train(Request(), rows).artifact;
  const TrainingResult same = Train(request, rows);
  EXPECT_TRUE(same.compared);
  EXPECT_TRUE(same.verdict.promote);
  EXPECT_EQ(same.live.all.rows, same.candidate.all.rows);
  EXPECT_EQ(same.live.all.macro_f1, same.candidate.all.macro_f1);
  auto poisoned = rows;
  for (size_t i = 0; i < poisoned.size(); ++i)
    if (poisoned[i].split == "train") poisoned[i].label = kLabels[(i + 1) % 3];
  EXPECT_EQ(Train(request, poisoned).verdict.rule, "f1_regression");
  request.live_artifact.resize(100);
  EXPECT_EQ(Train(request, rows).verdict.rule, "live_unreadable");
}

// A request to start from what `base` left.
TrainingRequest From(const TrainingResult& base, TrainingRequest request = Request()) {
  request.incremental = true;
  request.has_live = true;
  request.live_artifact = base.artifact;
  request.live_state = base.state;
  return request;
}

TEST(Trainer, IncrementalTrainingsKeepWhatTuningChose) {
  TrainingRequest request = Request();
  request.config.analyzer.word_ngrams = {1, 1};
  request.config.tune = true;
  auto rows = Lessons(400);
  const TrainingResult base = Train(request, rows);
  ASSERT_GE(base.tuning.size(), 8u);
  rows.push_back({"a parcel that never came", "shipping", "train"});
  const TrainingResult kept = Train(From(base, request), rows);
  ASSERT_FALSE(kept.failed) << kept.failure;
  EXPECT_TRUE(kept.tuning.empty());
  EXPECT_TRUE(kept.start.tuning_kept);
  EXPECT_TRUE(kept.start.from_live);
  EXPECT_TRUE(kept.start.calibration_kept) << kept.start.reason;
  EXPECT_EQ(ToJson(kept.config), ToJson(base.config));
  EXPECT_NE(ToJson(kept).find("\"tuning\":\"kept\""), std::string::npos);
  // The same as a training that is told what was chosen.
  TrainingRequest told = From(base);
  told.config = base.config;
  const TrainingResult plain = Train(told, rows);
  EXPECT_EQ(plain.artifact, kept.artifact);
  EXPECT_FALSE(plain.start.tuning_kept);

  // Tuned anew: where something else was asked for, where nothing was tuned, in a full training.
  TrainingRequest other = request;
  other.config.seed = 7;
  EXPECT_FALSE(Train(From(base, other), rows).tuning.empty());
  EXPECT_FALSE(Train(From(plain, request), rows).tuning.empty());
  EXPECT_FALSE(Train(request, rows).tuning.empty());
  // Or where one row in twenty has changed since, over any number of trainings.
  for (int i = 0; i < 20; ++i)
    rows.push_back({"another parcel that never came, " + std::to_string(i), "shipping", "train"});
  const TrainingResult many = Train(From(kept, request), rows);
  EXPECT_TRUE(many.start.tuning_kept);
  rows.push_back({"and one more", "shipping", "train"});
  const TrainingResult anew = Train(From(many, request), rows);
  EXPECT_FALSE(anew.start.tuning_kept);
  EXPECT_FALSE(anew.tuning.empty());
}

// New rows with a new word, and a new intent.
std::vector<Row> WithNews(std::vector<Row> rows) {
  for (int i = 0; i < 10; ++i) rows.push_back({"garbanzo devolución " + std::to_string(i), "refund", "train"});
  for (int i = 0; i < 10; ++i)
    rows.push_back({"quiero una factura número " + std::to_string(i), "invoice", i % 5 == 4 ? "test" : "train"});
  return rows;
}

TEST(Trainer, NetworksGoOnFromTheLiveVersions) {
  auto known = Lessons(900);
  for (const bool validated : {false, true}) {
    if (validated)  // enough of them to weigh networks by
      for (size_t i = 0; i < known.size(); ++i)
        if (known[i].split == "train" && i % 2 == 0) known[i].split = "val";
    const TrainingResult base = Train(Accurate(), known);
    auto rows = WithNews(known);
    const TrainingResult full = Train(Accurate(), rows), incremental = Train(From(base, Accurate()), rows);
    ASSERT_FALSE(incremental.failed) << incremental.failure;
    EXPECT_TRUE(incremental.start.from_live);
    EXPECT_TRUE(incremental.start.calibration_kept) << incremental.start.reason;
    EXPECT_EQ(incremental.start.new_rows, 18u);
    EXPECT_EQ(incremental.limits_from_validation, validated);
    EXPECT_EQ(incremental.config.passes, full.config.passes);
    EXPECT_NE(incremental.artifact, full.artifact);
    EXPECT_GE(incremental.candidate.all.accuracy, 0.95);
    EXPECT_EQ(Answer(incremental, "una factura"), "invoice");
    EXPECT_EQ(Answer(incremental, "garbanzo"), "refund");
    const IntentModel before(base.artifact), after(incremental.artifact);
    EXPECT_EQ(after.blend().networks, before.blend().networks);
    ScoringScratch scratch;
    for (const Row& row : rows) {
      after.Margins(row.text, Stop{}, scratch);
      EXPECT_EQ(after.label(after.Best(scratch)), row.label) << row.text;
    }
    // With what the version says of itself the same comes again.
    TrainingRequest again = From(base, Accurate());
    again.config = incremental.config;
    EXPECT_EQ(Train(again, rows).artifact, incremental.artifact);
    // The next one goes on from this one, and everything has one outcome.
    rows.push_back({"otra devolución", "refund", "train"});
    const TrainingResult next = Train(From(incremental, Accurate()), rows);
    EXPECT_EQ(next.start.calibration_kept, !validated) << next.start.reason;  // 19 rows of 379 are too many
    EXPECT_EQ(next.start.new_rows, 1u);
    Rng rng(1);
    rng.Shuffle(std::span<Row>(rows));
    TrainingRequest threaded = From(incremental, Accurate());
    threaded.threads = 4;
    const TrainingResult other = Train(threaded, rows, std::chrono::microseconds(1));
    EXPECT_EQ(other.artifact, next.artifact);
    EXPECT_EQ(other.state, next.state);
  }
}

// With the calibration goes what the networks know: they have seen the rows that it would be measured on.
TEST(Trainer, NetworksBeginAtNothingWithTheirCalibration) {
  const auto rows = Lessons(900);
  const TrainingResult base = Train(Accurate(), rows);
  const auto fitted = [&](const TrainingRequest& request, const std::vector<Row>& changed) {
    const TrainingResult result = Train(request, changed);
    EXPECT_TRUE(result.start.from_live);
    EXPECT_FALSE(result.start.calibration_kept);
    EXPECT_GE(result.candidate.all.accuracy, 0.95);
    return result.start.reason;
  };
  EXPECT_EQ(fitted(From(Train(Request(), rows), Accurate()), rows), "the configuration changed");
  TrainingRequest wider = From(base, Accurate());
  wider.config.hidden_units = 48;
  EXPECT_EQ(fitted(wider, rows), "the configuration changed");
  auto many = rows;
  for (int i = 0; i < 40; ++i) many.push_back({"reembolso tarde " + std::to_string(i), "refund", "train"});
  EXPECT_NE(fitted(From(base, Accurate()), many).find("40 rows changed"), std::string::npos);
  auto contradicting = rows;
  for (int i = 0; i < 16; ++i)
    contradicting.push_back({"contraseña password login " + std::to_string(i), kLabels[i % 2 * 2], "train"});
  EXPECT_NE(fitted(From(base, Accurate()), contradicting).find("contradict"), std::string::npos);

  const std::string nothing = "the live version keeps nothing that its networks could go on from";
  TrainingState state = DecodeTrainingState(base.state);
  ASSERT_EQ(state.networks.size(), 3u);
  TrainingRequest spoilt = From(base, Accurate());
  for (const bool none : {false, true}) {
    if (none)
      state.networks.clear();
    else
      state.networks.pop_back();
    spoilt.live_state = EncodeTrainingState(state);
    EXPECT_EQ(fitted(spoilt, rows), nothing);
  }
  TrainingRequest corrupt = From(base, Accurate());
  corrupt.live_artifact.resize(100);
  EXPECT_NE(fitted(corrupt, rows).find("corrupt"), std::string::npos);
}

// The same first answer for every row, and what `of` says of its margins.
void ExpectSameAnswers(const TrainingResult& one, const TrainingResult& other, const std::vector<Row>& rows,
                       float (*of)(const ScoringScratch&, uint32_t)) {
  const IntentModel a(one.artifact), b(other.artifact);
  ScoringScratch x, y;
  for (const Row& row : rows) {
    a.Margins(row.text, Stop{}, x);
    b.Margins(row.text, Stop{}, y);
    EXPECT_EQ(a.Best(x), b.Best(y)) << row.text;
    for (uint32_t k = 0; k < a.n_classes(); ++k) EXPECT_NEAR(of(x, k), of(y, k), 0.15) << row.text;
  }
}

TEST(Trainer, AnIncrementalTrainingComesToWhatAFullOneComesTo) {
  const TrainingResult base = Train(Request(), Lessons(900));
  const auto rows = WithNews(Lessons(900));
  const TrainingResult full = Train(Request(), rows), incremental = Train(From(base), rows);
  ASSERT_FALSE(incremental.failed) << incremental.failure;
  EXPECT_TRUE(incremental.start.from_live);
  EXPECT_TRUE(incremental.start.calibration_kept) << incremental.start.reason;
  EXPECT_EQ(incremental.start.new_rows, 18u);
  EXPECT_EQ(incremental.start.known_rows, full.training_rows - 18);
  EXPECT_EQ(incremental.start.gone_rows, 0u);
  EXPECT_EQ(incremental.labels, full.labels);
  EXPECT_EQ(incremental.features, full.features);
  EXPECT_EQ(incremental.dataset_digest, full.dataset_digest);
  ExpectSameAnswers(full, incremental, rows, [](const ScoringScratch& x, uint32_t k) { return x.margins[k]; });
  EXPECT_EQ(Answer(incremental, "una factura"), "invoice");
  EXPECT_EQ(Answer(incremental, "garbanzo"), "refund");
}

TEST(Trainer, AnIncrementalTrainingOfALogisticRegressionComesToWhatAFullOneComesTo) {
  TrainingRequest request = Request();
  request.config.classifier = "logistic_regression";
  const TrainingResult base = Train(request, Lessons(900));
  const auto rows = WithNews(Lessons(900));
  const TrainingResult full = Train(request, rows), incremental = Train(From(base, request), rows);
  ASSERT_FALSE(incremental.failed) << incremental.failure;
  EXPECT_TRUE(incremental.start.from_live) << incremental.start.reason;
  EXPECT_TRUE(incremental.start.calibration_kept) << incremental.start.reason;
  EXPECT_EQ(incremental.start.new_rows, 18u);
  // Margins of a softmax are fixed up to a shift.
  ExpectSameAnswers(full, incremental, rows,
                    [](const ScoringScratch& x, uint32_t k) { return x.margins[k] - x.margins[0]; });
  TrainingRequest threaded = From(base, request);
  threaded.threads = 4;
  EXPECT_EQ(Train(threaded, rows, std::chrono::microseconds(1)).artifact, incremental.artifact);

  // Duals of one classifier say nothing about those of the other.
  EXPECT_EQ(Train(From(base), rows).artifact, Train(Request(), rows).artifact);
}

TEST(Trainer, AnIncrementalTrainingHasOneOutcomeToo) {
  auto rows = Lessons(300);
  const TrainingResult base = Train(Request(), rows);
  rows.resize(296);
  rows.push_back({"otra devolución", "refund", "train"});
  const TrainingResult reference = Train(From(base), rows);
  EXPECT_EQ(reference.start.gone_rows, 3u);
  EXPECT_EQ(reference.start.new_rows, 1u);
  Rng rng(1);
  rng.Shuffle(std::span<Row>(rows));
  TrainingRequest threaded = From(base);
  threaded.threads = 4;
  const TrainingResult other = Train(threaded, rows, std::chrono::microseconds(1));
  EXPECT_EQ(other.artifact, reference.artifact);
  EXPECT_EQ(other.state, reference.state);
}

TEST(Trainer, ACorrectedLabelIsANewRow) {
  auto rows = Lessons(300);
  const TrainingResult base = Train(Request(), rows);
  rows.push_back({rows[0].text, "login", "train", true});
  const TrainingResult incremental = Train(From(base), rows);
  EXPECT_EQ(incremental.start.new_rows, 1u);
  EXPECT_EQ(incremental.start.gone_rows, 1u);
  EXPECT_EQ(incremental.training_rows, base.training_rows);
}

// The live version learnt the wrong labels and is sure of them. That is no evidence about messages that it has not seen.
TEST(Trainer, CorrectionsOfWhatTheLiveVersionLearntDoNotContradictItsCalibration) {
  const auto rows = Lessons(900);
  auto wrong = rows;
  for (size_t i = 0; i < 400; i += 40) wrong[i].label = kLabels[(i + 1) % 3];
  const TrainingResult incremental = Train(From(Train(Request(), wrong)), rows);
  EXPECT_EQ(incremental.start.new_rows, 10u);
  EXPECT_EQ(incremental.start.gone_rows, 10u);
  EXPECT_TRUE(incremental.start.calibration_kept) << incremental.start.reason;
  for (size_t i = 0; i < 400; i += 40) EXPECT_EQ(Answer(incremental, rows[i].text), rows[i].label);
}

TEST(Trainer, AnIncrementalTrainingFitsTheCalibrationAgainWhenItMust) {
  const auto rows = Lessons(900);
  const TrainingResult base = Train(Request(), rows);

  auto many = rows;
  for (int i = 0; i < 40; ++i) many.push_back({"reembolso tarde " + std::to_string(i), "refund", "train"});
  EXPECT_NE(Train(From(base), many).start.reason.find("40 rows changed"), std::string::npos);
  // A few at a time add up.
  many.resize(rows.size() + 20);
  const TrainingResult some = Train(From(base), many);
  EXPECT_TRUE(some.start.calibration_kept);
  for (int i = 0; i < 20; ++i) many.push_back({"courier entrega " + std::to_string(i), "delivery", "train"});
  EXPECT_NE(Train(From(some), many).start.reason.find("40 rows changed"), std::string::npos);

  auto contradicting = rows;
  for (int i = 0; i < 20; ++i)
    contradicting.push_back({"contraseña password login " + std::to_string(i), kLabels[i % 2 * 2], "train"});
  const TrainingResult surprised = Train(From(base), contradicting);
  EXPECT_TRUE(surprised.start.from_live);
  EXPECT_FALSE(surprised.start.calibration_kept);
  EXPECT_NE(surprised.start.reason.find("contradict"), std::string::npos) << surprised.start.reason;

  TrainingRequest changed = From(base);
  changed.config.c = 1;
  EXPECT_EQ(Train(changed, rows).start.reason, "the configuration changed");
  TrainingRequest sigmoid = From(base);
  sigmoid.config.calibration = CalibrationKind::kSigmoid;
  EXPECT_FALSE(Train(sigmoid, rows).start.calibration_kept);
  TrainingRequest none = From(base);
  none.config.calibration = CalibrationKind::kNone;
  none.config.out_of_scope = 0.05;
  EXPECT_EQ(Train(none, rows).start.reason, "without a calibration there is none to keep");
}

// 400 held-out rows of the rarest intent are enough for sigmoids.
TEST(Trainer, SigmoidsHoldOutNoMoreRowsThanTheyNeed) {
  const auto limit_rows = [](CalibrationKind calibration, std::array<int, 3> of_intent) {
    std::vector<Row> rows;
    for (size_t k = 0; k < of_intent.size(); ++k)
      for (int i = 0; i < of_intent[k]; ++i)
        rows.push_back({std::string(kTopics[k][0]) + " " + std::to_string(i), kLabels[k], "train"});
    TrainingRequest request = Request();
    request.config.calibration = calibration;
    return Train(request, rows).limit_rows;
  };
  EXPECT_EQ(limit_rows(CalibrationKind::kSigmoid, {399, 800, 800}), 1999u);
  EXPECT_EQ(limit_rows(CalibrationKind::kSigmoid, {750, 500, 750}), 1600u);
  EXPECT_EQ(limit_rows(CalibrationKind::kSigmoid, {800, 800, 800}), 1200u);
  EXPECT_EQ(limit_rows(CalibrationKind::kSoftmax, {800, 800, 800}), 2400u);
}

TEST(Trainer, AnIncrementalTrainingKeepsSigmoidsToo) {
  const auto sigmoid = [](TrainingRequest request) {
    request.config.calibration = CalibrationKind::kSigmoid;
    return request;
  };
  auto rows = Lessons(900);
  const TrainingResult base = Train(sigmoid(Request()), rows);
  for (int i = 0; i < 8; ++i)
    rows.push_back({"quiero una factura número " + std::to_string(i), "invoice", i == 7 ? "test" : "train"});
  const TrainingResult incremental = Train(sigmoid(From(base)), rows);
  EXPECT_TRUE(incremental.start.calibration_kept) << incremental.start.reason;
  const TrainingState before = DecodeTrainingState(base.state), after = DecodeTrainingState(incremental.state);
  EXPECT_EQ(after.calibration.inverse_temperature, before.calibration.inverse_temperature);
  ASSERT_EQ(after.labels.size(), before.labels.size() + 1);
  float mean = 0;
  for (const float slope : before.calibration.slope) mean += slope / static_cast<float>(before.labels.size());
  for (size_t k = 0, at = 0; k < after.labels.size(); ++k) {
    if (after.labels[k] == "invoice")  // which the live version did not know
      EXPECT_NEAR(after.calibration.slope[k], mean, 1e-5);
    else
      EXPECT_EQ(after.calibration.slope[k], before.calibration.slope[at++]) << after.labels[k];
  }
  EXPECT_EQ(Answer(incremental, "quiero una factura"), "invoice");

  auto contradicting = Lessons(900);
  for (int i = 0; i < 20; ++i)
    contradicting.push_back({"contraseña password login " + std::to_string(i), kLabels[i % 2 * 2], "train"});
  EXPECT_NE(Train(sigmoid(From(base)), contradicting).start.reason.find("contradict"), std::string::npos);
}

TEST(Trainer, AnIncrementalTrainingWithoutAStartSaysSoAndIsAFullOne) {
  const auto rows = Lessons(150);
  const TrainingResult full = Train(Request(), rows);
  EXPECT_FALSE(full.incremental);
  const auto from_nothing = [&](const TrainingRequest& request) {
    const TrainingResult result = Train(request, rows);
    EXPECT_TRUE(result.incremental);
    EXPECT_FALSE(result.start.from_live);
    EXPECT_EQ(result.start.new_rows, result.training_rows);
    EXPECT_FALSE(result.start.reason.empty());
    EXPECT_EQ(result.artifact == full.artifact, request.config.classifier == "linear_svc");
    return result.start.reason;
  };
  TrainingRequest request = Request();
  request.incremental = true;
  EXPECT_EQ(from_nothing(request), "there is no live version");
  request = From(full);
  request.live_state.clear();
  EXPECT_EQ(from_nothing(request), "the live version keeps no state to start from");
  request = From(full);
  request.live_state.resize(100);
  EXPECT_NE(from_nothing(request).find("corrupt"), std::string::npos);
  request = From(full);
  request.config.classifier = "logistic_regression";
  EXPECT_EQ(from_nothing(request), "the live version is of another classifier");
}

TEST(Trainer, AStopEndsTheStep) {
  const Stop running{never};
  IntentTrainer trainer(Request());
  for (const Row& row : Lessons(600))
    trainer.Add({row.text, row.label, row.weight, row.split, row.at, row.human}, running);
  const auto later = std::chrono::steady_clock::now() + std::chrono::hours(1);
  EXPECT_THROW(while (!trainer.Step({later, Stop{always}, 1})){}, Cancelled);
}

TEST(Trainer, OutOfScopeIsOffUnlessAskedForAndMeasuredAllTheSame) {
  const auto rows = Lessons(300);
  const TrainingResult usual = Train(Request(), rows);
  TrainingRequest request = Request();
  request.config.out_of_scope = 0.05;
  const TrainingResult asked = Train(request, rows);
  EXPECT_EQ(usual.limit_rows, 240u);
  const IntentModel off(usual.artifact), on(asked.artifact);
  ScoringScratch a, b;
  for (const char* message : {"message 7 where is my parcel courier late tracking number", "quantum zebra jazz", ""}) {
    off.Margins(message, Stop{}, a);
    on.Margins(message, Stop{}, b);
    EXPECT_EQ(a.margins, b.margins);
    const NoveltyVerdict first = off.JudgeNovelty(a), second = on.JudgeNovelty(b);
    EXPECT_TRUE(first.told);
    EXPECT_EQ(first.familiarity, second.familiarity);
    EXPECT_FALSE(first.out_of_scope);
    EXPECT_EQ(second.out_of_scope, message[0] != 'm') << message;
    EXPECT_EQ(second.unknown_words, message[0] != 'm') << message;
  }
  EXPECT_EQ(usual.decisions.out_of_scope, 0u);
  EXPECT_EQ(asked.decisions.rows, 60u);
  EXPECT_EQ(asked.decisions.decided + asked.decisions.out_of_scope, 60u);
}

TEST(Trainer, ATargetPrecisionChoosesTheThreshold) {
  auto rows = Lessons(600);
  Rng rng(5);
  for (Row& row : rows)  // a third of one topic is said of another: there the model cannot be right
    if (row.label == "login" && rng.Below(3) == 0) row.label = "refund";
  TrainingRequest request = Request();
  request.config.target_precision = 0.95;
  const TrainingResult result = Train(request, rows);
  ASSERT_FALSE(result.failed) << result.failure;
  EXPECT_LT(result.candidate.all.accuracy, 0.95);
  const PrecisionTarget& target = result.precision_target;
  EXPECT_TRUE(target.reached);
  EXPECT_EQ(target.rows, 480u);
  EXPECT_GE(target.precision, 0.95);
  EXPECT_GT(target.coverage, 0.5);
  EXPECT_LT(target.coverage, 0.95);
  EXPECT_EQ(result.confidence_threshold, target.threshold);
  EXPECT_EQ(IntentModel(result.artifact).confidence_threshold(), target.threshold);
  EXPECT_GE(static_cast<double>(result.decisions.right), 0.9 * static_cast<double>(result.decisions.decided));
  EXPECT_GT(result.decisions.low_confidence, 0u);
  // The policy's threshold stays a floor, and the version's own threshold given back changes nothing (verify_model).
  request.confidence_threshold = target.threshold;
  EXPECT_EQ(Train(request, rows).artifact, result.artifact);
  request.confidence_threshold = 1;
  EXPECT_EQ(Train(request, rows).confidence_threshold, 1);
  // Out of reach: nothing but certainty is decided, and the result says so.
  request.confidence_threshold = 0;
  request.config.target_precision = 0.9999;
  const TrainingResult unreached = Train(request, rows);
  EXPECT_FALSE(unreached.precision_target.reached);
  EXPECT_EQ(unreached.confidence_threshold, 1);
  // Of nothing that was decided no share is right, and none is wrong.
  ASSERT_EQ(unreached.precision_target.coverage, 0);
  EXPECT_NE(ToJson(unreached).find("\"coverage\":0,\"precision\":null"), std::string::npos) << ToJson(unreached);
}

TEST(Trainer, ValidationRowsSetTheLimitsWhereThereAreEnough) {
  auto rows = Lessons(1500);
  for (size_t i = 0; i < rows.size(); ++i)
    if (i % 5 == 1) rows[i].split = "validation";
  TrainingRequest request = Request();
  request.config.out_of_scope = 0.05;
  request.config.target_precision = 0.9;
  const TrainingResult result = Train(request, rows);
  EXPECT_TRUE(result.limits_from_validation);
  EXPECT_EQ(result.limit_rows, 300u);
  EXPECT_EQ(result.precision_target.rows, 300u);
  const IntentModel model(result.artifact);
  ScoringScratch scratch;
  size_t away = 0, decided = 0;
  for (const Row& row : rows) {
    if (row.split != "validation") continue;
    model.Margins(row.text, Stop{}, scratch);
    model.Probabilities(scratch);
    const bool out = model.JudgeNovelty(scratch).out_of_scope;
    away += out;
    decided += !out && scratch.probabilities[model.Best(scratch)] >= result.confidence_threshold;
  }
  EXPECT_EQ(away, 14u);  // a message to come takes the first 15 of 301 places with probability 0.05 at most
  EXPECT_DOUBLE_EQ(result.precision_target.coverage, static_cast<double>(decided) / 300);
  // In whatever order they come.
  Rng rng(1);
  rng.Shuffle(std::span<Row>(rows));
  EXPECT_EQ(Train(request, rows).artifact, result.artifact);
  // A validation row of an intent that no training row has is no known message, and wrong whatever the answer is.
  for (Row& row : rows)
    if (row.split == "validation" && row.label == "login") row.label = "nobody learns this";
  request.config.target_precision = 0.99;
  const TrainingResult strange = Train(request, rows);
  EXPECT_FALSE(strange.precision_target.reached);
  EXPECT_EQ(strange.limit_rows, 300u);
  // Too few of them: the folds decide.
  for (Row& row : rows)
    if (row.split == "validation" && row.label != "refund") row.split = "train";
  EXPECT_FALSE(Train(request, rows).limits_from_validation);
}

TEST(Trainer, LimitsNeedNoCalibrationAndNoDivisibleRows) {
  TrainingRequest request = Request();
  request.config.calibration = CalibrationKind::kNone;
  EXPECT_FALSE([&] {
    const TrainingResult result = Train(request, Lessons(60));
    const IntentModel model(result.artifact);
    ScoringScratch scratch;
    model.Margins("parcel", Stop{}, scratch);
    return model.JudgeNovelty(scratch).told;
  }());
  request.config.out_of_scope = 0.1;
  request.config.target_precision = 0.5;
  EXPECT_GT(Train(request, Lessons(60)).limit_rows, 0u);
  // Every intent has one row: no fold can hold any out.
  std::vector<Row> singles;
  for (int i = 0; i < 30; ++i) singles.push_back({"word" + std::to_string(i), "intent" + std::to_string(i), "train"});
  const TrainingResult result = Train(request, singles);
  ASSERT_FALSE(result.failed) << result.failure;
  EXPECT_EQ(result.limit_rows, 0u);
  EXPECT_FALSE(result.precision_target.reached);
}

// The artifact again, each section as edit(id, bytes) leaves it, without those that it empties.
std::vector<uint8_t> Rewrite(const ContainerReader& container,
                             const std::function<void(uint32_t, std::vector<uint8_t>&)>& edit) {
  ContainerWriter writer;
  for (uint32_t id = sections::kSettings; id <= sections::kWeights; ++id) {
    if (!container.Has(id)) continue;
    const auto bytes = container.Section(id);
    std::vector<uint8_t> copy(bytes.begin(), bytes.end());
    edit(id, copy);
    if (!copy.empty()) writer.Add(id, std::move(copy));
  }
  return writer.Finish(ModelKind::kIntent);
}

TEST(Model, AnArtifactWithoutNoveltyIsReadAndTellsNothing) {
  const auto artifact = Train(Request(), Lessons(150)).artifact;
  const ContainerReader container(artifact);
  ASSERT_TRUE(container.Has(sections::kNovelty));
  EXPECT_LE(container.Section(sections::kNovelty).size(), 100u << 10);
  const auto bytes = Rewrite(container, [](uint32_t id, auto& section) {
    if (id == sections::kNovelty) section.clear();
  });
  const IntentModel model(bytes), now(artifact);
  ScoringScratch a, b;
  model.Margins("where is my parcel", Stop{}, a);
  now.Margins("where is my parcel", Stop{}, b);
  EXPECT_EQ(a.margins, b.margins);
  EXPECT_FALSE(model.JudgeNovelty(a).told);
  EXPECT_FALSE(model.JudgeNovelty(a).out_of_scope);
  EXPECT_TRUE(now.JudgeNovelty(b).told);
}

// Weights were once stored with a byte for each feature and intent.
TEST(Model, AnArtifactWithWholeWeightsIsRead) {
  const auto artifact = Train(Request(), Lessons(150)).artifact;
  const ContainerReader container(artifact);
  const IntentModel now(artifact);
  const uint32_t features = now.space().columns(), classes = now.n_classes(),
                 stride = (classes + kLanes - 1) / kLanes * kLanes;
  const auto rows = WeightRows::Decode(container.Section(sections::kWeights), features, classes, stride);
  std::vector<uint8_t> whole(size_t{features} * stride);
  for (uint32_t j = 0; j < features; ++j)
    for (uint32_t k = 0; k < classes; ++k) whole[size_t{j} * stride + k] = static_cast<uint8_t>(rows.At(j, k));
  ContainerWriter old;
  for (uint32_t id = sections::kSettings; id < sections::kWeights; ++id) {
    if (id == sections::kWholeWeights) old.Add(id, whole);
    if (!container.Has(id)) continue;
    const auto bytes = container.Section(id);
    old.Add(id, {bytes.begin(), bytes.end()});
  }
  const auto bytes = old.Finish(ModelKind::kIntent);
  const IntentModel before(bytes);
  ScoringScratch a, b;
  before.Margins("where is my parcel", Stop{}, a);
  now.Margins("where is my parcel", Stop{}, b);
  for (uint32_t k = 0; k < classes; ++k) EXPECT_NEAR(a.margins[k], b.margins[k], 1e-5);
  EXPECT_EQ(before.Explain(a, 0).contributions[0].contribution, now.Explain(b, 0).contributions[0].contribution);
  whole.pop_back();
  EXPECT_THROW(WeightRows::DecodeWhole(whole, features, stride), Error);
}

TEST(Model, ANoveltySectionThatMakesNoSenseIsRefused) {
  const auto artifact = Train(Request(), Lessons(150)).artifact;
  const ContainerReader container(artifact);
  const auto refused = [&](const auto& damage) {
    const auto bytes = Rewrite(container, [&](uint32_t id, auto& section) {
      if (id == sections::kNovelty) damage(section);
    });
    try {
      const IntentModel model(bytes);
    } catch (const Error& error) {
      return error.code() == ErrorCode::kDataCorrupted;
    }
    return false;
  };
  const auto put = [](std::vector<uint8_t>& bytes, size_t at, auto value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
  };
  EXPECT_FALSE(refused([](auto&) {}));
  EXPECT_TRUE(refused([&](auto& bytes) { put(bytes, 0, std::numeric_limits<float>::quiet_NaN()); }));
  EXPECT_TRUE(refused([&](auto& bytes) { put(bytes, 12, 1.5f); }));
  EXPECT_TRUE(refused([&](auto& bytes) { put(bytes, 20, uint32_t{0}); }));
  EXPECT_TRUE(refused([&](auto& bytes) { put(bytes, 20, UINT32_MAX); }));
  EXPECT_TRUE(refused([&](auto& bytes) { put(bytes, 24, 1e9f); }));
  EXPECT_TRUE(refused([](auto& bytes) { bytes.resize(bytes.size() - 4); }));
}

// Finite numbers may have an infinite product, and two of those a difference that is no number: no intent is the best then.
TEST(Model, MarginsThatAreNoNumbersAreRefused) {
  TrainingRequest request = Request();
  request.config.networks = 1;
  request.config.hidden_units = 16;
  const auto artifact = Train(request, Lessons(150)).artifact;
  const ContainerReader container(artifact);
  const auto put = [](std::vector<uint8_t>& bytes, size_t at, auto value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
  };
  // Of a model that is decoded: what its answers to the message are refused with.
  const auto refused = [&](uint32_t section, const auto& damage, const auto& ask) -> std::string {
    const auto bytes = Rewrite(container, [&](uint32_t id, auto& copy) {
      if (id == section) damage(copy);
    });
    const IntentModel model(bytes);
    ScoringScratch scratch;
    try {
      model.Margins("where is my parcel", Stop{}, scratch);
      EXPECT_LT(model.Best(scratch), model.n_classes());
      ask(model, scratch);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDataCorrupted);
      return error.detail();
    }
    return "";
  };
  const auto probabilities = [](const IntentModel& model, ScoringScratch& scratch) { model.Probabilities(scratch); };
  const auto contributions = [](const IntentModel& model, ScoringScratch& scratch) { model.Explain(scratch, 0); };
  const auto nothing = [](const auto&) {};
  EXPECT_EQ(refused(sections::kScales, nothing, probabilities), "");
  EXPECT_EQ(refused(sections::kScales, nothing, contributions), "");
  const auto largest = [&](std::vector<uint8_t>& bytes) {
    for (size_t at = 0; at < bytes.size() / 2; at += sizeof(float)) put(bytes, at, 3e38f);
  };
  EXPECT_EQ(refused(sections::kScales, largest, probabilities), "a margin is not a finite number");
  const auto opposite = [&](std::vector<uint8_t>& bytes) { put(bytes, 0, 3e38f), put(bytes, 4, -3e38f); };
  EXPECT_EQ(refused(sections::kBlend, opposite, probabilities), "a margin is not a finite number");
  const auto hot = [&](std::vector<uint8_t>& bytes) { put(bytes, 1, 1e300); };
  EXPECT_EQ(refused(sections::kCalibration, hot, probabilities), "a probability is not a finite number");
}

TEST(Model, EveryTruncationAndFlippedByteIsFound) {
  TrainingRequest request = Request();
  request.config.analyzer.char_ngrams = {};
  request.config.analyzer.word_ngrams = {1, 1};
  auto artifact = Train(request, Lessons(30)).artifact;
  for (size_t size = 0; size < artifact.size(); size += 1 + size / 64)
    EXPECT_THROW(IntentModel(std::span<const uint8_t>(artifact).first(size)), Error) << size;
  for (size_t i = 0; i < artifact.size(); ++i) {
    artifact[i] ^= 0x41;
    EXPECT_THROW(IntentModel(std::span<const uint8_t>(artifact)), Error) << i;
    artifact[i] ^= 0x41;
  }
}

}  // namespace
}  // namespace retrain
