// SPDX-License-Identifier: GPL-3.0-or-later
// The file session and its format on arbitrary records. `random` reads nothing, so that it needs no target.
#include "fuzz/records.hpp"
#include "protocols/file/session.hpp"

namespace {

/// With the highest bit of the choice set, the first line of the input is the format.
std::string format_of(vz::fuzz::Input& input) {
  if ((input.choice & 128U) == 0) return vz::fuzz::format_from(input.choice);
  std::string format;
  while (!input.bytes.empty()) {
    const char c = static_cast<char>(input.bytes.front());
    input.bytes = input.bytes.subspan(1);
    if (c == '\n') break;
    format.push_back(c);
  }
  return format;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = vz::fuzz::input_of(data, size);
  const std::string format = format_of(input);
  (void)vz::file::LineFormat::oddity(format);
  vz::file::FileSession session{vz::file::LineFormat{format}, (input.choice & 64U) != 0};
  vz::fuzz::converse_in_records(session, input, size);
  return 0;
}
