// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/resolver.hpp"
#include "platform/tls_context.hpp"
#include "vz/log.hpp"
#include "vz/mqtt.hpp"

struct mosquitto;
struct mosquitto_message;

namespace vz {

/// MqttClient on libmosquitto, which gets a new instance for each connection, so that nothing old is ever sent again
/// behind our back. Names are looked up here (the library would wait for them); of several addresses each is tried, the one
/// that worked last first. TLS is set up here, too: a certificate that is refused is explained, and there is no way in which a
/// connection that was to be encrypted is not.
///
/// Errors say what, where and what to do; never a secret. Constructed after the process has forked; one at a time. One
/// thread. The library's own messages are logged at level 15.
class MosquittoClient final : public MqttClient {
 public:
  MosquittoClient(MqttBroker broker, std::string name, Log& log);
  ~MosquittoClient() override;
  MosquittoClient(const MosquittoClient&) = delete;
  MosquittoClient& operator=(const MosquittoClient&) = delete;

  Expected<void> connect(MonoTime deadline, Wake& stop) override;
  void wait(MonoTime deadline, const Wake& wake, std::vector<MqttEvent>& out) override;
  std::optional<int> publish(std::string_view topic, std::string_view payload, int qos, bool retain) override;
  void subscribe(const std::string& topic) override;
  [[nodiscard]] bool writable() const override;
  void disconnect(MonoTime deadline) override;
  void drop() override;

 private:
  struct Callbacks;
  Expected<void> look_up(MonoTime deadline, Wake& stop);
  Expected<void> create();
  Expected<void> begin();
  Expected<void> begin_somewhere();
  void drive(short revents);
  void failed(int code);
  [[nodiscard]] Error words(int code, int system_error);
  [[nodiscard]] Error tls_words();
  [[nodiscard]] Error refusal_words(int code) const;
  [[nodiscard]] MonoTime next_chore() const;

  const MqttBroker broker_;
  const std::string name_;
  Log& log_;
  platform::Resolver resolver_;
  std::vector<platform::SocketAddress> addresses_;
  std::size_t turn_ = 0;       ///< which of them is next
  std::size_t addresses_left_ = 0;  ///< to be tried before this connect() has failed
  std::unique_ptr<platform::TlsContext> tls_;
  mosquitto* handle_ = nullptr;
  bool reached_ = false;            ///< the TCP connection is there
  bool connected_ = false;          ///< and the broker has said yes
  bool over_ = false;               ///< MqttLost was said
  std::optional<int> refused_;      ///< CONNACK's code
  std::string tls_trouble_;         ///< OpenSSL's words, as the library logged them
  std::optional<Error> tls_reason_;  ///< what they meant last, until a connection comes about
  MonoTime chores_{};               ///< when the keep-alive was last looked at
  MonoTime heard_{};                ///< when the last packet came
  MonoTime said_{};                 ///< when the last packet went
  std::vector<MqttEvent> events_;
};

}  // namespace vz
