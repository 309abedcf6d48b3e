// Stored forecast models are hostile bytes: whatever they are, decoding and forecasting either refuse them or give numbers.
//
// The checksum is put right first, since a random change would otherwise never get past it.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/codec/crc32c.h"
#include "core/forecast/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> artifact(data, data + size);
  if (size >= 32) {
    const uint64_t total = size;
    std::memcpy(artifact.data() + 16, &total, sizeof total);
    const uint32_t crc = retrain::Crc32c(std::span<const uint8_t>(artifact).subspan(28));
    std::memcpy(artifact.data() + 24, &crc, sizeof crc);
  }
  const float levels[] = {0.5f, 0.95f, 0.9999f};
  try {
    const retrain::ForecastModel model(artifact);
    model.Describe();
    model.Find("shop 1");
    for (uint32_t series = 0; series < model.series_count() && series < 3; ++series) {
      try {
        const auto forecast = model.Forecast(series, 40, levels);
        for (const double yhat : forecast.yhat)
          if (!std::isfinite(yhat)) std::abort();
      } catch (const retrain::Error&) {
      }
    }
  } catch (const retrain::Error&) {
  }
  return 0;
}
