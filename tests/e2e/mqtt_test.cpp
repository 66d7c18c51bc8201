// SPDX-License-Identifier: GPL-3.0-or-later
// MQTT against the real broker: plain, with TLS, with passwords, and when it comes and goes.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <set>

#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Where a program is, or nothing.
std::string installed(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/usr/local/sbin/", "/usr/local/bin/"})
    if (std::filesystem::exists(folder + name)) return folder + name;
  return {};
}

class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::system_error(errno, std::generic_category(), "bind");
    port_ = ntohs(address.sin_port);
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  int port_ = 0;
};

/// mosquitto on a port that was free a moment ago, and stays the same over restarts.
class Broker {
 public:
  explicit Broker(const Folder& folder) : folder_(folder), port_(Socket{}.port()) {}

  void start(const std::string& more = "allow_anonymous true\n") {
    std::ofstream(folder_ / "mosquitto.conf")
        << "listener " << port_ << " 127.0.0.1\n"
        << (::geteuid() == 0 ? "user root\n" : "") << "log_dest stderr\nlog_type all\npersistence true\npersistence_location "
        << folder_.path().string() << "/\nmax_queued_messages 0\n" << more;
    process_ = std::make_unique<Process>(
        std::vector<std::string>{installed("mosquitto"), "-c", folder_ / "mosquitto.conf"}, plain());
    if (!process_->wait_for_line(" running", Stream::err)) throw std::runtime_error("mosquitto: " + log());
  }
  void end(int signal = SIGTERM) {
    process_->send(signal);
    process_->wait_exit();
    all_logs_ += process_->output(Stream::err);
    process_.reset();
  }
  [[nodiscard]] Process& process() { return *process_; }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string log() const { return process_ ? all_logs_ + process_->output(Stream::err) : all_logs_; }

 private:
  const Folder& folder_;
  int port_;
  std::unique_ptr<Process> process_;
  std::string all_logs_;
};

/// Hears everything, also what comes while it is away. (stdbuf: what it hears is to be seen at once.)
class Listener {
 public:
  explicit Listener(const Broker& broker, std::vector<std::string> more = {}) {
    std::vector<std::string> argv{installed("stdbuf"), "-oL", installed("mosquitto_sub"), "-h", "localhost", "-p", std::to_string(broker.port()), "-v", "-d",
                                  "-q", "1", "-c", "-i", "listener", "-t", "#"};
    argv.insert(argv.end(), more.begin(), more.end());
    process_ = std::make_unique<Process>(std::move(argv), plain());
    if (!process_->wait_for_line("SUBACK")) throw std::runtime_error("mosquitto_sub: " + process_->output(Stream::err));
  }
  /// The payload of the next message of that topic, passing over others.
  std::optional<std::string> next(const std::string& topic) {
    while (const auto line = process_->wait_for_line(topic + " "))
      if (line->starts_with(topic + " ")) return line->substr(topic.size() + 1);
    return std::nullopt;
  }
  [[nodiscard]] std::vector<std::string> heard(const std::string& topic) const {
    std::vector<std::string> found;
    std::istringstream text(process_->output());
    for (std::string line; std::getline(text, line);)
      if (line.starts_with(topic + " ")) found.push_back(line.substr(topic.size() + 1));
    return found;
  }
  /// The values of messages with a time, each once.
  [[nodiscard]] std::set<double> values(const std::string& topic) const {
    std::set<double> found;
    for (const auto& payload : heard(topic)) found.insert(Json::parse(payload)["value"].get<double>());
    return found;
  }
  /// Waits until all of `wanted` were heard.
  [[nodiscard]] bool wait_values(const std::string& topic, const std::set<double>& wanted) {
    const auto all = [&] {
      const auto have = values(topic);
      return std::includes(have.begin(), have.end(), wanted.begin(), wanted.end());
    };
    while (!all())
      if (!process_->wait_for_line(topic + " ")) return all();
    return true;
  }

 private:
  std::unique_ptr<Process> process_;
};

std::set<double> values_of(const std::vector<Readout>& readouts) {
  std::set<double> found;
  for (const auto& readout : readouts) found.insert(std::strtod(readout.values.at("1.8.0").c_str(), nullptr));
  return found;
}

const std::string kRaw = "vzlogger/chn0/raw";

class Mqtt : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"mosquitto", "mosquitto_sub", "mosquitto_passwd", "openssl", "stdbuf"})
      if (installed(name).empty()) GTEST_SKIP() << name << " is not installed";
  }
  [[nodiscard]] Json section(Json more = Json::object()) const {
    Json all{{"enabled", true}, {"host", "localhost"}, {"port", broker_.port()}};
    all.update(more);
    return {{"mqtt", all}};
  }
  [[nodiscard]] static Json meter(const Sim& sim) {
    Json result = pulled(sim.endpoint(), Json::array({channel(uuid(1), "")}));
    result["allowskip"] = true;
    return result;
  }
  /// The program that reads `sim`; its messages of level 0 and 1 are on its stderr and stdout.
  std::unique_ptr<Process> daemon(const Sim& sim, const Json& mqtt, int verbosity = 1) {
    return run_daemon(folder_, config(Json::array({meter(sim)}), verbosity, section(mqtt)));
  }
  static void stop(Process& program) {
    program.send(SIGTERM);
    EXPECT_EQ(program.wait_exit(), (Exit{.status = 0, .signal = 0}));
  }
  void openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), installed("openssl"));
    auto options = plain();
    options.directory = folder_.path().string();
    Process program(std::move(arguments), options);
    const auto end = program.wait_exit();
    if (end != (Exit{.status = 0, .signal = 0})) throw std::runtime_error("openssl: " + program.output(Stream::err));
  }
  void make_ca(const std::string& name) {
    openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".key", "-out",
             name + ".pem", "-subj", "/CN=Authority " + name, "-days", "2"});
  }
  void make_certificate(const std::string& name, const std::string& host, int days = 2) {
    openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".key", "-out",
             name + ".csr", "-subj", "/CN=" + host});
    std::ofstream(folder_ / (name + ".ext")) << "subjectAltName=DNS:" << host << "\n";
    openssl({"x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
             std::to_string(days), "-extfile", name + ".ext", "-out", name + ".pem"});
  }
  void start_tls(const std::string& certificate, bool wants_client = false) {
    broker_.start(fmt::format("allow_anonymous true\ncafile {0}\ncertfile {1}.pem\nkeyfile {1}.key\nrequire_certificate {2}\n",
                              folder_ / "ca.pem", folder_ / certificate, wants_client ? "true" : "false"));
  }
  /// The program is refused by (or refuses) the broker, says why, and tells nobody anything.
  void expect_refusal(const Json& mqtt, const std::string& words) {
    Sim sim(folder_, "sim", {});
    const auto program = daemon(sim, mqtt);
    EXPECT_TRUE(program->wait_for_line(words, Stream::err)) << program->output(Stream::err);
    EXPECT_TRUE(sim.wait_readouts(2));
    stop(*program);
    EXPECT_EQ(occurrences(program->output(Stream::err), "[mqtt]"), 1U) << program->output(Stream::err);
    EXPECT_THAT(broker_.log(), Not(HasSubstr("Received PUBLISH")));
    EXPECT_THAT(broker_.log(), Not(HasSubstr(" as vzlogger_"))) << "the greeting got through";
  }

  Folder folder_;
  Broker broker_{folder_};
};

TEST_F(Mqtt, PlainAsEver) {
  broker_.start();
  Listener listener(broker_);
  Sim sim(folder_, "sim", {});
  const auto program = daemon(sim, {{"topic", "house"}});
  EXPECT_EQ(listener.next("house/chn0/id"), "255-255:1.8.0*255") << "as it is configured, 255 for what is left open";
  EXPECT_EQ(listener.next("house/chn0/uuid"), uuid(1));
  const auto value = listener.next("house/chn0/raw");
  ASSERT_TRUE(value);
  EXPECT_THAT(*value, testing::MatchesRegex("[0-9]+\\.[0-9][0-9][0-9][0-9][0-9][0-9]"));
  // the meter notes a readout once it is out; what came before the broker was there is not published
  bool known = false;
  for (int count = 1; !known && count <= 5; ++count) {
    ASSERT_TRUE(sim.wait_readouts(count));
    known = values_of(sim.readouts()).contains(std::strtod(value->c_str(), nullptr));
  }
  EXPECT_TRUE(known) << *value;
  stop(*program);
  EXPECT_THAT(listener.heard("house/status"), IsEmpty()) << "nothing that the old daemon did not publish";
  EXPECT_THAT(broker_.log(), HasSubstr("Received DISCONNECT from vzlogger_"));
}

TEST_F(Mqtt, ARestartOfTheBrokerLosesNothingThatHasATime) {
  broker_.start();
  Listener listener(broker_);
  Sim sim(folder_, "sim", {});
  const auto program = daemon(sim, {{"qos", 1}, {"timestamp", true}});
  ASSERT_TRUE(listener.next(kRaw));
  ASSERT_TRUE(listener.next(kRaw));
  broker_.end();
  ASSERT_TRUE(program->wait_for_line("the broker", Stream::err)) << program->output(Stream::err);
  ASSERT_TRUE(sim.wait_readouts(6));
  broker_.start();
  ASSERT_TRUE(program->wait_for_line("again after", Stream::err)) << program->output(Stream::err);
  ASSERT_TRUE(sim.wait_readouts(2));
  sim.stop();
  EXPECT_TRUE(listener.wait_values(kRaw, values_of(sim.readouts())));
  EXPECT_EQ(listener.values(kRaw), values_of(sim.readouts()));
  stop(*program);
  // that it is gone, that nothing listens there, and that it is back: each once, however many tries it took
  EXPECT_LE(occurrences(program->output(Stream::err), "[mqtt]"), 3U) << program->output(Stream::err);
}

TEST_F(Mqtt, ABrokerThatHangsAndIsKilledLosesNothingThatHasATime) {
  broker_.start();
  Listener listener(broker_);
  broker_.process().send(SIGUSR1);  // keeps who listens, so that it hears everything after the kill as well
  ASSERT_TRUE(broker_.process().wait_for_line("Saving in-memory database", Stream::err));
  Sim sim(folder_, "sim", {});
  const auto program = daemon(sim, {{"qos", 2}, {"timestamp", true}, {"keepalive", 5}});
  ASSERT_TRUE(listener.next(kRaw));
  broker_.process().send(SIGSTOP);
  ASSERT_TRUE(sim.wait_readouts(6));
  broker_.end(SIGKILL);
  ASSERT_TRUE(sim.wait_readouts(6));
  broker_.start();
  ASSERT_TRUE(program->wait_for_line("again after", Stream::err)) << program->output(Stream::err);
  sim.stop();
  EXPECT_TRUE(listener.wait_values(kRaw, values_of(sim.readouts())));
  EXPECT_EQ(listener.values(kRaw), values_of(sim.readouts()));
  stop(*program);
}

TEST_F(Mqtt, WhatWaitsSurvivesARestartOfTheProgram) {
  Sim sim(folder_, "sim", {});
  const Json mqtt{{"qos", 1}, {"timestamp", true}};
  auto program = daemon(sim, mqtt);
  ASSERT_TRUE(program->wait_for_line("Connection refused", Stream::err)) << program->output(Stream::err);
  ASSERT_TRUE(sim.wait_readouts(6));
  sim.stop();
  stop(*program);
  broker_.start();
  Listener listener(broker_);
  // the meter is gone by now; another one keeps the program running
  const Json other{{"enabled", true}, {"protocol", "random"}, {"interval", 1}, {"channels", Json::array({channel(uuid(2), "")})}};
  program = run_daemon(folder_, config(Json::array({meter(sim), other}), 1, section(mqtt)));
  // the last readout may have met a program that was about to end
  auto wanted = values_of(sim.readouts());
  wanted.erase(std::prev(wanted.end()));
  EXPECT_TRUE(listener.wait_values(kRaw, wanted)) << program->output(Stream::err);
  const auto all = values_of(sim.readouts());
  for (const double value : listener.values(kRaw)) EXPECT_TRUE(all.contains(value)) << "invented: " << value;
  stop(*program);
}

TEST_F(Mqtt, BareValuesOfAnOutageOfSecondsArriveLater) {
  broker_.start();
  Listener listener(broker_);
  Sim sim(folder_, "sim", {});
  const auto program = daemon(sim, {{"qos", 1}});
  ASSERT_TRUE(listener.next(kRaw));
  broker_.end();
  ASSERT_TRUE(program->wait_for_line("wait for a minute", Stream::err)) << program->output(Stream::err);
  ASSERT_TRUE(sim.wait_readouts(3));
  sim.stop();
  broker_.start();
  std::set<std::string> wanted;
  for (const double value : values_of(sim.readouts())) wanted.insert(fmt::format("{:.6f}", value));
  std::set<std::string> heard;
  for (const auto& payload : listener.heard(kRaw)) heard.insert(payload);
  while (heard.size() < wanted.size()) {
    const auto next = listener.next(kRaw);
    ASSERT_TRUE(next) << heard.size() << " of " << wanted.size();
    heard.insert(*next);
  }
  EXPECT_EQ(heard, wanted);
  stop(*program);
}

TEST_F(Mqtt, PasswordsAreUsedAndAWrongOneIsToldInWords) {
  std::ofstream(folder_ / "passwords") << "";
  Process maker({installed("mosquitto_passwd"), "-b", folder_ / "passwords", "anna", "Xk3geheim"}, plain());
  ASSERT_EQ(maker.wait_exit(), (Exit{.status = 0, .signal = 0})) << maker.output(Stream::err);
  broker_.start(fmt::format("allow_anonymous false\npassword_file {}\n", folder_ / "passwords"));
  Listener listener(broker_, {"-u", "anna", "-P", "Xk3geheim"});
  Sim sim(folder_, "sim", {});
  {
    const auto program = daemon(sim, {{"user", "anna"}, {"pass", "Yk4falsch"}}, 15);
    EXPECT_TRUE(program->wait_for_line("the broker refuses user \"anna\" with this password (check mqtt.user and mqtt.pass)", Stream::err))
        << program->output(Stream::err);
    stop(*program);
    EXPECT_THAT(program->output() + program->output(Stream::err), Not(HasSubstr("Yk4falsch")));
  }
  {
    const auto program = daemon(sim, Json::object());
    EXPECT_TRUE(program->wait_for_line("the broker wants a user name and a password", Stream::err)) << program->output(Stream::err);
    stop(*program);
  }
  const auto program = daemon(sim, {{"user", "anna"}, {"pass", "Xk3geheim"}});
  EXPECT_TRUE(listener.next(kRaw));
  stop(*program);
}

TEST_F(Mqtt, TlsWithAClientCertificateSurvivesARestart) {
  make_ca("ca");
  make_certificate("broker", "localhost");
  make_certificate("us", "us");
  start_tls("broker", true);
  Listener listener(broker_, {"--cafile", folder_ / "ca.pem", "--cert", folder_ / "us.pem", "--key", folder_ / "us.key"});
  Sim sim(folder_, "sim", {});
  const auto program = daemon(sim, {{"qos", 1}, {"timestamp", true}, {"cafile", folder_ / "ca.pem"}, {"certfile", folder_ / "us.pem"},
                                    {"keyfile", folder_ / "us.key"}});
  ASSERT_TRUE(listener.next(kRaw)) << program->output(Stream::err);
  broker_.end();
  ASSERT_TRUE(sim.wait_readouts(4));
  start_tls("broker", true);
  ASSERT_TRUE(sim.wait_readouts(2));
  sim.stop();
  EXPECT_TRUE(listener.wait_values(kRaw, values_of(sim.readouts()))) << program->output(Stream::err);
  stop(*program);
}

TEST_F(Mqtt, TlsFailuresAreToldInWordsAndNothingIsSent) {
  make_ca("ca");
  make_ca("other");
  make_certificate("broker", "localhost");
  make_certificate("elsewhere", "broker.example");
  make_certificate("old", "localhost", -1);
  make_certificate("us", "us");
  const std::string ca = folder_ / "ca.pem";
  start_tls("broker");
  expect_refusal({{"cafile", folder_ / "other.pem"}}, "was signed by \"CN = Authority ca\", for which cafile");
  expect_refusal({{"cafile", folder_ / "nowhere.pem"}}, "mqtt.cafile cannot be read: No such file or directory");
  expect_refusal({{"cafile", ca}, {"certfile", folder_ / "us.pem"}, {"keyfile", folder_ / "broker.key"}},
                 "mqtt.keyfile is not the key of mqtt.certfile");
  expect_refusal({{"cafile", ca}, {"certfile", folder_ / "us.pem"}}, "mqtt.certfile is given without mqtt.keyfile");
  expect_refusal({{"certfile", folder_ / "us.pem"}, {"keyfile", folder_ / "us.key"}}, "for which the certificates of this system");
  expect_refusal({{"cafile", ca}, {"host", "127.0.0.1"}}, "the broker's certificate is not for \"127.0.0.1\" but for localhost");
  broker_.end();
  start_tls("elsewhere");
  expect_refusal({{"cafile", ca}}, "the broker's certificate is not for \"localhost\" but for broker.example");
  broker_.end();
  start_tls("old");
  expect_refusal({{"cafile", ca}}, "the broker's certificate (CN = localhost) expired on ");
  broker_.end();
  broker_.start();
  expect_refusal({{"cafile", ca}}, "the broker ");
}

TEST_F(Mqtt, WithTlsTheFirstByteIsTls) {
  make_ca("ca");
  const Socket server;
  ASSERT_EQ(::listen(server.fd(), 5), 0);
  Sim sim(folder_, "sim", {});
  const auto program =
      daemon(sim, {{"port", server.port()}, {"cafile", folder_ / "ca.pem"}, {"user", "anna"}, {"pass", "Xk3geheim"}, {"id", "tellme"}});
  const int connection = ::accept4(server.fd(), nullptr, nullptr, SOCK_CLOEXEC);
  ASSERT_GE(connection, 0);
  std::string bytes(4096, '\0');
  const auto count = ::recv(connection, bytes.data(), bytes.size(), 0);
  ::close(connection);
  ASSERT_GT(count, 0);
  bytes.resize(static_cast<std::size_t>(count));
  EXPECT_EQ(bytes[0], '\x16') << "a TLS handshake";
  EXPECT_THAT(bytes, AllOf(Not(HasSubstr("MQTT")), Not(HasSubstr("anna")), Not(HasSubstr("geheim")), Not(HasSubstr("tellme"))));
  EXPECT_THAT(bytes, HasSubstr("localhost")) << "the name, not the address, in the greeting";
  stop(*program);
}

TEST_F(Mqtt, HomeAssistantIsToldAndHearsOfTheEnd) {
  broker_.start();
  Listener listener(broker_);
  Sim sim(folder_, "sim", {});
  const auto program = daemon(sim, {{"discovery", true}});
  EXPECT_EQ(listener.next("vzlogger/status"), "online");
  EXPECT_EQ(listener.next("vzlogger/mtr0/status"), "online");
  ASSERT_TRUE(listener.next(kRaw));
  const Json document = [&] {
    Process once({installed("mosquitto_sub"), "-h", "localhost", "-p", std::to_string(broker_.port()), "-t",
                  "homeassistant/sensor/+/+/config", "-C", "1"},
                 plain());
    once.wait_exit();
    return Json::parse(once.output(), nullptr, false);
  }();
  ASSERT_TRUE(document.is_object());
  EXPECT_EQ(document["name"], "Energy import");
  EXPECT_EQ(document["device_class"], "energy");
  EXPECT_EQ(document["state_class"], "total_increasing");
  EXPECT_EQ(document["unit_of_measurement"], "kWh");
  EXPECT_EQ(document["state_topic"], kRaw);
  EXPECT_EQ(document["availability"][0]["topic"], "vzlogger/status");
  program->send(SIGKILL);
  program->wait_exit();
  EXPECT_EQ(listener.next("vzlogger/status"), "offline") << "the last will";
}

}  // namespace
}  // namespace vz::e2e
