// Section numbers inside an intent model's artifact; a number is never used again for something else.
#pragma once

#include <cstdint>

namespace retrain::sections {

inline constexpr uint32_t kSettings = 1;    // analyzer, feature space, sizes, threshold, classifier
inline constexpr uint32_t kConfig = 2;      // the whole configuration as JSON text
inline constexpr uint32_t kLabels = 3;      // strings, ascending
inline constexpr uint32_t kVocabulary = 4;  // text/vocabulary.h
inline constexpr uint32_t kIdf = 5;         // float per term
// In the place of kWeights in artifacts that are older.
inline constexpr uint32_t kWholeWeights = 6;  // int8, columns × stride
inline constexpr uint32_t kScales = 7;        // float scale per class, then float bias per class, both stride long
inline constexpr uint32_t kCalibration = 8;   // kind, inverse temperature, slopes and intercepts
// Optional: absent from versions trained before it existed or without held-out rows.
inline constexpr uint32_t kNovelty = 9;  // two weights, unseen idf, share, known limit, number of scores, scores
// Both or neither: of models with networks.
inline constexpr uint32_t kNetworks = 10;  // neural/network.h
inline constexpr uint32_t kBlend = 11;    // float weight of the classifier's margin, float weight of the networks' mean
inline constexpr uint32_t kWeights = 12;  // linear/weight_rows.h

}  // namespace retrain::sections
