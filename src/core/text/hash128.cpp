// The 128-bit hash of a text's identity (see normalise.h).
#include <bit>

#include "core/text/little_endian.h"
#include "core/text/normalise.h"

namespace retrain {
namespace {

constexpr uint64_t kFactor1 = 0x87C37B91114253D5ull, kFactor2 = 0x4CF5AD432745937Full;

// Spreads every input bit over all output bits.
uint64_t Avalanche(uint64_t h) {
  h = (h ^ (h >> 33)) * 0xFF51AFD7ED558CCDull;
  h = (h ^ (h >> 33)) * 0xC4CEB9FE1A85EC53ull;
  return h ^ (h >> 33);
}

uint64_t Mix1(uint64_t k) { return std::rotl(k * kFactor1, 31) * kFactor2; }
uint64_t Mix2(uint64_t k) { return std::rotl(k * kFactor2, 33) * kFactor1; }

}  // namespace

// MurmurHash3 x64 128 with seed 0: two 64-bit lanes over blocks of 16 bytes, the rest padded with zeros. It is no
// defence against someone who looks for collisions; two texts that collide are treated as one text, nothing worse.
TextKey Hash128(std::string_view bytes) {
  uint64_t h1 = 0, h2 = 0;
  const char* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 16; left -= 16, p += 16) {
    h1 ^= Mix1(LoadLittle64(p));
    h1 = (std::rotl(h1, 27) + h2) * 5 + 0x52DCE729;
    h2 ^= Mix2(LoadLittle64(p + 8));
    h2 = (std::rotl(h2, 31) + h1) * 5 + 0x38495AB5;
  }
  uint64_t tail[2] = {0, 0};
  for (size_t i = 0; i < left; ++i) {
    tail[i / 8] |= static_cast<uint64_t>(static_cast<uint8_t>(p[i])) << (i % 8 * 8);
  }
  h2 ^= Mix2(tail[1]);  // a zero part mixes to zero and changes nothing
  h1 ^= Mix1(tail[0]);
  h1 ^= bytes.size();
  h2 ^= bytes.size();
  h1 += h2;
  h2 += h1;
  h1 = Avalanche(h1);
  h2 = Avalanche(h2);
  h1 += h2;
  h2 += h1;
  TextKey key;
  StoreLittle64(h1, key.data());
  StoreLittle64(h2, key.data() + 8);
  return key;
}

}  // namespace retrain
