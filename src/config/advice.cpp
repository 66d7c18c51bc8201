// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/text.hpp"
#include "core/ascii.hpp"
#include "vz/protocol.hpp"
#include "vz/sink.hpp"

namespace vz::config {
namespace {

class Adviser {
 public:
  explicit Adviser(std::vector<Problem>& problems) : problems_(problems) {}

  void meter(const MeterSettings& meter) {
    shared_device(meter);
    const std::string_view protocol = meter.protocol->name;
    if (protocol == "sml") sml(meter);
    if (protocol == "d0") d0(meter);
    for (const ChannelSettings& channel : meter.channels) this->channel(meter, channel);
  }

 private:
  void say(Position position, std::string text) {
    problems_.push_back({Problem::Severity::warning, std::move(position), std::move(text)});
  }

  /// One head cannot serve two meters at a time; the second would never get it.
  void shared_device(const MeterSettings& meter) {
    if (!meter.options.has("device") || meter.protocol->name == "w1therm") return;
    const std::string& device = meter.options.string("device");
    if (device.empty()) return;
    const auto [first, is_new] = devices_.try_emplace(device, meter.number);
    if (!is_new)
      say(meter.options.position("device"),
          fmt::format("the same device as mtr{}: only one of them gets it. Put the channels of both into one meter, or name the other head",
                      first->second));
  }

  void sml(const MeterSettings& meter) {
    if (meter.options.given("parity") && lower(meter.options.string("parity")) != "8n1")
      say(meter.options.position("parity"), "SML meters send 8n1; with another parity nothing is understood. Leave `parity` out");
    if (meter.options.given("baudrate") && meter.options.integer("baudrate") == 300)
      say(meter.options.position("baudrate"), "SML meters send at 9600 baud (some at 115200), not at 300: that is d0. Leave `baudrate` out");
  }

  void d0(const MeterSettings& meter) {
    const bool asks = !meter.options.string("pullseq").empty();
    if (!asks && !meter.options.string("ackseq").empty())
      say(meter.options.position("ackseq"), "without `pullseq` the meter is never asked, and `ackseq` has no effect; add \"pullseq\": \"2F3F210D0A\"");
    if (!asks && meter.options.integer("baudrate") == 300 && !meter.options.given("pullseq"))
      say(meter.options.position("baudrate"), "at 300 baud a meter wants to be asked: add \"pullseq\": \"2F3F210D0A\"; one that sends by itself does so faster");
  }

  void channel(const MeterSettings& meter, const ChannelSettings& channel) {
    if (channel.sink->name != "null" && is_placeholder_uuid(channel.uuid))
      say(channel.options.section(), fmt::format("the uuid of {} is the placeholder: create the channel and put its uuid here, or let "
                                                 "\"vzlogger channel create\" do both", channel.identifier_text));
    if (meter.aggtime > 0 && channel.aggmode == AggMode::none)
      say(channel.options.section(), fmt::format("the meter has \"aggtime\" {}, but this channel has no \"aggmode\": each reading is sent. Use \"avg\" for "
                                                 "power, \"max\" for counters", meter.aggtime));
  }

  std::vector<Problem>& problems_;
  std::map<std::string, int, std::less<>> devices_;
};

}  // namespace

bool is_placeholder_uuid(std::string_view uuid) { return uuid.starts_with("00000000-0000-0000-0000-"); }

void add_advice(const Settings& settings, std::vector<Problem>& problems) {
  Adviser adviser(problems);
  for (const MeterSettings& meter : settings.meters)
    if (meter.enabled) adviser.meter(meter);
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.position.line, a.position.column) < std::pair(b.position.line, b.position.column);
  });
}

}  // namespace vz::config
