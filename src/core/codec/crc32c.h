// CRC-32C (Castagnoli), the checksum over a whole artifact.
#pragma once

#include <cstdint>
#include <span>

namespace retrain {

uint32_t Crc32c(std::span<const uint8_t> bytes) noexcept;

}  // namespace retrain
