// What a training leaves for the next one: stored, checked, and taken up for other rows.
#include "core/intent/training_state.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "core/base/error.h"

namespace retrain {
namespace {

TrainingState Example() {
  TrainingState state;
  state.config = "{}";
  state.labels = {"a", "b", "d"};
  state.rows = {10, 20, 30};
  state.label_of = {0, 2, 1};
  state.duals.begin = {0, 2, 2, 3};
  state.duals.entries = {{0, 0.5f}, {2, 1.5f}, {1, 2.0f}};
  state.calibration.kind = CalibrationKind::kSoftmax;
  state.calibration.inverse_temperature = 5.5;
  state.uncalibrated_rows = 7;
  return state;
}

TEST(TrainingState, IsReadAsItWasWritten) {
  const TrainingState state = Example(), read = DecodeTrainingState(EncodeTrainingState(state));
  EXPECT_EQ(read.config, state.config);
  EXPECT_EQ(read.labels, state.labels);
  EXPECT_EQ(read.rows, state.rows);
  EXPECT_EQ(read.label_of, state.label_of);
  EXPECT_EQ(read.duals.begin, state.duals.begin);
  ASSERT_EQ(read.duals.entries.size(), 3u);
  EXPECT_EQ(read.duals.entries[1].label, 2u);
  EXPECT_EQ(read.duals.entries[1].alpha, 1.5f);
  EXPECT_EQ(read.calibration.kind, CalibrationKind::kSoftmax);
  EXPECT_EQ(read.calibration.inverse_temperature, 5.5);
  EXPECT_EQ(read.uncalibrated_rows, 7u);
}

// Numbers take one byte up to 255 labels, two up to 65535, else four: one label more costs a byte or two for every dual.
TEST(TrainingState, HasRoomForAnyNumberOfLabels) {
  const auto size_with = [](uint32_t n) {
    TrainingState state = Example();
    state.labels.clear();
    for (uint32_t k = 0; k < n; ++k) state.labels.push_back(std::to_string(1'000'000 + k));
    state.label_of = {n - 1, 0, n / 2};
    state.duals.begin = {0, n, n, n};
    state.duals.entries.clear();
    for (uint32_t k = 0; k < n; ++k) state.duals.entries.push_back({k, 1.0f});
    const auto bytes = EncodeTrainingState(state);
    const TrainingState read = DecodeTrainingState(bytes);
    EXPECT_EQ(read.label_of, state.label_of);
    EXPECT_EQ(read.duals.begin, state.duals.begin);
    for (uint32_t k = 0; k < n; ++k) EXPECT_EQ(read.duals.entries[k].label, k);
    return bytes.size();
  };
  size_with(1);
  EXPECT_GT(size_with(256), size_with(255) + 256);
  EXPECT_GT(size_with(65536), size_with(65535) + 2 * 65536);
}

Calibration Sigmoids() { return {CalibrationKind::kSigmoid, 1.25, {-3, -4, -5}, {0.5f, 0, -0.5f}}; }

TEST(TrainingState, KeepsTheSigmoidsOfItsLabels) {
  TrainingState state = Example();
  state.calibration = Sigmoids();
  const TrainingState read = DecodeTrainingState(EncodeTrainingState(state));
  EXPECT_EQ(read.calibration.kind, CalibrationKind::kSigmoid);
  EXPECT_EQ(read.calibration.inverse_temperature, 1.25);
  EXPECT_EQ(read.calibration.slope, state.calibration.slope);
  EXPECT_EQ(read.calibration.intercept, state.calibration.intercept);
}

std::vector<NetworkSquares> Squares() {
  return {{{{1, 2}, {3, 4, 5}}, {{6, 7, 8}, {9, 10}}, {11, 12, 13}, {14, 15}}, {{{1}, {2}}, {{3}, {4}}, {5}, {6}}};
}

TEST(TrainingState, KeepsInterceptsThatTheDualsDoNotDetermine) {
  TrainingState state = Example();
  EXPECT_TRUE(DecodeTrainingState(EncodeTrainingState(state)).duals.intercepts.empty());
  state.duals.intercepts = {1, -2, 4};
  const TrainingState read = DecodeTrainingState(EncodeTrainingState(state));
  EXPECT_EQ(read.duals.intercepts, state.duals.intercepts);
  // Label d went and c came.
  const std::vector<uint64_t> rows{10};
  const std::vector<uint32_t> labels{0};
  const std::vector<std::string> names{"a", "b", "c"};
  EXPECT_EQ(RestartFrom(read, rows, labels, names).start.intercepts, (std::vector<float>{1, -2, 1}));
}

TEST(TrainingState, KeepsWhatNetworksGoOnFrom) {
  TrainingState state = Example();
  EXPECT_TRUE(DecodeTrainingState(EncodeTrainingState(state)).networks.empty());
  state.networks = Squares();
  const TrainingState read = DecodeTrainingState(EncodeTrainingState(state));
  ASSERT_EQ(read.networks.size(), 2u);
  for (size_t m = 0; m < 2; ++m) {
    const NetworkSquares &a = read.networks[m], &b = state.networks[m];
    EXPECT_EQ(a.input.rows, b.input.rows);
    EXPECT_EQ(a.input.columns, b.input.columns);
    EXPECT_EQ(a.output.rows, b.output.rows);
    EXPECT_EQ(a.output.columns, b.output.columns);
    EXPECT_EQ(a.hidden_bias, b.hidden_bias);
    EXPECT_EQ(a.output_bias, b.output_bias);
  }
}

const TunedChoice kTuned{"{\"tune\":true}", {1, 2}, {0, 0}, 0.5, 3, 1};

TEST(TrainingState, KeepsWhatTuningChose) {
  TrainingState state = Example();
  EXPECT_FALSE(DecodeTrainingState(EncodeTrainingState(state)).tuned);
  EXPECT_FALSE(DecodeTunedChoice(EncodeTrainingState(state)));
  state.tuned = kTuned;
  const auto bytes = EncodeTrainingState(state);
  for (const auto& tuned : {DecodeTrainingState(bytes).tuned, DecodeTunedChoice(bytes)}) {
    ASSERT_TRUE(tuned.has_value());
    EXPECT_EQ(tuned->asked_for, kTuned.asked_for);
    EXPECT_EQ(tuned->word_ngrams, kTuned.word_ngrams);
    EXPECT_EQ(tuned->char_ngrams, kTuned.char_ngrams);
    EXPECT_EQ(tuned->c, 0.5);
    EXPECT_EQ(tuned->rows, 3u);
    EXPECT_EQ(tuned->changed_rows, 1u);
  }
  for (const NgramRange& ngrams : {NgramRange{2, 1}, NgramRange{0, 2}, NgramRange{1, 17}}) {
    state.tuned->char_ngrams = ngrams;
    EXPECT_THROW(DecodeTunedChoice(EncodeTrainingState(state)), Error);
  }
  for (const double c : {0.0, -1.0, double{INFINITY}, double{NAN}}) {
    state.tuned = kTuned;
    state.tuned->c = c;
    EXPECT_THROW(DecodeTrainingState(EncodeTrainingState(state)), Error);
  }
}

TEST(TrainingState, EveryTruncationAndFlippedByteIsFound) {
  TrainingState state = Example();
  state.tuned = kTuned;
  state.networks = Squares();
  auto bytes = EncodeTrainingState(state);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(DecodeTrainingState(std::span<const uint8_t>(bytes).first(size)), Error) << size;
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= 0x41;
    EXPECT_THROW(DecodeTrainingState(bytes), Error) << i;
    bytes[i] ^= 0x41;
  }
}

TEST(TrainingState, WhatDoesNotAddUpIsRefused) {
  const auto refused = [](void (*spoil)(TrainingState&)) {
    TrainingState state = Example();
    spoil(state);
    EXPECT_THROW(DecodeTrainingState(EncodeTrainingState(state)), Error);
  };
  refused([](TrainingState& s) { std::swap(s.labels[0], s.labels[1]); });
  refused([](TrainingState& s) { std::swap(s.rows[0], s.rows[1]); });
  refused([](TrainingState& s) { s.label_of[0] = 3; });
  refused([](TrainingState& s) { s.label_of.pop_back(); });
  refused([](TrainingState& s) { s.duals.begin[3] = 2; });
  refused([](TrainingState& s) { s.duals.entries[1].label = 0; });
  refused([](TrainingState& s) { s.duals.entries[1].label = 3; });
  refused([](TrainingState& s) { s.duals.entries[1].alpha = -1; });
  refused([](TrainingState& s) { s.duals.intercepts = {1, 2}; });
  refused([](TrainingState& s) { s.duals.intercepts = {1, 2, NAN}; });
  refused([](TrainingState& s) { s.calibration.kind = static_cast<CalibrationKind>(3); });
  refused([](TrainingState& s) { s.calibration = Sigmoids(), s.calibration.slope.pop_back(); });
  refused([](TrainingState& s) { s.calibration = Sigmoids(), s.calibration.intercept[2] = INFINITY; });
  refused([](TrainingState& s) { s.calibration.inverse_temperature = 1 / 0.0; });
  refused([](TrainingState& s) { s.networks = Squares(), s.networks[0].input.rows[1] = -1; });
  refused([](TrainingState& s) { s.networks = Squares(), s.networks[1].output_bias[0] = NAN; });
  refused([](TrainingState& s) { s.networks = Squares(), s.networks[0].input.columns.pop_back(); });
  refused([](TrainingState& s) { s.networks = Squares(), s.networks[1].output.columns.push_back(1); });
}

TEST(TrainingState, RowsAreFoundAgainByKeyAndLabel) {
  // Row 15 is new, 20 has another label, 30 went, 40 is new; label d went and c came.
  const std::vector<uint64_t> rows{10, 15, 20, 40};
  const std::vector<uint32_t> labels{0, 1, 1, 2};
  const std::vector<std::string> names{"a", "b", "c"};
  const Restart restart = RestartFrom(Example(), rows, labels, names);
  EXPECT_EQ(restart.fresh_rows, (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_EQ(restart.was_other, (std::vector<uint8_t>{0, 1, 0}));
  EXPECT_EQ(restart.label_in_state, (std::vector<uint32_t>{0, 1, kNotInState}));
  EXPECT_EQ(restart.gone_rows, 2u);
  EXPECT_EQ(restart.start.begin, (std::vector<uint64_t>{0, 1, 1, 1, 1}));
  ASSERT_EQ(restart.start.entries.size(), 1u);
  EXPECT_EQ(restart.start.entries[0].label, 0u);
  EXPECT_EQ(restart.start.entries[0].alpha, 0.5f);
}

}  // namespace
}  // namespace retrain
