// What a training leaves for the next one that starts from it: the duals of its rows and what its calibration rests on.
//
// It is stored beside the artifact and not in it, since prediction has no use for it.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/linear/calibration.h"
#include "core/linear/linear.h"
#include "core/neural/ensemble_fit.h"
#include "core/text/analyzer.h"
#include "core/text/normalise.h"

namespace retrain {

// What tuning chose, and for what.
struct TunedChoice {
  std::string asked_for;  // the configuration that asked for it, as JSON text
  NgramRange word_ngrams, char_ngrams;
  double c = 0;
  uint64_t rows = 0, changed_rows = 0;  // training rows; those of them that came, went or changed since it was chosen
};

struct TrainingState {
  std::string config;                    // as JSON text
  std::vector<std::string> labels;       // ascending bytes
  std::vector<uint64_t> rows;            // ShortKey of each training row, ascending
  std::vector<uint32_t> label_of;        // per row, in labels
  DualSolution duals;                    // of the rows
  std::vector<NetworkSquares> networks;  // of the model's networks, in their order
  Calibration calibration;               // kSigmoid: of each label
  uint64_t uncalibrated_rows = 0;        // rows that came, went or changed since the calibration was fitted
  std::optional<TunedChoice> tuned;      // of a version that was tuned, or that keeps such a one's choice
};

// The first half of a text's key, in the order of the keys. Two texts with one of these only start from each other's duals.
uint64_t ShortKey(const TextKey& key) noexcept;

std::vector<uint8_t> EncodeTrainingState(const TrainingState& state);
// Checks every length and index; throws Error(kDataCorrupted) or Error(kNotSupported).
TrainingState DecodeTrainingState(std::span<const uint8_t> bytes);
// Only what tuning chose; throws like DecodeTrainingState().
std::optional<TunedChoice> DecodeTunedChoice(std::span<const uint8_t> bytes);

// The state's duals for other rows: keys ascending, the class of each row, and their names. A row that the state does not
// know, or knows under another label, is fresh.
inline constexpr uint32_t kNotInState = UINT32_MAX;
struct Restart {
  DualSolution start;
  std::vector<uint32_t> fresh_rows;      // ascending
  std::vector<uint8_t> was_other;        // per fresh row: the state knows it under another label
  std::vector<uint32_t> label_in_state;  // per class of the rows: its label in the state, or kNotInState
  uint64_t gone_rows = 0;                // rows of the state that are no longer there
};
Restart RestartFrom(const TrainingState& state, std::span<const uint64_t> rows, std::span<const uint32_t> labels,
                    std::span<const std::string> names);

}  // namespace retrain
