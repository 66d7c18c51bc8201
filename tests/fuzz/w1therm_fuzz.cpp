// SPDX-License-Identifier: GPL-3.0-or-later
// The w1therm session on arbitrary records.
#include "fuzz/records.hpp"
#include "protocols/w1therm/session.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = vz::fuzz::input_of(data, size);
  vz::w1therm::ThermSession session;
  vz::fuzz::converse_in_records(session, input, size);
  return 0;
}
