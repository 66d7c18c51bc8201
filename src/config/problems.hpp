// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "vz/options.hpp"

namespace vz::config {

/// Collects what is wrong with a configuration. Holds at most kMaxKept errors and as many warnings; further ones are
/// only counted, so that no input makes it grow. Thread-compatible.
class Problems {
 public:
  static constexpr std::size_t kMaxKept = 100;

  void add(Problem problem);
  void error(Position position, std::string text) {
    add({Problem::Severity::error, std::move(position), std::move(text)});
  }
  void warning(Position position, std::string text) {
    add({Problem::Severity::warning, std::move(position), std::move(text)});
  }
  [[nodiscard]] bool has_errors() const { return errors_ > 0; }
  /// True if no further error would be kept: there is no point in looking for more.
  [[nodiscard]] bool full_of_errors() const { return errors_ >= kMaxKept; }
  /// Asked before the text of a warning is made: false if it would not be kept; then it is counted here.
  [[nodiscard]] bool room_for_warning();

  /// What was kept, in file order, the same thing never twice, and a line on how many more there were. Leaves this
  /// empty.
  std::vector<Problem> take();

 private:
  std::vector<Problem> kept_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

/// Appends `.key` (or `["odd key"]`) or `[index]` to a JSON path. Keys are cut after 40 bytes.
void append_key(std::string& path, std::string_view key);
void append_index(std::string& path, std::size_t index);

}  // namespace vz::config
