// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>

namespace vz::test {

/// Counts the heap allocations of this thread between start() and stop(). Programs that use it link counting_new.cpp.
/// Under a sanitizer nothing is counted and counting() is false.
class AllocationCounter {
 public:
  static void start();
  static std::size_t stop();
  static bool counting();
};

}  // namespace vz::test
