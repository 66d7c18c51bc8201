// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol s0: meters with a pulse output, at a GPIO line or at the receiving line of a serial port.
#include <fmt/format.h>

#include "protocols/s0/session.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

constexpr OptionSpec kOptions[] = {
    {.name = "gpio", .type = OptionType::integer,
     .help = "line with the pulses: its number on the chip gpiochip, or without that option the number of /sys/class/gpio; "
             "negative: none"},
    {.name = "gpiochip", .help = "chip of gpio and gpio_dir, \"gpiochip0\" for example; gpioinfo lists chips and lines"},
    {.name = "gpio_dir", .type = OptionType::integer,
     .help = "line that is high while pulses count as negative (Power_neg, Impulse_neg); negative: none"},
    {.name = "device", .help = "without gpio: serial port whose receiving line has the pulses"},
    {.name = "resolution", .type = OptionType::integer, .default_text = "1000", .help = "pulses of a kilowatt-hour", .min = 1,
     .max = 1'000'000'000},
    {.name = "send_zero", .type = OptionType::boolean, .default_text = "false", .help = "report seconds without pulse, too"},
    {.name = "debounce_delay", .type = OptionType::integer, .unit = "ms", .default_text = "30",
     .help = "shortest time between two pulses; a level counts once it has held for half of it; 0: every edge is a pulse",
     .min = 0, .max = 3'600'000},
    {.name = "configureGPIO", .type = OptionType::boolean, .default_text = "true",
     .help = "kept for old files: a line needs no preparation any more"},
    {.name = "mmap",
     .help = "kept for old files (rpi, rpi1, rpi2): gpio and gpio_dir are numbers of a Raspberry Pi's header"},
    {.name = "nonblocking_delay", .type = OptionType::integer, .unit = "ns", .default_text = "100000",
     .help = "kept for old files: nothing is polled any more", .min = 100},
};

bool interval_allowed(const Options&) { return false; }

int line_number(const Options& options, std::string_view name) {
  if (!options.has(name)) return -1;
  const auto number = options.integer(name);
  constexpr std::int64_t kLargest = 1'000'000;  // beyond any line's number, and said so when it is looked for
  return number < 0 ? -1 : static_cast<int>(std::min(number, kLargest));
}

std::optional<Endpoint> endpoint(const Options& options, ProblemSink& problems) {
  GpioLines lines;
  lines.chip = options.string("gpiochip");
  lines.pulse = line_number(options, "gpio");
  lines.direction = line_number(options, "gpio_dir");
  const auto& mmap = options.string("mmap");
  lines.raspberry = mmap == "rpi" || mmap == "rpi1" || mmap == "rpi2";
  if (!mmap.empty() && !lines.raspberry)
    problems.warning("mmap", fmt::format("unknown option for mmap ({}). Falling back to normal gpio. Known were rpi, rpi1 "
                                         "and rpi2; it is not needed any more", mmap));
  const auto& device = options.string("device");
  if (lines.pulse >= 0) {
    if (lines.direction == lines.pulse) {
      problems.error("gpio_dir", "gpio_dir must not be equal to gpio: one line cannot be both");
      return std::nullopt;
    }
    if (!device.empty()) problems.warning("device", "device is not used, because gpio is given as well");
    return Endpoint{std::move(lines)};
  }
  if (device.empty()) {
    problems.error("device", "Missing device or invalid type; expected \"gpio\": 17 or the like for a GPIO line, or "
                             "\"device\": \"/dev/ttyUSB0\" for a serial port");
    return std::nullopt;
  }
  if (lines.direction < 0) return Endpoint{SerialPort{device}};
  lines.serial = device;
  return Endpoint{std::move(lines)};
}

std::unique_ptr<MeterSource> make(const Options& options, ProblemSink& problems) {
  auto where = endpoint(options, problems);
  if (!where) return nullptr;
  s0::S0Settings settings;
  settings.input = std::holds_alternative<SerialPort>(*where) ? s0::S0Settings::Input::bytes : s0::S0Settings::Input::records;
  settings.resolution = static_cast<unsigned>(options.integer("resolution"));
  settings.send_zero = options.boolean("send_zero");
  settings.debounce = std::chrono::milliseconds{options.integer("debounce_delay")};
  auto source = std::make_unique<MeterSource>();
  source->endpoint = std::move(*where);
  source->session = std::make_unique<s0::S0Session>(settings);
  return source;
}

}  // namespace

extern const Protocol s0_protocol;
const Protocol s0_protocol{
    .name = "s0",
    .summary = "S0-meter directly connected to RS232",
    .identifiers = IdentifierKind::string,
    .options = kOptions,
    .interval_allowed = interval_allowed,
    .make = make,
};

}  // namespace vz::protocols
