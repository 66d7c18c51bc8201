// SPDX-License-Identifier: GPL-3.0-or-later
#include "vz/session.hpp"

namespace vz {

std::string_view text(FaultKind kind) {
  switch (kind) {
    case FaultKind::check_value: return "wrong check value";
    case FaultKind::parity: return "parity error";
    case FaultKind::grammar: return "malformed telegram";
    case FaultKind::truncated: return "telegram cut short";
    case FaultKind::oversized: return "telegram too long";
    case FaultKind::silence: return "no answer";
    case FaultKind::implausible: return "implausible counter";
    case FaultKind::encryption: return "cannot be decrypted";
  }
  return "fault";
}

void SessionOut::clear() {
  readings.clear();
  actions.clear();
  faults.clear();
  notes.clear();
  timer.reset();
  quiet_until = MonoTime{};
  cycle_done = false;
  not_before = MonoTime{};
  telegrams = 0;
}

}  // namespace vz
