// A small network over the sparse features of a message, as it is stored and served: one signed byte a weight.
//
//   x'  = the features of columns first … last, scaled to length 1
//   h   = max(0, b + sum_i x'_i E_i)            hidden units
//   out = c + sum_j h_j W_j                     one score for each intent
//
// The sum over features is the "bag": Joulin, Grave, Bojanowski and Mikolov, "Bag of tricks for efficient text
// classification", EACL 2017; Iyyer, Manjunatha, Boyd-Graber and Daumé, "Deep unordered composition rivals syntactic
// methods for text classification", ACL 2015.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/stop.h"
#include "core/codec/bytes.h"
#include "core/linear/sparse.h"

namespace retrain {

// Rows of weights are one scale and `width` signed bytes.
struct Network {
  uint32_t first = 0, last = 0;     // columns that it reads, first < last
  uint32_t hidden = 0;              // a multiple of 16
  uint32_t stride = 0;              // intents rounded up to a multiple of 16
  std::vector<float> input_scale;   // last - first
  std::vector<int8_t> input;        // (last - first) × hidden
  std::vector<float> hidden_bias;   // hidden
  std::vector<float> output_scale;  // hidden
  std::vector<int8_t> output;       // hidden × stride
  std::vector<float> output_bias;   // stride
};

// The same in bytes that may start anywhere and must outlive it.
struct NetworkView {
  uint32_t first = 0, last = 0, hidden = 0, stride = 0;
  UnalignedArray<float> input_scale;
  const int8_t* input = nullptr;
  std::vector<float> hidden_bias;
  UnalignedArray<float> output_scale;
  const int8_t* output = nullptr;
  std::vector<float> output_bias;
};
NetworkView ViewOf(const Network& network);

// One section of an artifact. DecodeNetworks checks every length, column and number; throws Error(kDataCorrupted).
std::vector<uint8_t> EncodeNetworks(std::span<const Network> networks);
std::vector<NetworkView> DecodeNetworks(std::span<const uint8_t> bytes, uint32_t columns, uint32_t stride);
// Bytes of one network, stored.
uint64_t NetworkBytes(uint64_t columns, uint64_t hidden, uint64_t stride);

struct NetworkScratch {
  std::vector<SparseEntry> features;  // those that the network reads, scaled
  std::vector<float> hidden;
};

// Adds the network's scores to scores[stride] and leaves its features and hidden units in `scratch`.
void AddScores(const NetworkView& network, std::span<const SparseEntry> features, const Stop& stop,
               NetworkScratch& scratch, float* scores);

// A network is linear in its features as long as the same hidden units are above zero, so its score for intent k is
// exactly a sum over the features that it was last scored for: adds to weights[i] what one unit of features[i] brings, and
// returns the rest, which comes from the biases.
double AddLocalWeights(const NetworkView& network, std::span<const SparseEntry> features, const NetworkScratch& scratch,
                       uint32_t k, double share, std::span<double> weights);

}  // namespace retrain
