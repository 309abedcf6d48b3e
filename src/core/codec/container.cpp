// Writes and checks the outer form of a stored model.
#include "core/codec/container.h"

#include <cstring>
#include <string>

#include "core/base/error.h"
#include "core/codec/bytes.h"
#include "core/codec/crc32c.h"

namespace retrain {
namespace {

constexpr char kMagic[] = {'R', 'E', 'T', 'R', 'A', 'I', 'N', '\n'};
constexpr uint32_t kFormat = 1;
constexpr size_t kKindAt = 12, kChecksumAt = 24, kCheckedFrom = 28, kSectionBytes = 24, kAlignment = 64,
                 kMaxSections = 64;

[[noreturn]] void Corrupted(const std::string& detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored model is corrupt", detail,
              "restore the version from a backup, or drop it and train again");
}

}  // namespace

std::vector<uint8_t> ContainerWriter::Finish(ModelKind kind) const {
  ByteWriter out;
  uint64_t offset = kHeaderBytes + sections_.size() * kSectionBytes;
  std::vector<uint64_t> offsets;
  for (const auto& [id, bytes] : sections_) {
    offset = (offset + kAlignment - 1) / kAlignment * kAlignment;
    offsets.push_back(offset);
    offset += bytes.size();
  }
  if (offset > kMaxArtifactBytes)
    throw Error(ErrorCode::kLimitExceeded, "trained model is too large to be stored",
                std::to_string(offset) + " bytes, at most " + std::to_string(kMaxArtifactBytes),
                "raise min_df, lower max_features or train fewer intents; grow fewer or shallower trees");
  out.Reserve(offset);
  out.PutBytes(kMagic, sizeof kMagic);
  out.Put(kFormat);
  out.Put(static_cast<uint32_t>(kind));
  out.Put(offset);
  out.Put(uint32_t{0});
  out.Put(static_cast<uint32_t>(sections_.size()));
  for (size_t i = 0; i < sections_.size(); ++i) {
    out.Put(sections_[i].first);
    out.Put(uint32_t{0});
    out.Put(offsets[i]);
    out.Put(static_cast<uint64_t>(sections_[i].second.size()));
  }
  for (const auto& [id, bytes] : sections_) {
    out.AlignTo(kAlignment);
    out.PutBytes(bytes.data(), bytes.size());
  }
  std::vector<uint8_t> artifact = out.Take();
  const uint32_t crc = Crc32c(std::span<const uint8_t>(artifact).subspan(kCheckedFrom));
  std::memcpy(artifact.data() + kChecksumAt, &crc, sizeof crc);
  return artifact;
}

std::optional<uint32_t> StatedChecksum(std::span<const uint8_t> artifact) noexcept {
  if (artifact.size() < kHeaderBytes) return std::nullopt;
  uint32_t crc;
  std::memcpy(&crc, artifact.data() + kChecksumAt, sizeof crc);
  return crc;
}

uint32_t StatedKind(std::span<const uint8_t> artifact) noexcept {
  uint32_t kind = 0;
  if (artifact.size() >= kHeaderBytes) std::memcpy(&kind, artifact.data() + kKindAt, sizeof kind);
  return kind;
}

ContainerReader::ContainerReader(std::span<const uint8_t> artifact, Checksum checksum, ModelKind expected) {
  if (artifact.size() < kHeaderBytes) Corrupted(std::to_string(artifact.size()) + " bytes are less than a header");
  ByteReader in(artifact);
  if (std::memcmp(in.Take(sizeof kMagic).data(), kMagic, sizeof kMagic) != 0) Corrupted("it does not start as a model");
  const auto format = in.Get<uint32_t>();
  if (format > kFormat)
    throw Error(ErrorCode::kNotSupported, "stored model has a newer format than this release reads",
                "format " + std::to_string(format) + ", this release reads up to " + std::to_string(kFormat),
                "upgrade the extension's library");
  if (format != kFormat) Corrupted("format " + std::to_string(format) + " never existed");
  const auto kind = in.Get<uint32_t>();
  const auto total = in.Get<uint64_t>();
  const auto crc = in.Get<uint32_t>();
  const auto n_sections = in.Get<uint32_t>();
  if (total != artifact.size())
    Corrupted(std::to_string(artifact.size()) + " bytes where the header says " + std::to_string(total));
  if (checksum == Checksum::kCompare && Crc32c(artifact.subspan(kCheckedFrom)) != crc)
    Corrupted("the checksum does not match");
  if (kind != static_cast<uint32_t>(expected))
    throw Error(ErrorCode::kNotSupported, "stored model is of a kind this release does not know",
                "kind " + std::to_string(kind), "upgrade the extension's library");
  kind_ = static_cast<ModelKind>(kind);
  if (n_sections > kMaxSections) Corrupted(std::to_string(n_sections) + " sections");
  for (uint32_t i = 0; i < n_sections; ++i) {
    const auto id = in.Get<uint32_t>();
    in.Get<uint32_t>();
    const auto offset = in.Get<uint64_t>();
    const auto size = in.Get<uint64_t>();
    if (offset > artifact.size() || size > artifact.size() - offset || offset % kAlignment != 0)
      Corrupted("section " + std::to_string(id) + " lies outside");
    if (!sections_.empty() && id <= sections_.back().first) Corrupted("sections are out of order");
    sections_.emplace_back(id, artifact.subspan(static_cast<size_t>(offset), static_cast<size_t>(size)));
  }
}

std::span<const uint8_t> ContainerReader::Section(uint32_t id) const {
  for (const auto& [section, bytes] : sections_)
    if (section == id) return bytes;
  Corrupted("section " + std::to_string(id) + " is missing");
}

bool ContainerReader::Has(uint32_t id) const noexcept {
  for (const auto& section : sections_)
    if (section.first == id) return true;
  return false;
}

}  // namespace retrain
