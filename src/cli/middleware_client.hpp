// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vz/error.hpp"
#include "vz/http.hpp"

namespace vz::cli {

/// A channel as the middleware knows it.
struct Entity {
  std::string uuid;
  std::string type;
  std::string title;
  std::optional<double> resolution;
};

/// Asks a Volkszähler middleware about its channels, makes and deletes them. Each call waits for the reply (10 s at most).
/// Errors: the middleware's own words, the address without credentials; a uuid is shown by its end.
class MiddlewareClient {
 public:
  /// `base` as the option `middleware`; `http` outlives this.
  MiddlewareClient(HttpClient& http, std::string base);

  Expected<Entity> channel(const std::string& uuid);
  /// Those that everybody may see.
  Expected<std::vector<Entity>> public_channels();
  /// Makes a channel of these properties (`type`, `title`, `resolution`, ...).
  Expected<Entity> create(const std::map<std::string, std::string>& properties);
  /// Deletes a channel and all its data.
  Expected<void> remove(const std::string& uuid);

 private:
  Expected<std::string> ask(std::string method, const std::string& path, std::string body, const std::string& uuid);

  HttpClient& http_;
  std::string base_;
};

}  // namespace vz::cli
