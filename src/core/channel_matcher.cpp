// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/channel_matcher.hpp"

namespace vz {

ChannelMatcher::ChannelMatcher(Identifier wanted) : wanted_(std::move(wanted)) {}

void ChannelMatcher::bind(std::span<const Reading> telegram) {
  const Obis& wanted = *wanted_.obis();
  const Obis canonical = wanted.canonical();
  const Obis* found = nullptr;
  const bool rebind = !bound_ || missing_ >= kPatience;  // else only the exact code may take over
  for (const auto& reading : telegram) {
    const Obis* code = reading.identifier.obis();
    if (code == nullptr) continue;
    if (*code == wanted) {
      found = code;
      break;
    }
    if (rebind && found == nullptr && code->canonical() == canonical) found = code;
  }
  if (found == nullptr) return;
  code_ = *found;
  exact_ = code_ == wanted;
  missing_ = 0;
  bound_identifier_ = Identifier{code_};
  bound_ = true;
}

void ChannelMatcher::match(std::span<const Reading> telegram, std::vector<std::size_t>& out) {
  if (wanted_.kind() != IdentifierKind::obis) {
    for (std::size_t i = 0; i < telegram.size(); ++i)
      if (telegram[i].identifier == wanted_) out.push_back(i);
    return;
  }
  if (!bound_ || !exact_ || missing_ >= kPatience) bind(telegram);
  if (!bound_) return;
  const std::size_t before = out.size();
  std::optional<WallTime> taken;  // a held reading of the telegram before has a stamp of its own
  for (std::size_t i = 0; i < telegram.size(); ++i) {
    const Obis* code = telegram[i].identifier.obis();
    if (code == nullptr || *code != code_ || taken == telegram[i].stamp) continue;
    taken = telegram[i].stamp;
    out.push_back(i);
  }
  missing_ = out.size() > before ? 0 : missing_ + 1;
}

}  // namespace vz
