// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/libgpiod_driver.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gpiod.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "platform/wait.hpp"

namespace vz::platform {
namespace {

/// The kernel's queue of a line.
constexpr std::size_t kAtOnce = 16;

struct CloseChip {
  void operator()(gpiod_chip* chip) const { ::gpiod_chip_close(chip); }
};
using Chip = std::unique_ptr<gpiod_chip, CloseChip>;

Chip open_chip(const std::string& name) { return Chip{::gpiod_chip_open(("/dev/" + name).c_str())}; }

class LibgpiodLine final : public GpioLine {
 public:
  LibgpiodLine(Chip chip, gpiod_line* line, std::string where) : chip_(std::move(chip)), line_(line), where_(std::move(where)) {}
  ~LibgpiodLine() override { ::gpiod_line_release(line_); }
  LibgpiodLine(const LibgpiodLine&) = delete;
  LibgpiodLine& operator=(const LibgpiodLine&) = delete;

  [[nodiscard]] int fd() const override { return ::gpiod_line_event_get_fd(line_); }

  Expected<std::size_t> take(std::span<GpioEvent> events) override {
    std::array<gpiod_line_event, kAtOnce> raw{};
    const auto most = static_cast<unsigned>(std::min(events.size(), raw.size()));
    int count = 0;
    do count = ::gpiod_line_event_read_fd_multiple(fd(), raw.data(), most);
    while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EAGAIN) return 0;
    if (count < 0) return tl::unexpected(Error{"the GPIO line cannot be read: " + errno_text(errno), where_, "", errno});
    const auto now = std::chrono::steady_clock::now();
    const auto wall = std::chrono::system_clock::now();
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
      events[i] = {raw[i].event_type == GPIOD_LINE_EVENT_RISING_EDGE, event_time(raw[i].ts, now, wall)};
    return static_cast<std::size_t>(count);
  }

  Expected<bool> level() override {
    const int value = ::gpiod_line_get_value(line_);
    if (value < 0) return tl::unexpected(Error{"the level of the GPIO line cannot be read: " + errno_text(errno), where_, "", errno});
    return value != 0;
  }

 private:
  Chip chip_;
  gpiod_line* line_;
  std::string where_;
};

std::string_view remedy(int code) {
  switch (code) {
    case EACCES:
    case EPERM: return "let the service's user read it: on a Raspberry Pi it belongs to the group gpio; see docs/s0.md";
    case ENOENT: return "is the name right? gpiodetect lists the chips";
    default: return "";
  }
}

Error busy(gpiod_line* line, std::string where) {
  const char* consumer = ::gpiod_line_consumer(line);
  const std::string who = consumer != nullptr ? fmt::format("in use by \"{}\"", consumer) : std::string{"in use by something else"};
  return {"the GPIO line is " + who, std::move(where),
          "one that was exported in /sys/class/gpio is given back by writing its number to /sys/class/gpio/unexport", EBUSY};
}

}  // namespace

MonoTime event_time(timespec stamp, MonoTime now, std::chrono::sys_time<std::chrono::nanoseconds> wall) {
  const std::chrono::nanoseconds time = std::chrono::seconds{stamp.tv_sec} + std::chrono::nanoseconds{stamp.tv_nsec};
  const auto age = now.time_since_epoch() - time;
  const auto wall_age = wall.time_since_epoch() - time;
  return now - (std::chrono::abs(age) <= std::chrono::abs(wall_age) ? age : wall_age);
}

std::vector<GpioChip> LibgpiodDriver::chips() const {
  std::vector<GpioChip> found;
  std::error_code failed;
  for (std::filesystem::directory_iterator at{"/dev", failed}, end; !failed && at != end; at.increment(failed)) {
    GpioChip chip{.name = at->path().filename().string(), .label = {}};
    if (!chip.name.starts_with("gpiochip")) continue;
    if (const Chip open = open_chip(chip.name)) {
      chip.label = ::gpiod_chip_label(open.get());
      chip.lines = ::gpiod_chip_num_lines(open.get());
    } else {
      chip.error = errno;
    }
    found.push_back(std::move(chip));
  }
  std::sort(found.begin(), found.end(), [](const GpioChip& a, const GpioChip& b) {
    return std::pair{a.name.size(), a.name} < std::pair{b.name.size(), b.name};
  });
  return found;
}

Expected<std::unique_ptr<GpioLine>> LibgpiodDriver::request(const std::string& name, unsigned number) {
  const std::string where = fmt::format("line {} of {}", number, name);
  Chip chip = open_chip(name);
  if (!chip) {
    const int code = errno;
    return tl::unexpected(Error{"cannot open the GPIO chip: " + errno_text(code), "/dev/" + name, std::string{remedy(code)}, code});
  }
  gpiod_line* line = ::gpiod_chip_get_line(chip.get(), number);
  if (line == nullptr)
    return tl::unexpected(Error{fmt::format("the chip has no such line, only 0 to {}", ::gpiod_chip_num_lines(chip.get()) - 1U),
                                where, "gpioinfo lists the lines", EINVAL});
  if (::gpiod_line_request_both_edges_events(line, "vzlogger") != 0) {
    const int code = errno;
    if (code == EBUSY) return tl::unexpected(busy(line, where));
    const bool no_edges = code == ENXIO || code == ENODEV || code == EOPNOTSUPP || code == ENOTSUP;
    return tl::unexpected(Error{"the GPIO line cannot be used for its edges: " + errno_text(code), where,
                                no_edges ? "this chip reports no edges; use a line of another one" : "", code});
  }
  auto taken = std::make_unique<LibgpiodLine>(std::move(chip), line, where);
  const int flags = ::fcntl(taken->fd(), F_GETFL);
  if (flags < 0 || ::fcntl(taken->fd(), F_SETFL, flags | O_NONBLOCK) != 0)
    return tl::unexpected(Error{"the GPIO line cannot be set up: " + errno_text(errno), where, "", errno});
  return taken;
}

}  // namespace vz::platform
