// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol thermometer: a serial thermometer that sends a line such as `21.5` now and then. An example: the whole of a protocol in
// one file (docs/adding-a-protocol.md goes through it), built into a table of its own by a test.
#include <charconv>
#include <string>

#include "core/endpoint_options.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

/// What a user can set. Parsing, validation, messages with line and column and --help-protocol come from it.
constexpr OptionSpec kOptions[] = {
    {.name = "device", .help = "serial port of the thermometer"},
    {.name = "host", .help = "instead of device: TCP peer that forwards it, name:port"},
    {.name = "correction", .type = OptionType::real, .unit = "°C", .default_text = "0.0", .help = "added to each value",
     .min = -10, .max = 10},
};

/// The conversation, without I/O: it is told bytes and time, and says what they mean.
class ThermometerSession final : public Session {
 public:
  explicit ThermometerSession(double correction) : correction_(correction) {}

  [[nodiscard]] LineSettings initial_line() const override { return {9600, CharacterFormat::n8}; }
  [[nodiscard]] bool pulls() const override { return false; }  // it sends by itself
  void opened(Instant, SessionOut&) override { line_.clear(); }
  void begin(Instant, SessionOut&) override {}
  void timer(Instant, SessionOut&) override {}
  void lost(Instant, SessionOut&) override {}

  std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime, SessionOut& out) override {
    constexpr std::size_t kLongest = 32;  // whatever comes from outside has a bound
    for (const std::byte byte : bytes) {
      const char c = static_cast<char>(byte);
      if (c == '\n') end_line(now, out);
      else if (c != '\r' && line_.size() < kLongest) line_.push_back(c);
    }
    return bytes.size();
  }

 private:
  void end_line(Instant now, SessionOut& out) {
    double value = 0;
    const char* const end = line_.data() + line_.size();
    const auto [stop, error] = std::from_chars(line_.data(), end, value);
    if (error == std::errc{} && stop == end) {
      out.readings.push_back({Identifier{std::string{"temperature"}}, value + correction_, Unit{"°C"}, now.wall});
      ++out.telegrams;
    } else {
      out.faults.push_back({FaultKind::grammar, fmt::format("a line that is no number")});
    }
    out.cycle_done = true;
    line_.clear();
  }

  double correction_;
  std::string line_;
};

std::unique_ptr<MeterSource> make(const Options& options, ProblemSink& problems) {
  auto endpoint = endpoint_option(options, problems);
  if (!endpoint) return nullptr;
  auto source = std::make_unique<MeterSource>();
  source->endpoint = std::move(*endpoint);
  source->session = std::make_unique<ThermometerSession>(options.real("correction"));
  return source;
}

}  // namespace

/// The registration. CMake finds the file by its place and expects this name: file name, then _protocol.
extern const Protocol thermometer_protocol;
const Protocol thermometer_protocol{
    .name = "thermometer",
    .summary = "Serial thermometer",
    .identifiers = IdentifierKind::string,
    .options = kOptions,
    .interval_allowed = [](const Options&) { return false; },
    .make = make,
};

}  // namespace vz::protocols
