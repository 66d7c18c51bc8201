// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/influxdb/reply.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sinks/web/text.hpp"
#include "sinks/web/unanswered.hpp"

namespace vz::sinks::influxdb {
namespace {

using nlohmann::json;
using web::clean_words;
using web::find_any_case;

/// The server's own words: `error` of 1.x, `message` of 2.x, or what a proxy's page says.
std::string server_words(const std::string& body) {
  const json parsed = json::parse(body, nullptr, false);
  if (parsed.is_object()) {
    for (const char* name : {"error", "message"}) {
      const auto member = parsed.find(name);
      if (member != parsed.end() && member->is_string()) return member->get<std::string>();
    }
  }
  return web::page_words(body);
}

class Judge {
 public:
  Judge(const HttpReply& http, const Request& request)
      : http_(http), request_(request), words_(server_words(http.body)) {}

  Judgement judge() const {
    if (http_.status == 0) return web::unanswered(http_, request_.endpoint, "host", request_.uuid);
    if (http_.status >= 200 && http_.status < 300) return success();
    switch (http_.status) {
      case 400:
      case 422: return refused();
      case 401:
        return keep(Retry::rarely, "the server wants to know who writes: `username` and `password`, or `token`, are "
                                   "missing or wrong");
      case 403: return keep(Retry::rarely, "this user or token may not write to the database (bucket)");
      case 404:
        return names_what_is_missing() ? keep(Retry::soon, "create the database (bucket), or correct `database` and `organization`")
                                 : keep(Retry::rarely, "is there an InfluxDB at the address in `host`?");
      case 413:
        return request_.sent > 1 ? keep(Retry::halve, "too many readings at once for it: sending fewer")
                                 : keep(Retry::rarely, "it refuses even a single reading as too large");
      default: break;
    }
    if (http_.status == 408 || http_.status == 425 || http_.status == 429 || http_.status >= 500)
      return keep(Retry::soon, {});
    if (http_.status >= 300 && http_.status < 400)
      return keep(Retry::rarely, "the server redirects, which is not followed: put the address it redirects to into `host` "
                                 "(often https:// instead of http://)");
    return keep(Retry::rarely, "is the address in `host` right?");
  }

 private:
  bool says(std::string_view part) const { return find_any_case(words_, part) != std::string_view::npos; }

  /// InfluxDB's own 404, not that of any web server ("404 page not found").
  bool names_what_is_missing() const {
    return says("not found") && (says("database") || says("bucket") || says("organization") || says("retention policy"));
  }

  std::string failure(std::string_view hint) const {
    const std::string said = clean_words(words_, request_.uuid);
    return fmt::format("InfluxDB error! - HTTP Status {} from {}{}{}{}{}", http_.status, request_.endpoint,
                       said.empty() ? "" : ": ", said, hint.empty() ? "" : "; ", hint);
  }

  Judgement keep(Retry retry, std::string_view hint) const {
    return {.verdict = Verdict::keep, .retry = retry, .message = failure(hint)};
  }

  Judgement success() const {
    if (web::is_page(http_.body))
      return keep(Retry::rarely, "that is a web page, not InfluxDB's answer: is the address in `host` right, and is there a "
                                 "log-in page in between?");
    const json parsed = json::parse(http_.body, nullptr, false);
    if (parsed.is_object() && parsed.contains("error")) return refused();
    return {.verdict = Verdict::accepted, .message = {}};
  }

  Judgement refused() const {
    // A clock or a retention policy: the server dropped some of the points and stored the others.
    if (says("retention")) {
      if (request_.sent > 1) return keep(Retry::halve, "looking for the readings that are too old for it");
      return {.verdict = Verdict::rejected, .message = failure("the reading is older than the retention policy allows")};
    }
    if (says("field type conflict"))
      return keep(Retry::rarely, "the field `value` of this measurement was written with another type before: choose another "
                                 "`measurement_name`");
    if (says("unable to parse") || says("invalid tag") || says("missing tag"))
      return keep(Retry::rarely, "it cannot read the line: check `measurement_name` and `tags`");
    if (says("max-series") || says("max-values") || says("max series") || says("limit"))
      return keep(Retry::rarely, "a limit of the server is reached");
    if (request_.sent > 1) return keep(Retry::halve, "looking for the reading that is the cause");
    return keep(Retry::rarely, {});
  }

  const HttpReply& http_;
  const Request& request_;
  const std::string words_;
};

}  // namespace

Judgement judge(const HttpReply& reply, const Request& request) { return Judge{reply, request}.judge(); }

}  // namespace vz::sinks::influxdb
