// Writes small real forecast models for forecast_fuzzer to start from.
//
// usage: forecast_seeds DIRECTORY
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "core/forecast/trainer.h"

namespace {

struct Seed {
  const char* name;
  retrain::TimeStep step;
  bool regressors;
};

std::vector<uint8_t> Train(const Seed& seed) {
  retrain::ForecastRequest request;
  request.named = true;
  request.memory_budget = 1ull << 30;
  if (seed.regressors) request.config.regressors = {"price"};
  retrain::ForecastTrainer trainer(std::move(request));
  const retrain::TimeGrid grid{seed.step, 0, 1};
  for (int s = 0; s < 3; ++s)
    for (int t = 0; t < 60; ++t) {
      const double price = t % 4;
      const double y = s == 2 ? (t % 5 == 0 ? 3 : 0) : 20 + s + 0.2 * t + (t % 7) * 3 + price;
      const std::span<const double> regressors(&price, seed.regressors ? 1 : 0);
      trainer.Add({"shop " + std::to_string(s), grid.At(t), grid.At(t), y, regressors});
    }
  if (seed.regressors) trainer.AddHoliday(20, "fair");
  while (!trainer.Step({std::chrono::steady_clock::now() + std::chrono::milliseconds(50), retrain::Stop{}, 1})) {
  }
  return trainer.result().artifact;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: forecast_seeds DIRECTORY\n");
    return 2;
  }
  const Seed seeds[] = {
      {"daily", {retrain::kDay, 0}, false}, {"monthly", {0, 1}, false}, {"regressors", {retrain::kDay, 0}, true}};
  for (const Seed& seed : seeds) {
    const std::vector<uint8_t> artifact = Train(seed);
    if (artifact.empty()) {
      std::fprintf(stderr, "the model \"%s\" could not be trained\n", seed.name);
      return 1;
    }
    std::ofstream out(std::string(argv[1]) + "/" + seed.name, std::ios::binary);
    out.write(reinterpret_cast<const char*>(artifact.data()), static_cast<std::streamsize>(artifact.size()));
    if (!out.flush()) {
      std::fprintf(stderr, "%s/%s cannot be written\n", argv[1], seed.name);
      return 1;
    }
    std::printf("%s: %zu bytes\n", seed.name, artifact.size());
  }
}
