// Any bytes as a message: normalisation, terms, identity and statistics keep their promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/text/analyzer.h"
#include "core/text/normalise.h"
#include "core/text/utf8.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

bool IsWellFormed(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    char32_t c = 0;
    const size_t n = retrain::DecodeUtf8(p, end, &c);
    if (c == retrain::kReplacementCharacter && n != 3) return false;
    p += n;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace retrain;
  if (size < 3) return 0;
  AnalyzerConfig config;
  config.folding = static_cast<AccentFolding>(data[0] % 3);
  config.word_ngrams.min = static_cast<uint8_t>(1 + data[1] % 3);
  config.word_ngrams.max = static_cast<uint8_t>(config.word_ngrams.min + data[1] / 16 % 3);
  config.char_ngrams.min = static_cast<uint8_t>(1 + data[2] % 5);
  config.char_ngrams.max = static_cast<uint8_t>(config.char_ngrams.min + data[2] / 16 % 5);
  const std::string_view text(reinterpret_cast<const char*>(data + 3), size - 3);

  std::string normal;
  NormaliseCase(text, config.folding, Stop(), normal);
  Require(IsWellFormed(normal) && normal.size() <= 3 * text.size());

  Analyzer analyzer(config);
  size_t terms[2] = {0, 0};
  for (int round = 0; round < 2; ++round) {  // the second time with used buffers
    analyzer.Read(text, Stop());
    analyzer.ForEachTerm(Stop(), [&](FeatureKind kind, std::string_view term) {
      Require(!term.empty() && IsWellFormed(term));
      Require(kind == FeatureKind::kWord ? term.front() != ' ' && term.back() != ' ' : true);
      ++terms[round];
    });
  }
  Require(terms[0] == terms[1]);

  const std::string identity = IdentityText(text, Stop());
  Require(IsWellFormed(identity));
  Require(identity.empty() || (identity.front() != ' ' && identity.back() != ' '));
  Require(identity.find("  ") == std::string::npos);
  if (text.size() <= 32) Require(IdentityText(identity, Stop()) == identity);  // too short for a cluster to be cut

  for (const float value : ComputeTextStats(text)) Require(value >= 0.0f && value <= 1.0f);
  return 0;
}
