// SPDX-License-Identifier: GPL-3.0-or-later
// The fluksov2 session on arbitrary records.
#include "fuzz/records.hpp"
#include "protocols/fluksov2/session.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = vz::fuzz::input_of(data, size);
  vz::fluksov2::FluksoSession session;
  vz::fuzz::converse_in_records(session, input, size);
  return 0;
}
