// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vz/error.hpp"

namespace vz::local {

/// The control socket's language: a line of JSON each way, {"request": NAME, ...} there and {"ok": true, ...} or
/// {"ok": false, "error": ..., "remedy": ...} back, one answer a request, in their order. docs/commands.md has the
/// list.

/// The longest request line, without its end.
inline constexpr std::size_t kMaxRequest = 64 * 1024;
/// The most readings a page of an answer has, and the most ids a request may name.
inline constexpr std::size_t kMaxPage = 1000;
inline constexpr std::chrono::seconds kLendFor{600};
inline constexpr std::chrono::seconds kLongestLending{3600};

/// Names one queue: the end of the channel's uuid (six characters or more, dots before it are ignored) or its number as
/// "chn3", and if that is not enough a part of the endpoint's name.
struct QueuePattern {
  std::string channel;
  std::string endpoint;
};

struct ControlRequest {
  enum class Kind {
    status,
    queues,
    rejected,      ///< after, max
    requeue,       ///< ids
    forget,        ///< ids: rejected readings, for good
    export_queue,  ///< queue, after, max
    retarget,      ///< queue, to
    drop,          ///< queue: an orphan, for good
    pause,         ///< meter
    resume,        ///< meter
    lend,          ///< meter or device, limit
    back,          ///< what this connection has borrowed
  };
  Kind kind = Kind::status;
  std::int64_t after = 0;
  std::size_t max = 100;
  std::vector<std::int64_t> ids;
  QueuePattern queue;
  QueuePattern to;
  std::optional<int> meter;
  std::string device;
  std::chrono::seconds limit = kLendFor;
};

/// Reads a request. Pure; never throws. Bounded by the line. Errors: what is wrong with it, in words.
Expected<ControlRequest> parse_request(std::string_view line);
/// The line that parse_request() reads, without its end.
std::string request_line(const ControlRequest& request);

/// {"ok": true}, to add to.
nlohmann::ordered_json good_answer();
nlohmann::ordered_json bad_answer(const Error& error);

}  // namespace vz::local
