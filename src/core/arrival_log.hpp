// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "vz/line.hpp"
#include "vz/time.hpp"

namespace vz {

/// Says when a byte of a stream arrived, although it was read together with others and later: the reads themselves are
/// remembered (the latest few), and a serial line gives each character its time. Pure; fixed size; thread-compatible.
class ArrivalLog {
 public:
  /// On a line that is not `paced` (a network) characters take no time.
  void set_line(LineSettings line, bool paced) {
    line_ = line;
    paced_ = paced;
  }
  void clear() { marks_.fill({}); }

  /// `count` bytes beginning at stream position `position` came with the read that returned at `now`; the read before
  /// it returned at `previous`.
  void remember(std::uint64_t position, std::size_t count, MonoTime now, MonoTime previous) {
    const MonoTime first = std::max(previous, now - line_time(count > 0 ? count - 1 : 0));
    marks_[next_++ % marks_.size()] = {position, first};
    latest_ = now;
  }
  /// When the byte at `position` arrived; the latest read's time if nothing better is known.
  [[nodiscard]] MonoTime at(std::uint64_t position) const {
    const Mark* best = nullptr;
    for (const auto& mark : marks_)
      if (mark.at != MonoTime{} && mark.position <= position && (best == nullptr || mark.position >= best->position)) best = &mark;
    if (best == nullptr) return before_marks(position);
    return std::min(latest_, best->at + line_time(static_cast<std::size_t>(position - best->position)));
  }
  /// The position is older than the oldest read that is remembered: back from there along the line.
  [[nodiscard]] MonoTime before_marks(std::uint64_t position) const {
    const Mark* oldest = nullptr;
    for (const auto& mark : marks_)
      if (mark.at != MonoTime{} && (oldest == nullptr || mark.position < oldest->position)) oldest = &mark;
    if (oldest == nullptr || oldest->position < position) return latest_;
    return oldest->at - line_time(static_cast<std::size_t>(oldest->position - position));
  }
  [[nodiscard]] MonoDuration line_time(std::size_t characters) const {
    return paced_ ? std::chrono::duration_cast<MonoDuration>(line_.duration(characters)) : MonoDuration{};
  }

 private:
  struct Mark {
    std::uint64_t position = 0;
    MonoTime at{};
  };
  std::array<Mark, 8> marks_{};
  std::size_t next_ = 0;
  MonoTime latest_{};
  LineSettings line_;
  bool paced_ = true;
};

}  // namespace vz
