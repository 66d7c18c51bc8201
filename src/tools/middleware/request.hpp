// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vz/time.hpp"

namespace vz::middleware {

/// Parameters of a query string or of a form, in the order they came. Names may repeat; PHP's rules hold: of equal
/// names the last one counts, and `name[]=a&name[]=b` is a list. Value type.
class Params {
 public:
  /// Reads `a=1&b=2`, undoing %XX and `+`. Never fails: what is not understood stays as it is. Like PHP, it stops after
  /// 1000 of them.
  static Params parse(std::string_view text);

  void add(std::string name, std::string value) { items_.emplace_back(std::move(name), std::move(value)); }
  void append(const Params& other) { items_.insert(items_.end(), other.items_.begin(), other.items_.end()); }

  /// The last value of `name`, or nothing.
  [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
  /// All values of `name[]` (or `name[key]`); without any, the last value of `name`.
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;

  [[nodiscard]] auto begin() const { return items_.begin(); }
  [[nodiscard]] auto end() const { return items_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

/// An HTTP request, as far as the middleware looks at it.
struct Request {
  std::string method;  ///< as on the wire: "GET"
  std::string path;    ///< decoded, without the query: "/middleware.php/data/<uuid>.json"
  Params query;
  std::string content_type;  ///< may be empty
  std::string body;
  WallTime now{};  ///< when it came
};

/// What the server does with a reply. Anything but `answer` is a fault that the user asked for.
enum class Delivery {
  answer,
  close,  ///< closes the connection without a byte
  hang,   ///< never answers; the client has to give up
};

/// An HTTP reply.
struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::optional<long long> rows;       ///< what a reply to a push or a read says in `rows`, for the request log
  std::chrono::milliseconds delay{0};  ///< waited before the reply goes out
  Delivery delivery = Delivery::answer;
};

/// A page as the web server in front of PHP sends it: for what never reaches PHP, or dies in it.
Reply html_page(int status);

}  // namespace vz::middleware
