// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/session_runner.hpp"

#include <algorithm>
#include <utility>

#include "core/cycle_pace.hpp"

namespace vz::cli {
namespace {

constexpr std::size_t kReadSize = 4096;
constexpr std::chrono::seconds kWriteLimit{3};

}  // namespace

SessionRunner::SessionRunner(Session& session, Transport& transport, const Clock& clock, Wake& wake, TrafficWatch watch)
    : session_(session), transport_(transport), clock_(clock), wake_(wake), watch_(std::move(watch)), buffer_(kReadSize) {}

void SessionRunner::fresh() {
  out_.clear();
  out_.text = &text_;
}

SessionRunner::Result SessionRunner::next(MonoTime not_before, MonoTime deadline) {
  Result result;
  now_ = clock_.now();
  good_ = false;
  bool over = false;
  if (!opened_) {
    opened_ = true;
    last_read_ = now_.mono;
    if (watch_) watch_({Traffic::Kind::line, now_.mono, {}, session_.initial_line()});
    fresh();
    session_.opened(now_, out_);
    over = act(result);
  }
  if (!begun_) begin_at_ = std::max(not_before, earliest_);
  while (!over) {
    if (!pending_.empty()) over = feed(result);
    if (!over) step(deadline, result, over);
  }
  result.at = now_;
  return result;
}

/// One wait, and what it brought.
void SessionRunner::step(MonoTime deadline, Result& result, bool& over) {
  MonoTime until = deadline;
  if (timer_) until = std::min(until, *timer_);
  if (begin_at_) until = std::min(until, *begin_at_);
  ReadResult read = transport_.read(buffer_, std::min(quiet_until_, until), until, wake_);
  now_ = clock_.now();
  switch (read.kind) {
    case ReadResult::Kind::bytes:
      pending_ = std::span<const std::byte>(buffer_).first(read.count);
      if (watch_) watch_({Traffic::Kind::received, now_.mono, pending_, {}});
      over = feed(result);
      break;
    case ReadResult::Kind::timeout: break;
    case ReadResult::Kind::woken:
      result.end = End::woken;
      over = true;
      return;
    case ReadResult::Kind::closed:
      fresh();
      session_.lost(now_, out_);
      over = act(result);
      if (over && result.end == End::telegram) return;
      result.end = End::lost;
      result.error = std::move(read.error);
      over = true;
      return;
  }
  if (!over && timer_ && now_.mono >= *timer_) {
    fresh();
    session_.timer(now_, out_);
    over = act(result);
  }
  if (!over && begin_at_ && now_.mono >= *begin_at_) {
    begin_at_.reset();
    begun_ = true;
    begun_at_ = now_.mono;
    brought_ = false;
    fresh();
    session_.begin(now_, out_);
    over = act(result);
  }
  if (!over && now_.mono >= deadline) {
    result.end = End::deadline;
    over = true;
  }
}

bool SessionRunner::feed(Result& result) {
  bool over = false;
  while (!pending_.empty() && !over) {
    fresh();
    const std::size_t used = session_.received(pending_, now_, last_read_, out_);
    const bool progress = used > 0 || out_.cycle_done;
    pending_ = pending_.subspan(used);
    over = act(result);
    if (!progress) pending_ = {};
  }
  last_read_ = now_.mono;
  return over;
}

/// Does what the session asked for. True if the call has its result.
bool SessionRunner::act(Result& result) {
  timer_ = out_.timer;
  quiet_until_ = out_.quiet_until;
  for (const auto& action : out_.actions)
    if (!perform(action, result)) return true;
  for (auto& fault : out_.faults) result.faults.push_back(std::move(fault));
  brought_ = brought_ || out_.telegrams > 0;
  if (out_.cycle_done) {
    earliest_ = next_begin(begun_at_, out_.not_before, brought_ ? Yield::telegram : Yield::nothing);
    if (session_.pulls()) begun_ = false;
  }
  if (out_.telegrams > 0 || !out_.readings.empty()) {
    good_ = true;
    result.readings.insert(result.readings.end(), out_.readings.begin(), out_.readings.end());
    result.text = std::exchange(text_, {});
  }
  // a program or a bus gives its readings one by one until the cycle ends
  if (good_ && (out_.cycle_done || !session_.pulls())) {
    result.end = End::telegram;
    return true;
  }
  if (!out_.cycle_done) return false;
  if (result.faults.empty() && session_.pulls()) {  // asked too soon, or there was nothing to read: once more
    begin_at_ = earliest_;
    return false;
  }
  result.end = End::failed;
  return !result.faults.empty();
}

bool SessionRunner::perform(const Action& action, Result& result) {
  Expected<void> done;
  if (const auto* write = std::get_if<WriteBytes>(&action)) {
    if (watch_) watch_({Traffic::Kind::sent, now_.mono, write->bytes, {}});
    done = transport_.write(write->bytes, now_.mono + kWriteLimit, wake_);
  } else if (const auto* set = std::get_if<SetLine>(&action)) {
    if (watch_) watch_({Traffic::Kind::line, now_.mono, {}, set->line});
    done = transport_.set_line(set->line);
  } else {
    transport_.discard_input();
  }
  if (done) return true;
  result.end = wake_.stop_requested() ? End::woken : End::lost;
  result.error = done.error();
  return false;
}

}  // namespace vz::cli
