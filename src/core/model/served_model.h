// What every model that is read from an artifact has in common, whatever it predicts.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/codec/container.h"

namespace retrain {

// Buffers that predicting needs beside the model, one per thread of predicting.
struct PredictionScratch {
  virtual ~PredictionScratch() = default;
};

// Immutable. Holds views into its artifact, which must outlive it.
class ServedModel {
 public:
  virtual ~ServedModel() = default;

  virtual ModelKind kind() const noexcept = 0;
  // What decoding and a scratch hold beside the artifact, in bytes, about.
  virtual uint64_t own_bytes() const noexcept = 0;
  virtual std::unique_ptr<PredictionScratch> NewScratch() const = 0;
  // A JSON object with at least: format, algorithm, training_samples, labels (an array), config (an object).
  virtual std::string Describe() const = 0;
};

// Reads an artifact of any kind. Throws Error(kDataCorrupted), or Error(kNotSupported) for a kind or format that this
// release does not know.
std::unique_ptr<ServedModel> DecodeModel(std::span<const uint8_t> artifact, Checksum checksum = Checksum::kCompare);

}  // namespace retrain
