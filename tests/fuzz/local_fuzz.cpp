// SPDX-License-Identifier: GPL-3.0-or-later
// Any bytes as method and target of a request to the local interface. The first line is the method, the rest the target.
// Corpus: corpus/local.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "local/json.hpp"
#include "local/site.hpp"
#include "local/target.hpp"
#include "unit/local/board_fixture.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

struct World {
  World() {
    vz::local::read(board, meters[0], vz::local::kNow, 1.5);
    vz::local::read(board, meters[1], vz::local::kNow, -1e300);
  }
  vz::local::Meters meters;
  vz::local::HandClock clock;
  vz::local::ReadingBoard board{meters.all, -5, clock};
};

void check(const vz::local::Reply& reply) {
  require(reply.status >= 200 && reply.status < 600);
  if (reply.content_type != "application/json") return;
  const auto json = nlohmann::json::parse(reply.body, nullptr, false);
  require(json.is_object() && json["data"].is_array() && json["generator"] == "vzlogger");
  require((reply.status == 200) != json["data"].empty());
}

void check_target(std::string_view text) {
  const auto target = vz::local::parse_target(text);
  if (!target) return;
  require(text.size() <= vz::local::kMaxTarget && target->path.size() <= text.size() + 1);
  require(target->arguments.size() <= vz::local::kMaxArguments);
  for (const char c : target->path) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  const std::string_view all{reinterpret_cast<const char*>(data), size};  // NOLINT(*-reinterpret-cast)
  const auto line = std::min(all.find('\n'), all.size());
  const vz::local::Request request{all.substr(0, line), all.substr(std::min(line + 1, all.size()))};
  check_target(request.target);
  for (const bool on : {false, true}) {
    const vz::local::Site site({.version = "1", .index = on, .cors = on}, world.board,
                               {.metrics = [] { return vz::local::Reply{200, "text/plain", "m"}; }, .health = {}});
    const auto answer = site.answer(request);
    if (const auto* reply = std::get_if<vz::local::Reply>(&answer)) {
      check(*reply);
    } else {
      const auto& readings = std::get<vz::local::Readings>(answer);
      require(!readings.scope || *readings.scope < world.board.lists());
      require(request.method == "GET" || (request.method == "HEAD" && !readings.wait));
      check(site.readings(readings.scope));
    }
    const std::string line_of_log = site.describe(request);
    require(line_of_log.size() < 400);
    require(line_of_log.find(vz::local::kUuidA) == std::string::npos);
  }
  return 0;
}
