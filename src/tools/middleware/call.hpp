// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tools/middleware/failure.hpp"
#include "tools/middleware/outcome.hpp"
#include "tools/middleware/request.hpp"
#include "tools/middleware/store.hpp"

namespace vz::middleware {

enum class Operation { add, get, edit, remove };
std::string_view operation_name(Operation operation);

/// A request after routing: `/data/<identifier>.json` with what it wants done.
struct Call {
  Operation operation = Operation::get;
  std::string context;
  std::optional<std::string> identifier;
  Format format = Format::json;
  Params params;  ///< of the form (if the body is one) and of the query; the query wins
};

/// Finds out what a request wants. `path` begins after the prefix, at the slash before the context.
/// The format found first is left in `format` even if the rest fails, so that the failure can be shown in it.
Result<Call> route(const Request& request, std::string_view path, Format& format);

/// The part of the path after `/middleware.php`, `/middleware` or `/api`, with repeated slashes taken as one, as the
/// web server does. Nothing if the path is not the middleware's.
std::optional<std::string> path_below_prefix(std::string_view path);

/// The entity that an identifier means: a uuid, or the title of a public one.
Result<Entity> find_entity(Store& store, const std::string& identifier);

}  // namespace vz::middleware
