// Little-endian bytes: an appending writer and a reader that checks every length before it looks.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base/error.h"
#include "core/codec/stored_text.h"

namespace retrain {

static_assert(std::endian::native == std::endian::little, "artifacts are read in place: port bytes.h to big-endian");

class ByteWriter {
 public:
  template <class T>
  void Put(T value) {
    static_assert(std::is_arithmetic_v<T>);
    PutBytes(&value, sizeof value);
  }
  template <class T>
  void PutArray(std::span<const T> values) {
    static_assert(std::is_arithmetic_v<T>);
    PutBytes(values.data(), values.size_bytes());
  }
  void PutString(std::string_view text) {
    Put(static_cast<uint32_t>(text.size()));
    PutBytes(text.data(), text.size());
  }
  // Inlined into its callers it makes gcc 14 warn of writes beyond vectors that it grows.
  [[gnu::noinline]] void PutBytes(const void* data, size_t size) {
    if (size == 0) return;
    const size_t at = bytes_.size();
    bytes_.resize(at + size);
    std::memcpy(bytes_.data() + at, data, size);
  }
  void Reserve(size_t size) { bytes_.reserve(size); }
  void AlignTo(size_t alignment) { bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment); }

  size_t size() const noexcept { return bytes_.size(); }
  std::vector<uint8_t> Take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

// Reads values in order; anything past the end, and a string that is no text, is Error(kDataCorrupted).
class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  template <class T>
  T Get() {
    static_assert(std::is_arithmetic_v<T>);
    T value;
    std::memcpy(&value, Take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view GetString() {
    const auto bytes = Take(Get<uint32_t>());
    return CheckText({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  std::span<const uint8_t> Take(uint64_t size) {
    if (size > bytes_.size())
      throw Error(ErrorCode::kDataCorrupted, "stored model is cut short",
                  std::to_string(size) + " bytes wanted where " + std::to_string(bytes_.size()) + " are left",
                  "restore the version from a backup, or drop it and train again");
    const auto head = bytes_.first(static_cast<size_t>(size));
    bytes_ = bytes_.subspan(static_cast<size_t>(size));
    return head;
  }
  bool empty() const noexcept { return bytes_.empty(); }

 private:
  std::span<const uint8_t> bytes_;
};

// An array of T inside bytes that may start at any address.
template <class T>
class UnalignedArray {
 public:
  UnalignedArray() = default;
  explicit UnalignedArray(std::span<const uint8_t> bytes) : data_(bytes.data()), size_(bytes.size() / sizeof(T)) {}
  T operator[](size_t i) const noexcept {
    T value;
    std::memcpy(&value, data_ + i * sizeof(T), sizeof(T));
    return value;
  }
  size_t size() const noexcept { return size_; }
  // Brings the element near, for it will be asked for soon.
  void Prefetch(size_t i) const noexcept { __builtin_prefetch(data_ + i * sizeof(T)); }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace retrain
