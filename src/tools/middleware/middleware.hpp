// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "tools/middleware/data_api.hpp"
#include "tools/middleware/entity_api.hpp"
#include "tools/middleware/request.hpp"
#include "tools/middleware/store.hpp"
#include "vz/error.hpp"

namespace vz::middleware {

/// A stand-in for the Volkszaehler middleware (API version 0.3): the same requests, replies, errors and traps as the
/// original on PHP and MariaDB, without HTTP and without a clock of its own.
///
/// Differences from the original, all deliberate:
/// - A value is stored as the double that was sent; the original keeps 14 digits of it (Precision::php does too).
/// - Virtual channels and groups have no data of their own here; the contexts prognosis, query and auth do not exist.
/// - A uuid is random (version 4), not made from time and node.
///
/// Owns the store. Thread-compatible: one thread at a time. Replies are bounded by kMaxRowsPerReply; what goes wrong
/// becomes a reply, nothing is thrown.
class Middleware final {
 public:
  struct Options {
    Precision precision = Precision::exact;
    Zone zone = Zone::local;
    MintUuid mint_uuid = random_uuid;
  };

  explicit Middleware(Store store);
  Middleware(Store store, Options options);

  Reply handle(const Request& request);

  /// Makes a channel from `type=electric meter,title=House,resolution=1,uuid=...`: names and values as for
  /// channel.json, and a uuid of one's own choice. Without a title it gets its type for one. A comma that no `name=`
  /// follows belongs to the value. If there is a channel of that uuid and type already, it stays as it is.
  /// Gives the uuid.
  Expected<std::string> create_channel(std::string_view description);

  static std::string random_uuid();

  /// The database, for a look at what has been stored.
  [[nodiscard]] Store& store() { return store_; }

 private:
  Result<Outcome> run(const Call& call, const Request& request);
  Result<Outcome> capabilities(const Call& call);

  Store store_;
  Options options_;
};

/// True if the request wants to store readings.
bool is_push(const Request& request);

}  // namespace vz::middleware
