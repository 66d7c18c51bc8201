// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/middleware/middleware.hpp"

namespace vz::middleware {

inline constexpr const char* kMeter = "11111111-1111-1111-1111-111111111111";
inline constexpr const char* kSensor = "22222222-2222-2222-2222-222222222222";
inline constexpr const char* kUnknown = "99999999-9999-9999-9999-999999999999";
inline constexpr std::int64_t kT = 1'700'000'000'000;
inline constexpr std::int64_t kHour = 3'600'000;
inline constexpr std::int64_t kNow = 1'800'000'000'123;

/// A middleware in memory with an electric meter (id 1) and a power sensor (id 2), asked without sockets.
class ApiTest : public ::testing::Test {
 protected:
  explicit ApiTest(Precision precision = Precision::exact)
      : api_(*Store::open(":memory:"), {.precision = precision, .zone = Zone::utc, .mint_uuid = [this] {
                                          return fmt::format("00000000-0000-4000-8000-{:012}", ++minted_);
                                        }}) {
    create("type=electric meter,title=Meter,resolution=1,uuid=" + std::string(kMeter));
    create("type=powersensor,title=Sensor,uuid=" + std::string(kSensor));
  }

  void create(const std::string& description) {
    const auto uuid = api_.create_channel(description);
    ASSERT_TRUE(uuid) << uuid.error().text();
  }

  /// `target` is a path below /middleware.php, perhaps with a query.
  Reply send(const std::string& method, const std::string& target, std::string body = {},
             std::string content_type = "application/json") {
    Request request;
    request.method = method;
    const auto mark = target.find('?');
    request.path = "/middleware.php" + target.substr(0, mark);
    if (mark != std::string::npos) request.query = Params::parse(target.substr(mark + 1));
    request.content_type = std::move(content_type);
    request.body = std::move(body);
    request.now = WallTime{std::chrono::milliseconds{kNow}};
    return api_.handle(request);
  }
  Reply get(const std::string& target) { return send("GET", target); }
  Reply push(const std::string& uuid, std::string body, const std::string& query = {}) {
    return send("POST", "/data/" + uuid + ".json" + query, std::move(body));
  }

  static nlohmann::json parsed(const Reply& reply) { return nlohmann::json::parse(reply.body); }

  /// The reply is the middleware's exception of that type; gives its message.
  static std::string failure(const Reply& reply, const std::string& type) {
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_EQ(reply.content_type, "application/json");
    const auto body = nlohmann::json::parse(reply.body, nullptr, false);
    if (!body.is_object() || !body.contains("exception")) {
      ADD_FAILURE() << "no exception in " << reply.body;
      return {};
    }
    EXPECT_EQ(body["version"], "0.3");
    EXPECT_EQ(body["exception"]["type"], type);
    EXPECT_EQ(body["exception"]["code"], 0);
    return body["exception"]["message"];
  }
  static void expect_rows(const Reply& reply, int rows) {
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, fmt::format(R"({{"version":"0.3","rows":{}}})", rows));
  }

  /// What is stored, [[ms, value], ...].
  nlohmann::json stored(const std::string& uuid) {
    auto out = nlohmann::json::array();
    const auto channel = api_.store().find(uuid);
    if (!channel) return out;
    using Limits = std::numeric_limits<std::int64_t>;
    for (const auto& row : api_.store().rows(channel->id, Limits::min(), Limits::max()))
      out.push_back({row.ms, row.value});
    return out;
  }

  int minted_ = 0;
  Middleware api_;
};

}  // namespace vz::middleware
