// CRC-32C by the processor's instruction where there is one, else by eight tables (Kounavis and Berry, "A systematic
// approach to building high performance software-based CRC generators", 2005). Both give the same number.
#include "core/codec/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#include <nmmintrin.h>
#define RETRAIN_CRC_INSTRUCTION 1
#endif

namespace retrain {
namespace {

using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables t{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
    t[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; ++i)
    for (size_t k = 1; k < 8; ++k) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xFFu];
  return t;
}

constexpr Tables kTables = MakeTables();

uint32_t ByTables(uint32_t crc, const uint8_t* p, size_t n) noexcept {
  for (; n >= 8; p += 8, n -= 8) {
    uint32_t low, high;
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + 4, 4);
    low ^= crc;
    crc = kTables[7][low & 0xFF] ^ kTables[6][(low >> 8) & 0xFF] ^ kTables[5][(low >> 16) & 0xFF] ^
          kTables[4][low >> 24] ^ kTables[3][high & 0xFF] ^ kTables[2][(high >> 8) & 0xFF] ^
          kTables[1][(high >> 16) & 0xFF] ^ kTables[0][high >> 24];
  }
  for (; n > 0; ++p, --n) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xFF];
  return crc;
}

#ifdef RETRAIN_CRC_INSTRUCTION
__attribute__((target("sse4.2"))) uint32_t ByInstruction(uint32_t crc, const uint8_t* p, size_t n) noexcept {
  uint64_t wide = crc;
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t chunk;
    std::memcpy(&chunk, p, 8);
    wide = _mm_crc32_u64(wide, chunk);
  }
  crc = static_cast<uint32_t>(wide);
  for (; n > 0; ++p, --n) crc = _mm_crc32_u8(crc, *p);
  return crc;
}
#endif

}  // namespace

uint32_t Crc32c(std::span<const uint8_t> bytes) noexcept {
#ifdef RETRAIN_CRC_INSTRUCTION
  if (__builtin_cpu_supports("sse4.2")) return ~ByInstruction(~0u, bytes.data(), bytes.size());
#endif
  return ~ByTables(~0u, bytes.data(), bytes.size());
}

}  // namespace retrain
