// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/entity_api.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tools/middleware/entity_types.hpp"

namespace vz::middleware {
namespace {

constexpr int kMaxGroupDepth = 8;
constexpr std::size_t kShortestSecret = 32;

bool is_channel(const Entity& entity) {
  const auto* type = find_entity_type(entity.type);
  return type == nullptr || type->is_channel();
}

bool is_group_context(std::string_view context) { return context == "group" || context == "aggregator"; }

/// True if entities of this kind belong to the context.
bool belongs(const Entity& entity, std::string_view context) {
  if (context == "channel") return is_channel(entity);
  if (is_group_context(context)) return !is_channel(entity);
  return true;
}

/// Sets, changes or (with an empty value) deletes properties. Values stay text.
Result<void> set_properties(Entity& entity, const Params& params) {
  for (const auto& [name, value] : params) {
    if (name == "operation" || name == "type") continue;
    const auto found = std::find_if(entity.properties.begin(), entity.properties.end(),
                                    [&, &key = name](const auto& item) { return item.first == key; });
    if (value.empty()) {
      if (found == entity.properties.end()) return fail(fmt::format("Entity has no property: '{}'", name));
      entity.properties.erase(found);
      continue;
    }
    if (auto good = check_property(name, value); !good) return good;
    if (found == entity.properties.end())
      entity.properties.emplace_back(name, value);
    else
      found->second = value;
  }
  const auto* type = find_entity_type(entity.type);
  return type == nullptr ? Result<void>{} : check_properties(*type, entity.properties);
}

enum class Values { typed, text };

Json plain_json(const Entity& entity, Values values) {
  Json json;
  json["uuid"] = entity.uuid;
  json["type"] = entity.type;
  for (const auto& [name, value] : entity.properties)
    json[name] = values == Values::typed ? typed_value(name, value) : Json(value);
  return json;
}

/// With the members of groups. `chain` are the groups above: a group never shows itself again.
Json entity_json(Store& store, const Entity& entity, std::vector<std::string>& chain) {
  auto json = plain_json(entity, Values::typed);
  if (is_channel(entity) || chain.size() >= kMaxGroupDepth) return json;
  chain.push_back(entity.uuid);
  for (const auto& child : store.children(entity.id))
    if (std::find(chain.begin(), chain.end(), child.uuid) == chain.end())
      json["children"].push_back(entity_json(store, child, chain));
  chain.pop_back();
  return json;
}

Outcome with_entity(Json entity) {
  Outcome outcome;
  outcome.members["entity"] = std::move(entity);
  return outcome;
}

}  // namespace

Result<Outcome> EntityApi::run(const Call& call) {
  if (call.context == "iot") {
    if (call.operation == Operation::get) return owned_by(call);
  } else {
    switch (call.operation) {
      case Operation::get: return get(call);
      case Operation::edit: return edit(call);
      case Operation::remove: return remove(call);
      case Operation::add:
        if (call.context != "entity") return add(call);
        break;
    }
  }
  return fail(fmt::format("Invalid context operation: '{}'", operation_name(call.operation)));
}

Json EntityApi::list(const std::vector<Entity>& entities, std::string_view context) {
  Json out = Json::array();
  std::vector<std::string> chain;
  for (const auto& entity : entities)
    if (belongs(entity, context)) out.push_back(entity_json(store_, entity, chain));
  return out;
}

Result<Entity> EntityApi::find(const Call& call) {
  auto entity = find_entity(store_, call.identifier ? *call.identifier : call.params.get("uuid").value_or(""));
  if (entity && !belongs(*entity, call.context))
    return fail(fmt::format("Entity is not a {}: '{}'", call.context == "channel" ? "channel" : "group", entity->uuid));
  return entity;
}

Result<Outcome> EntityApi::get(const Call& call) {
  if (!call.identifier && !call.params.get("uuid")) {
    std::vector<Entity> visible;
    for (auto& entity : store_.with_property("public"))
      if (is_true(entity.property("public").value_or(""))) visible.push_back(std::move(entity));
    Outcome outcome;
    outcome.members[call.context == "entity" ? "entities" : "channels"] = list(visible, call.context);
    return outcome;
  }
  const auto entity = find(call);
  if (!entity) return tl::unexpected(entity.error());
  std::vector<std::string> chain;
  return with_entity(entity_json(store_, *entity, chain));
}

Result<Outcome> EntityApi::owned_by(const Call& call) {
  if (!call.identifier || call.identifier->size() < kShortestSecret) return fail("Invalid identifier");
  std::vector<Entity> owned;
  for (auto& entity : store_.with_property("owner"))
    if (entity.property("owner") == call.identifier) owned.push_back(std::move(entity));
  Outcome outcome;
  outcome.members["entities"] = list(owned, "entity");
  return outcome;
}

Result<Entity> EntityApi::create(const std::string& type, const Params& params, std::string uuid) {
  if (find_entity_type(type) == nullptr) return fail(fmt::format("Unknown entity type: '{}'", type));
  Entity entity{.id = 0, .uuid = std::move(uuid), .type = type, .properties = {}};
  if (auto good = set_properties(entity, params); !good) return tl::unexpected(good.error());
  entity.id = store_.save(entity);
  return entity;
}

Result<Outcome> EntityApi::add(const Call& call) {
  const bool group = is_group_context(call.context);
  if (group && call.identifier) {
    const auto parent = find(call);
    if (!parent) return tl::unexpected(parent.error());
    const auto children = call.params.list("uuid");
    if (children.empty()) return fail("Missing child UUID(s) to add");
    for (const auto& uuid : children) {
      const auto child = find_entity(store_, uuid);
      if (!child) return tl::unexpected(child.error());
      store_.add_child(parent->id, child->id);
    }
    std::vector<std::string> chain;
    return with_entity(entity_json(store_, *parent, chain));
  }
  auto type = call.params.get("type");
  if (!type && group) type = "group";
  if (!type) return fail("Missing entity type");
  const auto* known = find_entity_type(*type);
  if (known != nullptr && known->is_channel() == group)
    return fail(fmt::format("Entity type '{}' is not a {}", *type, group ? "group" : "channel"));
  const auto entity = create(*type, call.params, mint_uuid_());
  if (!entity) return tl::unexpected(entity.error());
  return with_entity(plain_json(*entity, Values::text));
}

Result<Outcome> EntityApi::edit(const Call& call) {
  auto entity = find(call);
  if (!entity) return tl::unexpected(entity.error());
  if (auto good = set_properties(*entity, call.params); !good) return tl::unexpected(good.error());
  store_.save(*entity);
  return with_entity(plain_json(*entity, Values::typed));
}

Result<Outcome> EntityApi::remove(const Call& call) {
  const auto entity = find(call);
  if (!entity) return tl::unexpected(entity.error());
  const auto children =
      call.identifier && is_group_context(call.context) ? call.params.list("uuid") : std::vector<std::string>{};
  for (const auto& uuid : children) {
    const auto child = find_entity(store_, uuid);
    if (!child) return tl::unexpected(child.error());
    store_.remove_child(entity->id, child->id);
  }
  if (children.empty()) store_.remove(entity->id);
  return Outcome{};
}

}  // namespace vz::middleware
