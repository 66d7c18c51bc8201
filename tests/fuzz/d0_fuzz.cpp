// SPDX-License-Identifier: GPL-3.0-or-later
// The d0 session on arbitrary bytes.
#include "fuzz/conversation.hpp"
#include "protocols/d0/session.hpp"

namespace {

using namespace vz;

d0::D0Settings settings_from(unsigned choice) {
  d0::D0Settings settings;
  settings.line.format = (choice & 1U) != 0 ? CharacterFormat::e7 : CharacterFormat::n8;
  settings.checksum = (choice & 2U) != 0 ? d0::ChecksumMode::warn : d0::ChecksumMode::automatic;
  settings.paced_line = (choice & 4U) != 0;
  if ((choice & 8U) != 0) settings.pull_sequence = {std::byte{'/'}, std::byte{'?'}, std::byte{'!'}, std::byte{'\r'}, std::byte{'\n'}};
  if ((choice & 16U) != 0) settings.acknowledge = d0::D0Settings::Acknowledge::automatic;
  return settings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::input_of(data, size);
  d0::D0Session session{settings_from(input.choice)};
  fuzz::converse(session, input, d0::D0Decoder::kMaxMessage);
  return 0;
}
