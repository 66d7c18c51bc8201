// SPDX-License-Identifier: GPL-3.0-or-later
// The api `null`: nothing is sent. For channels that only the local interface or MQTT shows.
#include "vz/sink.hpp"

namespace vz::sinks {
namespace {

class NullSink final : public Sink {
 public:
  std::string endpoint() const override { return "null"; }
  bool delivers() const override { return false; }
  std::size_t max_batch() const override { return 1; }
  HttpRequest encode(std::span<const QueuedReading>) const override { return {}; }
  Judgement classify(const HttpReply&, std::span<const QueuedReading>) const override {
    return {.verdict = Verdict::accepted, .message = {}};
  }
};

}  // namespace

extern const SinkType null_sink;
const SinkType null_sink{
    .name = "null",
    .summary = "sends nothing; for channels that only the local interface shows",
    .options = {},
    .make = [](const Options&, const SinkContext&, ProblemSink&) -> std::unique_ptr<Sink> {
      return std::make_unique<NullSink>();
    },
};

}  // namespace vz::sinks
