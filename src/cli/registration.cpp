// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/registration.hpp"

#include <ostream>

#include "platform/curl_http_client.hpp"
#include "platform/http_call.hpp"
#include "vz/sink.hpp"

namespace vz::cli {
namespace {

void register_channel(const ChannelSettings& channel, HttpClient& http, Log& log) {
  const std::string section = fmt::format("chn{}", channel.number);
  std::vector<Problem> problems;
  ProblemSink sink_problems(channel.options, problems);
  const auto sink = channel.sink->make(channel.options, {curl_user_agent(), channel.uuid, channel.duplicates}, sink_problems);
  if (!sink) return;  // the configuration was checked: cannot happen
  auto requests = sink->registration();
  if (!requests) {
    log.print(Level::alert, section, "Registration failed for {}", requests.error().text());
    return;
  }
  for (HttpRequest& request : *requests) {
    const std::string where = redacted(request.url);
    const HttpReply reply = call(http, std::move(request));
    const Judgement judgement = sink->classify(reply, {});
    if (judgement.verdict == Verdict::accepted)
      log.print(Level::info, section, "registered at {}", where);
    else
      log.print(Level::alert, section, "Registration failed for {}: {}", where, judgement.message);
  }
}

}  // namespace

void register_channels(const Settings& settings, HttpClient& http, Log& log, std::ostream& out) {
  for (const MeterSettings& meter : settings.meters) {
    if (!meter.enabled) continue;
    for (const ChannelSettings& channel : meter.channels) register_channel(channel, http, log);
    out << "..done\n";
  }
}

}  // namespace vz::cli
