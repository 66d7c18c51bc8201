// SPDX-License-Identifier: GPL-3.0-or-later
// vzmetersim: a meter to try a configuration with.
#include <fmt/format.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "tools/metersim/settings.hpp"

namespace {

using namespace vz::metersim;

class SystemClock final : public vz::Clock {
 public:
  [[nodiscard]] vz::Instant now() const override {
    return {std::chrono::steady_clock::now(),
            std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now())};
  }
};

/// A descriptor that becomes readable when somebody asks the program to end.
int stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int fail(const std::string& text) {
  fmt::print(stderr, "vzmetersim: {}\n", text);
  return 1;
}

vz::Expected<std::unique_ptr<Device>> device_of(RunSettings& setup) {
  if (setup.bus) return std::make_unique<BusMeter>(std::move(*setup.bus));
  auto meter = Meter::make(std::move(setup.meter));
  if (!meter) return tl::unexpected(meter.error());
  return std::make_unique<Meter>(std::move(*meter));
}

int simulate(RunSettings setup) {
  const SystemClock clock;
  auto device = device_of(setup);
  if (!device) return fail(device.error().text());
  Device& meter = **device;
  Journal journal(setup.progress);
  if (!setup.log.empty()) {
    if (auto opened = journal.open(setup.log); !opened) return fail(opened.error().text());
  }
  const int stop = stop_signals();
  if (stop < 0) return fail("cannot wait for signals");
  auto port = setup.pty_link.empty() ? make_tcp(setup.tcp_address, setup.tcp_port)
                                     : make_pty(setup.pty_link, meter.baud());
  if (auto opened = port->open(); !opened) return fail(opened.error().text());
  fmt::print("ready on {}\n", port->name());
  std::fflush(stdout);
  Simulator simulator(meter, *port, journal, clock, setup.line);
  auto done = simulator.run(stop);
  close(stop);
  return done ? 0 : fail(done.error().text());
}

}  // namespace

int main(int argc, char** argv) {
  auto parsed = parse_command_line({argv + 1, argv + argc});
  if (const auto* end = std::get_if<CommandEnd>(&parsed)) {
    fmt::print(end->exit_code == 0 ? stdout : stderr, "{}", end->text);
    return end->exit_code;
  }
  return simulate(std::get<RunSettings>(std::move(parsed)));
}
