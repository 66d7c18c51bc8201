// SPDX-License-Identifier: GPL-3.0-or-later
// The oms session on arbitrary bytes: a stream, or (special) pieces of user data, each behind its length, that get the
// frame around them (and the encryption, as the choice says), so that the mutations get past sums and ciphers.
#include "fuzz/conversation.hpp"
#include "support/oms_harness.hpp"

namespace {

using namespace vz;
namespace bus = vz::test::oms;

bus::OmsSettings settings_from(unsigned choice) {
  bus::OmsSettings settings = (choice & 1U) != 0 ? bus::asking(1) : bus::listening();
  settings.paced_line = (choice & 2U) != 0;
  settings.telegram.use_local_time = (choice & 4U) != 0;
  settings.telegram.show_records = (choice & 8U) != 0;
  if ((choice & 16U) != 0) settings.secondary = vz::oms::SecondaryAddress{};
  return settings;
}

bus::Bytes framed(std::span<const std::byte> bytes, unsigned choice) {
  constexpr std::size_t kMost = 200;
  bus::Bytes stream;
  const bool asked = (choice & 17U) != 0;
  if (asked) stream = {std::byte{0xE5}};
  for (unsigned n = 0; bytes.size() > 1; ++n) {
    const std::size_t size = std::min({std::to_integer<std::size_t>(bytes[0]) + 1, bytes.size() - 1, kMost});
    const bus::Bytes data(bytes.begin() + 1, bytes.begin() + 1 + static_cast<std::ptrdiff_t>(size));
    bytes = bytes.subspan(1 + size);
    bus::Bytes user_data = data;
    if ((choice & 96U) == 32U) user_data = bus::mode5(data);
    if ((choice & 96U) == 64U) user_data = bus::mode7(data, bus::hex("01020304"));
    if ((choice & 96U) == 96U) user_data = bus::plain(data);
    const unsigned control = asked ? 0x08U : 0x53U | (n % 2 == 0 ? 0x20U : 0U);
    const bus::Bytes frame = bus::long_frame(control, 1, user_data);
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  return stream;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = fuzz::input_of(data, size);
  vz::oms::OmsSession session{settings_from(input.choice)};
  bus::Bytes stream;
  if (input.special) {
    stream = framed(input.bytes, input.choice);
    input.bytes = stream;
  }
  fuzz::converse(session, input, vz::oms::OmsSession::kMostFrames * vz::oms::FrameFinder::kMaxFrame);
  return 0;
}
