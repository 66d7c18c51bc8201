// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "vz/time.hpp"

namespace vz {

/// The machine's two clocks. Stateless, thread-safe, never fails.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
};

}  // namespace vz
