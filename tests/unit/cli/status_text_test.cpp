// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/status_text.hpp"

#include <sstream>

#include "cli/command.hpp"

namespace vz::cli {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr WallTime kNow{seconds{1'700'000'000}};

StatusReport small_report() {
  StatusReport report;
  report.version = "1.2.3";
  report.now = kNow;
  report.started = kNow - seconds{7200};
  MeterReport meter;
  meter.protocol = "d0";
  meter.line = "/dev/ttyUSB0";
  meter.state = MeterReport::State::connected;
  meter.telegrams = 12;
  meter.opened = 1;
  meter.last_reading = kNow - seconds{3};
  meter.faults[0] = 2;
  ChannelReport channel;
  channel.label = "channel ...a1b2c3";
  channel.identifier = "1-0:1.8.0";
  channel.endpoint = "http://mw";
  channel.last_value = 1234.5;
  channel.last_reading = kNow - seconds{3};
  meter.channels.push_back(channel);
  report.meters.push_back(meter);
  EndpointReport endpoint;
  endpoint.endpoint = "http://mw";
  endpoint.accepted = 40;
  endpoint.requests = 41;
  endpoint.failures = 1;
  endpoint.last_success = kNow - seconds{2};
  report.endpoints.push_back(endpoint);
  report.outbox.path = "/var/lib/vzlogger/outbox.db";
  report.outbox.durable = true;
  return report;
}

TEST(StatusText, OfAHealthyDaemon) {
  EXPECT_EQ(status_text(small_report()),
            "vzlogger 1.2.3, running for 2 h: all is well\n"
            "\n"
            "Meters\n"
            "  mtr0  d0  /dev/ttyUSB0: connected; last reading 3 s ago, 12 telegrams\n"
            "        faults: 2 x wrong check value\n"
            "        chn0  1-0:1.8.0  1234.5  3 s ago  channel ...a1b2c3\n"
            "\n"
            "Endpoints\n"
            "  http://mw\n"
            "        nothing waits; 40 delivered, the last 2 s ago; 41 requests, 1 failed\n"
            "\n"
            "Outbox\n"
            "  /var/lib/vzlogger/outbox.db, 0 bytes\n");
}

TEST(StatusText, TroubleComesFirst) {
  StatusReport report = small_report();
  report.meters[0].state = MeterReport::State::away;
  report.meters[0].trouble = "/dev/ttyUSB0: hung up";
  report.meters[0].trouble_since = kNow - seconds{300};
  report.endpoints[0].trouble = "connection\nrefused";
  report.endpoints[0].trouble_since = kNow - seconds{60};
  report.endpoints[0].next_try = kNow + seconds{15};
  report.endpoints[0].waiting = 7;
  report.endpoints[0].oldest = kNow - seconds{60};
  const std::string text = status_text(report);
  EXPECT_TRUE(
      text.starts_with("vzlogger 1.2.3, running for 2 h: 2 troubles\n"
                       "  ! mtr0: away: /dev/ttyUSB0: hung up\n"
                       "  ! http://mw: connection refused\n"))
      << text;
  EXPECT_THAT(text, HasSubstr("trouble for 5 min: /dev/ttyUSB0: hung up"));
  EXPECT_THAT(text, HasSubstr("7 waiting, the oldest from 60 s ago"));
  EXPECT_THAT(text, HasSubstr("trouble for 60 s: connection refused; next try in 15 s"));
}

TEST(StatusText, TellsWhatWasAskedFor) {
  StatusReport report = small_report();
  report.meters[0].state = MeterReport::State::lent;
  EXPECT_THAT(status_text(report), HasSubstr("lent to another program"));
  report.meters[0].state = MeterReport::State::paused;
  EXPECT_THAT(status_text(report), HasSubstr("paused (vzlogger resume)"));
  report.meters[0].state = MeterReport::State::disabled;
  EXPECT_THAT(status_text(report), HasSubstr("disabled\n"));
}

TEST(StatusText, Table) {
  EXPECT_EQ(table({{"a", "bb", "c"}, {"aaa", "b", ""}}, 1), " a    bb  c\n aaa  b\n");
  EXPECT_EQ(table({}, 4), "");
}

TEST(StatusText, Sizes) {
  EXPECT_EQ(bytes_text(9999), "9999 bytes");
  EXPECT_EQ(bytes_text(45'000), "45 kB");
  EXPECT_EQ(bytes_text(1'450'000), "1.4 MB");
  EXPECT_EQ(ago(std::nullopt, kNow), "-");
  EXPECT_EQ(ago(kNow + seconds{5}, kNow), "0 s ago");
}

int run(const std::vector<const char*>& words, std::string& err) {
  std::vector<const char*> argv{"vzlogger"};
  argv.insert(argv.end(), words.begin(), words.end());
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream errors;
  const auto status = run_command(static_cast<int>(argv.size()), argv.data(), in, out, errors);
  err = errors.str();
  return status.value_or(-1);
}

TEST(ControlCommands, SayWhatToDoWithoutADaemon) {
  std::string err;
  EXPECT_EQ(run({"status", "--socket", "/nowhere/control.sock"}, err), 69);
  EXPECT_THAT(err, HasSubstr("no vzlogger daemon answers"));
  EXPECT_EQ(run({"pause", "mtr0", "--socket", "/nowhere/control.sock"}, err), 69);
  EXPECT_EQ(run({"pause", "heating"}, err), 64);
  EXPECT_THAT(err, HasSubstr("they are called mtr0"));
  EXPECT_EQ(run({"queue", "--file", "/nowhere/outbox.db"}, err), 69);
  EXPECT_EQ(run({"queue", "--socket", "/nowhere/control.sock", "-c", "/nowhere/vzlogger.conf"}, err), 69);
  EXPECT_EQ(run({"queue", "frob"}, err), 64);
}

}  // namespace
}  // namespace vz::cli
