// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/middleware.hpp"

#include <fmt/format.h>
#include <uuid/uuid.h>

#include "core/uuid.hpp"
#include "tools/middleware/entity_types.hpp"

namespace vz::middleware {
namespace {

constexpr int kPrecision = 3;

Reply welcome() {
  Reply reply;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body =
      "This is vzmiddleware, a Volkszaehler middleware for trying things out.\n"
      "Its API is below /middleware.php (or /middleware, or /api), for example\n"
      "  GET  /middleware.php/channel.json\n"
      "  POST /middleware.php/data/UUID.json   with a body like [[1700000000000, 132.149]]\n";
  return reply;
}

Failure database_failure(const Error& error) {
  return {.message = "An exception occurred while executing a query:\n\nSQLSTATE[HY000]: General error: " + error.what,
          .type = "DriverException"};
}

/// Splits `a=1,b=x, y` at the commas that a name and `=` follow.
Params described(std::string_view text) {
  Params params;
  std::string name;
  std::string value;
  while (!text.empty()) {
    const auto end = text.find(',');
    const auto item = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    const auto equals = item.find('=');
    if (equals == std::string_view::npos && !name.empty()) {
      value += "," + std::string(item);
      continue;
    }
    if (!name.empty()) params.add(name, value);
    name = item.substr(0, equals);
    value = equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1);
  }
  if (!name.empty()) params.add(name, value);
  return params;
}

Error creation_error(std::string what, std::string_view description) {
  return {.what = std::move(what),
          .where = fmt::format("channel '{}'", without_uuids(description)),
          .remedy = "e.g. type=electric meter,title=House,resolution=1",
          .code = 0};
}

}  // namespace

Middleware::Middleware(Store store) : Middleware(std::move(store), Options{}) {}
Middleware::Middleware(Store store, Options options) : store_(std::move(store)), options_(std::move(options)) {}

std::string Middleware::random_uuid() {
  uuid_t bytes;
  uuid_generate_random(bytes);
  std::string text(36, '\0');
  char buffer[37];
  uuid_unparse_lower(bytes, buffer);
  text.assign(buffer, 36);
  return text;
}

Reply Middleware::handle(const Request& request) {
  const auto path = path_below_prefix(request.path);
  if (!path) return request.path == "/" ? welcome() : html_page(404);
  Format format = Format::json;
  const auto call = route(request, *path, format);
  auto outcome = call ? run(*call, request) : Result<Outcome>(tl::unexpected(call.error()));
  if (const auto error = store_.take_error()) outcome = tl::unexpected(database_failure(*error));
  return render(outcome, format);
}

Result<Outcome> Middleware::run(const Call& call, const Request& request) {
  if (call.context == "data") return DataApi(store_, options_.precision, options_.zone).run(call, request);
  if (call.context == "capabilities") return capabilities(call);
  return EntityApi(store_, options_.mint_uuid).run(call);
}

Result<Outcome> Middleware::capabilities(const Call& call) {
  if (call.operation != Operation::get)
    return fail(fmt::format("Invalid context operation: '{}'", operation_name(call.operation)));
  const auto section = call.identifier.value_or("");
  const auto wanted = [&](std::string_view name) { return section.empty() || section == name; };
  Json found = Json::object();
  if (wanted("configuration"))
    found["configuration"] = {
        {"precision", kPrecision}, {"database", "pdo_sqlite"}, {"debug", false}, {"devmode", false}};
  if (section == "database") found["database"]["data"] = {{"rows", store_.row_count()}, {"size", store_.size_bytes()}};
  if (wanted("formats")) found["formats"] = {"csv", "json", "txt"};
  if (wanted("contexts"))
    found["contexts"] = {"channel", "group", "aggregator", "entity", "data", "capabilities", "iot"};
  if (wanted("definitions"))
    found["definitions"] = {{"entities", entity_definitions()}, {"properties", property_definitions()}};
  if (found.empty()) return fail(fmt::format("Invalid capability identifier: '{}'", section));
  Outcome outcome;
  outcome.members["capabilities"] = std::move(found);
  return outcome;
}

Expected<std::string> Middleware::create_channel(std::string_view description) {
  const auto given = described(description);
  const auto type = given.get("type");
  if (!type) return tl::unexpected(creation_error("no type is given", description));
  auto uuid = given.get("uuid");
  if (uuid && !is_uuid(*uuid)) return tl::unexpected(creation_error("the uuid is not one", description));
  if (uuid) {
    const auto existing = store_.find(*uuid);
    if (existing && existing->type != *type)
      return tl::unexpected(
          creation_error(fmt::format("the uuid belongs to a channel of type '{}'", existing->type), description));
    if (existing) return existing->uuid;
  }
  Params params;
  if (!given.get("title")) params.add("title", *type);
  for (const auto& [name, value] : given)
    if (name != "uuid") params.add(name, value);
  const auto made = EntityApi(store_, options_.mint_uuid).create(*type, params, uuid ? *uuid : options_.mint_uuid());
  if (const auto error = store_.take_error()) return tl::unexpected(*error);
  if (!made) return tl::unexpected(creation_error(made.error().message, description));
  return made->uuid;
}

bool is_push(const Request& request) {
  const auto path = path_below_prefix(request.path);
  if (!path) return false;
  Format format = Format::json;
  const auto call = route(request, *path, format);
  return call && call->context == "data" && call->operation == Operation::add;
}

}  // namespace vz::middleware
