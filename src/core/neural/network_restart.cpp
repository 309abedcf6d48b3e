// What a network keeps for a later fit, and how that one goes on from it.
//
// Weights come back from their stored bytes. The sums of squared gradients, without which Adagrad would take its first steps
// as if nothing had been learnt, come back from the means of their rows and columns: without them five runs one after the
// other take the log loss of CLINC150 from 0.142 to 0.153. A feature or an intent that the earlier network does not have begins
// at zero, as if it had never been visited.
#include <numeric>

#include "core/neural/network_fit.h"

namespace retrain {
namespace {

// Of the means of the rows, and hence of those of the columns; 0 when nothing was ever learnt.
float InverseMeanOf(const SquareFactors& factors) {
  const double sum = std::accumulate(factors.rows.begin(), factors.rows.end(), 0.0);
  return sum > 0 ? static_cast<float>(static_cast<double>(factors.rows.size()) / sum) : 0;
}

}  // namespace

bool AreOf(const NetworkSquares& squares, const NetworkView& network) noexcept {
  const size_t columns = network.last - network.first;
  return squares.input.rows.size() == columns && squares.input.columns.size() == network.hidden &&
         squares.output.rows.size() == network.hidden && squares.output.columns.size() == network.stride &&
         squares.hidden_bias.size() == network.hidden && squares.output_bias.size() == network.stride;
}

Resumable NetworkFit::GoOn(const NetworkRestart& restart) {
  const NetworkView& from = restart.networks[which_];
  const NetworkSquares& squares = restart.squares[which_];
  std::vector<uint32_t> rows(restart.column_of.begin() + network_.first, restart.column_of.begin() + network_.last);
  for (uint32_t& row : rows) row = row >= from.first && row < from.last ? row - from.first : NetworkRestart::kNotThere;
  std::vector<uint32_t> units(network_.hidden);
  std::iota(units.begin(), units.end(), 0u);
  Resumable part =
      Read(input_, {from.input_scale, from.input, from.hidden, squares.input}, rows, units, network_.hidden);
  while (!part.Resume()) co_await Pause{};
  part = Read(output_, {from.output_scale, from.output, from.stride, squares.output}, units, restart.class_of,
              network_.stride);
  while (!part.Resume()) co_await Pause{};
  hidden_bias_.values = from.hidden_bias;
  hidden_bias_.squares = squares.hidden_bias;
  for (uint32_t k = 0; k < problem_.n_classes; ++k) {
    const uint32_t earlier = restart.class_of[k];
    if (earlier == NetworkRestart::kNotThere) continue;
    output_bias_.values[k] = from.output_bias[earlier];
    output_bias_.squares[k] = squares.output_bias[earlier];
  }
}

// Row i of `width` weights is the stored row rows[i], lane l of it the stored one lanes[l]; what is not there is zero.
Resumable NetworkFit::Read(Weights& weights, StoredRows from, std::span<const uint32_t> rows,
                           std::span<const uint32_t> lanes, uint32_t width) {
  const float inverse_mean = InverseMeanOf(from.squares);
  size_t read = 0;
  weights.Reserve(rows.size() * width);
  for (size_t i = 0; i < rows.size(); ++i) {
    weights.Resize((i + 1) * width);
    if (rows[i] != NetworkRestart::kNotThere) {
      const int8_t* const bytes = from.bytes + size_t{rows[i]} * from.width;
      const float scale = from.scale[rows[i]], square = from.squares.rows[rows[i]] * inverse_mean;
      for (size_t l = 0; l < lanes.size(); ++l) {
        if (lanes[l] == NetworkRestart::kNotThere) continue;
        weights.values[i * width + l] = scale * static_cast<float>(bytes[lanes[l]]);
        weights.squares[i * width + l] = square * from.squares.columns[lanes[l]];
      }
    }
    if ((read += width) < kWeightsOfSlice) continue;
    read = 0;
    co_await Pause{};
  }
}

Resumable NetworkFit::KeepFactors(std::span<const float> squares, size_t width, SquareFactors& factors) {
  const size_t n_rows = squares.size() / width;
  std::vector<double> columns(width);
  size_t read = 0;
  factors.rows.resize(n_rows);
  for (size_t i = 0; i < n_rows; ++i) {
    const std::span<const float> row = squares.subspan(i * width, width);
    double sum = 0;
    for (size_t j = 0; j < width; ++j) {
      const auto square = static_cast<double>(row[j]);
      sum += square;
      columns[j] += square;
    }
    factors.rows[i] = static_cast<float>(sum / static_cast<double>(width));
    if ((read += width) < kWeightsOfSlice) continue;
    read = 0;
    co_await Pause{};
  }
  for (const double sum : columns) factors.columns.push_back(static_cast<float>(sum / static_cast<double>(n_rows)));
}

Resumable NetworkFit::KeepSquares() {
  for (Resumable keep = KeepFactors(input_.squares, network_.hidden, kept_.input); !keep.Resume();) co_await Pause{};
  for (Resumable keep = KeepFactors(output_.squares, network_.stride, kept_.output); !keep.Resume();) co_await Pause{};
  kept_.hidden_bias = std::move(hidden_bias_.squares);
  kept_.output_bias = std::move(output_bias_.squares);
}

}  // namespace retrain
