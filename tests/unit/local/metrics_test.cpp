// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/metrics.hpp"

#include <regex>
#include <set>
#include <sstream>

#include "local/interface.hpp"

namespace vz::local {
namespace {

WallTime at(long long ms) { return WallTime{std::chrono::milliseconds{ms}}; }

StatusReport sample_report() {
  StatusReport report;
  report.version = "1.2.3";
  report.now = at(1'000'000);
  MeterReport meter;
  meter.number = 0;
  meter.protocol = "d0";
  meter.state = MeterReport::State::connected;
  meter.telegrams = 12;
  meter.opened = 2;
  meter.faults[static_cast<std::size_t>(FaultKind::parity)] = 3;
  meter.last_reading = at(998'500);
  ChannelReport channel;
  channel.number = 4;
  channel.last_value = 987654.25;
  channel.trouble = "unknown";
  meter.channels.push_back(channel);
  report.meters.push_back(meter);
  report.meters.emplace_back().state = MeterReport::State::disabled;
  EndpointReport endpoint;
  endpoint.endpoint = "http://h/m\"w\\x\ny";
  endpoint.waiting = 7;
  endpoint.accepted = 100;
  endpoint.oldest = at(970'000);
  endpoint.trouble = "HTTP 503 after 30001 ms";
  report.endpoints.push_back(endpoint);
  ServiceReport service{.name = "mqtt", .working = false, .trouble = "no broker", .trouble_since = {}, .counters = {{"published", 5}}};
  report.services.push_back(service);
  return report;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

bool has(const std::string& text, const std::string& line) {
  const auto all = lines(text);
  return std::find(all.begin(), all.end(), line) != all.end();
}

TEST(Metrics, SaysWhatTheReportSays) {
  ProcessFigures process;
  process.cpu_seconds = 1.5;
  process.resident_bytes = 4096;
  const std::string text = metrics_text(sample_report(), process);
  for (const char* line :
       {R"(vzlogger_build_info{version="1.2.3"} 1)", R"(vzlogger_healthy 0)",
        R"(vzlogger_meter_state{meter="mtr0",protocol="d0",state="connected"} 1)",
        R"(vzlogger_meter_state{meter="mtr0",protocol="d0",state="away"} 0)",
        R"(vzlogger_meter_telegrams_total{meter="mtr0",protocol="d0"} 12)",
        R"(vzlogger_meter_faults_total{meter="mtr0",protocol="d0",kind="parity"} 3)",
        R"(vzlogger_meter_faults_total{meter="mtr0",protocol="d0",kind="check_value"} 0)",
        R"(vzlogger_meter_opens_total{meter="mtr0",protocol="d0"} 2)",
        R"(vzlogger_meter_last_reading_age_seconds{meter="mtr0",protocol="d0"} 1.5)",
        R"(vzlogger_endpoint_queue_readings{endpoint="http://h/m\"w\\x\ny"} 7)",
        R"(vzlogger_endpoint_queue_oldest_age_seconds{endpoint="http://h/m\"w\\x\ny"} 30)",
        R"(vzlogger_endpoint_sent_readings_total{endpoint="http://h/m\"w\\x\ny"} 100)",
        R"(vzlogger_endpoint_trouble_info{endpoint="http://h/m\"w\\x\ny",error="HTTP 503 after # ms"} 1)",
        R"(vzlogger_channel_trouble_info{channel="chn4",error="unknown"} 1)", R"(vzlogger_service_up{service="mqtt"} 0)",
        R"(vzlogger_service_count{service="mqtt",count="published"} 5)", R"(process_cpu_seconds_total 1.5)",
        R"(process_resident_memory_bytes 4096)"})
    EXPECT_TRUE(has(text, line)) << line << "\nnot in\n" << text;
  EXPECT_EQ(text.find("987654"), std::string::npos) << "readings are for those who know the uuid";
}

// Prometheus text format 0.0.4: what a parser insists on
TEST(Metrics, IsWellFormed) {
  const std::string text = metrics_text(sample_report(), process_figures());
  ASSERT_TRUE(text.ends_with('\n'));
  const std::regex sample(R"re(([a-z_]+)(\{[a-z]+="([^"\\]|\\["\\n])*"(,[a-z]+="([^"\\]|\\["\\n])*")*\})? -?[0-9.e+-]+)re");
  const std::regex head(R"re(# (HELP|TYPE) ([a-z_]+) (.+))re");
  std::string family;
  std::set<std::string> families;
  std::set<std::string> series;
  for (const auto& line : lines(text)) {
    std::smatch match;
    if (std::regex_match(line, match, head)) {
      if (match[1] == "HELP") {
        EXPECT_TRUE(families.insert(match[2]).second) << line;
        family = match[2];
      } else {
        EXPECT_EQ(match[2], family) << line;
        EXPECT_EQ(match[3] == "counter", family.ends_with("_total")) << line;
      }
    } else if (std::regex_match(line, match, sample)) {
      EXPECT_EQ(match[1], family) << line;
      EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << "twice: " << line;
    } else {
      ADD_FAILURE() << line;
    }
  }
  EXPECT_GT(families.size(), 20U);
}

TEST(Metrics, ErrorsMakeFewSeries) {
  EXPECT_EQ(error_label("timeout after 30001 milliseconds, port 80"), "timeout after # milliseconds, port 80");
  EXPECT_EQ(error_label("timeout after 30002 milliseconds, port 80"), "timeout after # milliseconds, port 80");
  EXPECT_LE(error_label(std::string(500, 'x')).size(), 120U);
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "\xc3\xa4";
  const std::string cut = error_label("x" + umlauts);
  EXPECT_EQ(cut.size() % 2, 1U);  // whole characters only
  EXPECT_EQ(error_label(""), "");
}

TEST(Metrics, TheKernelSaysSomethingOfThisProcess) {
  const ProcessFigures figures = process_figures();
  EXPECT_GT(figures.resident_bytes.value_or(0), 100'000U);
  EXPECT_GT(figures.open_files.value_or(0), 2U);
  EXPECT_GE(figures.threads.value_or(0), 1U);
  EXPECT_GT(figures.cpu_seconds.value_or(-1), 0.0);
  EXPECT_GT(figures.start_seconds.value_or(0), 1'000'000'000.0);
}

TEST(Health, InWords) {
  EXPECT_EQ(health_reply({}).status, 200);
  EXPECT_EQ(health_reply({}).body, "ok\n");
  const Reply ill = health_reply({{"mtr0: away", "outbox: disk full"}});
  EXPECT_EQ(ill.status, 503);
  EXPECT_EQ(ill.body, "mtr0: away\noutbox: disk full\n");
}

}  // namespace
}  // namespace vz::local
