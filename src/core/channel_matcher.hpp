// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "vz/reading.hpp"

namespace vz {

/// Finds the readings that a channel's identifier names in a telegram.
///
/// OBIS codes: the register with exactly that code wins, as it always did; else one that is equivalent (Obis::canonical(): medium
/// and channel not given are 1-0, an alias's open last group is 0). Once found, the channel stays with its register, so
/// that a telegram that lacks it does not make the channel flip to another (after kPatience in a row it may: the meter was
/// replaced); but the exact code takes over whenever it comes. Of the same code twice in a telegram the
/// first counts. All other identifiers must be equal, and every reading that is counts.
/// Pure; thread-compatible.
class ChannelMatcher {
 public:
  static constexpr unsigned kPatience = 10;

  explicit ChannelMatcher(Identifier wanted);

  /// Appends the indices of the readings that are this channel's to `out`, in their order.
  void match(std::span<const Reading> telegram, std::vector<std::size_t>& out);
  /// The register the channel is bound to; the configured one until then.
  [[nodiscard]] const Identifier& identifier() const { return bound_ ? bound_identifier_ : wanted_; }

 private:
  void bind(std::span<const Reading> telegram);

  Identifier wanted_;
  Identifier bound_identifier_;
  Obis code_;
  bool bound_ = false;
  bool exact_ = false;
  unsigned missing_ = 0;  ///< telegrams in a row without the register
};

}  // namespace vz
