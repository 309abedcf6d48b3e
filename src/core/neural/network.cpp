// Scores messages with stored networks.
#include "core/neural/network.h"

#include <algorithm>
#include <cmath>

#include "core/neural/kernels.h"

namespace retrain {
namespace {

// Long messages look for a request to stop every so many features.
constexpr size_t kFeaturesPerPoll = 4096;

// sum[l] += the sum over rows of v_i * row_i[l].
template <class RowOf>
void AddRows(size_t n_rows, uint32_t width, const RowOf& row_of, float* sum, const Stop& stop) {
  float v[4];
  const int8_t* rows[4];
  size_t held = 0;
  for (size_t i = 0; i < n_rows; ++i) {
    if (i % kFeaturesPerPoll == kFeaturesPerPoll - 1) stop.Poll();
    if (!row_of(i, v[held], rows[held]) || ++held < 4) continue;
    AddFourScaledRows(v, rows, width, sum);
    held = 0;
  }
  for (size_t i = 0; i < held; ++i) AddScaledRow(v[i], rows[i], width, sum);
}

// What features are multiplied by so that those of columns first … last have length 1; 0 when they are all zero.
float ScaleOf(const NetworkView& network, std::span<const SparseEntry> features) {
  double squares = 0;
  for (const SparseEntry& entry : features)
    if (entry.column >= network.first && entry.column < network.last)
      squares += static_cast<double>(entry.value) * static_cast<double>(entry.value);
  return squares > 0 ? static_cast<float>(1 / std::sqrt(squares)) : 0.0f;
}

template <class T>
UnalignedArray<T> ArrayOf(const std::vector<T>& values) {
  return UnalignedArray<T>({reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)});
}

}  // namespace

NetworkView ViewOf(const Network& n) {
  return {n.first,
          n.last,
          n.hidden,
          n.stride,
          ArrayOf(n.input_scale),
          n.input.data(),
          n.hidden_bias,
          ArrayOf(n.output_scale),
          n.output.data(),
          n.output_bias};
}

void AddScores(const NetworkView& network, std::span<const SparseEntry> features, const Stop& stop,
               NetworkScratch& scratch, float* scores) {
  const float scale = ScaleOf(network, features);
  scratch.features.clear();
  for (const SparseEntry& entry : features)
    if (entry.column >= network.first && entry.column < network.last)
      scratch.features.push_back({entry.column - network.first, scale * entry.value});
  scratch.hidden.assign(network.hidden_bias.begin(), network.hidden_bias.end());
  const auto input_row = [&](size_t i, float& v, const int8_t*& row) {
    const SparseEntry& entry = scratch.features[i];
    v = entry.value * network.input_scale[entry.column];
    row = network.input + uint64_t{entry.column} * network.hidden;
    return true;
  };
  AddRows(scratch.features.size(), network.hidden, input_row, scratch.hidden.data(), stop);
  const auto output_row = [&](size_t j, float& v, const int8_t*& row) {
    if (!(scratch.hidden[j] > 0)) return false;
    v = scratch.hidden[j] * network.output_scale[j];
    row = network.output + j * network.stride;
    return true;
  };
  AddScaledRow(1, network.output_bias.data(), network.stride, scores);
  AddRows(network.hidden, network.stride, output_row, scores, stop);
}

double AddLocalWeights(const NetworkView& network, std::span<const SparseEntry> features, const NetworkScratch& scratch,
                       uint32_t k, double share, std::span<double> weights) {
  std::vector<float> open(network.hidden);  // of the hidden units above zero: what one unit of them brings
  double rest = static_cast<double>(network.output_bias[k]);
  for (uint32_t j = 0; j < network.hidden; ++j) {
    if (!(scratch.hidden[j] > 0)) continue;
    open[j] = network.output_scale[j] * static_cast<float>(network.output[uint64_t{j} * network.stride + k]);
    rest += static_cast<double>(open[j]) * static_cast<double>(network.hidden_bias[j]);
  }
  const double scale = static_cast<double>(ScaleOf(network, features));
  for (size_t i = 0; i < features.size(); ++i) {
    const uint32_t column = features[i].column;
    if (column < network.first || column >= network.last) continue;
    const int8_t* row = network.input + uint64_t{column - network.first} * network.hidden;
    double sum = 0;
    for (uint32_t j = 0; j < network.hidden; ++j) sum += static_cast<double>(open[j]) * static_cast<double>(row[j]);
    weights[i] += share * scale * static_cast<double>(network.input_scale[column - network.first]) * sum;
  }
  return share * rest;
}

}  // namespace retrain
