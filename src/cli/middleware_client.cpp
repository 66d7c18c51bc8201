// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/middleware_client.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/url.hpp"
#include "platform/curl_http_client.hpp"
#include "platform/http_call.hpp"
#include "sinks/web/text.hpp"

namespace vz::cli {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end()) return {};
  return member->is_string() ? member->get<std::string>() : member->is_null() ? std::string{} : member->dump();
}

/// What the server sends goes to a terminal: without control characters, and bounded.
std::string words_of(const json& object, const char* name) { return sinks::web::clean_words(text_of(object, name), {}); }

Entity entity_of(const json& object) {
  Entity entity{.uuid = text_of(object, "uuid"), .type = words_of(object, "type"), .title = words_of(object, "title"), .resolution = {}};
  constexpr std::size_t kLongestUuid = 64;
  if (entity.uuid.size() > kLongestUuid || entity.uuid.find_first_not_of("0123456789abcdefABCDEF-") != std::string::npos) entity.uuid.clear();
  const std::string resolution = text_of(object, "resolution");
  double value = 0;
  if (std::from_chars(resolution.data(), resolution.data() + resolution.size(), value).ec == std::errc{}) entity.resolution = value;
  return entity;
}

/// What the server says went wrong: the exception's message, a page's title, or nothing.
std::string words(const std::string& body) {
  const json reply = json::parse(body, nullptr, false);
  if (!reply.is_object()) return sinks::web::page_words(body);
  const auto exception = reply.find("exception");
  return exception != reply.end() && exception->is_object() ? text_of(*exception, "message") : std::string{};
}

}  // namespace

MiddlewareClient::MiddlewareClient(HttpClient& http, std::string base) : http_(http), base_(std::move(base)) {
  while (base_.ends_with('/')) base_.pop_back();
}

Expected<std::string> MiddlewareClient::ask(std::string method, const std::string& path, std::string body, const std::string& uuid) {
  const std::string where = endpoint_name(base_);
  const auto fail = [&](std::string what, std::string remedy) {
    return tl::unexpected(Error{std::move(what), where, std::move(remedy)});
  };
  if (const std::string error = url_error(base_, "\"http://localhost/middleware.php\""); !error.empty())
    return fail("the address " + error, {});
  HttpRequest request{.method = std::move(method),
                      .url = base_ + path,
                      .headers = {"Accept: application/json", "User-Agent: " + curl_user_agent()},
                      .body = std::move(body),
                      .timeout = std::chrono::seconds{10}};
  if (!request.body.empty()) request.headers.emplace_back("Content-Type: application/x-www-form-urlencoded");
  const HttpReply reply = call(http_, std::move(request));
  if (reply.status == 0)
    return fail(sinks::web::clean_words(reply.error, uuid), "is the middleware running, and is its address right?");
  const std::string said = sinks::web::clean_words(words(reply.body), uuid);
  const bool page = sinks::web::is_page(reply.body);
  const json parsed = json::parse(reply.body, nullptr, false);
  const bool refused = parsed.is_object() && parsed.contains("exception");
  if (reply.status != 200 || page || refused)
    return fail(fmt::format("HTTP {}{}{}", reply.status, said.empty() ? "" : ": ", said),
                page ? "that is a web page: the address usually ends in /middleware.php" : "");
  return reply.body;
}

Expected<Entity> MiddlewareClient::channel(const std::string& uuid) {
  const auto body = ask("GET", fmt::format("/channel/{}.json", percent_encoded(uuid)), {}, uuid);
  if (!body) return tl::unexpected(body.error());
  const json reply = json::parse(*body, nullptr, false);
  if (!reply.is_object() || !reply.contains("entity") || !reply["entity"].is_object())
    return tl::unexpected(Error{"the answer names no channel", endpoint_name(base_), {}});
  return entity_of(reply["entity"]);
}

Expected<std::vector<Entity>> MiddlewareClient::public_channels() {
  const auto body = ask("GET", "/channel.json", {}, {});
  if (!body) return tl::unexpected(body.error());
  const json reply = json::parse(*body, nullptr, false);
  std::vector<Entity> found;
  if (reply.is_object() && reply.contains("channels") && reply["channels"].is_array())
    for (const json& channel : reply["channels"])
      if (channel.is_object()) found.push_back(entity_of(channel));
  return found;
}

Expected<Entity> MiddlewareClient::create(const std::map<std::string, std::string>& properties) {
  std::string form = "operation=add";
  for (const auto& [name, value] : properties) form += "&" + percent_encoded(name) + "=" + percent_encoded(value);
  const auto body = ask("POST", "/channel.json", std::move(form), {});
  if (!body) return tl::unexpected(body.error());
  const json reply = json::parse(*body, nullptr, false);
  Entity made;
  if (reply.is_object() && reply.contains("entity") && reply["entity"].is_object()) made = entity_of(reply["entity"]);
  if (made.uuid.empty()) return tl::unexpected(Error{"the answer names no new channel", endpoint_name(base_), {}});
  return made;
}

Expected<void> MiddlewareClient::remove(const std::string& uuid) {
  const auto body = ask("DELETE", fmt::format("/channel/{}.json", percent_encoded(uuid)), {}, uuid);
  if (!body) return tl::unexpected(body.error());
  return {};
}

}  // namespace vz::cli
