// The outer form of every stored model: a header, a table of sections, the sections, one checksum over it all.
//
//   offset  size  field
//   0       8     magic "RETRAIN\n"
//   8       4     format version (1)
//   12      4     kind of model (ModelKind)
//   16      8     total size in bytes
//   24      4     CRC-32C of everything from offset 28 on
//   28      4     number of sections, at most 64
//   32      24 n  sections: u32 id (ascending, unique), u32 zero, u64 offset, u64 size
//   …             section bytes, each starting at a multiple of 64
//
// All numbers are little-endian. A reader for each format version stays for ever.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace retrain {

// A model must stay far below the 512 MB at which a bytea can still be stored but no longer dumped.
inline constexpr uint64_t kMaxArtifactBytes = 256ull << 20;
inline constexpr size_t kHeaderBytes = 32;

// kTrainingState is no model: what a training leaves for the next (intent/training_state.h).
enum class ModelKind : uint32_t { kIntent = 1, kTable = 2, kForecast = 3, kTrainingState = 1001 };

class ContainerWriter {
 public:
  void Add(uint32_t id, std::vector<uint8_t> bytes) { sections_.emplace_back(id, std::move(bytes)); }
  // Throws Error(kLimitExceeded) above kMaxArtifactBytes.
  std::vector<uint8_t> Finish(ModelKind kind) const;

 private:
  std::vector<std::pair<uint32_t, std::vector<uint8_t>>> sections_;  // ascending id
};

// The checksum that the header states, unchecked; nothing when the bytes are shorter than a header. Together with a
// reader's check of the bytes against it, it tells one model from another in one pass.
std::optional<uint32_t> StatedChecksum(std::span<const uint8_t> artifact) noexcept;

// The kind that the header states, unchecked; 0, which is none, when the bytes are shorter than a header.
uint32_t StatedKind(std::span<const uint8_t> artifact) noexcept;

// Whether the bytes still have to be compared with the checksum, or have been since they were last written.
enum class Checksum { kCompare, kCompared };

// Views into the artifact, which must outlive the reader. The constructor checks header, section table and checksum and
// throws Error(kDataCorrupted), or Error(kNotSupported) for another kind than expected or a newer release's format.
class ContainerReader {
 public:
  explicit ContainerReader(std::span<const uint8_t> artifact, Checksum checksum = Checksum::kCompare,
                           ModelKind expected = ModelKind::kIntent);

  ModelKind kind() const noexcept { return kind_; }
  // Throws Error(kDataCorrupted) when there is no such section.
  std::span<const uint8_t> Section(uint32_t id) const;
  bool Has(uint32_t id) const noexcept;

 private:
  ModelKind kind_;
  std::vector<std::pair<uint32_t, std::span<const uint8_t>>> sections_;
};

}  // namespace retrain
