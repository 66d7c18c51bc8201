// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/process.hpp"

namespace vz::e2e {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Exit;
using test::Process;
using Stream = Process::Stream;
using Json = nlohmann::ordered_json;

inline std::string program(std::string_view name) { return fmt::format("{}/{}", VZ_BIN_DIR, name); }

/// A folder for the state of daemons that are given none of their own, gone with the process.
inline const std::string& state_folder() {
  struct State {
    std::string path = (std::filesystem::temp_directory_path() / "vz-e2e-state-XXXXXX").string();
    State() {
      if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
    }
    ~State() {
      std::error_code ignored;  // a daemon in the background may still put something into it
      std::filesystem::remove_all(path, ignored);
    }
  };
  static const State state;
  return state.path;
}

/// No program of a test talks to a service manager or through a proxy unless the test wants it to.
inline test::ProcessOptions plain(test::ProcessOptions options = {}) {
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "http_proxy", "HTTP_PROXY",
                           "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    const auto same = [&](const auto& change) { return change.first == name; };
    if (std::none_of(options.environment.begin(), options.environment.end(), same))
      options.environment.emplace_back(name, std::nullopt);
  }
  options.environment.emplace_back("RUNTIME_DIRECTORY", state_folder());
  options.environment.emplace_back("STATE_DIRECTORY", state_folder());
  return options;
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// A folder of its own, gone at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "vz-e2e-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Waits until the file of that name holds `part`; its text, or nothing at the deadline.
  [[nodiscard]] std::optional<std::string> wait_for_text(const std::string& name, std::string_view part,
                                                         seconds patience = Process::kDeadline) const {
    const int watch = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    ::inotify_add_watch(watch, path_.c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO);
    const auto end = std::chrono::steady_clock::now() + patience;
    std::optional<std::string> found;
    while (true) {
      std::string text = read_text(path_ / name);
      if (text.find(part) != std::string::npos) found = std::move(text);
      const auto left = std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now()).count();
      if (found || left <= 0) break;
      pollfd wanted{watch, POLLIN, 0};
      ::poll(&wanted, 1, static_cast<int>(left));
      std::array<char, 4096> events;
      while (::read(watch, events.data(), events.size()) > 0) {
      }
    }
    ::close(watch);
    return found;
  }

 private:
  std::filesystem::path path_;
};

/// One readout that the simulated meter finished.
struct Readout {
  std::map<std::string, std::string> values;
  bool damaged = false;
  std::int64_t first_ms = 0;  ///< wall clock at the first byte of the data block
  std::int64_t last_ms = 0;
  std::int64_t connected_ms = 0;  ///< over TCP: since when the reader was connected
};

struct Stored {
  std::int64_t ms = 0;
  double value = 0;
};

/// A simulated meter: the program, where it is to be reached, and what it did.
class Sim {
 public:
  /// `name` is that of its files in `folder`; without --pty or --tcp among `arguments` it listens on TCP. Everything as
  /// fast as it goes, unless the arguments say otherwise.
  Sim(const Folder& folder, std::string name, std::vector<std::string> arguments) : log_(folder / (name + ".jsonl")) {
    const auto given = [&](const char* option) {
      return std::find(arguments.begin(), arguments.end(), option) != arguments.end();
    };
    std::vector<std::string> argv{program("vzmetersim"), "--log", log_};
    if (!given("--pty") && !given("--tcp")) argv.insert(argv.end(), {"--tcp", "0"});
    if (!given("--speed")) argv.insert(argv.end(), {"--speed", "unlimited", "--reaction", "0"});
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    process_ = std::make_unique<Process>(std::move(argv), plain());
    const auto ready = process_->wait_for_line("ready on ");
    if (!ready) throw std::runtime_error("vzmetersim: " + process_->output(Stream::err));
    endpoint_ = ready->substr(ready->find("ready on ") + 9);
  }

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  [[nodiscard]] Process& process() { return *process_; }
  void stop() {
    process_->send(SIGTERM);
    process_->wait_exit();
  }
  /// Passes `count` lines that tell of a finished readout.
  [[nodiscard]] bool wait_readouts(int count) {
    while (count-- > 0)
      if (!process_->wait_for_line(": readout ", Stream::err)) return false;
    return true;
  }

  [[nodiscard]] std::vector<Json> events(std::string_view name) const {
    std::vector<Json> found;
    std::ifstream file(log_);
    for (std::string line; std::getline(file, line);) {
      Json event = Json::parse(line, nullptr, false);
      if (!event.is_discarded() && (name.empty() || event["event"] == name)) found.push_back(std::move(event));
    }
    return found;
  }

  [[nodiscard]] std::vector<Readout> readouts() const {
    std::vector<Readout> result;
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::int64_t connected = 0;
    for (const Json& event : events({})) {
      const auto& name = event["event"];
      if (name == "connected") connected = event["wall_ms"];
      if (name == "block_first_byte") first = event["wall_ms"];
      if (name == "block_last_byte") last = event["wall_ms"];
      if (name != "readout") continue;
      Readout& readout = result.emplace_back();
      readout.values = event["values"].get<std::map<std::string, std::string>>();
      readout.damaged = event["damaged"];
      readout.first_ms = first;
      readout.last_ms = last;
      readout.connected_ms = connected;
    }
    return result;
  }
  [[nodiscard]] std::vector<Readout> whole_readouts() const {
    auto all = readouts();
    all.erase(std::remove_if(all.begin(), all.end(), [](const Readout& r) { return r.damaged; }), all.end());
    return all;
  }

 private:
  std::string log_;
  std::string endpoint_;
  std::unique_ptr<Process> process_;
};

/// vzmiddleware over a database in `folder`; start() again goes on at the same address.
class Middleware {
 public:
  Middleware(const Folder& folder, std::vector<std::string> channels) : folder_(folder), channels_(std::move(channels)) {}

  void start(std::vector<std::string> arguments = {}) {
    std::vector<std::string> argv{program("vzmiddleware"), "--db", folder_ / "db.sqlite", "--log-requests", "--port", port_};
    for (const auto& uuid : channels_)
      argv.insert(argv.end(), {"--create", "type=electric meter,title=test,resolution=1,uuid=" + uuid});
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    process_ = std::make_unique<Process>(std::move(argv), plain());
    const auto line = process_->wait_for_line("listening on ");
    if (!line) throw std::runtime_error("vzmiddleware: " + process_->output(Stream::err));
    url_ = line->substr(line->find("http"));
    port_ = url_.substr(url_.rfind(':') + 1);
    port_ = port_.substr(0, port_.find('/'));
  }
  void stop() {
    if (!process_) return;
    process_->send(SIGTERM);
    process_->wait_exit();
    process_.reset();
  }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] Process& process() { return *process_; }

  /// Waits until `count` more rows have been stored.
  [[nodiscard]] bool wait_rows(std::size_t count) {
    std::size_t rows = 0;
    while (rows < count) {
      const auto line = process_->wait_for_line(" 200 ");
      if (!line) return false;
      rows += std::strtoul(line->c_str() + line->find(" 200 ") + 5, nullptr, 10);
    }
    return true;
  }

  [[nodiscard]] std::vector<Stored> stored(const std::string& uuid) const {
    Process dump({program("vzmiddleware"), "--db", folder_ / "db.sqlite", "--dump", uuid}, plain());
    dump.wait_exit();
    std::vector<Stored> rows;
    std::istringstream text(dump.output());
    for (Stored row; text >> row.ms >> row.value;) rows.push_back(row);
    return rows;
  }

 private:
  const Folder& folder_;
  std::vector<std::string> channels_;
  std::string port_ = "0";
  std::string url_;
  std::unique_ptr<Process> process_;
};

/// A uuid that is as good as any: `number` in its last digits.
inline std::string uuid(int number) { return fmt::format("00000000-1111-2222-3333-{:012d}", number); }

inline Json channel(const std::string& uuid, const std::string& middleware, const std::string& identifier = "1.8.0") {
  Json channel{{"uuid", uuid}, {"identifier", identifier}, {"api", middleware.empty() ? "null" : "volkszaehler"},
               {"aggmode", "none"}};
  if (!middleware.empty()) channel["middleware"] = middleware;
  return channel;
}

/// A d0 meter that is asked, at `endpoint`: a path is a device, anything else a host.
inline Json pulled(const std::string& endpoint, Json channels) {
  return {{"enabled", true},
          {"protocol", "d0"},
          {endpoint.starts_with('/') ? "device" : "host", endpoint},
          {"pullseq", "2F3F210D0A"},
          {"ackseq", "auto"},
          {"baudrate", 300},
          {"interval", -1},
          {"channels", std::move(channels)}};
}

inline std::string config(Json meters, int verbosity = 5, Json more = Json::object()) {
  Json all{{"retry", 0}, {"verbosity", verbosity}, {"meters", std::move(meters)}};
  all.update(more);
  return all.dump(1);
}

inline std::string write_config(const Folder& folder, const std::string& text, const std::string& name = "vzlogger.conf") {
  std::ofstream(folder / name) << text;
  return folder / name;
}

/// With the state of the daemon in that folder, too.
inline test::ProcessOptions in_folder(const Folder& folder, test::ProcessOptions options) {
  options = plain(std::move(options));
  for (auto& [name, value] : options.environment)
    if (name == "RUNTIME_DIRECTORY" || name == "STATE_DIRECTORY") value = folder.path().string();
  return options;
}

/// vzlogger in the foreground with that configuration.
inline std::unique_ptr<Process> run_daemon(const Folder& folder, const std::string& text,
                                           test::ProcessOptions options = {}) {
  return std::make_unique<Process>(
      std::vector<std::string>{program("vzlogger"), "-f", "-c", write_config(folder, text)}, in_folder(folder, std::move(options)));
}

/// A scheduler between the byte and the look at the clock; the measurements at real speed know the true figure.
inline constexpr milliseconds kSlack{100};
/// A device's characters are taken to have come at the line's speed, so what a pseudo terminal brings in one piece seems
/// to have begun earlier, by what the block would have taken.
inline constexpr milliseconds kUnpacedPty{400};

/// What the database has is what the meter sent undamaged: every value once, none more, with a stamp inside the readout.
/// A channel without aggregation over a register that differs in every readout. `early`: by how much a stamp may lie
/// before the readout.
inline void expect_same(const std::vector<Readout>& sent, const std::vector<Stored>& stored,
                        const std::string& code = "1.8.0", milliseconds early = kSlack) {
  std::map<double, int> seen;
  for (const Stored& row : stored) ++seen[row.value];
  std::map<double, const Readout*> wanted;
  for (const Readout& readout : sent) wanted[std::strtod(readout.values.at(code).c_str(), nullptr)] = &readout;
  ASSERT_EQ(wanted.size(), sent.size()) << "the register must differ in every readout";
  for (const auto& [value, readout] : wanted) EXPECT_EQ(seen[value], 1) << "value " << value;
  for (const Stored& row : stored) {
    const auto it = wanted.find(row.value);
    ASSERT_NE(it, wanted.end()) << "invented: " << row.value;
    EXPECT_GE(row.ms, it->second->first_ms - early.count()) << "value " << row.value;
    EXPECT_LE(row.ms, it->second->last_ms + kSlack.count()) << "value " << row.value;
  }
}

}  // namespace vz::e2e
