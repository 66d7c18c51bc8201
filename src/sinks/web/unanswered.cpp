// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/web/unanswered.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "sinks/web/text.hpp"

namespace vz::sinks::web {
namespace {

bool has_any(std::string_view error, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return find_any_case(error, word) != std::string_view::npos;
  });
}

std::string hint_for(std::string_view error, std::string_view option) {
  if (has_any(error, {"resolve"})) {
    return fmt::format("check the host name in `{}`, and whether this machine can look up names", option);
  }
  if (has_any(error, {"certificate", "ssl"})) {
    return "the secure connection could not be set up: check the server's certificate, its name and this machine's "
           "clock";
  }
  if (has_any(error, {"timed out", "timeout"})) return "the server is too slow or unreachable";
  if (has_any(error, {"connect"}))
    return fmt::format("is the web server running, and are host and port in `{}` right?", option);
  if (has_any(error, {"malformed", "bad/illegal", "unsupported protocol"}))
    return fmt::format("check the address in `{}`", option);
  return {};
}

}  // namespace

Judgement unanswered(const HttpReply& reply, std::string_view endpoint, std::string_view option, std::string_view uuid) {
  const std::string error = reply.error.empty() ? "no answer" : clean_words(reply.error, uuid);
  const std::string hint = hint_for(error, option);
  return {.verdict = Verdict::keep,
          .retry = Retry::soon,
          .repeat = reply.maybe_delivered,
          .message = fmt::format("CURL: {} ({}){}{}", error, endpoint, hint.empty() ? "" : "; ", hint)};
}

}  // namespace vz::sinks::web
