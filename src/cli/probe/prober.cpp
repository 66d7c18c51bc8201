// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/probe/prober.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <system_error>
#include <utility>

#include "cli/meter_choice.hpp"
#include "cli/probe/hearing.hpp"
#include "cli/session_runner.hpp"
#include "cli/traffic_text.hpp"
#include "core/ascii.hpp"
#include "platform/eighth_bit_filter.hpp"

namespace vz::cli {
namespace {

using Json = nlohmann::ordered_json;
using namespace std::chrono_literals;

constexpr auto kOpenLimit = 15s;
/// A meter that sends by itself and was understood gets this long for a whole telegram.
constexpr MonoDuration kTelegram = 25s;
/// A silence that ends a burst.
constexpr MonoDuration kBurstEnd = 200ms;
/// What comes so soon after the beginning may be the rest of a telegram, if it is not more than that.
constexpr MonoDuration kJoined = 100ms;
constexpr std::size_t kWholeTelegram = 64;
/// The longest conversation: three tries of a long readout at 300 baud.
constexpr MonoDuration kConversation = 45s;
constexpr int kAnswerLimit = 2;  // seconds

/// A line that knows no parity: a pseudo-terminal, or a peer behind a network.
bool knows_no_parity(const Endpoint& endpoint) {
  if (const auto* port = std::get_if<SerialPort>(&endpoint)) {
    std::error_code ignored;
    return std::filesystem::canonical(port->path, ignored).string().starts_with("/dev/pts/");
  }
  return true;
}

/// Where the line itself knows no parity: eight bits a character below, and the parity that the session wants made of them.
class EightBitLine final : public Transport {
 public:
  explicit EightBitLine(Transport& line) : line_(line) {}

  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override {
    ReadResult result = line_.read(buffer, not_before, deadline, wake);
    if (result.kind != ReadResult::Kind::bytes) return result;
    const auto bytes = buffer.first(result.count);
    std::size_t echo = 0;  // what we sent says nothing about the meter
    while (echo < bytes.size() && !echo_.empty() && bytes[echo] == echo_.front()) {
      echo_.pop_front();
      ++echo;
    }
    if (echo < bytes.size()) echo_.clear();
    statistics_.add(bytes.subspan(echo));
    filter_.received(bytes);
    return result;
  }
  Expected<void> write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) override {
    const auto sent = filter_.to_send(bytes, room_);
    echo_.insert(echo_.end(), sent.begin(), sent.end());
    return line_.write(sent, deadline, wake);
  }
  Expected<void> set_line(LineSettings line) override {
    filter_.set_format(line.format);
    return line_.set_line({line.baud, CharacterFormat::n8});
  }
  void discard_input() override { line_.discard_input(); }
  [[nodiscard]] EighthBit seen() const { return statistics_.verdict(); }

 private:
  Transport& line_;
  platform::EighthBitFilter filter_;
  EighthBitStatistics statistics_;
  std::vector<std::byte> room_;
  std::deque<std::byte> echo_;  ///< sent, and perhaps coming back
};

/// Remembers a conversation, for showing it and for judging what came.
class Recorder {
 public:
  void note(const Traffic& entry) {
    text_.add(entry);
    auto& bytes = entry.kind == Traffic::Kind::sent ? sent_ : received_;
    if (entry.kind == Traffic::Kind::line || bytes.size() > kMost) return;
    for (const std::byte byte : entry.bytes) bytes += static_cast<char>(byte & std::byte{0x7F});
  }
  /// The head returns what it gets.
  [[nodiscard]] bool echo() const {
    const std::string_view request = "/?!\r\n";
    if (sent_.find(request) == std::string::npos) return !sent_.empty() && received_.starts_with(sent_);
    return received_.find(request) != std::string::npos;
  }
  /// An identification line, or the beginning of one.
  [[nodiscard]] bool greeting() const {
    for (std::size_t at = received_.find('/'); at != std::string::npos; at = received_.find('/', at + 1)) {
      const std::string_view rest = std::string_view{received_}.substr(at + 1);
      if (rest.size() >= 4 && std::all_of(rest.begin(), rest.begin() + 3, is_letter)) return true;
    }
    return false;
  }
  /// Something beyond an echo.
  [[nodiscard]] bool noise() const {
    constexpr std::size_t kFew = 4;
    return received_.size() >= (echo() ? sent_.size() : 0) + kFew;
  }
  std::string text() { return text_.finish(); }

 private:
  static constexpr std::size_t kMost = 64 * 1024;
  TrafficText text_;
  std::string sent_;
  std::string received_;
};

/// One search.
class Search {
 public:
  Search(const ProbeSettings& settings, Transport& line, const Clock& clock, Wake& wake)
      : settings_(settings),
        line_(line),
        clock_(clock),
        wake_(wake),
        where_(line_option(settings.endpoint)),
        no_parity_(knows_no_parity(settings.endpoint)),
        began_(clock.now().mono) {}

  ProbeResult run();

 private:
  Heard listen(const ProbeStep& step);
  Heard ask(const Approach& approach, std::string_view parity);
  void found(const HeardTelegram& telegram, EighthBit bit, Recorder& recorder, Instant now);
  bool broke(const ReadResult& read);
  void tell(const std::string& what) {
    if (settings_.progress) settings_.progress(elapsed(), what);
  }
  void hint(std::string text) {
    if (std::find(result_.hints.begin(), result_.hints.end(), text) == result_.hints.end()) result_.hints.push_back(std::move(text));
  }
  [[nodiscard]] MonoDuration elapsed() const { return clock_.now().mono - began_; }
  [[nodiscard]] bool over() const { return result_.meter || result_.error || result_.stopped; }

  const ProbeSettings& settings_;
  Transport& line_;
  const Clock& clock_;
  Wake& wake_;
  Json where_;
  bool no_parity_;
  MonoTime began_;
  unsigned slower_ = 0;  ///< what the last noise says of its speed
  ProbeResult result_;
};

bool Search::broke(const ReadResult& read) {
  if (read.kind == ReadResult::Kind::woken) {
    result_.stopped = true;
    return true;
  }
  if (read.kind != ReadResult::Kind::closed) return false;
  result_.error = read.error.value_or(Error{"was lost", text(settings_.endpoint), "", 0});
  return true;
}

void Search::found(const HeardTelegram& telegram, EighthBit bit, Recorder& recorder, Instant now) {
  ProbedMeter& meter = result_.meter.emplace();
  meter.section = telegram.section;
  meter.readout = make_readout(now.wall, telegram.readings, telegram.text);
  meter.pushes = true;
  meter.eighth_bit = bit;
  meter.handshake = recorder.text();
}

Heard Search::listen(const ProbeStep& step) {
  tell(fmt::format("listening at {} baud", step.baud));
  if (auto set = line_.set_line({step.baud, CharacterFormat::n8}); !set) {
    hint(set.error().text());
    return Heard::silence;  // a speed that the adapter does not have
  }
  line_.discard_input();
  Instant now = clock_.now();
  Hearing hearing(where_, step.baud, now);
  Recorder recorder;
  recorder.note({Traffic::Kind::line, now.mono, {}, {step.baud, CharacterFormat::n8}});
  const MonoTime began = now.mono;
  MonoTime deadline = began + step.patience;
  MonoTime previous = now.mono;
  MonoTime first{};
  std::vector<std::byte> heard;
  std::vector<std::byte> buffer(4096);
  EighthBitStatistics statistics;
  Sense sense = Sense::nothing;
  while (true) {
    MonoTime until = deadline;
    if (const auto timer = hearing.timer()) until = std::min(until, *timer);
    if (!heard.empty() && sense == Sense::nothing) until = std::min(until, previous + kBurstEnd);
    const ReadResult read = line_.read(buffer, MonoTime{}, until, wake_);
    if (broke(read)) return Heard::silence;
    now = clock_.now();
    if (read.kind == ReadResult::Kind::bytes) {
      const auto bytes = std::span<const std::byte>(buffer).first(read.count);
      recorder.note({Traffic::Kind::received, now.mono, bytes, {}});
      statistics.add(bytes);
      if (heard.empty()) first = now.mono;
      heard.insert(heard.end(), bytes.begin(), bytes.end());
      if (heard.size() > 4096) heard.erase(heard.begin(), heard.end() - 1024);
      if (const auto telegram = hearing.received(bytes, now, previous)) {
        found(*telegram, statistics.verdict(), recorder, now);
        return Heard::sense;
      }
      previous = now.mono;
    }
    if (const auto telegram = hearing.tick(now)) {
      found(*telegram, statistics.verdict(), recorder, now);
      return Heard::sense;
    }
    const bool ended = !heard.empty() && now.mono >= previous + kBurstEnd;
    if (sense == Sense::nothing && !heard.empty()) {
      sense = judge(heard, now.mono - first, ended);
      if (sense == Sense::text || sense == Sense::sml) {
        tell(fmt::format("{} at {} baud: waiting for a whole telegram", sense == Sense::sml ? "SML" : "text", step.baud));
        deadline = now.mono + kTelegram;
      }
      // A flash of light; or the end of a telegram that had begun before: that rules out no speed.
      const bool joined = !step.searching && first - began < kJoined && heard.size() < kWholeTelegram;
      if (ended && (sense == Sense::nothing || (sense == Sense::nonsense && joined))) {
        heard.clear();
        sense = Sense::nothing;
      }
    }
    if (sense == Sense::nonsense) {
      tell(fmt::format("something comes by itself, but makes no sense at {} baud", step.baud));
      slower_ = slower_by(heard);
      hint("something sends by itself, but at no speed that was tried it made sense: a meter? Is the head straight?");
      return Heard::noise;
    }
    if (now.mono >= deadline) break;
  }
  if (sense == Sense::nothing) return Heard::silence;
  const std::string trouble = hearing.trouble();
  hint(fmt::format("{} at {} baud, but no whole telegram{}{}", sense == Sense::sml ? "SML" : "text", step.baud,
                   trouble.empty() ? "" : ": ", trouble));
  return Heard::sense;
}

Heard Search::ask(const Approach& approach, std::string_view parity) {
  tell(std::string{approach.name});
  Json section{{"protocol", approach.protocol}};
  section.update(where_);
  section["pullseq"] = approach.pullseq();
  if (!approach.ackseq.empty()) section["ackseq"] = approach.ackseq;
  section["baudrate"] = approach.baud;
  if (approach.ackseq.size() == 12) section["baudrate_read"] = approach.baud;  // written out: the speed stays
  section["parity"] = parity;
  if (approach.change_delay_ms > 0) section["baudrate_change_delay"] = approach.change_delay_ms;
  Json quick = section;
  quick["read_timeout"] = kAnswerLimit;
  auto meter = meter_from_section(quick);
  if (!meter) {
    result_.error = Error{meter.error().lines.empty() ? "cannot be asked" : meter.error().lines.front(), text(settings_.endpoint), "", 0};
    return Heard::silence;
  }
  Session& session = *meter->source->session;
  EightBitLine eight_bits(line_);
  Transport& line = no_parity_ ? static_cast<Transport&>(eight_bits) : line_;
  if (auto set = line.set_line(session.initial_line()); !set) {
    hint(set.error().text());
    return Heard::silence;
  }
  Recorder recorder;
  SessionRunner runner(session, line, clock_, wake_, [&](const Traffic& entry) { recorder.note(entry); });
  const MonoTime now = clock_.now().mono;
  const auto result = runner.next(now, now + kConversation);
  if (result.end == SessionRunner::End::woken) {
    result_.stopped = true;
    return Heard::silence;
  }
  if (result.end == SessionRunner::End::lost) {
    result_.error = result.error.value_or(Error{"was lost", text(settings_.endpoint), "", 0});
    return Heard::silence;
  }
  const EighthBit bit = no_parity_ ? eight_bits.seen() : EighthBit::unknown;
  if (result.end == SessionRunner::End::telegram) {
    ProbedMeter& found = result_.meter.emplace();
    found.section = std::move(section);
    found.section["interval"] = approach.interval;
    found.readout = make_readout(result.at.wall, result.readings, result.text);
    found.echo = recorder.echo();
    found.eighth_bit = bit;
    found.handshake = recorder.text();
    return Heard::sense;
  }
  if (bit == EighthBit::odd && parity != "7o1") {
    tell("the answer has odd parity");
    return ask(approach, "7o1");
  }
  if (recorder.greeting()) {
    tell("it answers, but no readings follow");
    hint(result.faults.empty() ? "a meter answered the request, but sent no readings"
                               : "a meter answered the request, but: " + result.faults.back().detail);
    return Heard::greeting;
  }
  if (recorder.echo()) hint("the head returns what is sent (echo), so it is a reading head, but no meter answers");
  return recorder.noise() ? Heard::noise : Heard::silence;
}

ProbeResult Search::run() {
  const auto kind = std::holds_alternative<TcpPeer>(settings_.endpoint) ? ProbePlan::Line::network : ProbePlan::Line::serial;
  ProbePlan plan(kind, settings_.asking, settings_.budget);
  Heard heard = Heard::silence;
  while (!over()) {
    const ProbeStep step = plan.next(heard, elapsed(), std::exchange(slower_, 0));
    if (step.kind == ProbeStep::Kind::done) break;
    heard = step.kind == ProbeStep::Kind::listen ? listen(step) : ask(*step.approach, step.approach->parity);
  }
  result_.took = elapsed();
  return std::move(result_);
}

}  // namespace

Json line_option(const Endpoint& endpoint) {
  return std::holds_alternative<SerialPort>(endpoint) ? Json{{"device", text(endpoint)}} : Json{{"host", text(endpoint)}};
}

ProbeResult probe(const ProbeSettings& settings, TransportFactory& transports, const Clock& clock, Wake& wake) {
  const LineSettings first{9600, CharacterFormat::n8};
  auto line = transports.open(settings.endpoint, first, clock.now().mono + kOpenLimit, wake);
  if (!line) {
    ProbeResult result;
    result.error = line.error();
    result.stopped = wake.stop_requested();
    return result;
  }
  return Search(settings, **line, clock, wake).run();
}

}  // namespace vz::cli
