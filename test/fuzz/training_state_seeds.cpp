// Writes small real states for training_state_fuzzer to start from.
//
// usage: training_state_seeds DIRECTORY
#include <chrono>
#include <fstream>
#include <string>

#include "core/intent/trainer.h"

namespace {

bool Write(const std::string& path, const std::string& classifier, uint32_t networks) {
  retrain::TrainingRequest request;
  request.memory_budget = 1ull << 30;
  request.config.classifier = classifier;
  request.config.networks = networks;
  request.config.hidden_units = 16;
  retrain::IntentTrainer trainer(std::move(request));
  for (int i = 0; i < 30; ++i) {
    const std::string label = "intent" + std::to_string(i % 3), text = "message of " + label + " " + std::to_string(i);
    trainer.Add({text, label, 1, "train", retrain::kNoTime, false}, retrain::Stop{});
  }
  while (!trainer.Step({std::chrono::steady_clock::now() + std::chrono::milliseconds(50), retrain::Stop{}, 1})) {
  }
  const auto& state = trainer.result().state;
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(state.data()), static_cast<std::streamsize>(state.size()));
  return static_cast<bool>(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string directory = argv[1];
  return Write(directory + "/state", "linear_svc", 0) && Write(directory + "/logistic", "logistic_regression", 0) &&
                 Write(directory + "/networks", "linear_svc", 2)
             ? 0
             : 1;
}
