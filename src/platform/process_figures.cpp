// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/process_figures.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/fd.hpp"

namespace vz {
namespace {

constexpr std::size_t kMaxFile = 4096;

std::string read_file(const char* path) {
  const platform::Fd file{::open(path, O_RDONLY | O_CLOEXEC)};
  if (!file) return {};
  std::string text(kMaxFile, '\0');
  const ssize_t count = ::read(file.get(), text.data(), text.size());
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text;
}

/// The fields of /proc/self/stat behind the program's name, which may hold anything: the first is field 3 of proc(5).
std::vector<std::string_view> stat_fields(std::string_view text) {
  const auto name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return {};
  std::vector<std::string_view> fields;
  for (std::string_view rest = text.substr(name_end + 1); !rest.empty();) {
    const auto begin = rest.find_first_not_of(" \n");
    if (begin == std::string_view::npos) break;
    rest.remove_prefix(begin);
    const auto end = std::min(rest.find_first_of(" \n"), rest.size());
    fields.push_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return fields;
}

std::optional<std::uint64_t> number(const std::vector<std::string_view>& fields, std::size_t field) {
  constexpr std::size_t kFirst = 3;
  if (field - kFirst >= fields.size()) return std::nullopt;
  const auto text = fields[field - kFirst];
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::optional<std::uint64_t> count_open_files() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), &::closedir);
  if (!folder) return std::nullopt;
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(folder.get()))
    if (entry->d_name[0] != '.') ++count;
  return count > 0 ? count - 1 : 0;  // without the folder itself
}

}  // namespace

ProcessFigures process_figures() {
  constexpr std::size_t kThreads = 20;
  constexpr std::size_t kStarted = 22;
  constexpr std::size_t kVirtual = 23;
  constexpr std::size_t kResident = 24;
  ProcessFigures figures;
  figures.cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  const std::string text = read_file("/proc/self/stat");
  const auto fields = stat_fields(text);
  figures.threads = number(fields, kThreads);
  figures.virtual_bytes = number(fields, kVirtual);
  if (const auto pages = number(fields, kResident))
    figures.resident_bytes = *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (const auto ticks = number(fields, kStarted))
    figures.start_seconds = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) +
                            static_cast<double>(*ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  figures.open_files = count_open_files();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) figures.max_files = limit.rlim_cur;
  return figures;
}

}  // namespace vz
