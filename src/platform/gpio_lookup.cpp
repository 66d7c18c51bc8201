// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/gpio_lookup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "platform/wait.hpp"

namespace vz::platform {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolder = "/dev/";

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

unsigned number_in(const fs::path& path) {
  const std::string text = first_line(path);
  unsigned value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The character device of a chip stands as a folder beside its old entry.
std::string character_device(const fs::path& entry) {
  std::error_code failed;
  for (fs::directory_iterator at{entry / "device", failed}, end; !failed && at != end; at.increment(failed)) {
    std::string name = at->path().filename().string();
    if (name.starts_with("gpiochip")) return name;
  }
  return {};
}

std::string listing(std::span<const GpioChip> chips) {
  std::string text;
  for (const auto& chip : chips) {
    if (!text.empty()) text += ", ";
    text += chip.error != 0 ? fmt::format("{} ({})", chip.name, errno_text(chip.error))
                            : fmt::format("{} ({}, lines 0 to {})", chip.name, chip.label, chip.lines - 1);
  }
  return text;
}

/// The chip with the pins of a Raspberry Pi's header; its old numbers began at 0.
bool is_raspberry(const GpioChip& chip) { return chip.label.starts_with("pinctrl-bcm") || chip.label == "pinctrl-rp1"; }

Error no_chips(std::span<const GpioChip> chips, int number) {
  const std::string where = fmt::format("GPIO {}", number);
  if (chips.empty())
    return {"this machine has no GPIO chip (there is no /dev/gpiochip0)", where,
            "in a container or a service with a closed device list it has to be let through", ENODEV};
  return {fmt::format("no GPIO chip can be opened: {}", listing(chips)), where,
          "let the service's user read them: on a Raspberry Pi they belong to the group gpio; see docs/s0.md", chips.front().error};
}

/// The character device of a range, by the kernel's word or by its label and size, if only one fits.
const GpioChip* chip_of(const SysfsGpioRange& range, std::span<const GpioChip> chips) {
  const GpioChip* found = nullptr;
  for (const auto& chip : chips) {
    if (chip.error != 0) continue;
    if (!range.chip.empty() && chip.name == range.chip) return &chip;
    if (chip.label != range.label || chip.lines != range.lines) continue;
    if (found != nullptr && range.chip.empty()) return nullptr;
    found = &chip;
  }
  return found;
}

GpioPlace place(const GpioChip& chip, unsigned line, int number) {
  return {chip.name, line,
          fmt::format("GPIO {} is line {} of {} ({}). To say so in the configuration: \"gpiochip\": \"{}\", and that line number",
                      number, line, chip.name, chip.label, chip.name)};
}

}  // namespace

std::vector<SysfsGpioRange> sysfs_gpio_ranges(const std::string& root) {
  std::vector<SysfsGpioRange> ranges;
  std::error_code failed;
  for (fs::directory_iterator at{root, failed}, end; !failed && at != end; at.increment(failed)) {
    if (!at->path().filename().string().starts_with("gpiochip")) continue;
    SysfsGpioRange range{number_in(at->path() / "base"), number_in(at->path() / "ngpio"), first_line(at->path() / "label"),
                         character_device(at->path())};
    if (range.lines > 0) ranges.push_back(std::move(range));
  }
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.base < b.base; });
  return ranges;
}

Expected<GpioPlace> find_gpio(const GpioLines& wanted, int number, std::span<const GpioChip> chips,
                              std::span<const SysfsGpioRange> sysfs) {
  const auto line = static_cast<unsigned>(number);
  if (!wanted.chip.empty()) {
    std::string name = wanted.chip.starts_with(kFolder) ? wanted.chip.substr(kFolder.size()) : wanted.chip;
    const auto labelled = std::find_if(chips.begin(), chips.end(), [&](const GpioChip& chip) { return chip.label == name; });
    if (labelled != chips.end()) name = labelled->name;
    return GpioPlace{std::move(name), line, {}};
  }
  if (std::all_of(chips.begin(), chips.end(), [](const GpioChip& chip) { return chip.error != 0; }))
    return tl::unexpected(no_chips(chips, number));
  if (!wanted.raspberry) {
    for (const auto& range : sysfs) {
      if (line < range.base || line >= range.base + range.lines) continue;
      if (const GpioChip* chip = chip_of(range, chips)) return place(*chip, line - range.base, number);
      return tl::unexpected(Error{
          fmt::format("it is line {} of a chip \"{}\", but more than one chip may be that", line - range.base, range.label),
          fmt::format("GPIO {}", number),
          fmt::format("write \"gpiochip\": \"gpiochip...\", and {} as the line's number; there are {}", line - range.base, listing(chips)),
          EINVAL});
    }
  }
  // Newer kernels number from 512 on, or no more; files from before that mean the chip that began at 0.
  const GpioChip* meant = nullptr;
  for (const auto& chip : chips)
    if (is_raspberry(chip) && meant == nullptr) meant = &chip;
  if (meant == nullptr && chips.size() == 1 && !wanted.raspberry) meant = &chips.front();
  if (meant != nullptr && line < meant->lines) return place(*meant, line, number);
  return tl::unexpected(Error{"this number belongs to no GPIO chip", fmt::format("GPIO {}", number),
                              fmt::format("write \"gpiochip\" and the line's number on it; there are {}", listing(chips)), EINVAL});
}

}  // namespace vz::platform
