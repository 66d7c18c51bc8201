// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "vz/identifier.hpp"
#include "vz/options.hpp"
#include "vz/session.hpp"
#include "vz/transport.hpp"

namespace vz {

/// What a meter section makes: where to connect and how to talk.
struct MeterSource {
  Endpoint endpoint;
  std::unique_ptr<Session> session;
  std::string dump_file;  ///< where to append the traffic; empty: nowhere
};

/// The registration of a protocol: one constant of this type in src/protocols/NAME.cpp, named
/// `vz::protocols::NAME_protocol`. CMake collects the folder and generates the table; there is nothing else to touch.
struct Protocol {
  std::string_view name;     ///< as in the configuration, lower case
  std::string_view summary;  ///< the line that `-h` shows
  IdentifierKind identifiers = IdentifierKind::string;
  std::span<const OptionSpec> options;
  /// Whether `interval` > 0 means something with these options.
  bool (*interval_allowed)(const Options&) = nullptr;
  /// Checks what the table cannot and makes the session; null if a problem of severity error was added.
  /// Called for disabled meters, too. No I/O.
  std::unique_ptr<MeterSource> (*make)(const Options&, ProblemSink&) = nullptr;
};

/// All protocols of this build, in the order in which `-h` lists them. Generated.
std::span<const Protocol* const> all_protocols();

}  // namespace vz
