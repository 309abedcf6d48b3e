// The simplest forecasts (see naive.h).
#include "core/forecast/naive.h"

#include <algorithm>

#include "core/forecast/decode.h"

namespace retrain {

SeasonalNaive SeasonalNaive::Fit(std::span<const double> y, uint32_t m) {
  SeasonalNaive naive;
  const auto last = y.last(std::min<size_t>(y.size(), m));
  naive.last_.assign(last.begin(), last.end());
  return naive;
}

void SeasonalNaive::Update(double y, const Exogenous&) {
  last_[next_] = y;
  if (++next_ == last_.size()) next_ = 0;
}

void SeasonalNaive::Forecast(std::span<double> out, const Exogenous&) const {
  for (size_t h = 0; h < out.size(); ++h) out[h] = last_[(next_ + h) % last_.size()];
}

void SeasonalNaive::Encode(ByteWriter& out) const {
  out.Put(static_cast<uint32_t>(last_.size()));
  for (size_t i = 0; i < last_.size(); ++i) out.Put(last_[(next_ + i) % last_.size()]);
}

std::unique_ptr<SeasonalNaive> SeasonalNaive::Decode(ByteReader& in) {
  auto naive = std::make_unique<SeasonalNaive>();
  naive->last_ = GetSeason(in);
  if (naive->last_.empty()) CorruptedState("a season of no steps");
  return naive;
}

Drift Drift::Fit(std::span<const double> y) {
  Drift drift;
  drift.first_ = y.front();
  drift.last_ = y.back();
  drift.n_ = y.size();
  return drift;
}

void Drift::Update(double y, const Exogenous&) {
  last_ = y;
  ++n_;
}

void Drift::Forecast(std::span<double> out, const Exogenous&) const {
  const double slope = n_ > 1 ? (last_ - first_) / static_cast<double>(n_ - 1) : 0;
  for (size_t h = 0; h < out.size(); ++h) out[h] = last_ + slope * static_cast<double>(h + 1);
}

void Drift::Encode(ByteWriter& out) const {
  out.Put(first_);
  out.Put(last_);
  out.Put(n_);
}

std::unique_ptr<Drift> Drift::Decode(ByteReader& in) {
  auto drift = std::make_unique<Drift>();
  drift->first_ = GetFinite(in);
  drift->last_ = GetFinite(in);
  drift->n_ = in.Get<uint64_t>();
  return drift;
}

Mean Mean::Fit(std::span<const double> y) {
  Mean mean;
  for (const double v : y) mean.Update(v);
  return mean;
}

void Mean::Update(double y, const Exogenous&) {
  ++n_;
  mean_ += (y - mean_) / static_cast<double>(n_);
}

void Mean::Forecast(std::span<double> out, const Exogenous&) const { std::fill(out.begin(), out.end(), mean_); }

void Mean::Encode(ByteWriter& out) const {
  out.Put(mean_);
  out.Put(n_);
}

std::unique_ptr<Mean> Mean::Decode(ByteReader& in) {
  auto mean = std::make_unique<Mean>();
  mean->mean_ = GetFinite(in);
  mean->n_ = in.Get<uint64_t>();
  return mean;
}

}  // namespace retrain
