// Effects of holidays and regressors taken from a series and given back to its forecasts (see adjusted.h).
#include "core/forecast/adjusted.h"

#include "core/forecast/decode.h"
#include "core/forecast/regression.h"

namespace retrain {

double ExogenousEffects::Of(std::span<const double> x) const noexcept {
  double effect = -reference;
  for (size_t k = 0; k < coefficients.size(); ++k) effect += coefficients[k] * x[k];
  return effect;
}

void Adjusted::Update(double y, const Exogenous& x) { inner_->Update(y - effects_.Of(x.values.first(x.columns))); }

void Adjusted::Forecast(std::span<double> out, const Exogenous& x) const {
  inner_->Forecast(out);
  for (size_t h = 0; h < out.size(); ++h) out[h] += effects_.Of(x.values.subspan(h * x.columns, x.columns));
}

void Adjusted::Encode(ByteWriter& out) const {
  out.Put(static_cast<uint32_t>(effects_.coefficients.size()));
  out.PutArray(std::span<const double>(effects_.coefficients));
  out.Put(effects_.reference);
  out.Put(static_cast<uint8_t>(inner_->method()));
  inner_->Encode(out);
}

std::unique_ptr<Adjusted> Adjusted::Decode(ForecastMethod stored_as, ByteReader& in) {
  const auto columns = in.Get<uint32_t>();
  if (columns > kMaxExogenous) CorruptedState(std::to_string(columns) + " exogenous columns");
  ExogenousEffects effects{GetFinites(in, columns), 0};
  if (stored_as == ForecastMethod::kAdjusted) effects.reference = GetFinite(in);
  const auto method = static_cast<ForecastMethod>(in.Get<uint8_t>());
  if (method == ForecastMethod::kAdjustedFromZero || method == ForecastMethod::kAdjusted ||
      method == ForecastMethod::kRegression)
    CorruptedState("effects of holidays in a method that has its own");
  return std::make_unique<Adjusted>(std::move(effects), DecodeForecaster(method, in));
}

}  // namespace retrain
