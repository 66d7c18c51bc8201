// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/serial_ports.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "platform/wait.hpp"

namespace vz::platform {
namespace {

bool starts_with_one_of(const std::string& name, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view p) { return name.starts_with(p); });
}

// Names in `directory` that begin with one of `prefixes`, sorted.
std::vector<std::string> names_in(const std::filesystem::path& directory,
                                  std::initializer_list<std::string_view> prefixes) {
  constexpr std::size_t kMaxEntries = 4096;
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (std::size_t seen = 0; !error && entry != std::filesystem::directory_iterator{} && seen < kMaxEntries; ++seen) {
    if (const std::string name = entry->path().filename(); starts_with_one_of(name, prefixes)) {
      names.push_back(entry->path());
    }
    entry.increment(error);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// What a first read of `path` brings, at most `limit` bytes; "" if it cannot be read.
std::string head_of(const std::string& path, std::size_t limit) {
  std::ifstream in(path, std::ios::binary);
  std::string text(limit, '\0');
  in.read(text.data(), static_cast<std::streamsize>(limit));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::string program_name(pid_t pid) {
  constexpr std::size_t kMaxName = 64;
  std::string name = head_of(fmt::format("/proc/{}/comm", pid), kMaxName);
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name.empty() ? "a program" : name;
}

std::string group_name(gid_t gid) {
  std::array<char, 4096> buffer{};
  group entry{};
  group* found = nullptr;
  if (::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->gr_name;
  return fmt::format("number {}", gid);
}

Error not_there(const std::string& path) {
  const std::string ports = present_serial_ports();
  return {"cannot open: No such file or directory", path,
          ports.empty() ? "there is no serial adapter at all: is it plugged in? `dmesg` tells what the kernel saw"
                        : "serial devices that exist: " + ports,
          ENOENT};
}

Error not_allowed(const std::string& path) {
  struct stat status {};
  std::string remedy = "run as a user who may read and write it";
  if (::stat(path.c_str(), &status) == 0) {
    const std::string name = group_name(status.st_gid);
    remedy = (status.st_mode & S_IRGRP) != 0 && (status.st_mode & S_IWGRP) != 0 && status.st_gid != 0
                 ? fmt::format(
                       "it belongs to the group {0}: `usermod -aG {0} USER` with the user that runs this "
                       "program, then start it again",
                       name)
                 : fmt::format("its mode {:04o} allows group {} no access: a udev rule or chmod can",
                               status.st_mode & 07777U, name);
  }
  return {"cannot open: Permission denied", path, remedy, EACCES};
}

std::string how_to_find_out(const std::string& path) {
  return fmt::format("`fuser -v {}` shows who uses it; often a getty, ModemManager or a second vzlogger", path);
}

template <typename Number>
bool parse(std::string_view text, Number& value, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size();
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t begin = line.find_first_not_of(' ', at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    out.push_back(line.substr(begin, end - begin));
    at = end;
  }
  return out;
}

}  // namespace

std::string present_serial_ports(const std::filesystem::path& dev) {
  std::vector<std::string> names = names_in(dev / "serial/by-id", {""});
  std::vector<std::string> plain = names_in(dev, {"ttyUSB", "ttyACM", "ttyAMA"});
  names.insert(names.end(), std::make_move_iterator(plain.begin()), std::make_move_iterator(plain.end()));
  std::string list;
  for (std::size_t i = 0; i < names.size() && i < kMaxPortsNamed; ++i) list += (list.empty() ? "" : ", ") + names[i];
  if (names.size() > kMaxPortsNamed) list += fmt::format(" and {} more", names.size() - kMaxPortsNamed);
  return list;
}

std::vector<std::string> serial_ports(const std::filesystem::path& dev) {
  std::vector<std::string> names = names_in(dev / "serial/by-id", {""});
  std::vector<std::filesystem::path> known;
  std::error_code ignored;
  for (const std::string& name : names) known.push_back(std::filesystem::canonical(name, ignored));
  for (std::string& plain : names_in(dev, {"ttyUSB", "ttyACM", "ttyAMA"})) {
    const auto target = std::filesystem::canonical(plain, ignored);
    if (std::find(known.begin(), known.end(), target) == known.end()) names.push_back(std::move(plain));
  }
  if (names.size() > kMaxPortsListed) names.resize(kMaxPortsListed);
  return names;
}

// A line is "7: FLOCK  ADVISORY  WRITE 1234 00:05:601 0 EOF": pid, then major:minor (hexadecimal) and inode.
std::optional<pid_t> flock_holder(std::string_view locks, dev_t device, ino_t inode) {
  const std::string wanted = fmt::format("{:02x}:{:02x}:{}", major(device), minor(device), inode);
  while (!locks.empty()) {
    const std::size_t end = std::min(locks.find('\n'), locks.size());
    const auto fields = words(locks.substr(0, end));
    locks.remove_prefix(std::min(end + 1, locks.size()));
    pid_t pid = 0;
    if (fields.size() >= 6 && fields[1] == "FLOCK" && fields[5] == wanted && parse(fields[4], pid, 10) && pid > 0) {
      return pid;
    }
  }
  return std::nullopt;
}

Error serial_open_error(const std::string& path, int code) {
  switch (code) {
    case ENOENT:
    case ENOTDIR: return not_there(path);
    case EACCES:
    case EPERM: return not_allowed(path);
    case EBUSY: return {"cannot open: another program holds it for itself alone", path, how_to_find_out(path), EBUSY};
    case ENOTTY:
    case EISDIR: return {"is not a serial device", path, "check `device` in the configuration", code};
    case ENODEV:
    case ENXIO:
    case EIO:
      return {"cannot open: " + errno_text(code), path, "the device file is there, but no hardware answers behind it",
              code};
    default: return {"cannot open: " + errno_text(code), path, "", code};
  }
}

Error serial_in_use_error(const std::string& path, int fd) {
  constexpr std::size_t kMaxLocks = 64 * 1024;
  struct stat status {};
  if (::fstat(fd, &status) == 0) {
    const auto pid = flock_holder(head_of("/proc/locks", kMaxLocks), status.st_dev, status.st_ino);
    if (pid && *pid == ::getpid()) {
      return {"is already in use by this program", path, "two meters have the same `device`", EBUSY};
    }
    if (pid) {
      return {fmt::format("is in use by {} (process {})", program_name(*pid), *pid), path, "stop that program", EBUSY};
    }
  }
  return {"is in use by another program", path, how_to_find_out(path), EBUSY};
}

}  // namespace vz::platform
