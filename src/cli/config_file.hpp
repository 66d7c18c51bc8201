// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "vz/error.hpp"

namespace vz::cli {

/// A configuration file as the commands use it.
struct ConfigFile {
  std::string path;
  std::string text;
  config::Result result;
};

/// Reads and checks a file. What is wrong with it (errors alone) is told on `err`; empty if it cannot be used.
std::optional<ConfigFile> load_config(const std::string& path, std::ostream& err);

/// Replaces the file's text at once (a new file takes the old one's place, with its owner and mode), so that no reader and
/// no power cut ever meets half of it. A symbolic link stays one.
Expected<void> replace_file(const std::string& path, const std::string& text);

/// Makes a file that is not there yet; half of it is none. It may hold uuids and passwords, so that only its owner and a
/// group may read it: the one named `readers` if root makes it, so that the service can read it. Where root makes it and
/// there is no such group, all may.
Expected<void> make_file(const std::string& path, const std::string& text, const std::string& readers = "_vzlogger");

/// Whether replace_file() is likely to work; asked before something is done that the file has to remember.
Expected<void> may_replace(const std::string& path);

}  // namespace vz::cli
