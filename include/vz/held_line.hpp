// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

#include "vz/transport.hpp"

namespace vz {

/// Why a meter's line is to stay closed.
enum class Hold {
  none,    ///< it is not: the meter is read
  paused,  ///< nobody is to read it for a while
  lent,    ///< another process uses it
};

/// A meter's line as seen by who wants it. All but on_released() may be called from any thread and never blocks.
class HeldLine {
 public:
  virtual ~HeldLine() = default;
  /// mtr<number>
  [[nodiscard]] virtual int number() const = 0;
  [[nodiscard]] virtual const Endpoint& endpoint() const = 0;
  /// Has the line closed soon, and kept closed; Hold::none: has it opened again at once.
  virtual void hold(Hold hold) = 0;
  /// True once the line is closed as asked by hold(), and stays so.
  [[nodiscard]] virtual bool released() const = 0;
  /// Called from the meter's thread whenever released() becomes true. Set once, before that thread starts.
  virtual void on_released(std::function<void()> callback) = 0;
};

}  // namespace vz
