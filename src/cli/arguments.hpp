// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vz::cli {

/// What the command line asks for. A value that is there overrides the configuration.
struct Arguments {
  std::string config = "/etc/vzlogger.conf";
  std::optional<std::string> log;  ///< empty text: no log file, whatever the configuration says
  bool foreground = false;
  bool httpd = false;             ///< on top of `local.enabled`; cannot switch it off
  std::optional<int> httpd_port;  ///< unchecked
  bool register_device = false;
  std::optional<int> verbosity;    ///< never negative
  std::optional<int> exit_status;  ///< everything is said: end with this status
};

/// Reads the command line as getopt_long(3) does: bundled short options, `--name=value`, unambiguous prefixes of long
/// names, options after other arguments, `--` as the end. The last of a repeated option wins. `-h`, `-V` and
/// `--help-protocol` act when they are met, a wrong option ends with status 1 and the usage on `out`.
///
/// Numbers are read as atoi(3) does, so that garbage counts as 0; that, and arguments that are no options, are named on
/// `err` but are no error. A name that only newer versions have never makes an old prefix ambiguous.
/// Depends on its arguments alone; no getopt, no globals.
Arguments parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

/// One row of the option table, for the usage text.
struct ArgumentSpec {
  char letter = 0;  ///< 0: long name only
  std::string_view name;
  enum class Value { none, required } value = Value::none;
  std::string_view help;
  enum class Since { old, new_here } since = Since::old;
};
std::span<const ArgumentSpec> argument_specs();

}  // namespace vz::cli
