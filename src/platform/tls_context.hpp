// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

#include "vz/error.hpp"
#include "vz/mqtt.hpp"

namespace vz::platform {

/// OpenSSL's settings for connections to one server: TLS 1.2 or newer, the server's certificate is always verified, its
/// name too. Says in words why a certificate was refused, which libraries between us and OpenSSL do not.
///
/// make() reads the files. One connection at a time; used by one thread; outlives the connection.
class TlsContext {
 public:
  /// `host` is the name (or address) that the server's certificate has to name; it is also what the server is told
  /// (SNI), whatever address the connection goes to. Errors: a file that cannot be used, in words; never partly set up.
  static Expected<std::unique_ptr<TlsContext>> make(const TlsFiles& files, const std::string& host);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] SSL_CTX* handle() const { return handle_; }
  /// Why the server's certificate was refused; empty `what` if it was not. `where` is left to the caller.
  [[nodiscard]] const Error& refusal() const { return refusal_; }
  /// Whether a certificate was seen and found good.
  [[nodiscard]] bool approved() const { return approved_ && refusal_.what.empty(); }

 private:
  explicit TlsContext(const TlsFiles& files, std::string host);
  Expected<void> load_trust(const TlsFiles& files);
  Expected<void> load_own(const TlsFiles& files);
  static int on_verify(int good, X509_STORE_CTX* store);
  static void on_info(const SSL* ssl, int where, int value);
  static int on_password(char* buffer, int size, int writing, void* context);
  int judge(int good, X509_STORE_CTX* store);

  SSL_CTX* handle_ = nullptr;
  std::string host_;      ///< without brackets
  bool address_ = false;  ///< host_ is an IP address
  std::string trust_;     ///< the options that say whom to trust, for messages
  bool folder_ = false;   ///< capath is one of them
  std::string keypass_;
  bool asked_password_ = false;
  Error refusal_;
  bool approved_ = false;
};

/// What an OpenSSL error text means to the user, if it is one of the known ones; else the text itself.
Error tls_error_in_words(const std::string& openssl_text, const std::string& where);

}  // namespace vz::platform
