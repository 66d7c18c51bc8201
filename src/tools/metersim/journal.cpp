// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/journal.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "tools/metersim/telegram.hpp"

namespace vz::metersim {
namespace {

using Json = nlohmann::ordered_json;

double milliseconds_of(MonoTime time) {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  return static_cast<double>(duration_cast<microseconds>(time.time_since_epoch()).count()) / 1000.0;
}

std::string field(const Event& event, const char* name) {
  const auto it = event.fields.find(name);
  if (it == event.fields.end()) return {};
  return it->is_string() ? it->get<std::string>() : it->dump();
}

/// "1-0:1.8.0 = 00132.151": the register that people look for first; empty if the telegram has none of them.
std::string chief_value(const Json& values) {
  for (const std::string_view wanted : {"1.8.0", "1.8.1", "6.8", "16.7.0"}) {
    for (const auto& [address, value] : values.items()) {
      if (reduced(address) == wanted) return address + " = " + value.get<std::string>();
    }
  }
  return {};
}

std::string readout_line(const Event& event) {
  std::string line = "readout " + field(event, "n");
  if (field(event, "repeat") != "0") line += ", repeated";
  const auto values = event.fields.find("values");
  const std::string chief = values != event.fields.end() ? chief_value(*values) : std::string{};
  if (!chief.empty()) line += ": " + chief;
  if (field(event, "damaged") == "true") line += " (damaged)";
  return line;
}

}  // namespace

std::string json_line(const Event& event) {
  Json line = Json::object();
  line["event"] = event.name;
  line["mono_ms"] = milliseconds_of(event.at.mono);
  line["wall_ms"] = event.at.wall.time_since_epoch().count();
  if (event.fields.is_object()) {
    for (const auto& [name, value] : event.fields.items()) line[name] = value;
  }
  // A telegram need not be UTF-8.
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string progress_line(const Event& event) {
  const std::string_view name = event.name;
  const auto get = [&](const char* what) { return field(event, what); };
  if (name == "readout") return readout_line(event);
  if (name == "ignored_request") return "request ignored: " + get("reason");
  if (name == "fault") {
    const std::string detail = get("detail");
    return "fault " + get("kind") + (detail.empty() ? "" : ": " + detail);
  }
  if (name == "ack_complete" && get("valid") == "false") return "acknowledgement refused: " + get("reason");
  if (name == "no_ack") return "no valid acknowledgement, then: " + get("then");
  if (name == "nak") return get("repeats") == "true" ? "NAK: the readout is repeated" : "NAK ignored";
  if (name == "break") return "break: the session has ended";
  if (name == "baud_mismatch") {
    return fmt::format("the reader is at {} Bd, the line at {} Bd: {} garbage", get("peer"), get("line"),
                       get("direction") == "received" ? "the meter hears" : "the reader gets");
  }
  if (name == "link_reset") return "link reset";
  if (name == "selection") return get("matches") == "true" ? "selected" : "another meter is selected";
  if (name == "unacknowledged") return "nobody acknowledges telegram " + get("n");
  if (name == "hangup") return "the line hangs up";
  if (name == "return") return "the line is back: " + get("on");
  if (name == "connected") return "a reader has connected";
  if (name == "disconnected") return "the reader has gone";
  if (name == "refused") return "a second reader was turned away: one at a time";
  return {};
}

Expected<void> Journal::open(const std::string& path) {
  path_ = path;
  file_.reset(std::fopen(path.c_str(), "we"));
  if (file_) return {};
  return tl::unexpected(Error{.what = fmt::format("cannot write the log: {}", std::strerror(errno)),
                              .where = path,
                              .remedy = "choose another file with --log",
                              .code = errno});
}

void Journal::write(const Event& event) {
  if (file_) {
    const std::string line = json_line(event) + '\n';
    std::fwrite(line.data(), 1, line.size(), file_.get());
  }
  if (progress_ == Progress::quiet) return;
  if (const std::string line = progress_line(event); !line.empty()) fmt::print(stderr, "vzmetersim: {}\n", line);
}

void Journal::flush() {
  if (!file_ || failed_) return;
  if (std::fflush(file_.get()) == 0 && std::ferror(file_.get()) == 0) return;
  failed_ = true;
  fmt::print(stderr, "vzmetersim: {}: the log is incomplete: {}\n", path_, std::strerror(errno));
}

}  // namespace vz::metersim
