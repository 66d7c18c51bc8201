// SPDX-License-Identifier: GPL-3.0-or-later
// The exec session on arbitrary records; its lines are read as those of `file`.
#include "fuzz/records.hpp"
#include "protocols/exec/session.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = vz::fuzz::input_of(data, size);
  vz::exec::ExecSession session{vz::file::LineFormat{vz::fuzz::format_from(input.choice)}};
  vz::fuzz::converse_in_records(session, input, size);
  return 0;
}
