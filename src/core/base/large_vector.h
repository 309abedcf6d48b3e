// Vectors for large arrays that are written before they are read.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace retrain {

// Memory from the system comes page by page as it is touched, and a page costs about as much as writing it five times.
// Blocks of several megabytes are put on huge pages where the system gives them to those who ask.
template <class T>
class LargeAllocator {
 public:
  using value_type = T;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20, kHugeFrom = 2 * kHugePage;

  LargeAllocator() = default;
  template <class U>
  LargeAllocator(const LargeAllocator<U>&) noexcept {}  // NOLINT: allocators convert

  T* allocate(std::size_t n) {
    const std::size_t bytes = n * sizeof(T);
    if (n > static_cast<std::size_t>(-1) / sizeof(T) / 2) throw std::bad_array_new_length();
    void* block = nullptr;
#ifdef __linux__
    if (bytes >= kHugeFrom) {
      if (posix_memalign(&block, kHugePage, bytes) != 0) throw std::bad_alloc();
      (void)madvise(block, bytes, MADV_HUGEPAGE);  // a wish; without huge pages the block is as any other
      return static_cast<T*>(block);
    }
#endif
    block = std::malloc(bytes);
    if (block == nullptr) throw std::bad_alloc();
    return static_cast<T*>(block);
  }
  void deallocate(T* block, std::size_t) noexcept { std::free(block); }

  // A new element has no value until it is given one.
  template <class U>
  void construct(U* at) noexcept {
    ::new (static_cast<void*>(at)) U;
  }
  template <class U, class... Args>
  void construct(U* at, Args&&... args) {
    ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }

  friend bool operator==(const LargeAllocator&, const LargeAllocator&) noexcept { return true; }
};

// resize() leaves new elements without a value.
template <class T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

}  // namespace retrain
