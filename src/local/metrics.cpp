// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

#include "core/ascii.hpp"
#include "core/health.hpp"
#include "local/status_json.hpp"

namespace vz::local {
namespace {

constexpr std::size_t kMaxError = 120;
constexpr std::size_t kShownDigits = 3;

constexpr std::array kStates{MeterReport::State::disabled, MeterReport::State::away,   MeterReport::State::connected,
                             MeterReport::State::silent,   MeterReport::State::paused, MeterReport::State::lent};

using Label = std::pair<std::string_view, std::string>;
using Labels = std::vector<Label>;

/// Writes families: head lines once, then samples.
class Page {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  void sample(const Labels& labels, std::uint64_t value) { line(labels, fmt::format("{}", value)); }
  void sample(const Labels& labels, double value) { line(labels, fmt::format("{}", value)); }
  std::string take() { return std::move(text_); }

 private:
  void line(const Labels& labels, std::string_view value) {
    text_ += name_;
    char before = '{';
    for (const auto& [name, content] : labels) {
      text_ += before;
      before = ',';
      text_ += name;
      text_ += "=\"";
      append_label_value(text_, content);
      text_ += '"';
    }
    if (!labels.empty()) text_ += '}';
    text_ += ' ';
    text_ += value;
    text_ += '\n';
  }
  std::string text_;
  std::string_view name_;
};

double seconds(WallTime::duration time) { return std::chrono::duration<double>(time).count(); }
/// A stamp may lie in front of the clock, if the meter made it.
double age(WallTime now, WallTime then) { return std::max(0.0, seconds(now - then)); }

Labels labels_of(const MeterReport& meter) {
  return {{"meter", fmt::format("mtr{}", meter.number)}, {"protocol", meter.protocol}};
}

Labels with(Labels labels, std::string_view name, std::string value) {
  labels.emplace_back(name, std::move(value));
  return labels;
}

void write_meters(const StatusReport& report, Page& page) {
  const auto each = [&](const auto& write) {
    for (const auto& meter : report.meters)
      if (meter.state != MeterReport::State::disabled) write(meter, labels_of(meter));
  };
  page.family("vzlogger_meter_state", "gauge", "1 for the state that the meter is in, 0 for the others.");
  for (const auto& meter : report.meters)
    for (const auto state : kStates)
      page.sample(with(labels_of(meter), "state", std::string{text(state)}), std::uint64_t{meter.state == state});
  page.family("vzlogger_meter_telegrams_total", "counter", "Complete, checked telegrams.");
  each([&](const MeterReport& meter, const Labels& labels) { page.sample(labels, meter.telegrams); });
  page.family("vzlogger_meter_faults_total", "counter", "What came and did not become readings, by kind.");
  each([&](const MeterReport& meter, const Labels& labels) {
    for (std::size_t kind = 0; kind < kFaultKinds; ++kind)
      page.sample(with(labels, "kind", std::string{key(static_cast<FaultKind>(kind))}), meter.faults[kind]);
  });
  page.family("vzlogger_meter_opens_total", "counter", "How often the meter's line was opened; more than once: it was lost.");
  each([&](const MeterReport& meter, const Labels& labels) { page.sample(labels, meter.opened); });
  page.family("vzlogger_meter_last_reading_age_seconds", "gauge", "Time since the last reading, by its stamp.");
  each([&](const MeterReport& meter, const Labels& labels) {
    if (meter.last_reading) page.sample(labels, age(report.now, *meter.last_reading));
  });
  page.family("vzlogger_meter_trouble_info", "gauge", "What is wrong with the meter; nothing while all is well.");
  each([&](const MeterReport& meter, const Labels& labels) {
    if (!meter.trouble.empty()) page.sample(with(labels, "error", error_label(meter.trouble)), std::uint64_t{1});
  });
}

void write_endpoints(const StatusReport& report, Page& page) {
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto EndpointReport::*member) {
    page.family(name, type, help);
    for (const auto& endpoint : report.endpoints) page.sample({{"endpoint", endpoint.endpoint}}, endpoint.*member);
  };
  each("vzlogger_endpoint_queue_readings", "gauge", "Readings that wait to be sent.", &EndpointReport::waiting);
  page.family("vzlogger_endpoint_queue_oldest_age_seconds", "gauge", "Age of the oldest of them.");
  for (const auto& endpoint : report.endpoints)
    page.sample({{"endpoint", endpoint.endpoint}}, endpoint.oldest ? age(report.now, *endpoint.oldest) : 0.0);
  each("vzlogger_endpoint_sent_readings_total", "counter", "Readings that the endpoint has accepted.", &EndpointReport::accepted);
  each("vzlogger_endpoint_rejected_readings_total", "counter", "Readings that the endpoint will never take.",
       &EndpointReport::rejected);
  each("vzlogger_endpoint_dropped_readings_total", "counter", "Readings lost to the size limit of the outbox.",
       &EndpointReport::dropped);
  each("vzlogger_endpoint_requests_total", "counter", "Requests.", &EndpointReport::requests);
  each("vzlogger_endpoint_failed_requests_total", "counter", "Requests that delivered nothing.", &EndpointReport::failures);
  page.family("vzlogger_endpoint_last_success_timestamp_seconds", "gauge", "When a request last succeeded.");
  for (const auto& endpoint : report.endpoints)
    if (endpoint.last_success)
      page.sample({{"endpoint", endpoint.endpoint}}, seconds(endpoint.last_success->time_since_epoch()));
  page.family("vzlogger_endpoint_trouble_info", "gauge", "Why nothing arrives at the endpoint; nothing while all is well.");
  for (const auto& endpoint : report.endpoints)
    if (!endpoint.trouble.empty())
      page.sample({{"endpoint", endpoint.endpoint}, {"error", error_label(endpoint.trouble)}}, std::uint64_t{1});
}

void write_channels(const StatusReport& report, Page& page) {
  page.family("vzlogger_channel_trouble_info", "gauge", "What is wrong with a single channel; nothing while all is well.");
  for (const auto& meter : report.meters)
    for (const auto& channel : meter.channels)
      if (!channel.trouble.empty())
        page.sample({{"channel", fmt::format("chn{}", channel.number)}, {"error", error_label(channel.trouble)}}, std::uint64_t{1});
}

void write_outbox(const OutboxReport& outbox, Page& page) {
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
    page.family(name, type, help);
    page.sample({}, value);
  };
  one("vzlogger_outbox_durable", "gauge", "1 if undelivered readings are kept in a file.", std::uint64_t{outbox.durable});
  one("vzlogger_outbox_file_bytes", "gauge", "Size of that file.", outbox.bytes);
  one("vzlogger_outbox_memory_readings", "gauge", "Readings that wait in memory.", outbox.ram_readings);
  one("vzlogger_outbox_dropped_readings_total", "counter", "Readings lost to the size limit.", outbox.dropped);
  one("vzlogger_outbox_orphan_readings", "gauge", "Readings kept for channels that have left the configuration.",
      outbox.orphan_readings);
}

void write_services(const StatusReport& report, Page& page) {
  page.family("vzlogger_service_up", "gauge", "1 if the service works.");
  for (const auto& service : report.services) page.sample({{"service", service.name}}, std::uint64_t{service.working});
  page.family("vzlogger_service_count", "untyped", "What a service counts of itself.");
  for (const auto& service : report.services)
    for (const auto& [name, value] : service.counters) page.sample({{"service", service.name}, {"count", name}}, value);
  page.family("vzlogger_service_trouble_info", "gauge", "What is wrong with a service; nothing while all is well.");
  for (const auto& service : report.services)
    if (!service.trouble.empty())
      page.sample({{"service", service.name}, {"error", error_label(service.trouble)}}, std::uint64_t{1});
}

void write_process(const ProcessFigures& process, Page& page) {
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help, const auto& value) {
    if (!value) return;
    page.family(name, type, help);
    page.sample({}, *value);
  };
  one("process_cpu_seconds_total", "counter", "Processor time, user and system.", process.cpu_seconds);
  one("process_resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes);
  one("process_virtual_memory_bytes", "gauge", "Virtual memory.", process.virtual_bytes);
  one("process_open_fds", "gauge", "Open file descriptors.", process.open_files);
  one("process_max_fds", "gauge", "File descriptors that may be open.", process.max_files);
  one("process_threads", "gauge", "Threads.", process.threads);
  one("process_start_time_seconds", "gauge", "When the process was started, in seconds since 1970.", process.start_seconds);
}

}  // namespace

void append_label_value(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
}

std::string error_label(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() < kMaxError;) {
    std::size_t digits = 0;
    while (i + digits < text.size() && is_digit(text[i + digits])) ++digits;
    if (digits > kShownDigits) out += '#';
    else out += text.substr(i, std::max<std::size_t>(digits, 1));
    i += std::max<std::size_t>(digits, 1);
  }
  // not in the middle of a character
  if (out.size() >= kMaxError)
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) out.pop_back();
  if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0U) out.pop_back();
  return out;
}

std::string metrics_text(const StatusReport& report, const ProcessFigures& process) {
  Page page;
  page.family("vzlogger_build_info", "gauge", "The version that runs.");
  page.sample({{"version", report.version}}, std::uint64_t{1});
  page.family("vzlogger_healthy", "gauge", "1 if /healthz says that all is well.");
  page.sample({}, std::uint64_t{health(report).ok()});
  write_meters(report, page);
  write_endpoints(report, page);
  write_channels(report, page);
  write_outbox(report.outbox, page);
  write_services(report, page);
  write_process(process, page);
  return page.take();
}

}  // namespace vz::local
