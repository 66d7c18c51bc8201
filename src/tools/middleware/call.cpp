// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/call.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/ascii.hpp"
#include "core/uuid.hpp"
#include "tools/middleware/properties.hpp"

namespace vz::middleware {
namespace {

constexpr std::pair<std::string_view, Operation> kMethods[] = {
    {"POST", Operation::add}, {"GET", Operation::get}, {"PATCH", Operation::edit}, {"DELETE", Operation::remove}};
constexpr Operation kOperations[] = {Operation::add, Operation::get, Operation::edit, Operation::remove};
constexpr std::string_view kContexts[] = {"channel", "group", "aggregator", "entity", "data", "capabilities", "iot"};

Result<Operation> wanted_operation(const Request& request, const Params& params) {
  if (const auto asked = params.get("operation")) {
    for (const auto operation : kOperations)
      if (operation_name(operation) == lower(*asked)) return operation;
    return fail(fmt::format("Warning: Undefined array key \"{}\"", lower(*asked)), "ErrorException");
  }
  for (const auto& [method, operation] : kMethods)
    if (method == request.method) return operation;
  return fail(fmt::format("Warning: Undefined array key \"{}\"", request.method), "ErrorException");
}

}  // namespace

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::add: return "add";
    case Operation::get: return "get";
    case Operation::edit: return "edit";
    case Operation::remove: return "delete";
  }
  return "";
}

std::optional<std::string> path_below_prefix(std::string_view path) {
  std::string merged;
  for (const char c : path)
    if (c != '/' || merged.empty() || merged.back() != '/') merged += c;
  // Older installations have the script below a folder.
  constexpr std::string_view kScript = "/middleware.php";
  if (const auto at = merged.find(kScript); at != std::string::npos) {
    auto rest = merged.substr(at + kScript.size());
    if (rest.empty() || rest.front() == '/') return rest;
  }
  for (const std::string_view prefix : {"/middleware", "/api"})
    if (merged.starts_with(prefix) && (merged.size() == prefix.size() || merged[prefix.size()] == '/'))
      return merged.substr(prefix.size());
  return std::nullopt;
}

Result<Call> route(const Request& request, std::string_view path, Format& format) {
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty()) return fail("Missing or invalid PATH_INFO");
  const auto dot = path.rfind('.');
  const auto slash = path.rfind('/');
  if (dot == std::string_view::npos || (slash != std::string_view::npos && slash > dot)) return fail("Missing format");
  const auto known = parse_format(path.substr(dot + 1));
  if (!known) return fail(fmt::format("Unknown format: '{}'", path.substr(dot + 1)));
  format = *known;
  path = path.substr(0, dot);

  Call call;
  call.format = format;
  const auto end = path.find('/');
  call.context = path.substr(0, end);
  if (call.context.empty()) return fail("Missing context");
  if (std::find(std::begin(kContexts), std::end(kContexts), call.context) == std::end(kContexts))
    return fail(fmt::format("Unknown context: '{}'", call.context));
  if (end != std::string_view::npos) {
    const auto rest = path.substr(end + 1);
    if (!rest.empty()) call.identifier = rest.substr(0, rest.find('/'));
  }
  if (lower(request.content_type).starts_with("application/x-www-form-urlencoded"))
    call.params = Params::parse(request.body);
  call.params.append(request.query);
  const auto operation = wanted_operation(request, request.query);
  if (!operation) return tl::unexpected(operation.error());
  call.operation = *operation;
  return call;
}

Result<Entity> find_entity(Store& store, const std::string& identifier) {
  if (is_uuid(identifier)) {
    if (auto entity = store.find(identifier)) return *std::move(entity);
    return fail(fmt::format("No entity with UUID '{}'", identifier));
  }
  for (auto& entity : store.with_property("title"))
    if (entity.property("title") == identifier && is_true(entity.property("public").value_or("")))
      return std::move(entity);
  return fail("Invalid UUID " + identifier);
}

}  // namespace vz::middleware
