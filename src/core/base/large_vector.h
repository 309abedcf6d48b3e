// Vectors for large arrays that are written before they are read.
#pragma once

#ifdef POSTGRES_H
#error "include core headers before postgres.h"
#endif

#include <algorithm>
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
// Large blocks are put on huge pages where the system gives them to those who ask: as many as they fill, and one more that
// they fill to three quarters, since all of a huge page is zeroed at its first touch. Such a block takes up to half a megabyte
// more than its elements, which no capacity() tells.
template <class T>
class LargeAllocator {
 public:
  using value_type = T;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  // The huge pages of a block.
  static constexpr std::size_t HugePages(std::size_t bytes) noexcept { return (bytes + kHugePage / 4) / kHugePage; }

  LargeAllocator() = default;
  template <class U>
  LargeAllocator(const LargeAllocator<U>&) noexcept {}  // NOLINT: allocators convert

  T* allocate(std::size_t n) {
    if (n > static_cast<std::size_t>(-1) / sizeof(T) / 2) throw std::bad_array_new_length();
    std::size_t bytes = n * sizeof(T), alignment = alignof(T) < sizeof(void*) ? sizeof(void*) : alignof(T);
    const std::size_t huge = HugePages(bytes) * kHugePage;
    if (huge > 0) {
      bytes = std::max(bytes, huge);
      alignment = kHugePage;
    }
    void* block = nullptr;
    if (posix_memalign(&block, alignment, bytes) != 0) throw std::bad_alloc();
#ifdef __linux__
    if (huge > 0) (void)madvise(block, huge, MADV_HUGEPAGE);  // a wish; without huge pages the block is as any other
#endif
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

// Makes room for `more` elements to be appended one by one. Growing by itself, a vector would leave the last huge page of its
// block half empty.
template <class T>
void MakeRoom(LargeVector<T>& values, std::size_t more) {
  if (values.capacity() - values.size() >= more) return;
  std::size_t n = std::max(2 * values.capacity(), values.size() + more);
  constexpr std::size_t kPage = LargeAllocator<T>::kHugePage;
  if (LargeAllocator<T>::HugePages(n * sizeof(T)) > 0) n = (n * sizeof(T) + kPage - 1) / kPage * kPage / sizeof(T);
  values.reserve(n);
}

}  // namespace retrain
