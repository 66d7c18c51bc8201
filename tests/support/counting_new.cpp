// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/counting_new.hpp"

#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VZ_SANITIZED 1
#else
#define VZ_SANITIZED 0
#endif

namespace {
thread_local bool counting = false;
thread_local std::size_t count = 0;
}  // namespace

#if !VZ_SANITIZED
void* operator new(std::size_t size) {
  count += counting ? 1 : 0;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace vz::test {

void AllocationCounter::start() {
  count = 0;
  ::counting = true;
}
std::size_t AllocationCounter::stop() {
  ::counting = false;
  return count;
}
bool AllocationCounter::counting() { return !VZ_SANITIZED; }

}  // namespace vz::test
