// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/section.hpp"

namespace vz::config {

/// Reads the elements of `meters` and `sensors` into typed settings. One object for a whole file: it numbers meters and
/// channels, disabled ones and those with errors included.
class MeterReader {
 public:
  MeterReader(const Registry& registry, Problems& problems) : registry_(registry), problems_(problems) {}

  /// Reads an array of meters; appends to `out`.
  void read(const Node& meters, std::vector<MeterSettings>& out);

 private:
  void meter(const Node& node, std::vector<MeterSettings>& out);
  const Protocol* protocol(const Node& node, bool enabled);
  void protocol_options(const Node& node, MeterSettings& meter);
  void channels(const Node& node, MeterSettings& meter, bool known);
  void channel(const Node& node, MeterSettings& meter);
  std::string uuid(const Node& node);
  void identifier(const Node& node, const Protocol& protocol, ChannelSettings& channel);
  const SinkType* sink(const Node& node, std::string& api);
  void sink_options(const Node& node, OnDefect on_defect, ChannelSettings& channel);
  void note_twin(const Node& node, const MeterSettings& meter, const ChannelSettings& channel);

  const Registry& registry_;
  Problems& problems_;
  int next_meter_ = 0;
  int next_channel_ = 0;
  std::map<std::string, std::string> seen_;  ///< api and uuid of an enabled channel, and where it stands
};

}  // namespace vz::config
