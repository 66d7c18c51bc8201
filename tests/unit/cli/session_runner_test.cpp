// SPDX-License-Identifier: GPL-3.0-or-later
// The runner and the traffic text, over a capture played back: no real time passes.
#include "cli/session_runner.hpp"

#include "cli/capture.hpp"
#include "cli/meter_choice.hpp"
#include "cli/traffic_text.hpp"
#include "core/source_records.hpp"

namespace vz::cli {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
using End = SessionRunner::End;

std::vector<std::byte> bytes(std::string_view text) {
  std::vector<std::byte> out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

constexpr std::string_view kTelegram = "/ISK5\\2MT372-0002\r\n\r\n1.8.0(00132.149*kWh)\r\n!\r\n";

/// A listening d0 meter whose line brings `content`, then nothing.
struct Stage {
  explicit Stage(std::string_view content)
      : all(bytes(content)),
        meter(meter_from_options("d0", {"host=x:1", "parity=7e1"})),
        clock(Instant{MonoTime{} + 1h, WallTime{std::chrono::hours{400'000}}}),
        transport(all, clock),
        runner(*meter->source->session, transport, clock, wake, [this](const Traffic& entry) { traffic.add(entry); }) {}

  std::vector<std::byte> all;
  MeterChoice meter;
  ReplayClock clock;
  ReplayTransport transport;
  Wake wake;
  TrafficText traffic;
  SessionRunner runner;
};

TEST(SessionRunner, GivesTelegramsOneAtATime) {
  Stage stage(std::string{kTelegram} + std::string{kTelegram});
  for (int i = 0; i < 2; ++i) {
    const auto result = stage.runner.next({}, stage.clock.now().mono + 1min);
    ASSERT_EQ(result.end, End::telegram) << i;
    ASSERT_EQ(result.readings.size(), 1U);
    EXPECT_EQ(result.readings[0].value, 132.149);
    EXPECT_EQ(result.text.identification, "/ISK5\\2MT372-0002");
    ASSERT_EQ(result.text.registers.size(), 1U);
  }
  EXPECT_EQ(stage.runner.next({}, stage.clock.now().mono + 1min).end, End::failed) << "silence";
}

TEST(SessionRunner, SaysWhyThereIsNone) {
  Stage stage("/ISK5MT\r\n\x02" "1.8.0(00132.149*kWh)\r\n!\r\n\x03\x7f");
  const auto result = stage.runner.next({}, stage.clock.now().mono + 1min);
  EXPECT_EQ(result.end, End::failed);
  ASSERT_FALSE(result.faults.empty());
  EXPECT_EQ(result.faults[0].kind, FaultKind::check_value);
}

TEST(SessionRunner, KeepsToTheDeadline) {
  Stage stage("");
  const auto result = stage.runner.next({}, stage.clock.now().mono + 1s);
  EXPECT_EQ(result.end, End::deadline);
}

TEST(SessionRunner, AStopEndsIt) {
  Stage stage("");
  std::stop_source stop;
  stage.wake.follow(stop.get_token());
  stop.request_stop();
  EXPECT_EQ(stage.runner.next({}, stage.clock.now().mono + 1h).end, End::woken);
}

/// A file that is read whenever it is asked for, and in which nothing is; waiting takes no real time.
class EmptyFile final : public Transport {
 public:
  explicit EmptyFile(ReplayClock& clock) : clock_(clock) {}
  ReadResult read(std::span<std::byte> buffer, MonoTime, MonoTime deadline, Wake&) override {
    if (!std::exchange(asked_, false)) {
      clock_.step_to(deadline);
      return {ReadResult::Kind::timeout, 0, std::nullopt};
    }
    std::string record;
    append_record(record, RecordKind::end, {});
    std::transform(record.begin(), record.end(), buffer.begin(), [](char c) { return static_cast<std::byte>(c); });
    return {ReadResult::Kind::bytes, record.size(), std::nullopt};
  }
  Expected<void> write(std::span<const std::byte>, MonoTime, Wake&) override {
    asked_ = true;
    if (++reads > 1000) throw std::runtime_error("it is asked without a pause");
    return {};
  }
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}
  int reads = 0;

 private:
  ReplayClock& clock_;
  bool asked_ = false;
};

TEST(SessionRunner, AnEmptyFileIsNotReadWithoutAPause) {
  const MeterChoice meter = meter_from_options("file", {"path=/x", "interval=5"});
  ASSERT_TRUE(meter.has_value());
  ReplayClock clock{Instant{MonoTime{} + 1h, WallTime{std::chrono::hours{400'000}}}};
  EmptyFile file{clock};
  Wake wake;
  SessionRunner runner{*meter->source->session, file, clock, wake};
  EXPECT_EQ(runner.next({}, clock.now().mono + 10s).end, End::deadline);
  EXPECT_GE(file.reads, 5);
  EXPECT_LE(file.reads, 12);
}

TEST(TrafficText, ShowsWhatWasReceivedLineByLine) {
  Stage stage(kTelegram);
  stage.runner.next({}, stage.clock.now().mono + 1min);
  const std::string text = stage.traffic.finish();
  EXPECT_THAT(text, HasSubstr("  9600 7e1\n"));
  EXPECT_THAT(text, HasSubstr("  < /ISK5\\2MT372-0002<CR><LF>\n"));
  EXPECT_THAT(text, HasSubstr("  < 1.8.0(00132.149*kWh)<CR><LF>\n"));
}

TEST(TrafficText, NamesControlCharacters) {
  EXPECT_EQ(annotated(bytes("\x06" "050\r\n")), "<ACK>050<CR><LF>");
  EXPECT_EQ(annotated(std::vector<std::byte>(65)), "<NUL>x65");
  EXPECT_EQ(annotated(bytes("\x1b\x1b\x01\xff")), "<ESC><ESC><SOH><xFF>");
}

TEST(TrafficText, ALongMessageIsCut) {
  TrafficText text;
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "1.8.0(1)\r\n";
  const auto all = bytes(many);
  text.add({Traffic::Kind::received, MonoTime{} + 1s, all, {}});
  const std::string shown = text.finish();
  EXPECT_LT(std::count(shown.begin(), shown.end(), '\n'), 100);
  EXPECT_THAT(shown, HasSubstr("..."));
}

TEST(MeterChoice, OptionsHaveTheTypesOfTheTable) {
  const auto section = section_from_options("d0", {"device=/dev/x", "baudrate=300", "interval=5"});
  ASSERT_TRUE(section);
  EXPECT_EQ((*section)["baudrate"], 300);
  EXPECT_EQ((*section)["device"], "/dev/x");
  EXPECT_EQ((*section)["interval"], 5);
}

TEST(MeterChoice, SaysWhatIsWrongAndWhatWasMeant) {
  const auto text = [](const MeterChoice& choice) { return choice ? std::string{"fine"} : choice.error().lines.at(0); };
  EXPECT_THAT(text(meter_from_options("d00", {})), HasSubstr("d0"));
  EXPECT_THAT(text(meter_from_options("d0", {"device=/dev/x", "pullsec=2f"})), HasSubstr("did you mean pullseq"));
  EXPECT_THAT(text(meter_from_options("d0", {"device"})), HasSubstr("KEY=VALUE"));
  EXPECT_THAT(text(meter_from_options("d0", {"device=/dev/x", "baudrate=fast"})), HasSubstr("baudrate"));
  EXPECT_NE(text(meter_from_options("d0", {})), "fine") << "neither device nor host";
}

}  // namespace
}  // namespace vz::cli
