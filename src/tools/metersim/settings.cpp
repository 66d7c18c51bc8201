// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/settings.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include "core/ascii.hpp"
#include "core/hex.hpp"
#include "vz/version.hpp"

namespace vz::metersim {
namespace {

using std::chrono::milliseconds;

/// The options as they were typed; empty where the default depends on the meter.
struct Typed {
  std::string meter = "mt372";
  std::string key;
  std::string protection;
  std::string telegram;
  std::string identification;
  std::string mode;
  std::string check;
  std::optional<std::string> address;
  std::optional<unsigned> baud;
  std::optional<double> reaction_ms;
  std::optional<double> recovery_s;
  std::string no_ack;
  std::string nak = "repeat";
  bool wake_up = false;
  double period_s = 10;
  std::vector<std::string> counts;
  std::vector<std::string> steps;
  bool frozen = false;
  std::string pty;
  std::string tcp;
  std::string speed = "real";
  bool strict_baud = false;
  bool strict_baud_given = false;
  std::string format = "7e1";
  bool format_given = false;
  bool parity_bit = false;
  bool odd = false;
  bool echo = false;
  std::vector<std::string> faults;
  double fault_rate = 0.1;
  std::uint64_t seed = 1;
  double hangup_s = 2;
  std::uint64_t readouts = 0;
  std::string log;
  bool quiet = false;
};

constexpr const char* kSummary =
    "Simulates an electricity meter with an IEC 62056-21 interface (or a meter that sends by itself, as P1 ports do) "
    "on a "
    "pseudo-terminal or a TCP port, with the timing of a real line.";

constexpr const char* kExamples = R"(Examples:
  An MT372 behind an optical head; vzlogger's device is then /tmp/meter:
    vzmetersim --pty /tmp/meter
  A customer interface on an M-Bus that sends every second, encrypted:
    vzmetersim --meter mbus --mode push --period 1 --key 000102030405060708090A0B0C0D0E0F --pty /tmp/bus
  The MT372 behind a serial server, at TCP port 7000 of this machine:
    vzmetersim --tcp 7000
  Any captured telegram; mode, identification and check value are taken from the file:
    vzmetersim --telegram readout.bin --pty /tmp/meter
  A DSMR meter that sends every second:
    vzmetersim --telegram p1.txt --mode push --period 1 --pty /tmp/p1
  A fifth of the readouts is damaged, the same ones in every run:
    vzmetersim --pty /tmp/meter --faults flip,lost,truncate,silence --fault-rate 0.2 --seed 7
  Ten thousand readouts as fast as they go, every event in a file:
    vzmetersim --tcp 0 --speed unlimited --reaction 0 --readouts 10000 --log sim.jsonl --quiet

Once the line is there, one line on stdout says so: `ready on /tmp/meter`, `ready on 127.0.0.1:7000`.
The link has the settings of a real port: whoever opens it sets 300 Bd and follows the meter's speed change, or gets
garbage (--no-strict-baud forgives). Parity cannot be seen on a pseudo-terminal.)";

void add_meter_options(CLI::App& app, Typed& typed) {
  const char* const group = "Meter";
  app.add_option("--meter", typed.meter,
                 "Built-in meter: mt372 is asked (IEC 62056-21), ehz sends SML, mbus is on a wired M-Bus (with --mode push it sends by itself)")
      ->check(CLI::IsMember({"mt372", "ehz", "mbus"}))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  app.add_option("--telegram", typed.telegram,
                 "A telegram file instead: raw bytes, with or without identification line, STX, ETX and BCC, or P1 CRC; or an SML frame")
      ->excludes("--meter")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--identification", typed.identification, "Identification line, e.g. /ISK5MT174")
      ->type_name("LINE")
      ->group(group);
  app.add_option("--mode", typed.mode,
                 "A, B, C, E: on request (A: an SML request, for SML); D, push: by itself (default: as the identification "
                 "shows)")
      ->check(CLI::IsMember({"A", "B", "C", "D", "E", "push"}, CLI::ignore_case))
      ->type_name("MODE")
      ->group(group);
  app.add_option("--check", typed.check, "Check value to send: bcc, none or crc16 (default: as in the telegram)")
      ->check(CLI::IsMember({"bcc", "none", "crc16"}, CLI::ignore_case))
      ->type_name("KIND")
      ->group(group);
  app.add_option("--address", typed.address, "Device address (mt372: 58231541); requests with another one are ignored")
      ->type_name("TEXT")
      ->group(group);
  app.add_option("--baud", typed.baud,
                 "First speed (300; meters that send by themselves: D 2400, P1 115200, else 9600)")
      ->check(CLI::IsMember({300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200}))
      ->type_name("BAUD")
      ->group(group);
  app.add_option("--reaction", typed.reaction_ms, "Reaction time in ms (200; 20 if the third letter is lower case)")
      ->check(CLI::Range(0.0, 10000.0))
      ->type_name("MS")
      ->group(group);
  app.add_option("--recovery", typed.recovery_s,
                 "Seconds after a readout in which requests are ignored (3 for the mt372 at real speed, else 0)")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("SECONDS")
      ->group(group);
  app.add_option("--no-ack", typed.no_ack,
                 "Without a right acknowledgement: continue (at 300 after 2.2 s) or silent "
                 "(mt372: silent, else continue)")
      ->check(CLI::IsMember({"continue", "silent"}))
      ->type_name("WHAT")
      ->group(group);
  app.add_option("--nak", typed.nak, "After a NAK: repeat the readout (three times at most) or ignore it")
      ->check(CLI::IsMember({"repeat", "ignore"}))
      ->capture_default_str()
      ->type_name("WHAT")
      ->group(group);
  app.add_option("--key", typed.key, "mbus: key of 32 hexadecimal digits, with which telegrams are encrypted")
      ->type_name("HEX")
      ->group(group);
  app.add_option("--security", typed.protection, "mbus: 0 (plain), 5 or 7 (default: 5 with a key, else 0)")
      ->check(CLI::IsMember({"0", "5", "7"}))
      ->type_name("MODE")
      ->group(group);
  app.add_flag("--wakeup", typed.wake_up, "Battery-powered: asleep until 2 s of NULs and a pause")->group(group);
  app.add_option("--period", typed.period_s, "Seconds between telegrams of a meter that sends by itself")
      ->check(CLI::Range(0.001, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS")
      ->group(group);
}

void add_register_options(CLI::App& app, Typed& typed) {
  const char* const group = "Registers";
  app.add_option("--count", typed.counts, "The register rises by RATE an hour, e.g. 1.8.0=2.5; repeatable")
      ->type_name("CODE=RATE")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--step", typed.steps,
                 "The register rises by STEP with every readout (mt372: 1.8.0 and 1.8.1 by 0.001); repeatable")
      ->type_name("CODE=STEP")
      ->allow_extra_args(false)
      ->group(group);
  app.add_flag("--frozen", typed.frozen,
               "Nothing runs: no default steps, and the clock registers 0.9.1, 0.9.2 stand still")
      ->group(group);
}

void add_line_options(CLI::App& app, Typed& typed) {
  const char* const group = "Line";
  app.add_option("--pty", typed.pty, "Open a pseudo-terminal and make the symbolic link LINK to it")
      ->type_name("LINK")
      ->group(group);
  app.add_option("--tcp", typed.tcp, "Listen here (address 127.0.0.1, port 0: any free one)")
      ->type_name("[ADDRESS:]PORT")
      ->excludes("--pty")
      ->group(group);
  app.add_option("--speed", typed.speed, "real: every character takes its time on the line; unlimited: none")
      ->check(CLI::IsMember({"real", "unlimited"}))
      ->capture_default_str()
      ->type_name("HOW")
      ->group(group);
  app.add_flag("--strict-baud,!--no-strict-baud", typed.strict_baud,
               "A reader at the wrong speed gets and gives garbage (pseudo-terminals only; default with --speed real)")
      ->group(group);
  app.add_option("--format", typed.format, "Characters: 7e1 or 8n1 (P1 telegrams: 8n1)")
      ->check(CLI::IsMember({"7e1", "8n1"}, CLI::ignore_case))
      ->capture_default_str()
      ->type_name("FORMAT")
      ->group(group);
  app.add_flag("--parity-bit", typed.parity_bit, "With 8n1: what an 8n1 port sees of a 7e1 meter, parity in bit 7")
      ->group(group);
  app.add_flag("--odd", typed.odd, "With --parity-bit: odd parity, a 7o1 meter")->group(group);
  app.add_flag("--echo", typed.echo, "The optical head returns every character that it gets")->group(group);
}

void add_fault_options(CLI::App& app, Typed& typed) {
  const char* const group = "Faults";
  app.add_option("--faults", typed.faults, "One of these for each faulty readout: " + fault_names())
      ->delimiter(',')
      ->type_name("LIST")
      ->group(group);
  app.add_option("--fault-rate", typed.fault_rate, "Share of the readouts that is faulty")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str()
      ->type_name("SHARE")
      ->group(group);
  app.add_option("--seed", typed.seed, "The same seed gives the same faults")
      ->capture_default_str()
      ->type_name("NUMBER")
      ->group(group);
  app.add_option("--hangup-time", typed.hangup_s, "Seconds that the line stays away after `hangup`")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS")
      ->group(group);
}

void add_run_options(CLI::App& app, Typed& typed) {
  const char* const group = "Run";
  app.add_option("--readouts", typed.readouts, "End after so many readouts (0: never)")
      ->capture_default_str()
      ->type_name("NUMBER")
      ->group(group);
  app.add_option("--log", typed.log, "Write every event into this file, one JSON object a line")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("--quiet", typed.quiet, "No progress on stderr")->group(group);
}

/// What is wrong with the command line, in one sentence.
using Complaint = std::string;
template <typename T>
using Parsed = tl::expected<T, Complaint>;

MonoDuration duration_of(double value, double nanoseconds_in_one) {
  return std::chrono::nanoseconds{static_cast<std::int64_t>(value * nanoseconds_in_one)};
}
MonoDuration seconds_of(double value) { return duration_of(value, 1e9); }

Parsed<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return tl::unexpected(fmt::format("{}: cannot open the telegram: {}", path, std::strerror(errno)));
  std::string bytes(kMaxTelegram + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (file.bad()) return tl::unexpected(fmt::format("{}: cannot read the telegram: {}", path, std::strerror(errno)));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

Parsed<Telegram> telegram_of(const Typed& typed) {
  Telegram telegram = typed.meter == "ehz" ? ehz() : mt372();
  if (!typed.telegram.empty()) {
    const auto raw = read_file(typed.telegram);
    if (!raw) return tl::unexpected(raw.error());
    auto parsed = parse_telegram(*raw);
    if (!parsed) {
      parsed.error().where = typed.telegram;
      return tl::unexpected(parsed.error().text());
    }
    telegram = std::move(*parsed);
  }
  if (!typed.identification.empty()) telegram.identification = typed.identification;
  const std::string check = upper(typed.check);
  if (telegram.check == Check::sml && !check.empty()) return tl::unexpected(Complaint{"--check: an SML telegram has its own"});
  if (check == "NONE") telegram.check = Check::none;
  if (check == "BCC") telegram.check = Check::bcc;
  if (check == "CRC16") telegram.check = Check::crc16;
  if (telegram.check == Check::crc16 && telegram.block.rfind('!') == std::string::npos) {
    return tl::unexpected(Complaint{"--check crc16: the telegram has no closing `!`"});
  }
  return telegram;
}

Mode mode_from(const Typed& typed, const Telegram& telegram) {
  const std::string mode = upper(typed.mode);
  if (mode == "A") return Mode::a;
  if (mode == "B") return Mode::b;
  if (mode == "C") return Mode::c;
  if (mode == "D") return Mode::d;
  if (mode == "E") return Mode::e;
  if (mode == "PUSH" || telegram.check == Check::crc16 || telegram.check == Check::sml) return Mode::push;
  return mode_of(telegram.identification);
}

unsigned initial_baud(const Typed& typed, Mode mode, Check check) {
  if (typed.baud) return *typed.baud;
  if (check == Check::sml) return 9600;
  if (mode == Mode::d) return 2400;
  if (mode == Mode::push) return check == Check::crc16 ? 115200 : 9600;
  return 300;
}

Parsed<ByteForm> form_of(const Typed& typed, const Telegram& telegram) {
  const bool p1 = (telegram.check == Check::crc16 || telegram.check == Check::sml) && !typed.format_given;
  const bool eight = p1 || upper(typed.format) == "8N1";
  if (typed.parity_bit) {
    if (!eight) return tl::unexpected(Complaint{"--parity-bit: it only shows on an 8n1 port: add --format 8n1"});
    return typed.odd ? ByteForm::odd : ByteForm::parity;
  }
  if (typed.odd) return tl::unexpected(Complaint{"--odd: it goes with --parity-bit"});
  if (eight) return ByteForm::eight;
  const auto high = [](char c) { return static_cast<unsigned char>(c) > 0x7F; };
  if (std::any_of(telegram.block.begin(), telegram.block.end(), high)) {
    return tl::unexpected(
        Complaint{"the telegram has characters of eight bits, which 7e1 cannot carry: add --format 8n1"});
  }
  return ByteForm::seven;
}

Parsed<Counter> counter_of(const std::string& text, Counter::Per per, std::string_view option) {
  const auto equals = text.find('=');
  double amount = 0;
  const char* const end = text.data() + text.size();
  const char* begin = equals == std::string::npos ? end : text.data() + equals + 1;
  if (begin != end && *begin == '+') ++begin;
  const auto [stop, error] = std::from_chars(begin, end, amount);
  if (equals == std::string::npos || equals == 0 || error != std::errc{} || stop != end || !(std::abs(amount) <= 1e9)) {
    return tl::unexpected(fmt::format("{} {}: expected CODE=NUMBER, e.g. 1.8.0=2.5", option, text));
  }
  return Counter{.address = text.substr(0, equals), .amount = amount, .per = per};
}

Parsed<std::vector<Counter>> counters_of(const Typed& typed) {
  std::vector<Counter> counters;
  const auto take = [&](const std::vector<std::string>& texts, Counter::Per per,
                        std::string_view option) -> Parsed<void> {
    for (const std::string& text : texts) {
      auto counter = counter_of(text, per, option);
      if (!counter) return tl::unexpected(counter.error());
      for (const Counter& other : counters) {
        if (other.address == counter->address)
          return tl::unexpected(fmt::format("{} {}: that register already runs", option, text));
      }
      counters.push_back(std::move(*counter));
    }
    return {};
  };
  if (auto taken = take(typed.counts, Counter::Per::hour, "--count"); !taken) return tl::unexpected(taken.error());
  if (auto taken = take(typed.steps, Counter::Per::readout, "--step"); !taken) return tl::unexpected(taken.error());
  if (!typed.telegram.empty() || typed.frozen || typed.meter != "mt372") return counters;
  for (const char* const address : {"1.8.0", "1.8.1"}) {
    const auto named = [&](const Counter& counter) { return reduced(counter.address) == address; };
    if (std::none_of(counters.begin(), counters.end(), named))
      counters.push_back({address, 0.001, Counter::Per::readout});
  }
  return counters;
}

Parsed<FaultPlan> faults_of(const Typed& typed) {
  FaultPlan plan{.kinds = {}, .rate = typed.fault_rate, .seed = typed.seed};
  for (const std::string& name : typed.faults) {
    const auto fault = parse_fault(name);
    if (!fault)
      return tl::unexpected(fmt::format("--faults {}: there is no such fault; there are {}", name, fault_names()));
    plan.kinds.push_back(*fault);
  }
  return plan;
}

std::tm local_time(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return local;
}

/// Third letter in lower case: the meter is quick (IEC 62056-21, 6.3.2).
MonoDuration default_reaction(std::string_view identification) {
  const bool quick = identification.size() > 3 && identification[3] >= 'a' && identification[3] <= 'z';
  return quick ? milliseconds{20} : milliseconds{200};
}

Parsed<MeterSettings> meter_of(const Typed& typed) {
  auto telegram = telegram_of(typed);
  if (!telegram) return tl::unexpected(telegram.error());
  auto form = form_of(typed, *telegram);
  if (!form) return tl::unexpected(form.error());
  auto counters = counters_of(typed);
  if (!counters) return tl::unexpected(counters.error());
  auto faults = faults_of(typed);
  if (!faults) return tl::unexpected(faults.error());

  const bool built_in = typed.telegram.empty() && typed.meter == "mt372";
  const bool real = typed.speed == "real";
  MeterSettings meter;
  meter.mode = mode_from(typed, *telegram);
  meter.initial_baud = initial_baud(typed, meter.mode, telegram->check);
  meter.reaction =
      typed.reaction_ms ? duration_of(*typed.reaction_ms, 1e6) : default_reaction(telegram->identification);
  meter.recovery = seconds_of(typed.recovery_s.value_or(built_in && real ? 3 : 0));
  meter.no_ack = (typed.no_ack.empty() ? built_in : typed.no_ack == "silent") ? NoAck::silent : NoAck::go_on;
  meter.on_nak = typed.nak == "repeat" ? OnNak::repeat : OnNak::ignore;
  meter.wake_up = typed.wake_up ? WakeUp::needed : WakeUp::not_needed;
  meter.period = seconds_of(typed.period_s);
  meter.clock = typed.frozen ? Registers::Clock::stands : Registers::Clock::runs;
  meter.address = typed.address.value_or(built_in ? "58231541" : "");
  meter.hangup_time = seconds_of(typed.hangup_s);
  meter.readouts = typed.readouts;
  meter.local_time = local_time;
  meter.telegram = std::move(*telegram);
  meter.form = *form;
  meter.counters = std::move(*counters);
  meter.faults = std::move(*faults);
  return meter;
}

/// The settings of --meter mbus.
Parsed<BusSettings> bus_of(const Typed& typed) {
  BusSettings bus;
  if (!typed.telegram.empty() || !typed.faults.empty() || !typed.counts.empty())
    return tl::unexpected(Complaint{"--meter mbus: --telegram, --faults and --count are not for it"});
  if (!typed.mode.empty() && upper(typed.mode) != "PUSH")
    return tl::unexpected(Complaint{"--meter mbus: it is asked, or sends by itself with --mode push"});
  if (!typed.key.empty()) {
    bus.key = parse_aes_key(typed.key);
    if (!bus.key) return tl::unexpected(Complaint{"--key: expected 32 hexadecimal digits"});
    bus.protection = Protection::mode5;
  }
  if (typed.protection == "0") bus.protection = Protection::none;
  if (typed.protection == "5") bus.protection = Protection::mode5;
  if (typed.protection == "7") bus.protection = Protection::mode7;
  if (bus.protection != Protection::none && !bus.key)
    return tl::unexpected(fmt::format("--security {}: needs a --key", typed.protection));
  if (typed.address) {
    const char* const end = typed.address->data() + typed.address->size();
    const auto [stop, error] = std::from_chars(typed.address->data(), end, bus.address);
    if (error != std::errc{} || stop != end || bus.address > 250)
      return tl::unexpected(fmt::format("--address {}: expected 0 to 250", *typed.address));
  }
  for (const std::string& step : typed.steps) {
    auto counter = counter_of(step, Counter::Per::readout, "--step");
    if (!counter) return tl::unexpected(counter.error());
    if (reduced(counter->address) != "1.8.0" || counter->amount < 0)
      return tl::unexpected(fmt::format("--step {}: the mbus meter counts 1.8.0 only, in Wh, and upwards", step));
    bus.step_wh = static_cast<std::uint64_t>(counter->amount);
  }
  if (typed.frozen) bus.step_wh = 0;
  if (!typed.mode.empty()) bus.role = BusSettings::Role::sends;
  if (typed.baud) bus.baud = *typed.baud;
  if (typed.reaction_ms) bus.reaction = duration_of(*typed.reaction_ms, 1e6);
  bus.period = seconds_of(typed.period_s);
  bus.readouts = typed.readouts;
  bus.local_time = local_time;
  return bus;
}

/// "[ADDRESS:]PORT"; an IPv6 address stands in brackets.
Parsed<void> split_endpoint(const std::string& text, RunSettings& setup) {
  const auto colon = text.rfind(':');
  setup.tcp_port = colon == std::string::npos ? text : text.substr(colon + 1);
  std::string address = colon == std::string::npos ? "127.0.0.1" : text.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  unsigned number = 0;
  const char* const end = setup.tcp_port.data() + setup.tcp_port.size();
  const auto [stop, error] = std::from_chars(setup.tcp_port.data(), end, number);
  if (address.empty() || error != std::errc{} || stop != end || number > 65535) {
    return tl::unexpected(fmt::format("--tcp {}: expected [ADDRESS:]PORT, e.g. 7000 or 0.0.0.0:7000", text));
  }
  setup.tcp_address = address;
  return {};
}

Parsed<RunSettings> setup_of(const Typed& typed) {
  if (typed.pty.empty() && typed.tcp.empty()) {
    return tl::unexpected(Complaint{"say where the meter is: --pty LINK or --tcp [ADDRESS:]PORT"});
  }
  RunSettings setup;
  if (typed.meter == "mbus") {
    auto bus = bus_of(typed);
    if (!bus) return tl::unexpected(bus.error());
    setup.bus = std::move(*bus);
  } else {
    auto meter = meter_of(typed);
    if (!meter) return tl::unexpected(meter.error());
    setup.meter = std::move(*meter);
  }
  setup.pty_link = typed.pty;
  if (!typed.tcp.empty()) {
    if (auto split = split_endpoint(typed.tcp, setup); !split) return tl::unexpected(split.error());
    if (typed.strict_baud_given && typed.strict_baud) {
      return tl::unexpected(Complaint{"--strict-baud: a reader's speed cannot be seen over TCP: use --pty"});
    }
  }
  const bool real = typed.speed == "real";
  setup.line.pace = real ? Pace::real : Pace::unlimited;
  const bool strict = (typed.strict_baud_given ? typed.strict_baud : real) && !typed.pty.empty();
  setup.line.baud_check = strict ? BaudCheck::strict : BaudCheck::off;
  setup.line.echo = typed.echo ? Echo::on : Echo::off;
  setup.log = typed.log;
  setup.progress = typed.quiet ? Journal::Progress::quiet : Journal::Progress::shown;
  return setup;
}

constexpr int kUsage = 64;  // EX_USAGE

}  // namespace

std::variant<RunSettings, CommandEnd> parse_command_line(std::vector<std::string> arguments) {
  Typed typed;
  CLI::App app(kSummary, "vzmetersim");
  app.footer(kExamples);
  app.set_version_flag("-V,--version", std::string{"vzmetersim "} + kVersion);
  add_meter_options(app, typed);
  add_register_options(app, typed);
  add_line_options(app, typed);
  add_fault_options(app, typed);
  add_run_options(app, typed);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    const int code = app.exit(error, text, text);
    return CommandEnd{code == 0 ? 0 : kUsage, text.str()};
  }
  // CLI11 fills a flag that has a negative form even if it was not given.
  typed.strict_baud_given = app.count("--strict-baud") > 0;
  typed.format_given = app.count("--format") > 0;
  auto setup = setup_of(typed);
  if (!setup) return CommandEnd{kUsage, "vzmetersim: " + setup.error() + "\nRun with --help for more information.\n"};
  return std::move(*setup);
}

}  // namespace vz::metersim
