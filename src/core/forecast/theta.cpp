// The theta method (see theta.h).
#include "core/forecast/theta.h"

#include <algorithm>
#include <cmath>

#include "core/base/math.h"
#include "core/forecast/decode.h"
#include "core/forecast/ets.h"

namespace retrain {
namespace {

// Whether the series can be divided by seasonal indices: none negative, no season without values, no index near zero.
bool CanDivide(std::span<const double> y, uint32_t m) {
  for (const double v : y)
    if (v < 0) return false;
  for (const double v : CentredMovingAverage(y, m))
    if (!(v > 0)) return false;
  for (const double s : SeasonalIndices(y, m, SeasonKind::kMultiplicative))
    if (!(s > 1e-2)) return false;
  return true;
}

}  // namespace

double Theta::Adjusted(double y) const {
  switch (kind_) {
    case SeasonKind::kMultiplicative:
      return y / season_[n_ % season_.size()];
    case SeasonKind::kAdditive:
      return y - season_[n_ % season_.size()];
    case SeasonKind::kNone:
      break;
  }
  return y;
}

Theta Theta::Fit(std::span<const double> y, uint32_t m) {
  Theta theta;
  if (HasSeason(y, m)) {
    theta.kind_ = CanDivide(y, m) ? SeasonKind::kMultiplicative : SeasonKind::kAdditive;
    theta.season_ = SeasonalIndices(y, m, theta.kind_);
  }
  std::vector<double> adjusted;
  adjusted.reserve(y.size());
  for (const double v : y) {
    const double x = theta.Adjusted(v);
    theta.sum_ += x;
    theta.weighted_ += static_cast<double>(theta.n_) * x;
    ++theta.n_;
    adjusted.push_back(x);
  }
  const EtsFit smoothing = FitEts(adjusted, 1, EtsShape{}, 120);
  theta.alpha_ = std::max(smoothing.parameters.alpha, 1e-10);
  theta.level_ = smoothing.final.level;
  return theta;
}

// The least-squares slope over t = 0 … n - 1, from the running sums, halved.
double Theta::drift() const noexcept {
  const double n = static_cast<double>(n_);
  if (n_ < 2) return 0;
  return 0.5 * (weighted_ - (n - 1) / 2 * sum_) / (n * (n * n - 1) / 12);
}

void Theta::Update(double y, const Exogenous&) {
  const double x = Adjusted(y);
  level_ += alpha_ * (x - level_);
  sum_ += x;
  weighted_ += static_cast<double>(n_) * x;
  ++n_;
}

void Theta::Forecast(std::span<double> out, const Exogenous&) const {
  const double started = 1 - Exp(static_cast<double>(n_) * Log(1 - std::min(alpha_, 0.999999)));
  const double b = drift();
  for (size_t h = 0; h < out.size(); ++h) {
    out[h] = level_ + b * (static_cast<double>(h) + started / alpha_);
    if (kind_ == SeasonKind::kMultiplicative) out[h] *= season_[(n_ + h) % season_.size()];
    if (kind_ == SeasonKind::kAdditive) out[h] += season_[(n_ + h) % season_.size()];
  }
}

void Theta::Encode(ByteWriter& out) const {
  out.Put(static_cast<uint8_t>(kind_));
  out.Put(n_);
  for (const double v : {alpha_, level_, sum_, weighted_}) out.Put(v);
  out.Put(static_cast<uint32_t>(season_.size()));
  out.PutArray(std::span<const double>(season_));
}

std::unique_ptr<Theta> Theta::Decode(ByteReader& in) {
  auto theta = std::make_unique<Theta>();
  const auto kind = in.Get<uint8_t>();
  if (kind > 2) CorruptedState("an unknown kind of season");
  theta->kind_ = static_cast<SeasonKind>(kind);
  theta->n_ = in.Get<uint64_t>();
  for (double* v : {&theta->alpha_, &theta->level_, &theta->sum_, &theta->weighted_}) *v = GetFinite(in);
  if (!(theta->alpha_ > 0)) CorruptedState("a smoothing parameter that cannot be");
  theta->season_ = GetSeason(in);
  if (theta->season_.empty() != (theta->kind_ == SeasonKind::kNone)) CorruptedState("a season without its indices");
  return theta;
}

}  // namespace retrain
