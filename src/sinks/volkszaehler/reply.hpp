// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vz/sink.hpp"

namespace vz::sinks::volkszaehler {

/// What the middleware's reply says, whatever shape it has.
struct Reply {
  std::optional<std::int64_t> rows;  ///< how many it says it stored
  bool exception = false;
  std::string type;     ///< of the exception, the class name without its namespace
  std::string message;  ///< of the exception
  bool page = false;    ///< a web page, not the middleware's JSON
};

/// Reads a reply's body. Pure; takes any bytes: missing, null or odd members, PHP's warnings in front of the JSON, and
/// JSON that was cut off (`kMaxReplyBody`) included. Never throws.
Reply read_reply(const std::string& body);

/// What a judgement needs to know besides the reply.
struct Request {
  std::string endpoint;  ///< the middleware's address without secrets
  std::string uuid;
  std::size_t sent = 0;     ///< readings in it
  std::size_t repeats = 0;  ///< of these, repeats; if there are any, the middleware was asked to skip what it has
};

/// Judges a reply as the middleware means it: every error of its own is a 400 (or a 200), passing or not, and only type
/// and text of the exception tell which. Readings are rejected only if the database refused this one reading's values.
/// Pure.
Judgement judge(const HttpReply& reply, const Request& request);

}  // namespace vz::sinks::volkszaehler
