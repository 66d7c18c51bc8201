// SPDX-License-Identifier: GPL-3.0-or-later
// The outbox as the pipeline and the uploader see it: notes what goes in and out, and whether it had to.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "outbox/durable_outbox.hpp"
#include "sim/world.hpp"

namespace vz::sim {

class WitnessOutbox final : public Outbox {
 public:
  WitnessOutbox(World& world, DurableOutbox& outbox) : world_(world), outbox_(outbox) {}

  /// What a queue of held readings belongs to is looked up among these.
  void watch(std::span<ChannelTruth* const> channels) { watched_ = channels; }
  QueueId open(const QueueName& name) override;
  void push(QueueId queue, WallTime stamp, double value) override;
  void peek(QueueId queue, std::size_t max, std::vector<QueuedReading>& out) const override;
  void mark_sent(QueueId queue, std::uint64_t first, std::uint64_t last) override;
  void settle(QueueId queue, std::uint64_t first, std::uint64_t last, Verdict verdict, std::string_view reason) override;
  [[nodiscard]] QueueStats stats(QueueId queue) const override { return outbox_.stats(queue); }
  void on_push(std::function<void()> callback) override { outbox_.on_push(std::move(callback)); }

  enum class Kind { none, delivered, held };
  void know(QueueId queue, ChannelTruth* channel, Kind kind);
  struct Known {
    QueueId queue{};
    ChannelTruth* channel = nullptr;
    Kind kind = Kind::none;
  };
  /// By queue.
  [[nodiscard]] std::span<const Known> channels() const { return channels_; }
  bool dead = false;

 private:
  [[nodiscard]] ChannelTruth& channel(QueueId queue) const { return *channels_[static_cast<std::size_t>(queue)].channel; }
  bool came(ChannelTruth& channel, double value, Arrival& arrival, bool& mixed);
  void hold(QueueId queue, ChannelTruth& channel, WallTime since_boot, double value);
  void forget_what_comes_again(ChannelTruth& channel, double value);
  void forget_what_is_gone(ChannelTruth& channel, double value);
  void forget_what_was_dropped(ChannelTruth& channel, double value);
  [[nodiscard]] std::uint64_t dropped(const ChannelTruth& channel) const;
  bool was_held(ChannelTruth& channel, double value, HeldReading& out);
  bool came_from_the_meter(ChannelTruth& channel, double value, Arrival& arrival);
  bool came_from_a_window(ChannelTruth& channel, double value, Arrival& arrival, bool& mixed);
  void chosen(ChannelTruth& channel, std::size_t surely, std::size_t perhaps);
  void check_time(const ChannelTruth& channel, std::int64_t stamp, MonoTime at);
  void check_distance(ChannelTruth& channel, std::int64_t stamp, const Arrival& arrival);
  void settled(QueueId queue, const QueuedReading& reading, Verdict verdict);

  World& world_;
  DurableOutbox& outbox_;
  std::vector<Known> channels_;
  std::span<ChannelTruth* const> watched_;
  mutable std::vector<std::vector<QueuedReading>> peeked_;
};

}  // namespace vz::sim
