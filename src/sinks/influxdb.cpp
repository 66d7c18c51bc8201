// SPDX-License-Identifier: GPL-3.0-or-later
// The api `influxdb`: readings as line protocol to InfluxDB 1.x (or 2.x, if `organization` is given), and what its
// replies mean.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/number_text.hpp"
#include "core/url.hpp"
#include "sinks/influxdb/line_protocol.hpp"
#include "sinks/influxdb/reply.hpp"
#include "sinks/web/options.hpp"
#include "sinks/web/text.hpp"
#include "vz/sink.hpp"

namespace vz::sinks {
namespace {

constexpr std::string_view kExample = R"("http://localhost:8086")";
constexpr std::int64_t kUsualBatch = 4500;
constexpr std::int64_t kLargestBatch = 20'000;

class InfluxdbSink final : public Sink {
 public:
  InfluxdbSink(const Options& options, const SinkContext& context) : uuid_(context.uuid) {
    std::string host = options.string("host");
    while (host.ends_with('/')) host.pop_back();
    const std::string& organization = options.string("organization");
    const std::string database = percent_encoded(options.string("database"));
    const std::string path =
        organization.empty()
            ? fmt::format("/write?db={}", database)
            : fmt::format("/api/v2/write?org={}&bucket={}", percent_encoded(organization), database);
    url_ = host + path + "&precision=ms";
    endpoint_ = endpoint_name(host) + path;
    series_ = influxdb::escaped_measurement(options.string("measurement_name"));
    const bool usual = series_ == "vzlogger" && options.string("tags").empty();
    if (options.boolean("send_uuid")) prefix_ = ",uuid=" + context.uuid;
    if (const std::string tags = influxdb::escaped_tags(options.string("tags")); !tags.empty()) {
      prefix_ += "," + tags;
      series_ += "," + tags;
    }
    prefix_ = influxdb::escaped_measurement(options.string("measurement_name")) + prefix_ + " value=";
    if (usual) series_.clear();
    headers_ = {"Content-Type: text/plain; charset=utf-8", "Accept: */*", "User-Agent: " + context.user_agent};
    if (const std::string& user = options.string("username"); !user.empty()) {
      headers_.push_back("Authorization: Basic " + base64(user + ":" + options.string("password")));
    } else if (const std::string& token = options.string("token"); !token.empty()) {
      headers_.push_back("Authorization: Token " + token);
    }
    const std::int64_t batch = options.integer("max_batch_inserts");
    max_batch_ = static_cast<std::size_t>(batch < 1 ? kUsualBatch : std::min(batch, kLargestBatch));
    timeout_ = std::chrono::seconds{options.integer("timeout")};
    tls_ = web::tls_check(options);
  }

  std::string endpoint() const override { return endpoint_; }
  std::string series() const override { return series_; }
  std::size_t max_batch() const override { return max_batch_; }

  HttpRequest encode(std::span<const QueuedReading> batch) const override {
    constexpr std::size_t kNumbers = 40;
    std::string body;
    body.reserve(batch.size() * (prefix_.size() + kNumbers));
    for (const QueuedReading& reading : batch) {
      body += prefix_;
      influxdb::append_field(body, reading.value);
      body += ' ';
      append_number(body, std::int64_t{reading.stamp.time_since_epoch().count()});
      body += '\n';
    }
    return {.method = "POST",
            .url = url_,
            .headers = headers_,
            .body = std::move(body),
            .timeout = timeout_,
            .tls = tls_};
  }

  Judgement classify(const HttpReply& reply, std::span<const QueuedReading> batch) const override {
    return influxdb::judge(reply, {.endpoint = endpoint_, .uuid = uuid_, .sent = batch.size()});
  }

 private:
  std::string url_;
  std::string endpoint_;
  std::string series_;
  std::string prefix_;  ///< of each line, up to the value
  std::vector<std::string> headers_;
  const std::string uuid_;
  std::size_t max_batch_ = 0;
  std::chrono::seconds timeout_{};
  TlsCheck tls_ = TlsCheck::full;
};

constexpr OptionSpec kOptions[] = {
    {.name = "host",
     .help = "address of the server, e.g. http://localhost:8086; may end in a path",
     .required = true,
     .check = [](const OptionValue& value) { return url_error(std::get<std::string>(value), kExample); }},
    {.name = "database", .default_text = "\"vzlogger\"", .help = "database (1.x) or bucket (2.x); has to exist"},
    {.name = "organization", .default_text = "\"\"", .help = "organization; its presence selects InfluxDB 2.x"},
    {.name = "token", .default_text = "\"\"", .help = "token of InfluxDB 2.x; not used if there is a `username`", .secret = true},
    {.name = "username", .default_text = "\"\"", .help = "user of InfluxDB 1.x"},
    {.name = "password", .default_text = "\"\"", .help = "password of that user", .secret = true},
    {.name = "measurement_name", .default_text = "\"vzlogger\"", .help = "measurement that the readings go to"},
    {.name = "tags", .default_text = "\"\"", .help = "further tags, e.g. room=cellar,floor=0"},
    {.name = "send_uuid", .type = OptionType::boolean, .default_text = "true", .help = "add the tag uuid=<uuid>"},
    {.name = "max_batch_inserts",
     .type = OptionType::integer,
     .default_text = "4500",
     .help = "readings in a request at most (up to 20000)"},
    {.name = "max_buffer_size",
     .type = OptionType::integer,
     .help = "of the old daemon, without effect: what cannot be delivered waits in the outbox"},
    web::kTimeoutOption,
    web::kVerifyPeerOption,
};

void tell_doubts(const Options& options, ProblemSink& problems) {
  const std::string& host = options.string("host");
  if (!split_url(host).rest.empty())
    problems.warning("host", "`host` contains `?` or `#`, but a path is put behind it: that cannot work");
  if (const std::string doubt = influxdb::measurement_doubt(options.string("measurement_name")); !doubt.empty())
    problems.warning("measurement_name", fmt::format("`measurement_name` {}: InfluxDB will refuse it", doubt));
  if (const std::string doubt = influxdb::tags_doubt(options.string("tags")); !doubt.empty())
    problems.warning("tags", fmt::format("`tags` {}: InfluxDB will refuse it; expected e.g. \"room=cellar,floor=0\"", doubt));
  if (const std::int64_t batch = options.integer("max_batch_inserts"); batch < 1 || batch > kLargestBatch)
    problems.warning("max_batch_inserts", fmt::format("`max_batch_inserts` is {}: {} is used", batch,
                                                      batch < 1 ? kUsualBatch : kLargestBatch));
  if (!options.string("username").empty() && !options.string("token").empty())
    problems.warning("token", "`token` is not used, because there is a `username`");
}

std::unique_ptr<Sink> make(const Options& options, const SinkContext& context, ProblemSink& problems) {
  if (const std::string error = url_error(options.string("host"), kExample); !error.empty()) {
    problems.error("host", "`host` " + error);
    return nullptr;
  }
  tell_doubts(options, problems);
  return std::make_unique<InfluxdbSink>(options, context);
}

}  // namespace

extern const SinkType influxdb_sink;
const SinkType influxdb_sink{
    .name = "influxdb",
    .summary = "sends to InfluxDB 1.x or 2.x",
    .options = kOptions,
    .make = make,
};

}  // namespace vz::sinks
