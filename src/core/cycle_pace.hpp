// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <chrono>

#include "vz/time.hpp"

namespace vz {

/// Whether a read cycle brought a telegram.
enum class Yield { telegram, nothing };

/// When a meter that is asked may be asked again. However soon a cycle ends (no `interval`, and a converter on the network
/// that answers at once, with data or that it has none), the next begins no earlier than 100 ms, or, if it brought
/// nothing, a second, after it began: no loop without a wait. `wanted` is what the session and the interval say. Pure.
inline MonoTime next_begin(MonoTime begun, MonoTime wanted, Yield yield) {
  constexpr std::chrono::milliseconds kAfterTelegram{100};
  constexpr std::chrono::seconds kAfterNothing{1};
  const MonoDuration pause = yield == Yield::telegram ? MonoDuration{kAfterTelegram} : MonoDuration{kAfterNothing};
  return std::max(wanted, begun + pause);
}

}  // namespace vz
