// What a version says of a message: the part that predict_intent, predict_intents, classify_intent and explain_intent share.
#pragma once

#include <string_view>

#include "pg/live_version.h"
#include "pg/pg.h"

// Arguments that every prediction checks in the same way. A null model name is error 22023.
text* model_name_argument(FunctionCallInfo fcinfo, int n);

// An embedding that the caller gives: real[] argument n, or none.
struct Embedding {
  const float* values = nullptr;
  int size = 0;
};
Embedding embedding_argument(FunctionCallInfo fcinfo, int n);

// How much of an answer is needed. A correction is all of it, unless it is the model that is asked.
enum class Wanted {
  kIntent,          // without probabilities
  kPrediction,      // probabilities and novelty
  kTextPrediction,  // the same; none, and no error, where the version needs an embedding
  kExplanation      // what the model says, of a corrected text too
};

struct Answer {
  const ResolvedVersion* resolved;
  CachedModel* cached;  // null when there is no live version, or when none was asked
  text* correction;     // the corrected intent when a person has corrected this very text, else null
  uint32 best;          // most probable class of `cached`
  retrain::NoveltyVerdict novelty;
};

// Resolves, loads and scores.
void answer_message(Oid schema, text* model_name, int64 version_id, text* message, const Embedding& embedding,
                    Wanted wanted, Answer* answer);

// The label of a class in the server's encoding.
text* label_text(const CachedModel* cached, uint32 k);
