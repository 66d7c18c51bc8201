// SPDX-License-Identifier: GPL-3.0-or-later
// Against the InfluxDB 1.x that the distribution ships, started here; skipped where it is not installed.
#include <curl/curl.h>

#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

bool installed() {
  Process which({"/bin/sh", "-c", "command -v influxd"});
  return which.wait_exit() == Exit{.status = 0, .signal = 0};
}

/// A server on a port of its own; start() again goes on with the same data at the same address.
class Influxdb {
 public:
  explicit Influxdb(const Folder& folder, bool with_users = false) : folder_(folder), with_users_(with_users) {}

  void start() {
    std::ofstream(folder_ / "influxdb.conf") << fmt::format(
        "reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n"
        "[meta]\ndir = \"{0}/meta\"\n[data]\ndir = \"{0}/data\"\nwal-dir = \"{0}/wal\"\n"
        "[http]\nbind-address = \"127.0.0.1:{1}\"\nauth-enabled = {2}\n[monitor]\nstore-enabled = false\n",
        folder_.path().string(), port_, with_users_);
    process_ = std::make_unique<Process>(std::vector<std::string>{"influxd", "-config", folder_ / "influxdb.conf"}, plain());
    const auto line = process_->wait_for_line("Listening on HTTP", Stream::err);
    if (!line) throw std::runtime_error("influxd: " + process_->output(Stream::err));
    port_ = line->substr(line->find("addr=127.0.0.1:") + 15);
    port_ = port_.substr(0, port_.find(' '));
  }
  void stop() {
    process_->send(SIGTERM);
    process_->wait_exit();
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + port_; }
  [[nodiscard]] Process& process() { return *process_; }

  /// What the server answers to a statement.
  Json query(const std::string& statement, const std::string& database = "meters") {
    std::string reply;
    CURL* curl = curl_easy_init();
    char* text = curl_easy_escape(curl, statement.c_str(), 0);
    const std::string body = "q=" + std::string(text);
    curl_free(text);
    curl_easy_setopt(curl, CURLOPT_URL, (url() + "/query?epoch=ms&u=admin&p=pw&db=" + database).c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t, std::size_t size, void* out) {
      static_cast<std::string*>(out)->append(data, size);
      return size;
    });
    curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return Json::parse(reply, nullptr, false);
  }

  std::vector<Stored> stored() {
    std::vector<Stored> rows;
    const Json reply = query("SELECT value FROM vzlogger");
    if (!reply.is_object() || !reply["results"][0].contains("series")) return rows;
    for (const Json& row : reply["results"][0]["series"][0]["values"]) rows.push_back({row[0], row[1]});
    return rows;
  }
  /// Waits, write by write, until that many readings are there.
  [[nodiscard]] bool wait_stored(std::size_t count) {
    while (stored().size() < count)
      if (!process_->wait_for_line("/write?", Stream::err)) return false;
    return true;
  }

 private:
  const Folder& folder_;
  const bool with_users_;
  std::string port_ = "0";
  std::unique_ptr<Process> process_;
};

Json influx_channel(const Influxdb& server, Json more = Json::object()) {
  Json made{{"uuid", uuid(1)}, {"identifier", "1.8.0"}, {"api", "influxdb"}, {"host", server.url()}, {"database", "meters"}};
  made.update(more);
  return made;
}

#define SKIP_WITHOUT_INFLUXD() \
  if (!installed()) GTEST_SKIP() << "influxd is not installed (Debian: influxdb)"

TEST(Influxdb, AnOutageOfTheServerLosesNothing) {
  SKIP_WITHOUT_INFLUXD();
  Folder folder;
  Influxdb server(folder);
  server.start();
  server.query("CREATE DATABASE meters");
  Sim sim(folder, "sim", {});
  const auto daemon =
      run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({influx_channel(server)}))}), 1));
  ASSERT_TRUE(server.wait_stored(2)) << daemon->output(Stream::err);
  server.stop();
  ASSERT_TRUE(daemon->wait_for_line("onnect", Stream::err)) << daemon->output(Stream::err);
  ASSERT_TRUE(sim.wait_readouts(6));
  server.start();
  sim.stop();
  const auto sent = sim.readouts();
  ASSERT_TRUE(server.wait_stored(sent.size())) << daemon->output(Stream::err);
  expect_same(sent, server.stored());
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
}

TEST(Influxdb, AMissingDatabaseIsToldAndWaitedFor) {
  SKIP_WITHOUT_INFLUXD();
  Folder folder;
  Influxdb server(folder);
  server.start();
  Sim sim(folder, "sim", {"--readouts", "4"});
  const auto daemon =
      run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({influx_channel(server)}))}), 1));
  EXPECT_TRUE(daemon->wait_for_line("database not found", Stream::err)) << daemon->output(Stream::err);
  ASSERT_TRUE(sim.process().wait_exit());
  server.query("CREATE DATABASE meters");
  ASSERT_TRUE(server.wait_stored(4)) << daemon->output(Stream::err);
  expect_same(sim.readouts(), server.stored());
}

TEST(Influxdb, TheUserAndTheTagsArrive) {
  SKIP_WITHOUT_INFLUXD();
  Folder folder;
  Influxdb server(folder, true);
  server.start();
  server.query("CREATE USER admin WITH PASSWORD 'pw' WITH ALL PRIVILEGES");
  server.query("CREATE DATABASE meters");
  Sim sim(folder, "sim", {"--readouts", "2"});
  Json right = influx_channel(server, {{"username", "admin"}, {"password", "pw"}, {"tags", "room=living room"}});
  Json wrong = influx_channel(server, {{"username", "admin"}, {"password", "no"}, {"measurement_name", "other"}});
  const auto daemon = run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({right, wrong}))}), 1));
  ASSERT_TRUE(server.wait_stored(2)) << daemon->output(Stream::err);
  const Json tags = server.query("SHOW TAG VALUES WITH KEY = room");
  EXPECT_EQ(tags["results"][0]["series"][0]["values"][0][1], "living room") << tags;
  EXPECT_TRUE(daemon->wait_for_line("missing or wrong", Stream::err)) << daemon->output(Stream::err);
  EXPECT_EQ(daemon->output(Stream::err).find("pw"), std::string::npos) << "a password was logged";
}

}  // namespace
}  // namespace vz::e2e
