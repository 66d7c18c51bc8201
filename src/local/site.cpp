// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/site.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "local/json.hpp"
#include "local/target.hpp"
#include "vz/http.hpp"

namespace vz::local {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::size_t kMaxLogged = 100;
constexpr std::size_t kShownOfUuid = 6;
constexpr std::size_t kLongestMethod = 16;

std::optional<WallTime> milliseconds_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return WallTime{std::chrono::milliseconds{value}};
}

/// Of a client's own text, for the log. `text` begins with a slash.
std::string shown(const std::string& text) { return redacted(text).substr(0, kMaxLogged); }

std::string shortened(const std::string& path) {
  return "/..." + path.substr(std::max(path.size(), kShownOfUuid + 1) - kShownOfUuid);
}

bool reads(std::string_view method) { return method == "GET" || method == "HEAD"; }

}  // namespace

Site::Site(Settings settings, const ReadingBoard& board, Pages pages)
    : settings_(std::move(settings)), board_(board), pages_(std::move(pages)) {}

Answer Site::answer(const Request& request) const {
  if (settings_.cors && request.method == "OPTIONS") return Reply{.status = 204, .content_type = {}, .body = {}};
  if (!reads(request.method)) return Reply{.status = 405, .content_type = "text/text", .body = "not implemented\n"};
  return get(request);
}

Answer Site::get(const Request& request) const {
  if (request.target.size() > kMaxTarget) return failure(414, "the request's path and query are too long");
  const auto target = parse_target(request.target);
  if (!target) return failure(400, "the request's path or query cannot be read");
  const std::string_view path = target->path;
  if (path == "/metrics" && pages_.metrics) return pages_.metrics();
  if (path == "/healthz" && pages_.health) return pages_.health();
  if (path == "/" && !settings_.index) return failure(404, "channel index is disabled");
  Readings readings;
  if (path != "/") {
    readings.scope = board_.find(path.substr(1));
    if (!readings.scope) return failure(404, {});
  } else if (board_.empty()) {
    return failure(404, {});
  }
  const std::string* mode = target->argument("mode");
  if (mode == nullptr || *mode != "comet" || request.method == "HEAD") return readings;
  readings.seen = board_.news(readings.scope);
  readings.wait = true;
  if (const std::string* text = target->argument("since")) {
    const auto since = milliseconds_of(*text);
    if (!since) return failure(400, "since takes a time stamp in milliseconds");
    readings.wait = !board_.has_newer(readings.scope, *since);
  }
  return readings;
}

Reply Site::readings(ReadingBoard::Scope scope) const {
  return {.status = 200, .content_type = kJson, .body = channels_json(settings_.version, board_.copy(scope))};
}

Reply Site::failure(int status, std::string_view message) const {
  return {.status = status, .content_type = kJson, .body = channels_json(settings_.version, {}, message)};
}

std::string Site::describe(const Request& request) const {
  const auto target = parse_target(request.target);
  std::string path = "(unreadable)";
  std::string mode = "(null)";
  if (target) {
    path = board_.find(std::string_view{target->path}.substr(1)) ? shortened(target->path) : shown(target->path);
    if (const std::string* value = target->argument("mode")) mode = shown("/" + *value).substr(1);
  }
  const std::string_view method = request.method.size() <= kLongestMethod ? request.method : "(unreadable)";
  return fmt::format("Local request received: method={} url={} mode={}", method, path, mode);
}

}  // namespace vz::local
