// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <poll.h>

#include <array>
#include <csignal>
#include <optional>
#include <thread>

#include "platform/signals.hpp"
#include "vz/wake.hpp"

namespace vz::cli {

/// Ctrl-C (and SIGTERM, SIGHUP) for a command that waits: a thread of its own hears them, asks to stop, and wakes whoever
/// waits on wake(). The signals stay blocked. One at a time.
class Interrupt final {
 public:
  Interrupt() {
    if (auto signals = Signals::open()) signals_.emplace(std::move(*signals));
    wake_.follow(stop_.get_token());
    if (signals_) thread_ = std::jthread([this] { listen(); });
  }
  ~Interrupt() { end_.wake(); }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] Wake& wake() { return wake_; }
  [[nodiscard]] bool requested() const { return stop_.stop_requested(); }

 private:
  void listen() {
    while (true) {
      std::array<pollfd, 2> set{{{signals_->fd(), POLLIN, 0}, {end_.fd(), POLLIN, 0}}};
      if (::poll(set.data(), set.size(), -1) < 0) continue;
      if (set[1].revents != 0) return;
      const auto signal = signals_->take();
      if (signal && *signal != SIGUSR1) stop_.request_stop();
    }
  }

  std::optional<Signals> signals_;
  std::stop_source stop_;
  Wake wake_;
  Wake end_;
  std::jthread thread_;  ///< last, so that it ends first
};

}  // namespace vz::cli
