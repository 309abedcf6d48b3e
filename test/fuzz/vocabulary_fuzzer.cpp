// Any bytes as a frozen vocabulary, and any terms through building, encoding and finding.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/text/vocabulary_builder.h"

namespace {

using namespace retrain;

void Require(bool holds) {
  if (!holds) std::abort();
}

void DecodeAnyBytes(std::span<const uint8_t> bytes) {
  try {
    const VocabularyView view = VocabularyView::Decode(bytes);
    volatile char last = 0;
    for (uint32_t id = 0; id < view.size(); ++id) {
      const std::string_view term = view.term(id);
      if (!term.empty()) last = term.back();
      const uint32_t found = view.Find(view.kind(id), term);
      Require(found == kNoTerm || view.term(found) == term);
    }
    (void)last;
    view.Find(FeatureKind::kWord, "absent");
  } catch (const Error& error) {
    Require(error.code() == ErrorCode::kDataCorrupted);
  }
}

// Terms are the pieces between zero bytes; the first bit of each tells its kind.
void RoundTrip(std::string_view text) {
  VocabularyBuilder builder;
  std::vector<uint32_t> document_frequency;
  std::vector<uint64_t> corpus_frequency;
  while (!text.empty()) {
    const std::string_view term = text.substr(0, text.find('\0'));
    text.remove_prefix(std::min(term.size() + 1, text.size()));
    const FeatureKind kind = !term.empty() && (term[0] & 1) ? FeatureKind::kChar : FeatureKind::kWord;
    const uint32_t id = builder.Add(kind, term);
    Require(builder.term(id) == term && builder.kind(id) == kind);
    document_frequency.resize(builder.size());
    corpus_frequency.resize(builder.size());
    ++document_frequency[id];
    ++corpus_frequency[id];
  }
  const std::vector<uint32_t> ids = SelectTerms(builder, document_frequency, corpus_frequency, 1000, {2, 1.0, 8});
  const std::vector<uint8_t> encoded = EncodeVocabulary(builder, ids);
  const VocabularyView view = VocabularyView::Decode(encoded);
  for (uint32_t id = 0; id < builder.size(); ++id) Require(view.Find(builder.kind(id), builder.term(id)) == ids[id]);
  for (uint32_t id = 1; id < view.size(); ++id) {
    Require(view.kind(id - 1) != view.kind(id) || view.term(id - 1) < view.term(id));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  DecodeAnyBytes(std::span<const uint8_t>(data, size));
  RoundTrip(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
