// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <stop_token>

namespace vz {

/// Ends a thread's wait from another thread: an eventfd that goes into the poll set, woken by hand or by a stop request.
/// wake() and fd() may be called from any thread; clear() only from the waiting one.
class Wake {
 public:
  Wake();
  ~Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  /// From now on a stop request of `token` wakes, and stays visible in stop_requested().
  void follow(std::stop_token token);
  void wake() noexcept;
  /// Forgets the wake-ups so far (not a stop request).
  void clear() noexcept;
  [[nodiscard]] bool stop_requested() const { return token_.stop_requested(); }
  /// Readable while a wake-up is pending.
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
  std::stop_token token_;
  std::optional<std::stop_callback<std::function<void()>>> callback_;
};

}  // namespace vz
