// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tools/middleware/request.hpp"
#include "vz/error.hpp"

namespace vz::middleware {

/// What can be made to go wrong with a push.
enum class Fault {
  e500,        ///< HTTP 500 with an HTML page; nothing is stored
  e400db,      ///< HTTP 400 ConnectionException, the database is down; nothing is stored
  html413,     ///< HTTP 413 with an HTML page; nothing is stored
  hang,        ///< no answer ever; nothing is stored
  slow,        ///< the answer comes late
  lost_reply,  ///< stored, but the connection is closed without an answer
  short_rows,  ///< stored, but the answer says one row fewer
};

/// Makes some pushes fail, drawn from a seeded source, so that the same seed and the same requests give the same
/// faults. Reads are left alone. Thread-compatible; no I/O.
class FaultPlan final {
 public:
  /// Reads `NAME[=MS][:PROBABILITY]` with commas between, e.g. `e500:0.1,slow=2000:0.2,lost-reply:0.05`.
  /// Without a probability the fault is certain.
  static Expected<FaultPlan> parse(std::string_view text, std::uint64_t seed);

  FaultPlan() = default;
  [[nodiscard]] bool empty() const { return rules_.empty(); }

  /// Answers a push: by `handler`, or as a fault wants it. `slow` may come on top of another one; of the others the
  /// first in the list that is drawn wins. Each rule draws once a push, whatever the others do.
  Reply answer(const Request& push, const std::function<Reply(const Request&)>& handler);

 private:
  struct Rule {
    Fault fault = Fault::e500;
    std::chrono::milliseconds delay{0};
    double probability = 1.0;
  };
  bool drawn(const Rule& rule);

  std::vector<Rule> rules_;
  std::mt19937_64 random_;
};

/// The names for a help text: "e500, e400db, ...".
std::string fault_names();

}  // namespace vz::middleware
