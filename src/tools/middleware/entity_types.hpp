// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string_view>

#include "tools/middleware/failure.hpp"
#include "tools/middleware/json_out.hpp"
#include "tools/middleware/properties.hpp"

namespace vz::middleware {

/// How the stored rows of a channel are turned into tuples.
enum class Interpreter { aggregator, impulse, sensor, accumulator, virtual_channel };

/// One of the middleware's entity types. Static data; every type also requires `title`.
struct EntityType {
  std::string_view name;
  std::string_view unit;  ///< empty: none
  double scale;
  Interpreter interpreter;
  std::string_view required;  ///< names with blanks between them
  std::string_view optional;
  bool consumption;
  std::string_view german;
  std::string_view english;

  [[nodiscard]] bool is_channel() const { return interpreter != Interpreter::aggregator; }
};

std::span<const EntityType> entity_types();
/// The type of that name, or null.
const EntityType* find_entity_type(std::string_view name);

/// Checks which properties are there: "Entity 'x' requires property: 'y'", "Property 'y' is not valid for entity 'x'".
Result<void> check_properties(const EntityType& type, const Properties& properties);

/// The list `capabilities.definitions.entities`.
Json entity_definitions();

}  // namespace vz::middleware
