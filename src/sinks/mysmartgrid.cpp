// SPDX-License-Identifier: GPL-3.0-or-later
// The api `mysmartgrid`: whole numbers relative to the first reading, signed with the device's key.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/url.hpp"
#include "sinks/mysmartgrid/digest.hpp"
#include "sinks/web/options.hpp"
#include "sinks/web/text.hpp"
#include "sinks/web/unanswered.hpp"
#include "vz/sink.hpp"

namespace vz::sinks {
namespace {

using nlohmann::json;

constexpr std::string_view kExample = R"("https://api.mysmartgrid.de:8443")";
constexpr std::size_t kSensorBatch = 1000;
constexpr std::size_t kDeviceBatch = 100'000;  // only counted: a device sends heartbeats, no values
constexpr const char* kHeartbeat =
    R"({ "memtotal": 128, "version": "1.0.0", "memcached": 128, "membuffers": 12, "memfree": 1, "uptime": 1, "reset": 1 })";

std::string without_dashes(std::string text) {
  std::erase(text, '-');
  return text;
}

std::string quoted(const std::string& text) { return json(text).dump(-1, ' ', false, json::error_handler_t::replace); }

/// The service's own words: of an exception, of `response`, or of a page.
std::string server_words(const std::string& body) {
  const json parsed = json::parse(body, nullptr, false);
  if (!parsed.is_object()) return web::page_words(body);
  const auto word = [](const json& object, const char* name) {
    const auto member = object.find(name);
    return member != object.end() && member->is_string() ? member->get<std::string>() : std::string{};
  };
  if (const auto exception = parsed.find("exception"); exception != parsed.end() && exception->is_object())
    return fmt::format("{}: {}", word(*exception, "type"), word(*exception, "message"));
  return word(parsed, "response");
}

struct Account {
  std::string base;    ///< URL, without slash at the end
  std::string secret;
  std::string device;
  std::string name;    ///< for the registration; may be empty
  std::string uuid;    ///< without dashes
  std::string user_agent;
  std::chrono::seconds timeout{30};
  TlsCheck tls = TlsCheck::full;

  [[nodiscard]] HttpRequest request(std::string_view kind, std::string_view id, std::string body) const {
    HttpRequest request{.method = "POST",
                        .url = fmt::format("{}/{}/{}", base, kind, id),
                        .headers = {"Content-type: application/json", "Accept: */*", user_agent, "X-Version: 1.0",
                                    "X-Digest: " + mysmartgrid::digest(secret, body)},
                        .body = std::move(body),
                        .timeout = timeout,
                        .tls = tls};
    return request;
  }
  /// Tells the service the key of a device.
  [[nodiscard]] HttpRequest key_request(std::string_view id) const {
    HttpRequest told = request("device", id, fmt::format("{{ \"key\": {} }}", quoted(secret)));
    told.secret = true;
    return told;
  }
};

/// What both kinds of channel share.
class MysmartgridSink : public Sink {
 public:
  MysmartgridSink(Account account, std::chrono::seconds interval)
      : account_(std::move(account)), endpoint_(endpoint_name(account_.base)), interval_(interval) {}

  std::string endpoint() const override { return endpoint_; }
  std::chrono::seconds pace() const override { return interval_; }

  Expected<std::vector<HttpRequest>> registration() const override {
    if (account_.name.empty())
      return tl::unexpected(Error{"`name` is missing", endpoint_, "the registration needs the sensor's function as `name`"});
    return std::vector<HttpRequest>{
        account_.key_request(account_.device),
        account_.request("device", account_.device, kHeartbeat),
        account_.request("sensor", account_.uuid,
                         fmt::format(R"({{ "config": {{ "device": {}, "function": {}, "enable": 1 }} }})",
                                     quoted(account_.device), quoted(account_.name)))};
  }

  Judgement classify(const HttpReply& reply, std::span<const QueuedReading>) const override {
    if (reply.status == 0) return web::unanswered(reply, endpoint_, "middleware", account_.uuid);
    if (reply.status == 200) {
      delivered();
      return {.verdict = Verdict::accepted, .message = {}};
    }
    const std::string said = web::clean_words(server_words(reply.body), account_.uuid);
    const bool ours = reply.status >= 300 && reply.status < 500 && reply.status != 408 && reply.status != 429;
    return {.verdict = Verdict::keep,
            .retry = ours ? Retry::rarely : Retry::soon,
            .message = fmt::format("Error from middleware: {}{}HTTP {} from {}{}", said, said.empty() ? "" : ", ", reply.status,
                                   endpoint_, ours ? "; check `middleware`, `secretKey`, `device` and the uuid" : "")};
  }

 protected:
  virtual void delivered() const = 0;
  const Account account_;

 private:
  const std::string endpoint_;
  const std::chrono::seconds interval_;
};

/// Says that the device lives, at most once an interval and only while readings come in; the values themselves are not
/// sent.
class DeviceSink final : public MysmartgridSink {
 public:
  using MysmartgridSink::MysmartgridSink;
  std::size_t max_batch() const override { return kDeviceBatch; }
  HttpRequest encode(std::span<const QueuedReading>) const override {
    return registered_ ? account_.request("device", account_.uuid, kHeartbeat) : account_.key_request(account_.uuid);
  }

 private:
  void delivered() const override { registered_ = true; }
  mutable bool registered_ = false;  ///< the first message names the key
};

/// Sends `[ second, value - first value ]`. The first reading of the process is the base and is not sent itself.
class SensorSink final : public MysmartgridSink {
 public:
  SensorSink(Account account, std::chrono::seconds interval, std::int64_t scaler)
      : MysmartgridSink(std::move(account), interval), scaler_(scaler) {}
  std::size_t max_batch() const override { return kSensorBatch; }

  HttpRequest encode(std::span<const QueuedReading> batch) const override {
    after_ = now_;
    std::string list;
    for (const QueuedReading& reading : batch) {
      const std::int64_t second = std::chrono::floor<std::chrono::seconds>(reading.stamp).time_since_epoch().count();
      if (second <= after_.last) continue;
      const std::int64_t value = whole(reading.value);
      if (!after_.base) {
        after_.base = value;
        continue;
      }
      list += fmt::format("{}[ {}, {} ]", list.empty() ? "" : ", ", second, value - *after_.base);
      after_.last = second;
    }
    return account_.request("sensor", account_.uuid,
                            fmt::format("{{ \"measurements\": [ {}{}] }}", list, list.empty() ? "" : " "));
  }

 private:
  struct Progress {
    std::optional<std::int64_t> base;  ///< none yet; 0 is one, too: a counter that begins there loses nothing
    std::int64_t last = std::numeric_limits<std::int64_t>::min();  ///< second of the last value sent
  };

  std::int64_t whole(double value) const {
    constexpr double kLargest = 9e15;
    return static_cast<std::int64_t>(std::clamp(value * static_cast<double>(scaler_), -kLargest, kLargest));
  }
  void delivered() const override { now_ = after_; }

  const std::int64_t scaler_;
  mutable Progress now_;    ///< as of the last accepted request
  mutable Progress after_;  ///< once the request under way is accepted
};

constexpr auto kNoLimit = static_cast<double>(std::numeric_limits<std::int32_t>::max());

constexpr OptionSpec kOptions[] = {
    {.name = "middleware",
     .help = "address of the service",
     .required = true,
     .check = [](const OptionValue& value) { return url_error(std::get<std::string>(value), kExample); }},
    {.name = "secretKey", .help = "the device's key; dashes do not count", .required = true, .secret = true},
    {.name = "device", .help = "id of the device; dashes do not count", .required = true},
    {.name = "type", .help = "device: heartbeats alone; sensor: values", .required = true, .choices = "device|sensor"},
    {.name = "interval",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "300",
     .help = "least time between two messages",
     .min = 0,
     .max = kNoLimit},
    {.name = "scaler",
     .type = OptionType::integer,
     .default_text = "1",
     .help = "values are multiplied by this before they are made whole numbers",
     .min = 0,
     .max = kNoLimit},
    web::kTimeoutOption,
    {.name = "name", .help = "function of the sensor, for the registration (vzlogger -r)"},
    web::kVerifyPeerOption,
};

std::unique_ptr<Sink> make(const Options& options, const SinkContext& context, ProblemSink& problems) {
  std::string base = options.string("middleware");
  if (const std::string error = url_error(base, kExample); !error.empty()) {
    problems.error("middleware", "`middleware` " + error);
    return nullptr;
  }
  while (base.ends_with('/')) base.pop_back();
  Account account{.base = std::move(base),
                  .secret = without_dashes(options.string("secretKey")),
                  .device = without_dashes(options.string("device")),
                  .name = without_dashes(options.string("name")),
                  .uuid = without_dashes(context.uuid),
                  .user_agent = "User-Agent: " + context.user_agent,
                  .timeout = std::chrono::seconds{options.integer("timeout")},
                  .tls = web::tls_check(options)};
  const std::chrono::seconds interval{options.integer("interval")};
  const std::string& type = options.string("type");
  if (type == "device") return std::make_unique<DeviceSink>(std::move(account), interval);
  return std::make_unique<SensorSink>(std::move(account), interval, options.integer("scaler"));
}

}  // namespace

extern const SinkType mysmartgrid_sink;
const SinkType mysmartgrid_sink{
    .name = "mysmartgrid",
    .summary = "sends to mySmartGrid",
    .options = kOptions,
    .make = make,
};

}  // namespace vz::sinks
