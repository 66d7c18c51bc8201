// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vz/error.hpp"
#include "vz/time.hpp"
#include "vz/wake.hpp"

namespace vz {

/// Files for a connection with TLS. Empty texts: not given. Read anew for each connection, so that a renewed certificate
/// needs no restart.
struct TlsFiles {
  std::string cafile;    ///< neither this nor capath: what the system trusts
  std::string capath;
  std::string certfile;  ///< together with keyfile
  std::string keyfile;
  std::string keypass;   ///< secret
};

/// What the broker publishes for us when the connection breaks: QoS 1, retained.
struct MqttWill {
  std::string topic;
  std::string payload;
};

/// A broker and how to connect to it.
struct MqttBroker {
  std::string host;
  std::uint16_t port = 0;
  std::chrono::seconds keepalive{10};  ///< 0: never probed
  std::string client_id;
  std::string user;
  std::string password;                ///< secret
  std::optional<TlsFiles> tls;         ///< given: TLS or no connection at all
  std::optional<MqttWill> will;
};

struct MqttConnected {};
/// The connection, or the try to make one, is over. Comes once for each connect() that succeeded.
struct MqttLost {
  Error error;
};
/// The broker has the message (QoS 1 and 2), or it was handed to the network (QoS 0).
struct MqttDelivered {
  int id = 0;
};
struct MqttReceived {
  std::string topic;
  std::string payload;  ///< at most MqttClient::kMaxReceived bytes; longer messages are left out
};
using MqttEvent = std::variant<MqttConnected, MqttLost, MqttDelivered, MqttReceived>;

/// One connection at a time to one broker, MQTT 3.1.1, clean session. Keeps nothing from one connection to the next:
/// what was not delivered when it ends is forgotten here. Used by one thread.
class MqttClient {
 public:
  static constexpr std::size_t kMaxReceived = 1024;
  virtual ~MqttClient() = default;

  /// Begins to connect; MqttConnected or MqttLost follow from wait(). Waits for nothing but the name look-up, at most
  /// until `deadline` or a wake-up of `stop` (then an error with code ECANCELED). On an error there is no connection.
  virtual Expected<void> connect(MonoTime deadline, Wake& stop) = 0;
  /// Drives the connection until something happened (appended to `out`), `deadline` comes or `wake` fires. May also
  /// return early with nothing. Does not clear `wake`.
  virtual void wait(MonoTime deadline, const Wake& wake, std::vector<MqttEvent>& out) = 0;
  /// Hands over a message; the id comes back with MqttDelivered. Empty if it could not be taken: the connection is
  /// then about to be lost. Only while connected.
  virtual std::optional<int> publish(std::string_view topic, std::string_view payload, int qos, bool retain) = 0;
  virtual void subscribe(const std::string& topic) = 0;
  /// True while nothing waits to be written. What is published in spite of that is kept without bound.
  [[nodiscard]] virtual bool writable() const = 0;
  /// Says goodbye (the will is then not published) and closes, at `deadline` at the latest.
  virtual void disconnect(MonoTime deadline) = 0;
  /// Closes at once, without MqttLost.
  virtual void drop() = 0;
};

}  // namespace vz
