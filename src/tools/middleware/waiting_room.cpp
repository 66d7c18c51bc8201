// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/waiting_room.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace vz::middleware {
namespace {

constexpr auto kLongestWait = std::chrono::seconds{60};

}  // namespace

WaitingRoom::WaitingRoom() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {}

WaitingRoom::~WaitingRoom() {
  close();
  ::close(event_);
}

void WaitingRoom::add(int socket, std::optional<std::chrono::milliseconds> delay, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      Guest guest{.socket = socket, .due = {}, .done = std::move(done)};
      if (delay) guest.due = std::chrono::steady_clock::now() + *delay;
      guests_.push_back(std::move(guest));
      wake();
      return;
    }
  }
  done(End::gone);
}

void WaitingRoom::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    wake();
  }
  if (thread_.joinable()) thread_.join();
}

void WaitingRoom::wake() const {
  const std::uint64_t one = 1;
  // it can only fail when the counter is full, and then the thread wakes anyway
  [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);
}

void WaitingRoom::run() {
  bool open = true;
  std::vector<int> gone;
  while (open) {
    gone.clear();
    wait(gone);
    for (auto& [done, end] : leaving(gone)) done(end);
    const std::lock_guard lock(mutex_);
    open = !closed_ || !guests_.empty();
  }
}

/// Waits until someone may leave; gives the sockets whose other end has closed.
void WaitingRoom::wait(std::vector<int>& gone) {
  std::vector<pollfd> set{{.fd = event_, .events = POLLIN, .revents = 0}};
  auto timeout = std::chrono::milliseconds{kLongestWait};
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    for (const auto& guest : guests_) {
      set.push_back({.fd = guest.socket, .events = POLLRDHUP, .revents = 0});
      if (guest.due) timeout = std::min(timeout, std::chrono::ceil<std::chrono::milliseconds>(*guest.due - now));
    }
    if (closed_) timeout = std::chrono::milliseconds{0};
  }
  timeout = std::max(timeout, std::chrono::milliseconds{0});
  if (::poll(set.data(), set.size(), static_cast<int>(timeout.count())) <= 0) return;
  std::uint64_t count = 0;
  if (set.front().revents != 0) [[maybe_unused]]
    const auto read = ::read(event_, &count, sizeof count);
  for (std::size_t i = 1; i < set.size(); ++i)
    if (set[i].revents != 0) gone.push_back(set[i].fd);
}

/// Takes out those who leave now.
std::vector<std::pair<WaitingRoom::Done, WaitingRoom::End>> WaitingRoom::leaving(const std::vector<int>& gone) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::pair<Done, End>> out;
  std::erase_if(guests_, [&](Guest& guest) {
    const bool lost = closed_ || std::find(gone.begin(), gone.end(), guest.socket) != gone.end();
    const bool due = guest.due && *guest.due <= now;
    if (lost || due) out.emplace_back(std::move(guest.done), lost ? End::gone : End::due);
    return lost || due;
  });
  return out;
}

}  // namespace vz::middleware
