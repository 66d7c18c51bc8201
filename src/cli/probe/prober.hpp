// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/probe/plan.hpp"
#include "cli/readout.hpp"
#include "core/eighth_bit.hpp"
#include "vz/transport.hpp"
#include "vz/wake.hpp"

namespace vz::cli {

/// A meter that was found.
struct ProbedMeter {
  nlohmann::ordered_json section;  ///< protocol, where, and every option that matters; no channels
  Readout readout;
  bool pushes = false;
  bool echo = false;               ///< the head returns what is sent
  EighthBit eighth_bit = EighthBit::unknown;  ///< what was seen; unknown where the port itself checked the parity
  std::string handshake;           ///< the conversation, annotated
};

struct ProbeResult {
  std::optional<ProbedMeter> meter;
  std::optional<Error> error;      ///< the line could not be opened, or broke
  std::vector<std::string> hints;  ///< what was noticed, if nothing was found
  MonoDuration took{};
  bool stopped = false;            ///< by the user
};

/// Looks for a meter on one line, as the plan says. Borrows what the settings refer to.
struct ProbeSettings {
  Endpoint endpoint;
  ProbePlan::Asking asking = ProbePlan::Asking::allowed;
  MonoDuration budget = std::chrono::seconds{60};
  std::function<void(MonoDuration elapsed, const std::string& what)> progress;  ///< may be empty
};
ProbeResult probe(const ProbeSettings& settings, TransportFactory& transports, const Clock& clock, Wake& wake);

/// `device` or `host` with its value, as a section has it.
nlohmann::ordered_json line_option(const Endpoint& endpoint);

}  // namespace vz::cli
