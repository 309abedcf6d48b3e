// Little-endian integers at any address, on any machine, and comparing short strings through them.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace retrain {

static_assert(std::endian::native == std::endian::little || std::endian::native == std::endian::big);

inline uint32_t ToLittle32(uint32_t value) noexcept {
  return std::endian::native == std::endian::little ? value : __builtin_bswap32(value);
}

inline uint64_t ToLittle64(uint64_t value) noexcept {
  return std::endian::native == std::endian::little ? value : __builtin_bswap64(value);
}

inline uint32_t LoadLittle32(const void* p) noexcept {
  uint32_t value;
  std::memcpy(&value, p, sizeof value);
  return ToLittle32(value);
}

inline uint64_t LoadLittle64(const void* p) noexcept {
  uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return ToLittle64(value);
}

inline void StoreLittle32(uint32_t value, void* p) noexcept {
  value = ToLittle32(value);
  std::memcpy(p, &value, sizeof value);
}

inline void StoreLittle64(uint64_t value, void* p) noexcept {
  value = ToLittle64(value);
  std::memcpy(p, &value, sizeof value);
}

// Says whether two strings are equal; for the short terms of a vocabulary faster than a call of memcmp.
inline bool SameBytes(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  const size_t size = a.size();
  const char *p = a.data(), *q = b.data();
  if (size > 16) return std::memcmp(p, q, size) == 0;
  if (size >= 8) {
    return ((LoadLittle64(p) ^ LoadLittle64(q)) | (LoadLittle64(p + size - 8) ^ LoadLittle64(q + size - 8))) == 0;
  }
  if (size >= 4) {
    return ((LoadLittle32(p) ^ LoadLittle32(q)) | (LoadLittle32(p + size - 4) ^ LoadLittle32(q + size - 4))) == 0;
  }
  return size == 0 || (p[0] == q[0] && p[size / 2] == q[size / 2] && p[size - 1] == q[size - 1]);
}

}  // namespace retrain
