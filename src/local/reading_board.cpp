// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/reading_board.hpp"

#include <algorithm>

#include "vz/protocol.hpp"

namespace vz::local {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
/// A stamp that is further ahead of the clock is of a time before the clock was set back; it is not waited for.
constexpr std::chrono::minutes kLargestLead{5};

}  // namespace

ReadingBoard::ReadingBoard(const std::vector<MeterSettings>& meters, int buffer, const Clock& clock,
                           std::size_t max_tuples)
    : clock_(clock), buffer_(buffer == 0 ? -1 : buffer) {
  for (const auto& meter : meters) {
    for (const auto& settings : meter.channels) {
      const auto [entry, fresh] = by_uuid_.try_emplace(settings.uuid, lists_.size());
      if (fresh) lists_.emplace_back();
      const auto number = static_cast<std::size_t>(std::max(settings.number, 0));
      if (by_number_.size() <= number) by_number_.resize(number + 1, kNone);
      by_number_[number] = channels_.size();
      channels_.push_back({&settings, &meter, entry->second, {}});
    }
  }
  most_ = std::max(kLeastTuples, max_tuples / std::max<std::size_t>(lists_.size(), 1));
  if (buffer_ < 0) most_ = static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(most_), -buffer_));
}

ReadingBoard::Channel* ReadingBoard::channel_of(const ChannelSettings& settings) {
  const auto number = static_cast<std::size_t>(std::max(settings.number, 0));
  if (number >= by_number_.size() || by_number_[number] == kNone) return nullptr;
  return &channels_[by_number_[number]];
}

void ReadingBoard::raw(const ChannelSettings& settings, const Reading& reading) {
  const WallTime now = clock_.now().wall;
  const std::scoped_lock lock(mutex_);
  Channel* channel = channel_of(settings);
  if (channel == nullptr) return;
  const bool overtaken = channel->last - now > kLargestLead;
  if (reading.stamp <= channel->last && !overtaken) return;
  channel->last = reading.stamp;
  changed(lists_[channel->list]);
}

void ReadingBoard::aggregated(const ChannelSettings& settings, double value, WallTime stamp) {
  const WallTime now = clock_.now().wall;
  {
    const std::scoped_lock lock(mutex_);
    const Channel* channel = channel_of(settings);
    if (channel == nullptr) return;
    List& list = lists_[channel->list];
    drop_old(list, now);
    if (list.tuples.size() >= most_) {
      list.tuples.pop_front();
      if (buffer_ > 0 || static_cast<std::int64_t>(most_) < -buffer_) ++dropped_;
    }
    list.tuples.push_back({stamp, value});
    ++list.news;
    ++news_;
    changed(list);
  }
  if (on_change_) on_change_();
}

void ReadingBoard::changed(List& list) {
  ++list.revision;
  ++revision_;
}

void ReadingBoard::drop_old(List& list, WallTime now) {
  if (buffer_ < 0) return;
  const WallTime oldest = now - std::chrono::seconds{buffer_};
  bool any = false;
  while (!list.tuples.empty() && list.tuples.front().stamp < oldest) {
    list.tuples.pop_front();
    any = true;
  }
  if (any) changed(list);
}

std::optional<std::size_t> ReadingBoard::find(std::string_view uuid) const {
  const auto found = by_uuid_.find(uuid);
  if (found == by_uuid_.end()) return std::nullopt;
  return found->second;
}

std::uint64_t ReadingBoard::news(Scope scope) const {
  const std::scoped_lock lock(mutex_);
  return scope ? lists_.at(*scope).news : news_;
}

bool ReadingBoard::has_newer(Scope scope, WallTime since) const {
  const std::scoped_lock lock(mutex_);
  const auto newer = [&](const List& list) { return !list.tuples.empty() && list.tuples.back().stamp > since; };
  return scope ? newer(lists_.at(*scope)) : std::any_of(lists_.begin(), lists_.end(), newer);
}

std::uint64_t ReadingBoard::revision(Scope scope) {
  const WallTime now = clock_.now().wall;
  const std::scoped_lock lock(mutex_);
  if (scope) {
    drop_old(lists_.at(*scope), now);
    return lists_.at(*scope).revision;
  }
  for (auto& list : lists_) drop_old(list, now);
  return revision_;
}

std::vector<ChannelView> ReadingBoard::copy(Scope scope) const {
  std::vector<ChannelView> views;
  const std::scoped_lock lock(mutex_);
  for (const auto& channel : channels_) {
    if (scope && channel.list != *scope) continue;
    const auto& tuples = lists_[channel.list].tuples;
    views.push_back({.uuid = channel.settings->uuid,
                     .obis = channel.settings->identifier.long_text(),
                     .last = channel.last.time_since_epoch().count(),
                     .interval = channel.meter->interval,
                     .protocol = std::string{channel.meter->protocol->name},
                     .tuples = {tuples.begin(), tuples.end()}});
  }
  return views;
}

std::uint64_t ReadingBoard::dropped() const {
  const std::scoped_lock lock(mutex_);
  return dropped_;
}

}  // namespace vz::local
