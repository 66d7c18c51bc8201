// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/volkszaehler/reply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/ascii.hpp"
#include "core/uuid.hpp"
#include "sinks/web/text.hpp"
#include "sinks/web/unanswered.hpp"

namespace vz::sinks::volkszaehler {
namespace {

using namespace web;
using nlohmann::json;

// A request of more readings than this may fail for its size alone (time limit of PHP, memory).
constexpr std::size_t kBigBatch = 16;

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// --- reading the body -------------------------------------------------------------------------------------------

std::string text_member(const json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string{};
}

/// `Doctrine\DBAL\Exception\DriverException` -> `DriverException`
std::string class_name(std::string name) {
  if (const std::size_t last = name.rfind('\\'); last != std::string::npos) name.erase(0, last + 1);
  return name;
}

void read_exception(const json& exception, Reply& out) {
  out.exception = true;
  if (exception.is_object()) {
    out.type = class_name(text_member(exception, "type"));
    out.message = text_member(exception, "message");
  } else if (exception.is_string()) {
    out.message = exception.get<std::string>();
  }
}

/// A reply that was cut off in the middle of a long exception: the parts that are there.
void read_broken(std::string_view body, Reply& out) {
  const std::size_t begin = body.find(R"("exception")");
  if (begin == std::string_view::npos) return;
  out.exception = true;
  const std::string_view rest = body.substr(begin);
  constexpr std::string_view kMessage = R"("message":")";
  if (const std::size_t at = rest.find(kMessage); at != std::string_view::npos) {
    out.message = rest.substr(at + kMessage.size());
  }
  constexpr std::string_view kType = R"("type":")";
  if (const std::size_t at = rest.find(kType); at != std::string_view::npos) {
    const std::string_view type = rest.substr(at + kType.size());
    out.type = class_name(std::string{type.substr(0, type.find('"'))});
  }
}

json parse(const std::string& body) {
  json parsed = json::parse(body, nullptr, false);
  if (!parsed.is_discarded()) return parsed;
  // PHP may print warnings in front of the JSON (display_errors)
  const std::size_t begin = body.find(R"({"version")");
  return begin == std::string::npos
             ? parsed
             : json::parse(body.begin() + static_cast<std::ptrdiff_t>(begin), body.end(), nullptr, false);
}

/// --- what an exception means -------------------------------------------------------------------------------------

/// The database's own account in an exception's message: `SQLSTATE[HY000]: General error: 1366 ...`.
struct SqlState {
  std::string state;  ///< five characters, empty if there is none
  int code = 0;       ///< the driver's number, 0 if there is none
};

SqlState sql_state(std::string_view message) {
  SqlState found;
  const std::size_t begin = message.find("SQLSTATE[");
  if (begin == std::string_view::npos) return found;
  std::string_view rest = message.substr(begin + 9);
  const std::size_t end = rest.find(']');
  if (end != 5) return found;
  found.state = rest.substr(0, 5);
  rest.remove_prefix(6);
  rest = rest.substr(0, 120);
  const auto number = std::find_if(rest.begin(), rest.end(), is_digit);
  std::from_chars(rest.data() + (number - rest.begin()), rest.data() + rest.size(), found.code);
  return found;
}

/// True if the database refused the values themselves, so that no later try can succeed.
bool refuses_values(const Reply& reply) {
  if (reply.type == "NotNullConstraintViolationException" || reply.type == "TypeError") return true;
  if (reply.type != "DriverException" && reply.type != "PDOException") return false;
  const SqlState sql = sql_state(reply.message);
  if (sql.state.empty()) return reply.type == "DriverException";
  // out of range, truncated, null, truncated to a wrong value, wrong value for the column (MySQL's numbers)
  constexpr std::array kValueCodes{1264, 1265, 1048, 1292, 1366, 1367};
  if (std::find(kValueCodes.begin(), kValueCodes.end(), sql.code) != kValueCodes.end()) return true;
  return sql.state.starts_with("22") || sql.state.starts_with("21") || sql.state == "HY093" || sql.state == "23502";
}

bool is_duplicate(const Reply& reply) {
  return reply.type == "UniqueConstraintViolationException" || has(reply.message, "Duplicate entry") ||
         has(reply.message, "UNIQUE constraint failed") || has(reply.message, "duplicate key value");
}

/// True if the database behind the middleware is in trouble that passes without anyone touching the channel.
bool is_database_trouble(const Reply& reply) {
  if (reply.type == "ForeignKeyConstraintViolationException") return false;  // the channel was deleted meanwhile
  constexpr std::array<std::string_view, 6> kPassing{"ConnectionException", "ConnectionLost",
                                                     "DeadlockException",   "ServerException",
                                                     "ReadOnlyException",   "LockWaitTimeoutException"};
  if (std::find(kPassing.begin(), kPassing.end(), reply.type) != kPassing.end()) return true;
  return has(reply.message, "SQLSTATE") || has(reply.message, "server has gone away");
}

class Judge {
 public:
  Judge(const HttpReply& http, const Request& request, Reply reply)
      : http_(http), request_(request), reply_(std::move(reply)) {}

  Judgement judge() const {
    if (http_.status == 0) return unanswered();
    if (reply_.exception) return exception();
    if (http_.status >= 200 && http_.status < 300) return success();
    return refusal();
  }

 private:
  /// --- pieces of messages ---

  std::string channel() const { return uuid_tail(request_.uuid); }

  /// The server's words: of the exception, or of the page or text it sent instead.
  std::string words() const {
    if (!reply_.exception) return clean_words(page_words(http_.body), request_.uuid);
    // what Doctrine puts in front of the database's own words repeats the whole batch
    std::string_view message = reply_.message;
    if (const std::size_t sql = message.find("SQLSTATE"); sql != std::string_view::npos) message.remove_prefix(sql);
    return fmt::format("'{}': '{}'", clean_words(reply_.type, request_.uuid), clean_words(message, request_.uuid));
  }

  std::string failure(std::string_view hint) const {
    const std::string said = words();
    return fmt::format("CURL Error from middleware: {}{}HTTP {} from {}{}{}", said, said.empty() ? "" : ", ",
                       http_.status, request_.endpoint, hint.empty() ? "" : "; ", hint);
  }

  Judgement keep(Retry retry, std::string_view hint, bool repeat = false) const {
    return {.verdict = Verdict::keep, .retry = retry, .repeat = repeat, .message = failure(hint)};
  }

  /// --- the cases ---

  Judgement unanswered() const { return web::unanswered(http_, request_.endpoint, "middleware", request_.uuid); }

  Judgement success() const {
    if (!reply_.rows) {
      if (!reply_.page) return accepted();
      return keep(Retry::rarely,
                  "that is a web page, not the middleware's answer: is the address in `middleware` right "
                  "(it usually ends in /middleware.php), and is there a log-in page in between?");
    }
    const auto sent = static_cast<std::int64_t>(request_.sent);
    if (*reply_.rows > sent) {
      return accepted(
          fmt::format("the middleware {} says it stored {} rows where {} were sent for channel {}: it cannot have "
                      "understood the request; look for odd values at this time, and for a proxy that changes it",
                      request_.endpoint, *reply_.rows, sent, channel()));
    }
    // Of the repeats it may have any; what is sent for the first time it has to store.
    if (*reply_.rows >= sent - static_cast<std::int64_t>(request_.repeats)) return accepted();
    return {.verdict = Verdict::keep,
            .retry = Retry::soon,
            .repeat = true,
            .message = fmt::format(
                "the middleware {} stored {} rows where {} were sent for channel {}; they are sent again, it "
                "skips those it has",
                request_.endpoint, *reply_.rows, sent, channel())};
  }

  static Judgement accepted(std::string message = {}) {
    return {.verdict = Verdict::accepted, .retry = Retry::soon, .repeat = false, .message = std::move(message)};
  }

  Judgement exception() const {
    if (is_duplicate(reply_)) return duplicate();
    if (has(reply_.message, "No entity with UUID") || has(reply_.message, "Invalid UUID")) {
      return keep(Retry::rarely,
                  fmt::format("this middleware has no channel {}: copy the uuid from the frontend (the (i) beside "
                              "the channel) into the configuration, or create the channel there",
                              channel()));
    }
    if (has(reply_.message, "only supported for channels")) {
      return keep(Retry::rarely, fmt::format("{} is a group: use the uuid of a channel", channel()));
    }
    if (has(reply_.message, "Maximum message size exceeded")) return too_big();
    if (refuses_values(reply_)) return values_refused();
    if (is_database_trouble(reply_)) {
      return keep(Retry::soon, "the middleware's database is in trouble", reply_.type != "ConnectionException");
    }
    if (http_.status >= 500) return keep(Retry::soon, {}, true);
    return keep(Retry::rarely, fmt::format("channel {} waits; the middleware's log may say more", channel()), true);
  }

  Judgement duplicate() const {
    if (request_.sent == 1 && request_.repeats == 1) {
      return keep(Retry::rarely,
                  fmt::format("it refuses a reading of channel {} as known although it was asked to skip those "
                              "(options=skipduplicates)",
                              channel()),
                  true);
    }
    return {.verdict = Verdict::keep,
            .retry = Retry::halve,
            .repeat = true,
            .message =
                fmt::format("the middleware has some of the {} readings of channel {} already; they are sent again, it "
                            "skips those it has",
                            request_.sent, channel())};
  }

  Judgement too_big() const {
    if (request_.sent > 1)
      return keep(Retry::halve, fmt::format("{} readings are too many for it: sending fewer", request_.sent));
    return keep(Retry::rarely,
                "it refuses even a single reading: raise its size limit "
                "(client_max_body_size, post_max_size, network.postlimit)");
  }

  Judgement values_refused() const {
    if (request_.sent > 1) return keep(Retry::halve, "looking for the reading that is the cause");
    return {.verdict = Verdict::rejected,
            .retry = Retry::soon,
            .repeat = false,
            .message = failure("the reading itself is refused")};
  }

  /// An error status without the middleware's own exception: from a web server or proxy, or from a script that broke
  /// down.
  Judgement refusal() const {
    switch (http_.status) {
      case 401:
      case 407:
        return keep(Retry::rarely,
                    "the server wants a name and a password: put them into `middleware` "
                    "(http://name:password@host/...)");
      case 403: return keep(Retry::rarely, "the web server does not allow this address: is it right?" + path_hint());
      case 404:
      case 405:
      case 410: return keep(Retry::rarely, "there is no middleware at this address: is the path right?" + path_hint());
      case 408:
      case 425: return keep(Retry::soon, {}, true);
      case 413: return too_big();
      case 429: return keep(Retry::soon, "the server asks for fewer requests");
      default: break;
    }
    if (http_.status >= 500 && http_.status < 600) return server_error();
    if (http_.status >= 300 && http_.status < 400) {
      return keep(Retry::rarely,
                  "the server redirects, which is not followed: put the address it redirects to into "
                  "`middleware` (often https:// instead of http://)");
    }
    if (http_.status >= 400 && http_.status < 500) {
      return keep(Retry::rarely, "is the address in `middleware` right?" + path_hint());
    }
    return keep(Retry::soon, {}, true);
  }

  Judgement server_error() const {
    const bool broke_down = http_.status == 500 && request_.sent > kBigBatch;
    if (broke_down)
      return keep(Retry::halve, fmt::format("perhaps {} readings were too many: sending fewer", request_.sent), true);
    return keep(Retry::soon, "see the web server's error log", true);
  }

  std::string path_hint() const {
    return request_.endpoint.ends_with(".php") ? "" : " (it usually ends in /middleware.php)";
  }

  const HttpReply& http_;
  const Request& request_;
  const Reply reply_;
};

}  // namespace

Reply read_reply(const std::string& body) {
  Reply reply;
  const json parsed = parse(body);
  if (parsed.is_object()) {
    if (const auto exception = parsed.find("exception"); exception != parsed.end() && !exception->is_null()) {
      read_exception(*exception, reply);
    }
    if (const auto rows = parsed.find("rows"); rows != parsed.end() && rows->is_number_integer()) {
      reply.rows = rows->get<std::int64_t>();
    }
  } else if (parsed.is_discarded()) {
    read_broken(body, reply);
    reply.page = !reply.exception && web::is_page(body);
  }
  return reply;
}

Judgement judge(const HttpReply& reply, const Request& request) {
  return Judge{reply, request, read_reply(reply.body)}.judge();
}

}  // namespace vz::sinks::volkszaehler
