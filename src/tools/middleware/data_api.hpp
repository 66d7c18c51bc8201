// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "tools/middleware/call.hpp"
#include "tools/middleware/push_body.hpp"

namespace vz::middleware {

/// How stored values are kept.
enum class Precision {
  exact,  ///< the double that was sent
  php,    ///< its first 14 digits, as PHP passes them on
};

/// More rows than this are not put into one reply: it answers as PHP does when it runs out of memory.
inline constexpr std::int64_t kMaxRowsPerReply = 2'000'000;

/// The context data: pushing, reading and deleting. Borrows the store.
class DataApi final {
 public:
  DataApi(Store& store, Precision precision, Zone zone) : store_(store), precision_(precision), zone_(zone) {}

  Result<Outcome> run(const Call& call, const Request& request);

 private:
  Result<Outcome> add(const Call& call, const Request& request);
  Result<Outcome> get(const Call& call, WallTime now);
  Result<Outcome> remove(const Call& call, WallTime now);
  Result<Series> read(const Entity& entity, const Call& call, WallTime now);
  Result<std::vector<Param>> single_param(const Call& call, WallTime now) const;
  [[nodiscard]] Result<std::int64_t> time(const std::string& text, WallTime now) const;

  Store& store_;
  Precision precision_;
  Zone zone_;
};

}  // namespace vz::middleware
