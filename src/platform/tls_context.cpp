// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/tls_context.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "platform/wait.hpp"

namespace vz::platform {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

/// The oldest of OpenSSL's waiting errors in its own words; forgets all of them.
std::string last_ssl_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  std::string text = reason != nullptr ? reason : "unknown reason";
  ERR_clear_error();
  return text;
}

std::string printed(const std::function<void(BIO*)>& print) {
  const std::unique_ptr<BIO, Free> bio{BIO_new(BIO_s_mem())};
  if (!bio) return {};
  print(bio.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  constexpr long kLongest = 300;
  return {data, static_cast<std::size_t>(std::clamp(size, 0L, kLongest))};
}

std::string name_text(const X509_NAME* name) {
  return printed([&](BIO* bio) { X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB); });
}

std::string time_text(const ASN1_TIME* time) {
  return printed([&](BIO* bio) { ASN1_TIME_print(bio, time); });
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int length = ASN1_STRING_length(address);
  const int family = length == 4 ? AF_INET : length == 16 ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC || ::inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size()) == nullptr) return {};
  return text.data();
}

std::string common_name(X509* certificate) {
  std::array<char, 256> text{};
  const int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text.data(), text.size());
  return length > 0 ? std::string{text.data(), static_cast<std::size_t>(length)} : std::string{};
}

/// The names and addresses that a certificate is for; `has_alternatives` says whether it lists them properly.
std::vector<std::string> names_of(X509* certificate, bool& has_alternatives) {
  std::vector<std::string> result;
  const std::unique_ptr<GENERAL_NAMES, Free> names{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  has_alternatives = names != nullptr;
  constexpr int kMost = 10;
  for (int i = 0; names && i < std::min(sk_GENERAL_NAME_num(names.get()), kMost); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS)
      result.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                          static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    else if (name->type == GEN_IPADD)
      result.push_back(address_text(name->d.iPAddress));
  }
  if (!has_alternatives) result.push_back(common_name(certificate));
  return result;
}

std::string without_brackets(const std::string& host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

bool is_address(const std::string& host) {
  in6_addr ignored{};
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

/// Why the file cannot be read at all; empty if it can.
std::string unreadable(const std::string& path) {
  errno = 0;
  const std::ifstream file(path);
  if (file) return {};
  return errno_text(errno != 0 ? errno : EIO);
}

Error file_error(const std::string& option, const std::string& path, const std::string& otherwise, std::string remedy) {
  if (const auto why = unreadable(path); !why.empty())
    return {fmt::format("mqtt.{} cannot be read: {}", option, why), path,
            "check the path, and that the user vzlogger runs as may read it", 0};
  return {fmt::format("mqtt.{} cannot be used: {}", option, otherwise), path, std::move(remedy), 0};
}

}  // namespace

TlsContext::TlsContext(const TlsFiles& files, std::string host)
    : handle_(SSL_CTX_new(TLS_client_method())),
      host_(without_brackets(host)),
      address_(is_address(host_)),
      trust_(files.cafile.empty() && files.capath.empty() ? "the certificates of this system"
             : files.capath.empty()                       ? "cafile " + files.cafile
             : files.cafile.empty()                       ? "capath " + files.capath
                                    : fmt::format("cafile {} and capath {}", files.cafile, files.capath)),
      folder_(!files.capath.empty()),
      keypass_(files.keypass) {}

TlsContext::~TlsContext() { SSL_CTX_free(handle_); }

Expected<std::unique_ptr<TlsContext>> TlsContext::make(const TlsFiles& files, const std::string& host) {
  ERR_clear_error();
  std::unique_ptr<TlsContext> context{new TlsContext(files, host)};
  SSL_CTX* handle = context->handle_;
  if (handle == nullptr) return tl::unexpected(Error{"TLS cannot be set up: " + last_ssl_error(), "", "", 0});
  SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
  SSL_CTX_set_mode(handle, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_app_data(handle, context.get());
  SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, &TlsContext::on_verify);
  SSL_CTX_set_info_callback(handle, &TlsContext::on_info);
  if (!context->address_ && X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(handle), context->host_.c_str(), 0) != 1)
    return tl::unexpected(Error{"the host name cannot be checked against a certificate", context->host_, "check mqtt.host", 0});
  if (auto trust = context->load_trust(files); !trust) return tl::unexpected(std::move(trust.error()));
  if (auto own = context->load_own(files); !own) return tl::unexpected(std::move(own.error()));
  ERR_clear_error();
  return context;
}

Expected<void> TlsContext::load_trust(const TlsFiles& files) {
  if (!files.cafile.empty() && SSL_CTX_load_verify_file(handle_, files.cafile.c_str()) != 1)
    return tl::unexpected(file_error("cafile", files.cafile, "it holds no certificate in PEM form (" + last_ssl_error() + ")",
                                     "give the certificate of the CA that signed the broker's"));
  if (!files.capath.empty()) {
    DIR* folder = ::opendir(files.capath.c_str());
    if (folder == nullptr)
      return tl::unexpected(Error{"mqtt.capath cannot be read: " + errno_text(errno), files.capath,
                                  "give a folder that vzlogger may read", errno});
    ::closedir(folder);
    SSL_CTX_load_verify_dir(handle_, files.capath.c_str());
  }
  if (files.cafile.empty() && files.capath.empty()) SSL_CTX_set_default_verify_paths(handle_);
  return {};
}

Expected<void> TlsContext::load_own(const TlsFiles& files) {
  if (files.certfile.empty() && files.keyfile.empty()) return {};
  SSL_CTX_set_default_passwd_cb(handle_, &TlsContext::on_password);
  SSL_CTX_set_default_passwd_cb_userdata(handle_, this);
  if (SSL_CTX_use_certificate_chain_file(handle_, files.certfile.c_str()) != 1)
    return tl::unexpected(file_error("certfile", files.certfile, "it holds no certificate in PEM form (" + last_ssl_error() + ")",
                                     "give our certificate, not its key"));
  if (SSL_CTX_use_PrivateKey_file(handle_, files.keyfile.c_str(), SSL_FILETYPE_PEM) != 1) {
    const std::string reason = last_ssl_error();
    if (reason == "key values mismatch")
      return tl::unexpected(Error{"mqtt.keyfile is not the key of mqtt.certfile", files.keyfile, "give the key that belongs to the certificate", 0});
    if (!asked_password_)
      return tl::unexpected(file_error("keyfile", files.keyfile, "it holds no private key in PEM form (" + reason + ")",
                                       "give the key that belongs to certfile"));
    return tl::unexpected(file_error("keyfile", files.keyfile,
                                     keypass_.empty() ? "it is encrypted" : "its password is not the one in mqtt.keypass",
                                     keypass_.empty() ? "give its password as mqtt.keypass" : "correct mqtt.keypass"));
  }
  if (SSL_CTX_check_private_key(handle_) != 1) {
    ERR_clear_error();
    return tl::unexpected(Error{"mqtt.keyfile is not the key of mqtt.certfile", files.keyfile, "give the key that belongs to the certificate", 0});
  }
  return {};
}

/// Never lets OpenSSL ask at the terminal.
int TlsContext::on_password(char* buffer, int size, int /*writing*/, void* context) {
  auto& self = *static_cast<TlsContext*>(context);
  self.asked_password_ = true;
  if (size < 0 || self.keypass_.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, self.keypass_.data(), self.keypass_.size());
  return self.keypass_.empty() ? -1 : static_cast<int>(self.keypass_.size());
}

/// Names the server by what the user calls it: the library below us only knows the address that was looked up.
void TlsContext::on_info(const SSL* ssl, int where, int /*value*/) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
  auto* self = static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  // The callback is handed a const pointer to an object that is not const; no other callback comes before the hello.
  auto* connection = const_cast<SSL*>(ssl);
  SSL_set_tlsext_host_name(connection, self->address_ ? nullptr : self->host_.data());
}

int TlsContext::on_verify(int good, X509_STORE_CTX* store) {
  const auto* ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->judge(good, store);
}

int TlsContext::judge(int good, X509_STORE_CTX* store) {
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  const int depth = X509_STORE_CTX_get_error_depth(store);
  if (good == 1 && depth == 0 && address_ && X509_check_ip_asc(certificate, host_.c_str(), 0) != 1) {
    // many a broker at home has its address as the common name, and nothing else
    bool alternatives = false;
    (void)names_of(certificate, alternatives);
    if (alternatives || common_name(certificate) != host_) {
      X509_STORE_CTX_set_error(store, X509_V_ERR_IP_ADDRESS_MISMATCH);
      good = 0;
    }
  }
  if (good == 1) {
    approved_ = approved_ || depth == 0;
    return 1;
  }
  if (!refusal_.what.empty()) return 0;
  const int code = X509_STORE_CTX_get_error(store);
  const std::string whose = depth == 0 ? "the broker's certificate" : "a certificate that signed the broker's";
  const std::string subject = certificate != nullptr ? name_text(X509_get_subject_name(certificate)) : "";
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      refusal_ = {fmt::format("{} ({}) expired on {}", whose, subject, time_text(X509_get0_notAfter(certificate))), "",
                  "renew it at the broker; is the clock of this machine right?", 0};
      break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      refusal_ = {fmt::format("{} ({}) is valid only from {} on", whose, subject, time_text(X509_get0_notBefore(certificate))),
                  "", "is the clock of this machine right?", 0};
      break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
      bool alternatives = false;
      const auto names = names_of(certificate, alternatives);
      refusal_ = {fmt::format("the broker's certificate is not for \"{}\" but for {}", host_, fmt::join(names, ", ")), "",
                  "write mqtt.host as the certificate has it, or give the broker a certificate with this name", 0};
      break;
    }
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_UNTRUSTED:
      refusal_ = {fmt::format("the broker's certificate is not to be trusted: it was signed by \"{}\", for which {} does not vouch",
                              certificate != nullptr ? name_text(X509_get_issuer_name(certificate)) : "", trust_),
                  "",
                  folder_ ? "put the certificate of the CA that signed it into capath and run `openssl rehash` on the folder"
                          : "give the certificate of the CA that signed it as mqtt.cafile",
                  0};
      break;
    default:
      refusal_ = {fmt::format("{} ({}) was refused: {}", whose, subject, X509_verify_cert_error_string(code)), "",
                  "give the broker a proper certificate", 0};
      break;
  }
  return 0;
}

Error tls_error_in_words(const std::string& openssl_text, const std::string& where) {
  struct Row {
    std::string_view part;
    const char* what;
    const char* remedy;
  };
  static constexpr Row kRows[] = {
      {"certificate required", "the broker wants a client certificate", "give mqtt.certfile and mqtt.keyfile"},
      {"alert handshake failure", "the broker broke off the TLS handshake",
       "it may want a client certificate (mqtt.certfile and mqtt.keyfile); its log says more"},
      {"alert unknown ca", "the broker does not trust our certificate", "have mqtt.certfile signed by the broker's CA"},
      {"alert certificate expired", "the broker says that our certificate has expired", "renew mqtt.certfile"},
      {"alert bad certificate", "the broker refuses our certificate", "check mqtt.certfile; the broker's log says more"},
      {"alert certificate revoked", "the broker says that our certificate was revoked", "get a new mqtt.certfile"},
      {"wrong version number", "the broker does not speak TLS at this port", "check mqtt.port; with TLS it is usually 8883"},
      {"packet length too long", "the broker does not speak TLS at this port", "check mqtt.port; with TLS it is usually 8883"},
      {"unsupported protocol", "the broker only speaks versions of TLS that are no longer safe", "bring the broker up to date"},
      {"alert protocol version", "the broker only speaks versions of TLS that are no longer safe", "bring the broker up to date"},
      {"unexpected eof", "the broker closed the connection during the TLS handshake",
       "does it speak TLS at this port? Its log says more"},
  };
  for (const Row& row : kRows)
    if (openssl_text.find(row.part) != std::string::npos) return {row.what, where, row.remedy, 0};
  const auto reason = openssl_text.rfind(':');
  return {"the TLS connection failed: " + (reason == std::string::npos ? openssl_text : openssl_text.substr(reason + 1)), where,
          "the broker's log may say more", 0};
}

}  // namespace vz::platform
