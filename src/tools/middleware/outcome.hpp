// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tools/middleware/failure.hpp"
#include "tools/middleware/interpreter.hpp"
#include "tools/middleware/json_out.hpp"
#include "tools/middleware/request.hpp"

namespace vz::middleware {

/// What a part of the API wants to say, before it takes the form of JSON, CSV or text.
struct Outcome {
  Json members = Json::object();            ///< beside "version": rows, entity, channels, ...
  std::optional<std::vector<Series>> data;  ///< a read
  bool list = false;                        ///< `data` is a list although it may have one entry
  std::optional<long long> rows;            ///< for the request log
};

enum class Format { json, csv, text };
std::optional<Format> parse_format(std::string_view extension);

/// Puts the outcome, or the failure, into the form the client asked for. Pure.
Reply render(const Result<Outcome>& outcome, Format format);

}  // namespace vz::middleware
