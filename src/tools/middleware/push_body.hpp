// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tools/middleware/failure.hpp"
#include "tools/middleware/store.hpp"

namespace vz::middleware {

// What the original makes of a pushed body, traps included. All pure.

/// A value on its way into the INSERT, with the type that JSON gave it.
using Param = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

/// More tuples than this take the original longer than it is given: it answers with an HTML page and stores nothing.
inline constexpr std::size_t kMaxTuples = 60'000;

/// A body that is JSON: the flattened tuples. The original pairs the elements anew, so that two tuples of three become
/// three rows.
struct PushBody {
  std::vector<Param> params;
};

enum class Undecodable {};  ///< not JSON, or `null`: the original then stores (now, 1)

/// Reads `[[ms, value], ...]`. Holds at most 2 * kMaxTuples elements, whatever the body.
std::variant<PushBody, Undecodable, Failure> decode_push(std::string_view body);

/// How the INSERT treats what does not fit: an error, or (INSERT IGNORE) the nearest value and no word about it.
enum class Strictness { strict, ignore };

/// The rows that the INSERT gets from the flattened parameters, or what the database says instead.
/// `channel` is the channel's number in the texts.
Result<std::vector<Row>> rows_of(const std::vector<Param>& params, Strictness strictness, std::int64_t channel);

/// "An exception occurred while executing 'INSERT ...' with params [...]:\n\n" and `reason`.
Failure insert_failure(const std::vector<Param>& params, Strictness strictness, std::int64_t channel,
                       std::string_view reason, std::string type);

}  // namespace vz::middleware
