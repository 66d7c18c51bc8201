// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/outbox_settings.hpp"

#include <string_view>

namespace vz::cli {

DurableSettings durable_settings(const Options& outbox, const char* state_directory) {
  DurableSettings durable;
  durable.path = outbox.string("path");
  if (state_directory != nullptr && !outbox.given("path")) {
    const std::string_view all = state_directory;
    durable.path = fmt::format("{}/outbox.db", all.substr(0, all.find(':')));
  }
  durable.commit_interval = std::chrono::seconds{outbox.integer("commit_interval")};
  durable.max_size = static_cast<std::uint64_t>(outbox.integer("max_size")) << 20U;
  durable.on_full = outbox.string("on_full") == "drop-newest" ? OnFull::drop_newest : OnFull::drop_oldest;
  return durable;
}

}  // namespace vz::cli
