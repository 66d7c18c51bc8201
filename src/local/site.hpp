// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>

#include "local/reading_board.hpp"

namespace vz::local {

/// A request as far as it matters here.
struct Request {
  std::string_view method;  ///< as sent: methods are case-sensitive
  std::string_view target;  ///< as sent, with the query
};

/// A reply without its body's transport: for HEAD the server leaves the body out.
struct Reply {
  int status = 200;
  std::string_view content_type;  ///< a constant
  std::string body;
};

/// The reply is readings(scope): at once, or, if `wait`, when news(scope) is no longer `seen`.
struct Readings {
  ReadingBoard::Scope scope;
  bool wait = false;
  std::uint64_t seen = 0;
};
using Answer = std::variant<Reply, Readings>;

/// Decides what becomes of a request to the local interface. Pure apart from reading the board and the pages it was
/// given; knows nothing of sockets. Thread-compatible.
///
/// As the old daemon: `/UUID` and, if `index` is on, `/`; 404 with an empty list for the rest, 405 for other methods than
/// GET. New: HEAD, `mode=comet` that waits (with `since=MS`: only if there is no younger reading yet), `/metrics`,
/// `/healthz`, and OPTIONS if other origins may read.
class Site {
 public:
  struct Settings {
    std::string version;
    bool index = false;
    bool cors = false;  ///< scripts of other origins may read: their preflight requests are answered
  };
  /// Further pages, made when they are asked for.
  struct Pages {
    std::function<Reply()> metrics;
    std::function<Reply()> health;
  };

  /// The board outlives the site.
  Site(Settings settings, const ReadingBoard& board, Pages pages);

  [[nodiscard]] Answer answer(const Request& request) const;
  /// The channels of the scope as they are now.
  [[nodiscard]] Reply readings(ReadingBoard::Scope scope) const;
  /// A reply in the form of the others, with an `exception` that says what is wrong.
  [[nodiscard]] Reply failure(int status, std::string_view message) const;
  /// The line that the log has for each request: bounded, uuids shortened.
  [[nodiscard]] std::string describe(const Request& request) const;

 private:
  [[nodiscard]] Answer get(const Request& request) const;

  Settings settings_;
  const ReadingBoard& board_;
  Pages pages_;
};

}  // namespace vz::local
