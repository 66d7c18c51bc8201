// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "vz/sink.hpp"

namespace vz::sinks::influxdb {

/// What a judgement needs to know besides the reply.
struct Request {
  std::string endpoint;  ///< without secrets
  std::string uuid;
  std::size_t sent = 0;  ///< readings in it
};

/// Judges a reply of InfluxDB 1.x or 2.x, or of what speaks its language. A point that is sent again replaces itself, so
/// there are no duplicates to care for. Points that the server will never take (older than the retention policy allows)
/// are rejected one by one; trouble of the series (field type, unreadable tags) waits for the user. Pure.
Judgement judge(const HttpReply& reply, const Request& request);

}  // namespace vz::sinks::influxdb
