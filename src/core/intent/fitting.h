// What an intent training holds between rows and artifact; private to the files trainer*.cpp.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/eval/novelty.h"
#include "core/eval/precision_target.h"
#include "core/intent/model.h"
#include "core/intent/trainer.h"
#include "core/intent/training_state.h"
#include "core/linear/linear.h"
#include "core/neural/ensemble_fit.h"

namespace retrain {

// Fewer validation rows than this cannot tell a small share of them from none.
inline constexpr size_t kMinValidationRows = 200;
// The most rows that a temperature and limits are set by: sorting so many fits into a step, and more would not tell more.
inline constexpr size_t kLimitRows = 65536;
// Rows between two looks at the clock: a row costs microseconds.
inline constexpr size_t kRowsPerLook = 32;
// A slice of work of one thread between two looks at the clock, some milliseconds: so many rows, or so many terms or
// bytes of text.
inline constexpr size_t kSliceRows = 2048, kSliceTerms = size_t{1} << 16, kSliceBytes = size_t{1} << 16;
// Share of the whole training at which each phase begins, from profiles of CLINC150 and BANKING77.
inline constexpr double kWeightingFrom = 10, kFittingFrom = 15, kEvaluatingFrom = 95;

// An incremental training fits the calibration again, and tunes again, once this share of the rows has changed since.
inline constexpr double kMostChanged = 0.05;

// Where no row could be held out.
inline constexpr Blend kUnmeasuredBlend{1.0f, 0.8f};

// The widest n-grams that tuning tries.
inline constexpr NgramRange kTunedWords{1, 3}, kTunedChars{2, 5};

const ClassifierEntry& ClassifierOf(const IntentConfig& config);

// Of an incremental training that asks for tuning, what the live version's tuning chose for the same configuration, unless too
// many rows have changed since; the request then asks for that. It is known before any row is read, so that no other n-grams are.
std::optional<TunedChoice> TakeUpTuning(TrainingRequest& request);

// A configuration as later trainings compare it with theirs. The number of passes may follow from that of the rows, and networks
// that go on may do so for any.
std::string ComparableConfig(IntentConfig config);

// A row that the model had not seen, as the model sees it.
struct UnseenRow {
  NoveltyEvidence evidence;
  JudgedRow judged;
  bool is_known = false;   // of an intent that the model knows
  bool is_judged = false;  // else only the evidence was looked at
};

struct IntentTrainer::Fitting {
  std::vector<uint32_t> order;       // training rows, ascending key
  std::vector<uint32_t> validation;  // validation rows, likewise
  std::vector<uint32_t> class_of;    // dataset label -> class of the model, or UINT32_MAX
  uint64_t all_rows = 0;             // training rows, also while `order` is a sample of them
  bool widened = false;              // the dataset's terms are more than the configuration asks for
  bool tuning = false;               // candidates are being compared
  double tuned = 0;                  // share of that
  std::vector<uint8_t> unwanted;     // per provisional term, when widened
  std::vector<uint32_t> column_of;   // provisional term -> column, or kNoTerm
  std::optional<IntentModel> live;   // as far as it can be read; its artifact stays in the request
  // Likewise of the live version, for the terms of test rows. Empty: it reads texts in another way.
  std::vector<uint32_t> live_column_of;
  TermLists list_columns;            // of each list of the dataset: the columns of its terms that have one, ascending
  std::vector<uint32_t> list_terms;  // of each list: its terms that are wanted
  IntentModelParts parts;
  SparseMatrix matrix;
  std::vector<uint32_t> labels;
  std::vector<float> row_weights, class_weights;
  std::vector<float> known;    // KnownShare of each row, its own occurrences left out
  float unseen_idf = 0;        // of an n-gram in one row less than min_df asks for
  float lone_idf = 0;          // of a feature in just so many rows
  std::vector<uint8_t> folds;  // of each row, when rows are held out
  StandIns stand_ins;          // of the rows that the running fit scores unseen
  std::unique_ptr<LinearFit> fit;
  std::unique_ptr<EnsembleFit> ensemble;
  double fit_from = kFittingFrom, fit_to = kEvaluatingFrom;  // the share of the training that the running fit is
  std::vector<Network> networks;                             // just trained
  std::vector<NetworkSquares> squares, kept_squares;         // of those, of the model's
  // Of an incremental training whose networks may go on from the live version's: of each column the live version's, or
  // NetworkRestart::kNotThere.
  std::vector<uint32_t> live_columns;
  std::vector<float> blend_margins, blend_scores;  // of rows unseen by both, n × n_classes
  std::vector<uint32_t> blend_labels;
  std::vector<uint32_t> blend_rows;  // training rows among them; empty: they are validation rows
  LargeVector<float> held_out;       // margins of the first held_out_rows rows by fits that did not see them
  size_t held_out_rows = SIZE_MAX;
  std::vector<UnseenRow> unseen_rows;
  std::optional<DualSolution> duals;
  std::optional<TrainingState> live_state;  // of an incremental training
  Restart restart;
  std::optional<Novelty> live_novelty;
};

}  // namespace retrain
