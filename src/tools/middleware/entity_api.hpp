// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string>

#include "tools/middleware/call.hpp"

namespace vz::middleware {

/// Makes the uuid of a new entity.
using MintUuid = std::function<std::string()>;

/// The contexts channel, group, aggregator, entity and iot: making, listing, reading, changing and deleting entities.
/// Borrows the store.
class EntityApi final {
 public:
  EntityApi(Store& store, const MintUuid& mint_uuid) : store_(store), mint_uuid_(mint_uuid) {}

  Result<Outcome> run(const Call& call);

  /// Makes an entity of `type` with the properties in `params` (`operation`, `type` and empty values apart).
  Result<Entity> create(const std::string& type, const Params& params, std::string uuid);

 private:
  Result<Outcome> get(const Call& call);
  Result<Outcome> add(const Call& call);
  Result<Outcome> edit(const Call& call);
  Result<Outcome> remove(const Call& call);
  Result<Outcome> owned_by(const Call& call);
  Result<Entity> find(const Call& call);
  [[nodiscard]] Json list(const std::vector<Entity>& entities, std::string_view context);

  Store& store_;
  const MintUuid& mint_uuid_;
};

}  // namespace vz::middleware
