// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/edge_reader.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "platform/wait.hpp"

namespace vz::platform {
namespace {

constexpr std::size_t kAtOnce = 16;
/// Of one line in a row; a line that never falls silent must not starve the other.
constexpr std::size_t kMostBatch = 1024;

}  // namespace

EdgeReader::EdgeReader(std::unique_ptr<GpioLine> pulse, std::unique_ptr<GpioLine> direction)
    : pulse_(std::move(pulse)), direction_(std::move(direction)), ring_(kMostEdges) {
  batch_.reserve(2 * kMostBatch + 2 * kAtOnce);
  thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
}

EdgeReader::~EdgeReader() = default;  // the thread is asked to stop, and waited for

void EdgeReader::run(std::stop_token stop) {
  Wake wake;
  wake.follow(stop);
  std::array<pollfd, 3> set{{{wake.fd(), POLLIN, 0}, {pulse_->fd(), POLLIN, 0}, {direction_ ? direction_->fd() : -1, POLLIN, 0}}};
  while (!stop.stop_requested()) {
    if (::poll(set.data(), set.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return fail({"cannot wait for the GPIO lines: " + errno_text(errno), "", "", errno});
    }
    if (set[0].revents != 0) return;
    batch_.clear();
    const bool good = (set[1].revents == 0 || drain(*pulse_, LineEdge::Line::pulse)) &&
                      (set[2].revents == 0 || drain(*direction_, LineEdge::Line::direction));
    // what two lines have reported is in the order of its times again
    std::stable_sort(batch_.begin(), batch_.end(), [](const LineEdge& a, const LineEdge& b) { return a.at < b.at; });
    hand_over();
    if (!good) return;
    if (((set[1].revents | set[2].revents) & (POLLHUP | POLLERR | POLLNVAL)) != 0)
      return fail({"the GPIO chip has gone", "", "was its adapter unplugged?", ENODEV});
  }
}

bool EdgeReader::drain(GpioLine& line, LineEdge::Line which) {
  std::array<GpioEvent, kAtOnce> events;
  for (std::size_t taken = 0; taken < kMostBatch;) {
    const auto count = line.take(events);
    if (!count) {
      fail(count.error());
      return false;
    }
    for (std::size_t i = 0; i < *count; ++i) batch_.push_back({which, events[i].rising, events[i].at});
    taken += *count;
    if (*count < events.size()) break;
  }
  return true;
}

void EdgeReader::hand_over() {
  if (batch_.empty()) return;
  const std::scoped_lock lock(mutex_);
  for (const auto& edge : batch_) {
    if (count_ == ring_.size()) {
      ++dropped_;
      continue;
    }
    ring_[(first_ + count_++) % ring_.size()] = edge;
  }
  news_.wake();
}

void EdgeReader::fail(Error error) {
  const std::scoped_lock lock(mutex_);
  error_ = std::move(error);
  news_.wake();
}

EdgeReader::Taken EdgeReader::take(std::span<LineEdge> out) {
  Taken taken;
  const std::scoped_lock lock(mutex_);
  taken.edges = std::min(out.size(), count_);
  for (std::size_t i = 0; i < taken.edges; ++i) out[i] = ring_[(first_ + i) % ring_.size()];
  first_ = (first_ + taken.edges) % ring_.size();
  count_ -= taken.edges;
  taken.dropped = std::exchange(dropped_, 0);
  if (count_ == 0) {
    taken.error = std::exchange(error_, std::nullopt);
    news_.clear();
  }
  return taken;
}

}  // namespace vz::platform
