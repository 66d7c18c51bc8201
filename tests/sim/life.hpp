// SPDX-License-Identifier: GPL-3.0-or-later
// One life of the daemon, from its start to its end by a stop, a kill, a power cut or a crash in the middle of a write.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "core/stamp_clock.hpp"
#include "runtime/pipeline.hpp"
#include "runtime/stamp_gate.hpp"
#include "runtime/uploader.hpp"
#include "sim/witness.hpp"
#include "sim/world.hpp"

namespace vz::sim {

enum class Ending { stop, kill, power, crash_in_write };

/// Also the HTTP client, for whoever waits for transfers is who lets time pass.
class Life final : public HttpClient {
 public:
  struct Plan {
    std::vector<ChannelTruth*> channels;
    Ending ending = Ending::stop;
    MonoDuration length{};
    bool last = false;  ///< nothing goes wrong, nothing new comes, what waits has to be delivered
  };
  Life(World& world, Plan plan);

  void run();

  void start(std::uint64_t id, std::uint32_t lane, HttpRequest request) override;
  void wait(MonoTime deadline, std::vector<HttpDone>& out) override;
  void wake() override { woken_ = true; }
  void abort_all() override { transfers_.clear(); }

 private:
  struct Transfer {
    std::uint64_t id;
    std::uint32_t lane;
    MonoDuration ends;
    HttpReply reply;
  };
  struct Meter {
    MeterSettings settings;
    std::vector<ChannelTruth*> channels;
    std::vector<Reading> telegram;  ///< as it looks
    std::unique_ptr<MeterPipeline> pipeline;
    MonoDuration next{};
    bool away = false;
    MonoTime window_end{};
    bool looked = false;   ///< the pipeline has seen the clock
    bool trusted = false;  ///< and this is what it saw
  };

  void begin();
  void add_channels();
  void add_meter(const std::vector<ChannelTruth*>& channels);
  void resume_windows(Meter& meter);
  void trace(const char* what);
  void check_orphans();

  void pass_to(MonoDuration moment);
  [[nodiscard]] MonoDuration next_moment(MonoTime deadline);
  void plan_io();
  void meters_turn(Meter& meter);
  bool is_away(Meter& meter);
  void telegram(Meter& meter);
  void note_arrival(ChannelTruth& channel, double value, bool trusted);
  void make_durable();
  void check_all_pushed(const Meter& meter);
  void look_at_clock(Meter& meter);
  void tick(Meter& meter);
  void end_cycle(Meter& meter, const Instant& now);
  [[nodiscard]] bool keeps_windows() const;

  void go_on_with_clock();
  void step_clock();
  void move_clock(std::int64_t offset);
  void set_clock_right();
  [[nodiscard]] bool settling() const;

  void toggle_disk();
  void do_io();
  void do_command();
  void move_orphan();
  void requeue_rejected();
  void note_durable();
  void check_bounds();
  bool over();
  [[nodiscard]] bool drained() const;
  [[nodiscard]] bool crashed() const { return world_.disk.crashed(); }
  void end();
  void after_crash();
  void after_stop();
  [[nodiscard]] std::uint64_t most_given_up() const;
  [[nodiscard]] bool must_be_durable(MonoTime pushed) const;
  void take_young_items(ChannelTruth& channel);
  void take_young_held(ChannelTruth& channel);
  void leave_clock();

  World& world_;
  const Plan plan_;
  const MonoDuration end_;
  StampClock clock_;
  DurableOutbox outbox_;
  WitnessOutbox witness_;
  StampGate gate_;
  Uploader uploader_;
  std::deque<Meter> meters_;
  std::vector<Transfer> transfers_;
  bool ask_for_work_ = true;
  std::optional<MonoDuration> io_at_;
  MonoDuration toggle_at_ = MonoDuration::max();
  MonoDuration step_at_ = MonoDuration::max();
  MonoDuration command_at_ = MonoDuration::max();
  bool woken_ = false;
  bool over_ = false;
  bool started_ = false;
  bool stopping_ = false;
};

}  // namespace vz::sim
