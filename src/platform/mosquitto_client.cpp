// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/mosquitto_client.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <mosquitto.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "platform/wait.hpp"

namespace vz {
namespace {


std::string numeric(const platform::SocketAddress& address) {
  std::array<char, NI_MAXHOST> text{};
  const auto* name = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::getnameinfo(name, address.length, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) return {};
  return text.data();
}

int pending_error(int socket) {
  int code = 0;
  socklen_t size = sizeof code;
  return socket >= 0 && ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : 0;
}

}  // namespace

/// What the library calls, from within our own calls to it.
struct MosquittoClient::Callbacks {
  static MosquittoClient& self(void* object) { return *static_cast<MosquittoClient*>(object); }

  static void connected(mosquitto* /*handle*/, void* object, int code) {
    auto& client = self(object);
    if (code != 0) {
      client.refused_ = code;
      return;
    }
    if (client.tls_ && (mosquitto_ssl_get(client.handle_) == nullptr || !client.tls_->approved())) {
      client.tls_trouble_ = "the certificate was not looked at";  // cannot happen
      client.failed(MOSQ_ERR_TLS);
      return;
    }
    client.connected_ = true;
    client.tls_reason_.reset();
    client.events_.emplace_back(MqttConnected{});
  }
  static void published(mosquitto* /*handle*/, void* object, int id) { self(object).events_.emplace_back(MqttDelivered{id}); }
  static void received(mosquitto* /*handle*/, void* object, const mosquitto_message* message) {
    const auto length = static_cast<std::size_t>(std::max(message->payloadlen, 0));
    if (length > kMaxReceived) return;
    self(object).events_.emplace_back(
        MqttReceived{message->topic, length > 0 ? std::string{static_cast<const char*>(message->payload), length} : std::string{}});
  }
  static void logged(mosquitto* /*handle*/, void* object, int /*level*/, const char* text) {
    auto& client = self(object);
    const std::string_view line = text;
    if (line.starts_with("OpenSSL Error")) client.tls_trouble_ = line;
    // each packet has its line: the one place where the library tells of those that it makes itself
    if (line.find(" sending ") != std::string_view::npos) client.said_ = std::chrono::steady_clock::now();
    else if (line.find(" received ") != std::string_view::npos) client.heard_ = std::chrono::steady_clock::now();
    client.log_.write(Level::finest, "mqtt", line);
  }
};

MosquittoClient::MosquittoClient(MqttBroker broker, std::string name, Log& log)
    : broker_(std::move(broker)), name_(std::move(name)), log_(log) {
  mosquitto_lib_init();
}

MosquittoClient::~MosquittoClient() {
  drop();
  mosquitto_lib_cleanup();
}

void MosquittoClient::drop() {
  if (handle_ != nullptr && !connected_ && !over_) ++turn_;  // it did not answer: another address may
  if (handle_ != nullptr) mosquitto_destroy(std::exchange(handle_, nullptr));
  tls_.reset();
  connected_ = false;
  events_.clear();
}

Expected<void> MosquittoClient::look_up(MonoTime deadline, Wake& stop) {
  auto found = resolver_.resolve({broker_.host, fmt::format("{}", broker_.port)}, deadline, stop);
  if (!found) return tl::unexpected(std::move(found.error()));
  addresses_ = std::move(*found);
  return {};
}

Expected<void> MosquittoClient::connect(MonoTime deadline, Wake& stop) {
  drop();
  over_ = false;
  refused_.reset();
  tls_trouble_.clear();
  if (broker_.tls) {
    auto context = platform::TlsContext::make(*broker_.tls, broker_.host);
    if (!context) return tl::unexpected(std::move(context.error()));
    tls_ = std::move(*context);
  }
  auto result = look_up(deadline, stop);  // each time: addresses change
  addresses_left_ = addresses_.size();
  if (result) result = begin_somewhere();
  if (!result) drop();
  return result;
}

/// Goes on with the next address until one does not fail at once.
Expected<void> MosquittoClient::begin_somewhere() {
  Expected<void> result;
  while (addresses_left_ > 0) {
    --addresses_left_;
    if (handle_ != nullptr) mosquitto_destroy(std::exchange(handle_, nullptr));
    result = create();
    if (!result) return result;
    result = begin();
    if (result) return result;
    ++turn_;
  }
  over_ = true;
  return result;
}

Expected<void> MosquittoClient::create() {
  handle_ = mosquitto_new(broker_.client_id.c_str(), true, this);
  if (handle_ == nullptr)
    return tl::unexpected(Error{"the MQTT client cannot be made: " + platform::errno_text(errno), name_,
                                errno == EINVAL ? "is mqtt.id proper UTF-8?" : "", errno});
  mosquitto_connect_callback_set(handle_, &Callbacks::connected);
  mosquitto_publish_callback_set(handle_, &Callbacks::published);
  mosquitto_message_callback_set(handle_, &Callbacks::received);
  mosquitto_log_callback_set(handle_, &Callbacks::logged);
  int code = mosquitto_int_option(handle_, MOSQ_OPT_TCP_NODELAY, 1);
  // who publishes bounds what is under way; the library is not to hold anything back
  if (code == MOSQ_ERR_SUCCESS) code = mosquitto_max_inflight_messages_set(handle_, 0);
  if (code == MOSQ_ERR_SUCCESS && (!broker_.user.empty() || !broker_.password.empty()))
    code = mosquitto_username_pw_set(handle_, broker_.user.c_str(), broker_.password.empty() ? nullptr : broker_.password.c_str());
  if (code == MOSQ_ERR_SUCCESS && broker_.will)
    code = mosquitto_will_set(handle_, broker_.will->topic.c_str(), static_cast<int>(broker_.will->payload.size()),
                              broker_.will->payload.data(), 1, true);
  if (code == MOSQ_ERR_SUCCESS && tls_) {
    code = mosquitto_void_option(handle_, MOSQ_OPT_SSL_CTX, tls_->handle());
    if (code == MOSQ_ERR_SUCCESS) code = mosquitto_int_option(handle_, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
  }
  if (code == MOSQ_ERR_SUCCESS) return {};
  return tl::unexpected(Error{fmt::format("the MQTT client cannot be set up: {}", mosquitto_strerror(code)), name_,
                              "check mqtt.user, mqtt.pass and mqtt.topic", 0});
}

Expected<void> MosquittoClient::begin() {
  const std::string address = numeric(addresses_[turn_ % addresses_.size()]);
  const auto keepalive = static_cast<int>(broker_.keepalive.count());
  errno = 0;
  const int code = mosquitto_connect_async(handle_, address.c_str(), broker_.port, keepalive);
  const int system_error = errno;
  if (code != MOSQ_ERR_SUCCESS) return tl::unexpected(words(code, code == MOSQ_ERR_ERRNO ? system_error : 0));
  // programs that meters run must not inherit it
  if (const int socket = mosquitto_socket(handle_); socket >= 0) ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  chores_ = heard_ = said_ = std::chrono::steady_clock::now();
  reached_ = false;
  return {};
}

MonoTime MosquittoClient::next_chore() const {
  if (!connected_ || broker_.keepalive.count() == 0) return MonoTime::max();
  // The library asks for a sign of life once it has said or heard nothing for so long, but only when it is called, and it
  // counts in whole seconds.
  constexpr std::chrono::milliseconds kMargin{50};
  constexpr std::chrono::seconds kAtMost{1};
  return std::max(std::min(heard_, said_) + broker_.keepalive + kMargin, chores_ + kAtMost);
}

void MosquittoClient::wait(MonoTime deadline, const Wake& wake, std::vector<MqttEvent>& out) {
  if (handle_ == nullptr || over_ || !events_.empty()) {
    if (events_.empty()) platform::wait_for(-1, 0, deadline, wake);
  } else {
    const bool writing = !reached_ || mosquitto_want_write(handle_);
    const auto events = static_cast<short>(POLLIN | (writing ? POLLOUT : 0));
    const auto waited = platform::wait_for(mosquitto_socket(handle_), events, std::min(deadline, next_chore()), wake);
    if (waited.end == platform::WaitEnd::failed) failed(MOSQ_ERR_CONN_LOST);
    else drive(waited.end == platform::WaitEnd::ready ? waited.revents : static_cast<short>(0));
  }
  for (auto& event : events_) out.push_back(std::move(event));
  events_.clear();
}

void MosquittoClient::drive(short revents) {
  if ((revents & (POLLERR | POLLHUP)) != 0 && !connected_) {
    if (const int code = pending_error(mosquitto_socket(handle_)); code != 0) {
      ++turn_;
      if (addresses_left_ > 0 && begin_somewhere()) return;
      over_ = true;
      events_.emplace_back(MqttLost{words(MOSQ_ERR_ERRNO, code)});
      return;
    }
  }
  reached_ = reached_ || (revents & POLLOUT) != 0;
  int code = MOSQ_ERR_SUCCESS;
  // whatever is wrong with the line is found by reading from it
  if ((revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) != 0) code = mosquitto_loop_read(handle_, 1);
  if (code == MOSQ_ERR_SUCCESS && !over_ && (revents & POLLOUT) != 0) code = mosquitto_loop_write(handle_, 1);
  const MonoTime now = std::chrono::steady_clock::now();
  if (code == MOSQ_ERR_SUCCESS && !over_ && now >= next_chore()) {
    chores_ = now;
    code = mosquitto_loop_misc(handle_);  // asks for a sign of life, or finds that none came
  }
  if (code != MOSQ_ERR_SUCCESS) failed(code);
}

void MosquittoClient::failed(int code) {
  const int system_error = code == MOSQ_ERR_ERRNO ? errno : 0;
  if (std::exchange(over_, true)) return;
  if (!connected_) ++turn_;
  events_.emplace_back(MqttLost{words(code, system_error)});
}

/// The broker's own answer to our greeting (MQTT 3.1.1, 3.2.2.3).
Error MosquittoClient::refusal_words(int code) const {
  const bool named = !broker_.user.empty();
  switch (code) {
    case 1: return {"the broker does not understand MQTT 3.1.1", name_, "bring the broker up to date", 0};
    case 2: return {fmt::format("the broker refuses the client id \"{}\"", broker_.client_id), name_, "choose another mqtt.id", 0};
    case 3: return {"the broker says that it cannot serve us at the moment", name_, "its log says more", 0};
    case 4:
    case 5:
      return {named ? fmt::format("the broker refuses user \"{}\" with this password", broker_.user)
                    : std::string{"the broker wants a user name and a password"},
              name_, named ? "check mqtt.user and mqtt.pass" : "give mqtt.user and mqtt.pass", 0};
    default: return {fmt::format("the broker refuses the connection with code {}", code), name_, "its log says more", 0};
  }
}

/// A broker that breaks the handshake off says why, but not always do its words get through before the connection is
/// gone: the last reason that did is still the likely one.
Error MosquittoClient::tls_words() {
  if (!tls_trouble_.empty()) tls_reason_ = platform::tls_error_in_words(tls_trouble_, name_);
  if (tls_reason_) return *tls_reason_;
  return {"the broker broke off during the TLS handshake or the greeting", name_,
          broker_.tls->certfile.empty() ? "its log may say why; it may want a client certificate, mqtt.certfile and mqtt.keyfile"
                                        : "its log may say why",
          0};
}

Error MosquittoClient::words(int code, int system_error) {
  if (refused_) return refusal_words(*refused_);
  if (tls_ && !tls_->refusal().what.empty()) {
    Error refusal = tls_->refusal();
    refusal.where = name_;
    return refusal;
  }
  if (tls_ && !tls_trouble_.empty()) return tls_words();
  switch (system_error) {
    case 0:
    case EPROTO: break;
    case ECONNREFUSED:
      return {"cannot connect: Connection refused", name_, "nothing listens there: does the broker run, are mqtt.host and mqtt.port right?", system_error};
    case EHOSTUNREACH:
    case ENETUNREACH:
      return {"cannot connect: " + platform::errno_text(system_error), name_, "is the network up and the address right?", system_error};
    case ECONNRESET:
    case EPIPE:
      if (connected_) return {"the broker broke the connection off", name_, "its log may say why", system_error};
      break;
    default: return {(connected_ ? "connection lost: " : "cannot connect: ") + platform::errno_text(system_error), name_, "", system_error};
  }
  if (code == MOSQ_ERR_KEEPALIVE)
    return {fmt::format("the broker no longer answers: no word from it within mqtt.keepalive ({} s)", broker_.keepalive.count()), name_,
            "is it overloaded, or the network down?", 0};
  if (code == MOSQ_ERR_PROTOCOL || code == MOSQ_ERR_MALFORMED_PACKET)
    return {"what answers there does not speak MQTT", name_, tls_ ? "check mqtt.port" : "check mqtt.port; if the broker wants TLS there, give mqtt.cafile", 0};
  if (connected_) return {"the broker closed the connection", name_, "its log may say why; does another client use the same mqtt.id?", 0};
  if (tls_) return tls_words();
  return {"the broker closed the connection before it answered", name_, "if it wants TLS at this port, give mqtt.cafile; its log may say more", 0};
}

std::optional<int> MosquittoClient::publish(std::string_view topic, std::string_view payload, int qos, bool retain) {
  if (handle_ == nullptr || !connected_ || over_) return std::nullopt;
  int id = 0;
  const std::string terminated{topic};
  const int code = mosquitto_publish(handle_, &id, terminated.c_str(), static_cast<int>(payload.size()), payload.data(), qos, retain);
  log_.print(Level::finest, "mqtt", "publish {}={}", topic, payload);
  if (code == MOSQ_ERR_SUCCESS) return id;
  failed(code);
  return std::nullopt;
}

void MosquittoClient::subscribe(const std::string& topic) {
  if (handle_ == nullptr || !connected_ || over_) return;
  if (const int code = mosquitto_subscribe(handle_, nullptr, topic.c_str(), 1); code != MOSQ_ERR_SUCCESS) failed(code);
}

bool MosquittoClient::writable() const { return handle_ != nullptr && connected_ && !over_ && !mosquitto_want_write(handle_); }

void MosquittoClient::disconnect(MonoTime deadline) {
  if (handle_ != nullptr && connected_ && !over_ && mosquitto_disconnect(handle_) == MOSQ_ERR_SUCCESS) {
    const Wake never;
    while (!over_ && mosquitto_socket(handle_) >= 0 && mosquitto_want_write(handle_)) {
      const auto waited = platform::wait_for(mosquitto_socket(handle_), POLLOUT, deadline, never);
      if (waited.end != platform::WaitEnd::ready || mosquitto_loop_write(handle_, 1) != MOSQ_ERR_SUCCESS) break;
    }
  }
  drop();
}

}  // namespace vz
