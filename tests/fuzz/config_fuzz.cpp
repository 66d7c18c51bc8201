// SPDX-License-Identifier: GPL-3.0-or-later
// Any text as a configuration file. Links vz_config and vz_core; include path tests/. Corpus: corpus/config,
// dictionary: corpus/config.dict.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "compat/fake_registry.hpp"
#include "config/config.hpp"
#include "core/utf8.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const vz::Problem& problem) {
  const std::string line = vz::config::format(problem, "fuzz.conf");
  require(line.size() < 8192 && vz::is_utf8(line));
  for (const char c : line) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  require(problem.position.line >= 1 && problem.position.column >= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto result = vz::config::load({reinterpret_cast<const char*>(data), size},
                                       vz::fake::registry());  // NOLINT(*-reinterpret-cast)
  bool failed = false;
  for (const auto& problem : result.problems) {
    check(problem);
    failed = failed || problem.severity == vz::Problem::Severity::error;
  }
  require(failed != result.settings.has_value());
  if (!result.settings) return 0;
  for (const auto& meter : result.settings->meters) {
    require(meter.protocol != nullptr);
    for (const auto& channel : meter.channels) require(channel.sink != nullptr);
  }
  return 0;
}
