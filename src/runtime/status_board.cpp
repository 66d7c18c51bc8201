// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/status_board.hpp"

#include <algorithm>
#include <utility>

#include "core/uuid.hpp"

namespace vz {
namespace {

ChannelReport channel_report(const ChannelSettings& settings) {
  ChannelReport report;
  report.number = settings.number;
  report.label = channel_label(settings.uuid);
  report.identifier = settings.identifier_text;
  return report;
}

void add_latest(const LatestReading& latest, const Instant& now, ChannelReport& report) {
  if (!latest.value) return;
  report.last_value = latest.value;
  report.last_reading = now.wall_at(latest.at);
}

void add_delivery(const DeliveryStatus& delivery, ChannelReport& report) {
  report.endpoint = delivery.endpoint;
  report.trouble = delivery.trouble;
  report.trouble_since = delivery.trouble_since;
  report.last_success = delivery.last_success;
  report.queue = delivery.queue;
}

}  // namespace

std::string channel_label(std::string_view uuid) { return "channel " + uuid_tail(uuid); }

StatusBoard::StatusBoard(std::string version, const Clock& clock, const Uploader& uploader, const DurableOutbox& outbox,
                         std::string outbox_path)
    : version_(std::move(version)),
      clock_(clock),
      started_(clock.now().mono),
      uploader_(uploader),
      outbox_(outbox),
      outbox_path_(std::move(outbox_path)) {}

void StatusBoard::add_meter(const MeterSettings& settings, const MeterWorker* worker,
                            std::vector<std::optional<QueueId>> queues) {
  meters_.push_back({settings, worker, std::move(queues)});
}

void StatusBoard::add_service(ServiceSource source) { services_.push_back(std::move(source)); }

StatusReport StatusBoard::report() const {
  const Instant now = clock_.now();
  const UploaderStatus uploads = uploader_.status();
  StatusReport report;
  report.version = version_;
  report.now = now.wall;
  report.started = now.wall_at(started_);
  for (const Meter& meter : meters_) report.meters.push_back(meter_report(meter, uploads, now));
  for (const EndpointStatus& endpoint : uploads.endpoints)
    report.endpoints.push_back(endpoint_report(endpoint, uploads));
  report.outbox = outbox_report();
  for (const ServiceSource& service : services_) report.services.push_back(service());
  return report;
}

MeterReport StatusBoard::meter_report(const Meter& meter, const UploaderStatus& uploads, const Instant& now) {
  MeterReport report;
  report.number = meter.settings.number;
  report.protocol = meter.settings.protocol->name;
  report.state = MeterReport::State::disabled;
  MeterStatus status;
  if (meter.worker != nullptr) {
    status = meter.worker->status();
    report.line = text(meter.worker->endpoint());
    report.state = status.state;
    report.telegrams = status.telegrams;
    report.opened = status.opened;
    report.faults = status.faults;
    report.trouble = status.last_trouble;
    if (status.last_reading) report.last_reading = now.wall_at(*status.last_reading);
    if (status.trouble_since) report.trouble_since = now.wall_at(*status.trouble_since);
  }
  for (std::size_t i = 0; i < meter.settings.channels.size(); ++i) {
    ChannelReport channel = channel_report(meter.settings.channels[i]);
    if (i < status.latest.size()) add_latest(status.latest[i], now, channel);
    const auto is_its = [&](const DeliveryStatus& d) { return i < meter.queues.size() && meter.queues[i] == d.id; };
    const auto delivery = std::find_if(uploads.channels.begin(), uploads.channels.end(), is_its);
    if (delivery != uploads.channels.end()) add_delivery(*delivery, channel);
    report.channels.push_back(std::move(channel));
  }
  return report;
}

EndpointReport StatusBoard::endpoint_report(const EndpointStatus& endpoint, const UploaderStatus& uploads) {
  EndpointReport report;
  report.endpoint = endpoint.endpoint;
  report.requests = endpoint.requests;
  report.failures = endpoint.failures;
  report.trouble = endpoint.trouble;
  report.trouble_since = endpoint.trouble_since;
  report.next_try = endpoint.next_try;
  report.last_success = endpoint.last_success;
  for (const DeliveryStatus& channel : uploads.channels) {
    if (channel.endpoint != endpoint.endpoint) continue;
    report.waiting += channel.queue.waiting;
    report.accepted += channel.queue.accepted;
    report.rejected += channel.queue.rejected;
    report.dropped += channel.queue.dropped;
    if (channel.queue.oldest && (!report.oldest || *channel.queue.oldest < *report.oldest))
      report.oldest = channel.queue.oldest;
  }
  return report;
}

OutboxReport StatusBoard::outbox_report() const {
  const OutboxStatus status = outbox_.status();
  OutboxReport report;
  report.path = outbox_path_;
  report.durable = status.durable;
  report.trouble = status.trouble;
  report.bytes = status.bytes;
  report.ram_readings = status.ram_readings;
  report.dropped = status.dropped;
  for (const OrphanQueue& orphan : outbox_.orphans()) {
    ++report.orphan_queues;
    report.orphan_readings += orphan.waiting;
  }
  return report;
}

}  // namespace vz
