// Intermittent demand (see intermittent.h).
#include "core/forecast/intermittent.h"

#include <algorithm>

#include "core/forecast/decode.h"

namespace retrain {

bool IsIntermittent(std::span<const double> y) {
  size_t zeros = 0;
  for (const double v : y) {
    if (v < 0) return false;
    if (v == 0) ++zeros;
  }
  return 2 * zeros >= y.size() && !y.empty();
}

void Intermittent::Update(double y, const Exogenous&) {
  const bool demand = y > 0;
  probability_ += beta_ * ((demand ? 1.0 : 0.0) - probability_);
  if (demand) size_ += alpha_ * (y - size_);
}

Intermittent Intermittent::Fit(std::span<const double> y) {
  Intermittent first;
  size_t demands = 0;
  double sum = 0;
  for (const double v : y) {
    if (v > 0) {
      ++demands;
      sum += v;
    }
  }
  first.size_ = demands > 0 ? sum / static_cast<double>(demands) : 0;
  first.probability_ = static_cast<double>(demands) / static_cast<double>(y.size());
  Intermittent best = first;
  double least = -1;
  for (const double alpha : {0.02, 0.05, 0.1, 0.2, 0.3}) {
    for (const double beta : {0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3}) {
      Intermittent trial = first;
      trial.alpha_ = alpha;
      trial.beta_ = beta;
      double squares = 0;
      for (const double v : y) {
        const double error = v - trial.probability_ * trial.size_;
        squares += error * error;
        trial.Update(v);
      }
      if (least >= 0 && squares >= least) continue;
      least = squares;
      best = trial;
    }
  }
  return best;
}

void Intermittent::Forecast(std::span<double> out, const Exogenous&) const {
  std::fill(out.begin(), out.end(), probability_ * size_);
}

void Intermittent::Encode(ByteWriter& out) const {
  for (const double v : {alpha_, beta_, size_, probability_}) out.Put(v);
}

std::unique_ptr<Intermittent> Intermittent::Decode(ByteReader& in) {
  auto state = std::make_unique<Intermittent>();
  for (double* v : {&state->alpha_, &state->beta_, &state->size_, &state->probability_}) *v = GetFinite(in);
  return state;
}

}  // namespace retrain
