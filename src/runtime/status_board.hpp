// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "outbox/durable_outbox.hpp"
#include "runtime/meter_worker.hpp"
#include "runtime/uploader.hpp"
#include "vz/settings.hpp"
#include "vz/status.hpp"

namespace vz {

/// Makes the report of how the daemon does from what its parts say of themselves. The parts are added before there are
/// threads and outlive the board; report() may then be called from any thread. It takes each part's short lock in turn,
/// waits for no I/O and wakes no thread.
class StatusBoard {
 public:
  using ServiceSource = std::function<ServiceReport()>;

  StatusBoard(std::string version, const Clock& clock, const Uploader& uploader, const DurableOutbox& outbox,
              std::string outbox_path);

  /// `worker` is null for a disabled meter; `queues[i]` is that of channel i, none if its api sends nothing.
  void add_meter(const MeterSettings& settings, const MeterWorker* worker, std::vector<std::optional<QueueId>> queues);
  /// Anything else that runs: MQTT, push, the local HTTP server. Called from any thread; the same rules as report().
  void add_service(ServiceSource source);

  [[nodiscard]] StatusReport report() const;

 private:
  struct Meter {
    const MeterSettings& settings;
    const MeterWorker* worker;
    std::vector<std::optional<QueueId>> queues;
  };
  [[nodiscard]] static MeterReport meter_report(const Meter& meter, const UploaderStatus& uploads, const Instant& now);
  [[nodiscard]] static EndpointReport endpoint_report(const EndpointStatus& endpoint, const UploaderStatus& uploads);
  [[nodiscard]] OutboxReport outbox_report() const;

  std::string version_;
  const Clock& clock_;
  MonoTime started_;
  const Uploader& uploader_;
  const DurableOutbox& outbox_;
  std::string outbox_path_;
  std::vector<Meter> meters_;
  std::vector<ServiceSource> services_;
};

/// How people know a channel: "channel ...a1b2c3". A uuid is a write key, so all but its end stays hidden.
std::string channel_label(std::string_view uuid);

}  // namespace vz
