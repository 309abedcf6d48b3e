// Networks as bytes: a count, then for each the four sizes and the six arrays of network.h in their order.
#include <cmath>
#include <string>

#include "core/neural/network.h"

namespace retrain {
namespace {

constexpr uint32_t kLanesOf16 = 16;
constexpr uint32_t kMaxNetworks = 64, kMaxHidden = 1u << 16;

[[noreturn]] void Corrupted(const std::string& detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored model is corrupt", detail,
              "restore the version from a backup, or drop it and train again");
}

UnalignedArray<float> TakeFloats(ByteReader& in, uint64_t n) {
  const UnalignedArray<float> values(in.Take(n * sizeof(float)));
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) Corrupted("a number of a network is not finite");
  return values;
}

std::vector<float> CopyFloats(ByteReader& in, uint64_t n) {
  const UnalignedArray<float> values = TakeFloats(in, n);
  std::vector<float> copy(values.size());
  for (size_t i = 0; i < copy.size(); ++i) copy[i] = values[i];
  return copy;
}

const int8_t* TakeBytes(ByteReader& in, uint64_t n) { return reinterpret_cast<const int8_t*>(in.Take(n).data()); }

}  // namespace

uint64_t NetworkBytes(uint64_t columns, uint64_t hidden, uint64_t stride) {
  return 4 * sizeof(uint32_t) + columns * (sizeof(float) + hidden) + hidden * (2 * sizeof(float) + stride) +
         stride * sizeof(float);
}

std::vector<uint8_t> EncodeNetworks(std::span<const Network> networks) {
  uint64_t size = sizeof(uint32_t);
  for (const Network& network : networks)
    size += NetworkBytes(network.last - network.first, network.hidden, network.stride);
  ByteWriter out;
  out.Reserve(size);
  out.Put(static_cast<uint32_t>(networks.size()));
  for (const Network& network : networks) {
    for (const uint32_t part : {network.first, network.last, network.hidden, network.stride}) out.Put(part);
    out.PutArray(std::span<const float>(network.input_scale));
    out.PutArray(std::span<const int8_t>(network.input));
    out.PutArray(std::span<const float>(network.hidden_bias));
    out.PutArray(std::span<const float>(network.output_scale));
    out.PutArray(std::span<const int8_t>(network.output));
    out.PutArray(std::span<const float>(network.output_bias));
  }
  return out.Take();
}

std::vector<NetworkView> DecodeNetworks(std::span<const uint8_t> bytes, uint32_t columns, uint32_t stride) {
  ByteReader in(bytes);
  const auto n = in.Get<uint32_t>();
  if (n < 1 || n > kMaxNetworks) Corrupted("the number of networks is impossible");
  std::vector<NetworkView> networks(n);
  for (NetworkView& network : networks) {
    network.first = in.Get<uint32_t>();
    network.last = in.Get<uint32_t>();
    network.hidden = in.Get<uint32_t>();
    network.stride = in.Get<uint32_t>();
    if (network.first >= network.last || network.last > columns)
      Corrupted("a network reads columns that are not there");
    if (network.hidden < 1 || network.hidden > kMaxHidden || network.hidden % kLanesOf16 != 0)
      Corrupted("the number of a network's hidden units is impossible");
    if (network.stride != stride) Corrupted("a network has another number of intents than the model");
    const uint64_t width = network.last - network.first;  // products stay below 2^48
    network.input_scale = TakeFloats(in, width);
    network.input = TakeBytes(in, width * network.hidden);
    network.hidden_bias = CopyFloats(in, network.hidden);
    network.output_scale = TakeFloats(in, network.hidden);
    network.output = TakeBytes(in, uint64_t{network.hidden} * stride);
    network.output_bias = CopyFloats(in, stride);
  }
  if (!in.empty()) Corrupted("there is more behind the last network");
  return networks;
}

}  // namespace retrain
