// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "core/traffic_dump.hpp"
#include "platform/append_file.hpp"
#include "core/heartbeat.hpp"
#include "runtime/pipeline.hpp"
#include "runtime/trouble.hpp"
#include "vz/held_line.hpp"
#include "vz/protocol.hpp"
#include "vz/status.hpp"

namespace vz {

/// What a meter's worker tells the status board.
struct MeterStatus {
  MeterReport::State state = MeterReport::State::away;
  std::uint64_t telegrams = 0;
  std::uint64_t opened = 0;
  std::array<std::uint64_t, kFaultKinds> faults{};
  std::optional<MonoTime> last_reading;   ///< when it came; monotonic, so that a clock that is set later dates it right
  std::string last_trouble;               ///< empty while all is well
  std::optional<MonoTime> trouble_since;  ///< nothing good came since then
  std::vector<LatestReading> latest;      ///< of each channel, in the order of the configuration
};

/// Runs one meter: opens its line, tells the session what arrives and when, does what the session asks for, and hands
/// telegrams to the pipeline. Re-opens a lost line with a capped, jittered back-off, and at once when its device is back
/// (ReturnWatch); one that is back but not ready (udev gives the rights a moment later) is tried quickly for some
/// seconds. After a good start nothing is fatal.
/// Log of trouble: Trouble and Notice; a line that is lost again before it brought anything is the same trouble.
/// While somebody holds the line (HeldLine) it stays closed, and that is no trouble.
/// One thread calls run(); status() and what HeldLine says may be called from any.
class MeterWorker final : public HeldLine {
 public:
  struct Environment {
    TransportFactory& transports;
    const Clock& clock;
    Log& log;
    std::uint64_t seed = 0;  ///< of the jitter
  };

  /// References outlive the worker.
  MeterWorker(const MeterSettings& settings, MeterSource source, MeterPipeline pipeline, Environment environment);
  ~MeterWorker() override;

  /// The first try to open the line, for starts at which a missing device is fatal. run() goes on from there.
  Expected<void> open_once(MonoTime deadline, Wake& wake);
  /// The thread's body. Returns soon after a stop request.
  void run(std::stop_token stop);

  [[nodiscard]] MeterStatus status() const;
  [[nodiscard]] const Heartbeat& heartbeat() const { return heartbeat_; }
  [[nodiscard]] const std::string& section() const { return section_; }

  [[nodiscard]] int number() const override { return settings_.number; }
  [[nodiscard]] const Endpoint& endpoint() const override { return endpoint_; }
  void hold(Hold hold) override;
  [[nodiscard]] bool released() const override;
  void on_released(std::function<void()> callback) override { on_released_ = std::move(callback); }

 private:
  void step();
  void follow_hold();
  void release_line();
  void take_line_back();
  void open_line();
  void wait_without_line(MonoTime deadline);
  void adopt(std::unique_ptr<Transport> transport);
  void close_line(const Error& error);
  void feed(std::span<const std::byte> bytes);
  void act();
  void fresh_out();
  bool perform(const Action& action);
  void report_faults();
  void tell_line_lost(const Error& error);
  void tell_line_back();
  void tell_overdue_faults();
  void tell_silence(const std::string& detail);
  void report_telegrams();
  void publish_readings();
  void set_trouble(std::string trouble);
  void schedule_begin();
  [[nodiscard]] MonoTime next_deadline() const;
  void dump(std::string_view text);

  const MeterSettings& settings_;
  Endpoint endpoint_;
  std::unique_ptr<Session> session_;
  MeterPipeline pipeline_;
  Environment environment_;
  std::string section_;
  std::string protocol_;

  Wake wake_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Transport> idle_;          ///< to wait on while there is no line
  std::unique_ptr<ReturnWatch> watch_;       ///< the same, if something tells of its return
  std::optional<MonoTime> quick_until_;      ///< the device is back: it may need a moment
  std::optional<MonoTime> settled_at_;       ///< a line that was re-opened counts as back then
  std::vector<std::byte> buffer_;
  SessionOut out_;
  Instant now_{};
  MonoTime last_read_{};
  MonoTime quiet_until_{};
  std::optional<MonoTime> timer_;
  std::optional<MonoTime> begin_at_;
  MonoTime begun_{};                         ///< when the latest cycle began
  bool brought_ = false;                     ///< it has brought a telegram
  std::optional<MonoTime> kept_begin_;       ///< when the next cycle was due as the line was lost
  MonoTime reopen_at_{};
  MonoTime tried_at_{};
  Backoff backoff_;
  JitterSource jitter_;
  std::optional<Error> failed_;              ///< an action of act() lost the line

  std::optional<platform::AppendFile> dump_file_;
  TrafficDump dump_format_;
  std::string dump_text_;

  Trouble silence_;                          ///< the meter does not answer
  MonoTime silent_since_{};
  std::array<Notice, kFaultKinds> notices_;
  bool untold_faults_ = false;
  Trouble line_;                             ///< the line cannot be opened, or was lost
  Heartbeat heartbeat_;
  std::function<void()> on_released_;
  Hold hold_ = Hold::none;                   ///< what the thread goes by
  std::atomic<bool> hold_changed_{false};
  mutable std::mutex mutex_;
  Hold wanted_hold_ = Hold::none;            ///< guarded by mutex_
  bool released_ = false;                    ///< guarded by mutex_
  MeterStatus status_;                       ///< guarded by mutex_
};

}  // namespace vz
