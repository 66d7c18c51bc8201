// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "vz/http.hpp"
#include "vz/time.hpp"

namespace vz::sinks::push {

/// A raw reading on its way to the push targets. Borrows the uuid.
struct PushReading {
  std::string_view uuid;
  WallTime stamp{};
  double value = 0.0;
};

/// Longest time that a target may take, as ever.
inline constexpr std::chrono::seconds kTimeout{30};

/// `{ "data": [ { "uuid": "...", "tuples": [ [ ms, value ], ... ] }, ... ] }`: uuids in the order of their first reading,
/// tuples in the order given. Values are finite. Pure.
std::string document(std::span<const PushReading> readings);

/// The POST that carries a document, with the headers of the api volkszaehler. Pure.
HttpRequest request(const std::string& url, std::string_view user_agent, std::span<const PushReading> readings);

}  // namespace vz::sinks::push
