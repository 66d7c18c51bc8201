// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/simulator.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace vz::metersim {
namespace {

timespec until(MonoTime deadline, MonoTime now) {
  const auto left = std::max(std::chrono::nanoseconds{deadline - now}, std::chrono::nanoseconds{0});
  return {.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000),
          .tv_nsec = static_cast<long>(left.count() % 1'000'000'000)};
}

}  // namespace

Simulator::Simulator(Device& meter, Port& port, Journal& journal, const Clock& clock, LineSetup setup)
    : meter_(meter),
      port_(port),
      journal_(journal),
      clock_(clock),
      setup_(setup),
      receiver_(setup.pace),
      sender_(setup.pace),
      heard_(meter.data_bits()),
      said_(meter.data_bits()) {}

Expected<void> Simulator::run(int stop_fd) {
  const Instant begin = clock_.now();
  meter_.set_listener(port_.listener(), begin);
  meter_.start(begin, out_);
  apply();
  while (!meter_.finished()) {
    const Instant now = clock_.now();
    if (back_at_ && now.mono >= *back_at_) {
      if (auto back = come_back(now); !back) return back;
    }
    advance(now);
    journal_.flush();
    if (meter_.finished()) break;
    const auto stop = wait(stop_fd);
    if (!stop) return tl::unexpected(stop.error());
    if (*stop) break;
  }
  report("end", clock_.now(), {{"readouts", meter_.readouts()}});
  journal_.flush();
  return {};
}

/// Does what the meter asked for.
void Simulator::apply() {
  for (const Event& event : out_.events) journal_.write(event);
  out_.events.clear();
  if (out_.send) {
    // Whoever has not fetched a whole period's telegram by now does not listen.
    if (setup_.pace == Pace::real && meter_.sends_by_itself() && port_.discard_unread())
      report("unheard", clock_.now(), {{"n", meter_.readouts() - 1}});
    sender_.begin(std::move(*out_.send));
    out_.send.reset();
    said_mismatch_ = false;
    blocked_ = false;
  }
  if (out_.hang_up) hang_up(*std::exchange(out_.hang_up, std::nullopt));
}

/// All that is due, in the order in which it was.
void Simulator::advance(Instant now) {
  constexpr MonoTime kNever = MonoTime::max();
  while (!meter_.finished()) {
    const MonoTime heard = receiver_.next().value_or(kNever);
    const MonoTime alarm = meter_.timer().value_or(kNever);
    const MonoTime said = blocked_ || sender_.due(now.mono).empty() ? kNever : sender_.next_due();
    const MonoTime first = std::min({heard, alarm, said});
    if (first > now.mono) return;
    if (first == said) {
      speak(now);
    } else if (first == heard) {
      hear(now);
    } else {
      timer(now);
    }
  }
}

void Simulator::hear(Instant now) {
  if (!receiver_.within_character()) {
    // The sender's speed counts when the character begins. Where it cannot be seen it is taken to be right.
    const unsigned peer = setup_.baud_check == BaudCheck::strict ? port_.peer_speeds().sends : 0;
    receiver_.begin_character(peer != 0 ? peer : meter_.baud());
    return;
  }
  const Character character = receiver_.end_character();
  if (setup_.echo == Echo::on) port_.write({&character.byte, 1});
  hear_character(character, now);
  if (receiver_.waiting() == 0) heard_mismatch_ = false;
}

void Simulator::hear_character(const Character& character, Instant now) {
  const Instant at{character.end, now.wall_at(character.end)};
  if (character.baud == meter_.baud()) {
    meter_.received(character, at, out_);
    return apply();
  }
  if (!std::exchange(heard_mismatch_, true)) report_mismatch("received", meter_.baud(), character.baud, at);
  garbage_.clear();
  heard_.feed(character.byte, character.baud, meter_.baud(), garbage_);
  if (receiver_.waiting() == 0) heard_.idle(meter_.baud(), garbage_);
  for (const char byte : garbage_) {
    meter_.received({.byte = byte, .start = character.start, .end = character.end, .baud = meter_.baud()}, at, out_);
    apply();
  }
}

void Simulator::speak(Instant now) {
  const bool first = sender_.nothing_sent();
  // We may look a little late, at several bytes at once; on the line the first one was out in time.
  const Instant first_out =
      setup_.pace == Pace::real ? Instant{sender_.next_due(), now.wall_at(sender_.next_due())} : now;
  const std::string_view due = sender_.due(now.mono);
  std::size_t taken = due.size();
  if (setup_.pace == Pace::unlimited && setup_.baud_check == BaudCheck::off) {
    taken = port_.write(due);
    blocked_ = taken < due.size();
    if (taken == 0) return;
  } else {
    port_.write(as_peer_sees(due, now));  // a line waits for nobody: what the reader has no room for is lost
  }
  if (first) {
    meter_.transmission_began(first_out, out_);
    apply();
  }
  sender_.sent(taken);
  if (sender_.busy()) return;
  meter_.transmission_ended(now, out_);
  apply();
}

std::string Simulator::as_peer_sees(std::string_view bytes, Instant now) {
  const unsigned line = sender_.transmission().baud;
  const unsigned peer = setup_.baud_check == BaudCheck::strict ? port_.peer_speeds().receives : 0;
  if (peer == 0 || peer == line) return std::string{bytes};
  if (!std::exchange(said_mismatch_, true)) report_mismatch("sent", line, peer, now);
  std::string seen;
  for (const char byte : bytes) said_.feed(byte, line, peer, seen);
  const bool last = bytes.end() == std::string_view{sender_.transmission().bytes}.end();
  if (last) said_.idle(peer, seen);
  return seen;
}

void Simulator::timer(Instant now) {
  const MonoTime due = *meter_.timer();
  meter_.timer_expired({due, now.wall_at(due)}, out_);
  apply();
}

void Simulator::hang_up(MonoDuration time) {
  const Instant now = clock_.now();
  report("hangup", now);
  port_.close();
  receiver_.clear();
  sender_.clear();
  blocked_ = false;
  back_at_ = now.mono + time;
  meter_.set_listener(false, now);
}

Expected<void> Simulator::come_back(Instant now) {
  back_at_.reset();
  if (auto opened = port_.open(); !opened) return opened;
  report("return", now, {{"on", port_.name()}});
  meter_.set_listener(port_.listener(), now);
  return {};
}

std::optional<MonoTime> Simulator::deadline(MonoTime now) const {
  std::optional<MonoTime> first;
  const auto consider = [&](std::optional<MonoTime> time) {
    if (time && (!first || *time < *first)) first = time;
  };
  consider(receiver_.next());
  consider(meter_.timer());
  if (!blocked_) consider(sender_.next(now));
  consider(back_at_);
  return first;
}

/// Waits for the next deadline, bytes, a connection or the end; true: the end.
Expected<bool> Simulator::wait(int stop_fd) {
  const short room = receiver_.waiting() < kMaxWaiting ? POLLIN : 0;
  const short output = blocked_ ? POLLOUT : 0;
  std::array<pollfd, 3> set{{{.fd = stop_fd, .events = POLLIN, .revents = 0},
                             {.fd = port_.data_fd(), .events = static_cast<short>(room | output), .revents = 0},
                             {.fd = port_.accept_fd(), .events = POLLIN, .revents = 0}}};
  const MonoTime now = clock_.now().mono;
  const auto next = deadline(now);
  const timespec left = until(next.value_or(now), now);
  if (::ppoll(set.data(), set.size(), next ? &left : nullptr, nullptr) < 0) {
    if (errno == EINTR) return false;
    return tl::unexpected(Error{.what = std::string{"cannot wait: "} + std::strerror(errno),
                                .where = port_.name(),
                                .remedy = {},
                                .code = errno});
  }
  if (set[0].revents != 0) return true;
  serve(set[1].revents, set[2].revents);
  return false;
}

void Simulator::serve(short data_events, short accept_events) {
  const Instant now = clock_.now();
  if ((data_events & POLLOUT) != 0) blocked_ = false;
  if ((data_events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    input_.clear();
    if (port_.read(input_) == Port::ReadEnd::gone) {
      blocked_ = false;
      report("disconnected", now);
      meter_.set_listener(port_.listener(), now);
    }
    receiver_.arrive(input_, now.mono);
  }
  if (accept_events == 0) return;
  switch (port_.accept()) {
    case Port::Accepted::connected:
      report("connected", now);
      meter_.set_listener(true, now);
      break;
    case Port::Accepted::refused: report("refused", now); break;
    case Port::Accepted::nothing: break;
  }
}

void Simulator::report(std::string_view name, Instant at, nlohmann::ordered_json fields) {
  journal_.write({name, at, std::move(fields)});
}

void Simulator::report_mismatch(std::string_view direction, unsigned line, unsigned peer, Instant now) {
  report("baud_mismatch", now, {{"direction", direction}, {"line", line}, {"peer", peer}});
}

}  // namespace vz::metersim
