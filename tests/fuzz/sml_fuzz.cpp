// SPDX-License-Identifier: GPL-3.0-or-later
// The sml session on arbitrary bytes: a transport stream, or (special) the content of a frame, around which the start,
// end and CRC are put.
#include "fuzz/conversation.hpp"
#include "support/sml_harness.hpp"

namespace {

using namespace vz;

test::sml::SmlSettings settings_from(unsigned choice) {
  test::sml::SmlSettings settings;
  settings.paced_line = (choice & 1U) != 0;
  settings.mapping.use_local_time = (choice & 2U) != 0;
  settings.mapping.sign_from_status = (choice & 4U) != 0;
  settings.mapping.unsigned_power = (choice & 8U) != 0 ? vz::sml::UnsignedPower::on : vz::sml::UnsignedPower::automatic;
  if ((choice & 16U) != 0) settings.pull_sequence = {std::byte{1}, std::byte{2}};
  return settings;
}

/// Puts right CRCs into what looks like messages, so that the mutations get past them.
test::sml::Bytes repaired(std::span<const std::byte> content) {
  test::sml::Bytes bytes(content.begin(), content.end());
  vz::sml::Cursor cursor{bytes};
  while (cursor.left() > 0) {
    if (cursor.skip_end_mark()) continue;
    const std::byte* begin = cursor.at();
    vz::sml::Cursor::Field field;
    if (!cursor.read(field) || field.type != vz::sml::Cursor::Field::Type::list || field.count != 6 || !cursor.skip(4)) break;
    const test::sml::Bytes covered(begin, cursor.at());
    if (!cursor.read(field) || field.type == vz::sml::Cursor::Field::Type::list) break;
    if (field.data.size() == 2) {
      const unsigned value = test::sml::crc(covered, 0xFFFF, 0xFFFF);
      const auto at = static_cast<std::size_t>(field.data.data() - bytes.data());
      bytes[at] = static_cast<std::byte>(value & 0xFFU);
      bytes[at + 1] = static_cast<std::byte>(value >> 8U);
    }
  }
  return test::sml::frame(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = fuzz::input_of(data, size);
  vz::sml::SmlSession session{settings_from(input.choice)};
  test::sml::Bytes whole;
  if (input.special) {
    whole = repaired(input.bytes);
    input.bytes = whole;
    input.piece = std::max<std::size_t>(whole.size(), 1);
  }
  fuzz::converse(session, input, vz::sml::FrameFinder::kMaxFrame);
  return 0;
}
