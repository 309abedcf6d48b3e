// Writes small real models for artifact_fuzzer to start from: without them it hardly gets past the container.
//
// usage: artifact_seeds DIRECTORY
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "core/intent/trainer.h"

namespace {

using retrain::ConfigValue;

struct Seed {
  const char* name;
  const char* preset;
  const char* classifier;
  const char* calibration;
  int labels;
  int networks;
};

ConfigValue Number(std::string_view key, double value) {
  ConfigValue config;
  config.key = key;
  config.type = ConfigValue::Type::kNumber;
  config.number = value;
  return config;
}

ConfigValue Text(std::string_view key, std::string_view value) {
  ConfigValue config;
  config.key = key;
  config.type = ConfigValue::Type::kString;
  config.string = value;
  return config;
}

std::vector<uint8_t> Train(const Seed& seed) {
  const char* const words[] = {"refund", "envío", "login", "¿dónde", "cancel"};
  const ConfigValue values[] = {Text("preset", seed.preset), Text("classifier", seed.classifier),
                                Text("calibration", seed.calibration), Number("networks", seed.networks),
                                Number("hidden_units", 16)};
  retrain::TrainingRequest request;
  request.memory_budget = 1ull << 30;
  request.config = retrain::ParseIntentConfig(values);
  const retrain::Stop stop{[]() noexcept { return false; }};
  retrain::IntentTrainer trainer(std::move(request));
  for (int i = 0; i < 30; ++i) {
    const int label = i % seed.labels;
    const std::string text = std::string(words[label]) + " " + words[i % 4] + " n" + std::to_string(i % 7);
    trainer.Add({text, "intent" + std::to_string(label), 1, "train", retrain::kNoTime, false}, stop);
  }
  while (!trainer.Step({std::chrono::steady_clock::now() + std::chrono::milliseconds(50), stop, 1})) {
  }
  return trainer.result().artifact;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: artifact_seeds DIRECTORY\n");
    return 2;
  }
  const Seed seeds[] = {{"default", "default", "linear_svc", "softmax", 3, 0},
                        {"classic", "classic", "linear_svc", "sigmoid", 5, 0},
                        {"two", "classic", "linear_svc", "sigmoid", 2, 0},
                        {"logistic", "default", "logistic_regression", "softmax", 4, 0},
                        {"networks", "accurate", "linear_svc", "softmax", 3, 3}};
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
