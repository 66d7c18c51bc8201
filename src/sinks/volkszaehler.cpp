// SPDX-License-Identifier: GPL-3.0-or-later
// The api `volkszaehler`: readings as `[ [ ms, value ], ... ]` to a Volkszähler middleware, and what its replies mean.
#include <algorithm>
#include <chrono>

#include "core/number_text.hpp"
#include "core/url.hpp"
#include "sinks/volkszaehler/reply.hpp"
#include "sinks/web/options.hpp"
#include "vz/sink.hpp"

namespace vz::sinks {
namespace {

// A few hundred readings are stored in hundredths of a second; tens of thousands run into the middleware's limits.
constexpr std::size_t kMaxBatch = 256;
constexpr std::size_t kBytesPerReading = 40;
constexpr std::string_view kExample = R"("http://localhost/middleware.php")";

/// What is allowed but hardly meant; empty if all is well. Shows no part of the text.
std::string url_doubt(std::string_view text) {
  const UrlParts parts = split_url(text);
  if (!parts.rest.empty()) {
    return "contains `?` or `#`, but the path of the channel is put behind it: that cannot work with most servers";
  }
  if (parts.scheme.empty())
    return fmt::format("has no http:// or https:// in front; http:// is assumed, e.g. {}", kExample);
  const std::string_view path = parts.path;
  const bool usual = path.find("middleware") != std::string_view::npos || path.find("/api") != std::string_view::npos;
  if (!usual) return fmt::format("does not end in /middleware.php (or /api) as usual, e.g. {}", kExample);
  return {};
}

class VolkszaehlerSink final : public Sink {
 public:
  VolkszaehlerSink(const std::string& middleware, std::chrono::seconds timeout, const SinkContext& context)
      : endpoint_(endpoint_name(middleware)),
        url_(middleware + "/data/" + context.uuid + ".json"),
        repeat_url_(url_ + (middleware.find('?') == std::string::npos ? '?' : '&') + "options=skipduplicates"),
        user_agent_("User-Agent: " + context.user_agent),
        uuid_(context.uuid),
        timeout_(timeout) {}

  std::string endpoint() const override { return endpoint_; }
  std::size_t max_batch() const override { return kMaxBatch; }

  HttpRequest encode(std::span<const QueuedReading> batch) const override {
    // A batch with one duplicate is refused as a whole unless the middleware is asked to skip what it has.
    return {.method = "POST",
            .url = repeats(batch) > 0 ? repeat_url_ : url_,
            .headers = {"Content-type: application/json", "Accept: application/json", user_agent_},
            .body = body(batch),
            .timeout = timeout_};
  }

  Judgement classify(const HttpReply& reply, std::span<const QueuedReading> batch) const override {
    return volkszaehler::judge(reply,
                               {.endpoint = endpoint_, .uuid = uuid_, .sent = batch.size(), .repeats = repeats(batch)});
  }

 private:
  static std::size_t repeats(std::span<const QueuedReading> batch) {
    return static_cast<std::size_t>(
        std::count_if(batch.begin(), batch.end(), [](const QueuedReading& reading) { return reading.repeat; }));
  }

  static std::string body(std::span<const QueuedReading> batch) {
    std::string text;
    text.reserve(4 + batch.size() * kBytesPerReading);
    text += "[ ";
    for (const QueuedReading& reading : batch) {
      if (text.size() > 2) text += ", ";
      text += "[ ";
      append_number(text, std::int64_t{reading.stamp.time_since_epoch().count()});
      text += ", ";
      append_number(text, reading.value);
      text += " ]";
    }
    text += " ]";
    return text;
  }

  const std::string endpoint_;
  const std::string url_;
  const std::string repeat_url_;
  const std::string user_agent_;
  const std::string uuid_;
  const std::chrono::seconds timeout_;
};

constexpr OptionSpec kOptions[] = {
    {.name = "middleware",
     .type = OptionType::string,
     .help =
         "address of the middleware, e.g. http://localhost/middleware.php; may carry name:password@ before the host",
     .required = true,
     .check = [](const OptionValue& value) { return url_error(std::get<std::string>(value), kExample); }},
    web::kTimeoutOption,
};

std::unique_ptr<Sink> make(const Options& options, const SinkContext& context, ProblemSink& problems) {
  const std::string& middleware = options.string("middleware");
  if (const std::string error = url_error(middleware, kExample); !error.empty()) {
    problems.error("middleware", "`middleware` " + error);
    return nullptr;
  }
  if (const std::string doubt = url_doubt(middleware); !doubt.empty()) {
    problems.warning("middleware", "`middleware` " + doubt);
  }
  return std::make_unique<VolkszaehlerSink>(middleware, std::chrono::seconds{options.integer("timeout")}, context);
}

}  // namespace

extern const SinkType volkszaehler_sink;
const SinkType volkszaehler_sink{
    .name = "volkszaehler",
    .summary = "sends to a Volkszaehler middleware",
    .options = kOptions,
    .make = make,
};

}  // namespace vz::sinks
