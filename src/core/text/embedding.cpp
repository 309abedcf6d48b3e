// Checks and scales embeddings.
#include "core/text/embedding.h"

#include <cmath>
#include <string>

#include "core/base/error.h"

namespace retrain {

void CheckEmbedding(std::span<const float> embedding, uint32_t wanted) {
  const std::string given = std::to_string(embedding.size());
  if (embedding.empty() || (wanted != 0 && embedding.size() != wanted))
    throw Error(ErrorCode::kInvalidParameter,
                embedding.empty() ? "the embedding of a message is missing" : "an embedding has the wrong dimension",
                embedding.empty() && wanted == 0 ? "the value is null or has no numbers"
                                                 : "given " + given + " numbers, needed " + std::to_string(wanted),
                "give every message the embedding that one and the same encoder makes of it");
  if (embedding.size() > kMaxEmbedding)
    throw Error(ErrorCode::kInvalidParameter, "an embedding has too many dimensions",
                "given " + given + " numbers, at most " + std::to_string(kMaxEmbedding));
  for (size_t i = 0; i < embedding.size(); ++i) {
    if (std::isfinite(embedding[i])) continue;
    throw Error(ErrorCode::kInvalidParameter, "an embedding has a number that is not finite",
                "number " + std::to_string(i + 1) + " of " + given + " is " +
                    (std::isnan(embedding[i]) ? "NaN"
                     : embedding[i] > 0       ? "Infinity"
                                              : "-Infinity"));
  }
}

void AppendEmbedding(std::span<const float> embedding, uint32_t first, std::vector<SparseEntry>& entries) {
  double squares = 0;
  for (const float value : embedding) squares += static_cast<double>(value) * static_cast<double>(value);
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (uint32_t i = 0; i < embedding.size(); ++i)
    entries.push_back({first + i, static_cast<float>(static_cast<double>(embedding[i]) * scale)});
}

}  // namespace retrain
