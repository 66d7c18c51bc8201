// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/status_text.hpp"

#include <algorithm>
#include <string_view>

#include "core/health.hpp"
#include "runtime/trouble.hpp"

namespace vz::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string span(WallTime from, WallTime to) { return duration_text(std::max(WallTime::duration::zero(), to - from)); }

std::string clean(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

/// "s" unless there is one of them.
std::string_view s(std::uint64_t count) { return count == 1 ? "" : "s"; }

std::string trouble_text(const std::string& trouble, const std::optional<WallTime>& since, WallTime now) {
  if (!since) return clean(trouble);
  return fmt::format("for {}: {}", span(*since, now), clean(trouble));
}

std::string faults_text(const MeterReport& meter) {
  std::string list;
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    if (meter.faults[i] == 0) continue;
    list += fmt::format("{}{} x {}", list.empty() ? "" : ", ", meter.faults[i], text(static_cast<FaultKind>(i)));
  }
  return list;
}

std::string state_text(const MeterReport& meter) {
  if (meter.state == MeterReport::State::away && meter.trouble.empty()) return "not opened yet";
  if (meter.state == MeterReport::State::paused) return "paused (vzlogger resume)";
  if (meter.state == MeterReport::State::lent) return "lent to another program";
  return std::string{text(meter.state)};
}

std::string queue_note(const QueueStats& queue, WallTime now) {
  std::string note;
  if (queue.waiting > 0) {
    note += fmt::format(", {} waiting", queue.waiting);
    if (queue.oldest) note += fmt::format(" (oldest {})", ago(queue.oldest, now));
  }
  if (queue.rejected > 0) note += fmt::format(", {} rejected", queue.rejected);
  if (queue.dropped > 0) note += fmt::format(", {} dropped", queue.dropped);
  return note;
}

void add_meter(const MeterReport& meter, WallTime now, std::string& out) {
  const bool disabled = meter.state == MeterReport::State::disabled;
  out += fmt::format("  mtr{}  {}  {}: {}", meter.number, meter.protocol, meter.line.empty() ? "-" : clean(meter.line),
                     state_text(meter));
  if (disabled) {
    out += '\n';
    return;
  }
  out += fmt::format("; last reading {}, {} telegram{}", meter.last_reading ? ago(meter.last_reading, now) : "never",
                     meter.telegrams, s(meter.telegrams));
  if (meter.opened > 1) out += fmt::format(", opened {} times", meter.opened);
  out += '\n';
  if (!meter.trouble.empty())
    out += fmt::format("        trouble {}\n", trouble_text(meter.trouble, meter.trouble_since, now));
  if (const auto faults = faults_text(meter); !faults.empty()) out += fmt::format("        faults: {}\n", faults);
  Rows rows;
  for (const ChannelReport& channel : meter.channels) {
    rows.push_back({fmt::format("chn{}", channel.number), clean(channel.identifier),
                    channel.last_value ? fmt::format("{}", *channel.last_value) : "-", ago(channel.last_reading, now),
                    channel.label + (channel.endpoint.empty() ? ", not sent" : queue_note(channel.queue, now))});
    if (!channel.trouble.empty())
      rows.push_back({"", "", "", "", "trouble " + trouble_text(channel.trouble, channel.trouble_since, now)});
  }
  out += table(rows, 8);
}

void add_endpoint(const EndpointReport& endpoint, WallTime now, std::string& out) {
  out += fmt::format("  {}\n        ", clean(endpoint.endpoint));
  out += endpoint.waiting == 0
             ? "nothing waits"
             : fmt::format("{} waiting, the oldest from {}", endpoint.waiting, ago(endpoint.oldest, now));
  out += fmt::format("; {} delivered", endpoint.accepted);
  if (endpoint.last_success) out += fmt::format(", the last {}", ago(endpoint.last_success, now));
  if (endpoint.rejected > 0) out += fmt::format(", {} rejected", endpoint.rejected);
  if (endpoint.dropped > 0) out += fmt::format(", {} dropped", endpoint.dropped);
  out += fmt::format("; {} request{}, {} failed\n", endpoint.requests, s(endpoint.requests), endpoint.failures);
  if (endpoint.trouble.empty()) return;
  out += fmt::format("        trouble {}", trouble_text(endpoint.trouble, endpoint.trouble_since, now));
  if (endpoint.next_try) out += fmt::format("; next try in {}", span(now, *endpoint.next_try));
  out += '\n';
}

void add_outbox(const OutboxReport& outbox, std::string& out) {
  if (outbox.path.empty())
    out += "  in memory alone: what waits is lost at a stop\n";
  else if (outbox.durable)
    out += fmt::format("  {}, {}\n", clean(outbox.path), bytes_text(outbox.bytes));
  else
    out += fmt::format("  {} is not in use: what waits is lost at a stop\n", clean(outbox.path));
  if (!outbox.trouble.empty()) out += fmt::format("        trouble: {}\n", clean(outbox.trouble));
  if (outbox.dropped > 0)
    out +=
        fmt::format("        {} reading{} dropped for the limits since the start\n", outbox.dropped, s(outbox.dropped));
  if (outbox.orphan_readings > 0)
    out += fmt::format("        {} reading{} wait{} in {} queue{} that nobody sends: vzlogger queue\n",
                       outbox.orphan_readings, s(outbox.orphan_readings), outbox.orphan_readings == 1 ? "s" : "",
                       outbox.orphan_queues, s(outbox.orphan_queues));
}

void add_service(const ServiceReport& service, WallTime now, std::string& out) {
  out += fmt::format("  {}: {}", clean(service.name), service.working ? "works" : "does not work");
  for (const auto& [name, value] : service.counters) out += fmt::format(", {} {}", value, clean(name));
  out += '\n';
  if (!service.trouble.empty())
    out += fmt::format("        trouble {}\n", trouble_text(service.trouble, service.trouble_since, now));
}

std::string judgement(const StatusReport& report) {
  const Health judged = health(report);
  std::string out = fmt::format("vzlogger {}, running for {}: ", report.version, span(report.started, report.now));
  if (judged.ok()) return out + "all is well\n";
  out += fmt::format("{} trouble{}\n", judged.reasons.size(), s(judged.reasons.size()));
  for (const auto& reason : judged.reasons) out += fmt::format("  ! {}\n", clean(reason));
  return out;
}

}  // namespace

std::string ago(const std::optional<WallTime>& time, WallTime now) {
  return time ? span(*time, now) + " ago" : std::string{"-"};
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} bytes", bytes);
  if (bytes < 1'000'000) return fmt::format("{} kB", bytes / 1000);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string table(const Rows& rows, std::size_t indent) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string out;
  for (const auto& row : rows) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i + 1 < row.size() ? fmt::format("{:<{}}  ", row[i], widths[i]) : row[i];
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string status_text(const StatusReport& report) {
  std::string out = judgement(report);
  if (!report.meters.empty()) out += "\nMeters\n";
  for (const auto& meter : report.meters) add_meter(meter, report.now, out);
  if (!report.endpoints.empty()) out += "\nEndpoints\n";
  for (const auto& endpoint : report.endpoints) add_endpoint(endpoint, report.now, out);
  out += "\nOutbox\n";
  add_outbox(report.outbox, out);
  if (!report.services.empty()) out += "\nServices\n";
  for (const auto& service : report.services) add_service(service, report.now, out);
  return out;
}

}  // namespace vz::cli
