// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/edge_records.hpp"
#include "platform/gpio.hpp"
#include "vz/wake.hpp"

namespace vz::platform {

/// Empties the kernel's queues of GPIO lines, which hold sixteen edges a line, in a thread of its own: so that no edge is
/// lost while the meter's thread is busy. Keeps kMostEdges until they are taken; beyond that edges are dropped and
/// counted. The lines are used by that thread only. Ends within a poll.
class EdgeReader {
 public:
  static constexpr std::size_t kMostEdges = 32 * 1024;

  /// `direction` may be null.
  EdgeReader(std::unique_ptr<GpioLine> pulse, std::unique_ptr<GpioLine> direction);
  ~EdgeReader();
  EdgeReader(const EdgeReader&) = delete;
  EdgeReader& operator=(const EdgeReader&) = delete;

  /// Readable while take() has something to say.
  [[nodiscard]] int fd() const { return news_.fd(); }

  struct Taken {
    std::size_t edges = 0;
    std::uint64_t dropped = 0;   ///< since the last take()
    std::optional<Error> error;  ///< a line has failed; said once, when all edges before it are taken
  };
  /// Moves the oldest edges into `out`.
  Taken take(std::span<LineEdge> out);

 private:
  void run(std::stop_token stop);
  bool drain(GpioLine& line, LineEdge::Line which);
  void hand_over();
  void fail(Error error);

  std::unique_ptr<GpioLine> pulse_;
  std::unique_ptr<GpioLine> direction_;
  std::vector<LineEdge> batch_;  ///< of the thread

  Wake news_;
  std::mutex mutex_;
  std::vector<LineEdge> ring_;   ///< this and the rest: guarded by mutex_
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint64_t dropped_ = 0;
  std::optional<Error> error_;
  std::jthread thread_;          ///< last: it uses all of the above
};

}  // namespace vz::platform
