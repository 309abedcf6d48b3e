// Trains one network in slices of well below a millisecond (problem and algorithm: network_fit.cpp).
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <atomic>
#include <cstdint>
#include <vector>

#include "core/base/resumable.h"
#include "core/base/rng.h"
#include "core/neural/ensemble_fit.h"
#include "core/neural/network.h"

namespace retrain {

// Weights that are gone through between two looks at the clock.
inline constexpr size_t kWeightsOfSlice = size_t{1} << 17;

class NetworkFit {
 public:
  // `rows_done` counts the visits of all networks.
  NetworkFit(const NetworkProblem& problem, const NetworkOptions& options, size_t which,
             std::atomic<uint64_t>& rows_done);
  NetworkFit(const NetworkFit&) = delete;
  NetworkFit& operator=(const NetworkFit&) = delete;

  // One slice; true when the network is done.
  bool Resume() { return work_.Resume(); }
  Network TakeNetwork() { return std::move(network_); }
  NetworkSquares TakeSquares() { return std::move(kept_); }

  // Bytes of one network while it is trained; throws Error(kLimitExceeded).
  static uint64_t Bytes(uint64_t n_rows, uint64_t columns, uint64_t hidden, uint64_t stride);

 private:
  // Weights, and for each the sum of its squared gradients.
  struct Weights {
    std::vector<float> values, squares;
    void Reserve(size_t n) {
      values.reserve(n);
      squares.reserve(n);
    }
    void Resize(size_t n) {
      values.resize(n);
      squares.resize(n);
    }
  };

  // One matrix of an earlier network.
  struct StoredRows {
    UnalignedArray<float> scale;
    const int8_t* bytes;
    uint32_t width;
    const SquareFactors& squares;
  };

  Resumable Run();
  Resumable BeginAtRandom();
  Resumable GoOn(const NetworkRestart& restart);
  Resumable Read(Weights& weights, StoredRows from, std::span<const uint32_t> rows, std::span<const uint32_t> lanes,
                 uint32_t width);
  Resumable KeepSquares();
  Resumable KeepFactors(std::span<const float> squares, size_t width, SquareFactors& factors);
  Resumable Walk();
  Resumable Draw(Weights& weights, float largest, uint32_t n_rows, uint32_t width, uint32_t used);
  Resumable Store(const Weights& weights, uint32_t width, std::vector<float>& scale, std::vector<int8_t>& bytes);
  void Visit(uint32_t row, float rate);
  void ReadFeatures(uint32_t row);
  void ReadHidden();
  void Learn(uint32_t row, float rate);

  const NetworkProblem& problem_;
  const NetworkOptions& options_;
  const size_t which_;
  Network network_;
  NetworkSquares kept_;
  Rng rng_;
  std::atomic<uint64_t>& rows_done_;
  Weights input_, hidden_bias_, output_, output_bias_;
  std::vector<uint32_t> order_;
  std::vector<SparseEntry> features_;  // of the row, those that were dropped left out
  std::vector<float> hidden_, hidden_slope_, scores_;
  std::vector<uint32_t> open_;  // hidden units above zero that were not dropped
  float mean_weight_ = 1;
  uint64_t done_in_slice_ = 0;
  Resumable work_;
};

}  // namespace retrain
