// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/curl_http_client.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/ascii.hpp"
#include "vz/version.hpp"

namespace vz {
namespace {

constexpr std::chrono::seconds kConnectTimeout{30};
/// A reply that goes on behind kMaxReplyBody is read on and dropped up to here (so that its connection can be kept).
constexpr std::size_t kMaxReplyRead = 1024 * 1024;

[[noreturn]] void misuse(const char* what) {
  std::fprintf(stderr, "bug: %s\n", what);
  std::abort();
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; });
}

std::string_view name_of(std::string_view header) { return header.substr(0, header.find(':')); }

bool has_header(const std::vector<std::string>& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [&](const std::string& h) { return equal_ignoring_case(name_of(h), name); });
}

// libcurl takes "Name:" as "leave this header out" and wants "Name;" for one without a value.
std::string for_curl(const std::string& header) {
  const std::size_t colon = header.find(':');
  const bool empty = colon != std::string::npos && header.find_first_not_of(" \t", colon + 1) == std::string::npos;
  return empty ? header.substr(0, colon) + ";" : header;
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

bool append(HeaderList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(list.release());
  list.reset(longer);
  return true;
}

// The headers of `request`, and orders to leave out the ones that libcurl would add by itself.
bool make_list(const HttpRequest& request, HeaderList& list) {
  bool complete = true;
  for (const std::string& header : request.headers) complete = complete && append(list, for_curl(header));
  for (const char* own : {"Expect", "Accept", "Content-Type"}) {
    if (!has_header(request.headers, own)) complete = complete && append(list, std::string{own} + ":");
  }
  return complete;
}

}  // namespace

std::string curl_user_agent() { return fmt::format("vzlogger/{} ({})", kVersion, curl_version()); }

/// One easy handle and the transfer it is busy with. Does not move: libcurl knows its address.
struct CurlHttpClient::Lane {
  CURL* easy = nullptr;
  bool busy = false;
  std::uint64_t id = 0;
  HttpRequest request;  ///< libcurl reads the body from here
  HeaderList headers;
  HttpReply reply;
  std::size_t received = 0;  ///< bytes of the reply's body, dropped ones included
  unsigned attempts = 0;     ///< how often libcurl began to send the request
  MonoTime started{};
  std::array<char, CURL_ERROR_SIZE> error{};

  Lane() : easy(curl_easy_init()) {
    if (easy == nullptr) misuse("libcurl gives no handle");  // out of memory
  }
  ~Lane() { curl_easy_cleanup(easy); }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  CURLcode prepare();
  [[nodiscard]] CURLcode set_method();
  HttpReply finish(CURLcode result);

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self);
  static int on_send(void* self, char*, char*, int, int);
};

// NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type
std::size_t CurlHttpClient::Lane::on_body(char* data, std::size_t, std::size_t size, void* self) {
  Lane& lane = *static_cast<Lane*>(self);
  lane.received += size;
  if (lane.received > kMaxReplyRead) return 0;  // ends the transfer
  lane.reply.body.append(data, std::min(size, kMaxReplyBody - lane.reply.body.size()));
  return size;
}

int CurlHttpClient::Lane::on_send(void* self, char*, char*, int, int) {
  ++static_cast<Lane*>(self)->attempts;
  return CURL_PREREQFUNC_OK;
}

CURLcode CurlHttpClient::Lane::set_method() {
  const std::string& method = request.method;
  CURLcode code = CURLE_OK;
  const auto set = [&](auto option, auto value) {
    if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value);
  };
  if (method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (method != "GET" || !request.body.empty()) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.c_str());
    if (method != "POST") set(CURLOPT_CUSTOMREQUEST, method.c_str());
  }
  return code;
}

CURLcode CurlHttpClient::Lane::prepare() {
  curl_easy_reset(easy);  // keeps its connection
  reply = HttpReply{};
  received = 0;
  attempts = 0;
  error[0] = '\0';
  headers.reset();
  if (!make_list(request, headers)) return CURLE_OUT_OF_MEMORY;
  CURLcode code = set_method();
  const auto set = [&](auto option, auto value) {
    if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value);
  };
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_ERRORBUFFER, error.data());
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_SSL_VERIFYPEER, request.tls == TlsCheck::full ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TIMEOUT, static_cast<long>(request.timeout.count()));
  const bool bounded = request.timeout.count() > 0;
  set(CURLOPT_CONNECTTIMEOUT,
      static_cast<long>((bounded ? std::min(request.timeout, kConnectTimeout) : kConnectTimeout).count()));
  set(CURLOPT_WRITEFUNCTION, &Lane::on_body);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_PREREQFUNCTION, &Lane::on_send);
  set(CURLOPT_PREREQDATA, this);
  return code;
}

HttpReply CurlHttpClient::Lane::finish(CURLcode result) {
  HttpReply done = std::move(reply);
  done.duration = std::chrono::steady_clock::now() - started;
  const bool sent_twice = attempts > 1;
  if (result == CURLE_OK || (result == CURLE_WRITE_ERROR && received > kMaxReplyRead)) {
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &done.status);
    done.maybe_delivered = sent_twice;
    if (done.status != 0) return done;
  }
  long head = 0;
  curl_off_t body = 0;
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &head);
  curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &body);
  done.status = 0;
  done.maybe_delivered = sent_twice || head > 0 || body > 0;
  done.error = error[0] != '\0' ? error.data() : curl_easy_strerror(result);
  return done;
}

CurlHttpClient::CurlHttpClient() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) misuse("libcurl cannot be initialised");
  multi_ = curl_multi_init();
  if (multi_ == nullptr) misuse("libcurl gives no handle");
}

CurlHttpClient::~CurlHttpClient() {
  abort_all();
  lanes_.clear();
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
}

CurlHttpClient::Lane& CurlHttpClient::lane_for(std::uint32_t number) {
  auto& lane = lanes_[number];
  if (!lane) {
    lane = std::make_unique<Lane>();
    // libcurl's own limit depends on the handles busy at the moment, and would close idle connections of the others.
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(lanes_.size() + 1));
  }
  return *lane;
}

void CurlHttpClient::start(std::uint64_t id, std::uint32_t number, HttpRequest request) {
  Lane& lane = lane_for(number);
  if (lane.busy) misuse("an HTTP lane is started while it is busy");
  lane.id = id;
  lane.request = std::move(request);
  lane.started = std::chrono::steady_clock::now();
  const auto refuse = [&](std::string why) {
    HttpReply reply;
    reply.error = std::move(why);
    stillborn_.push_back({id, std::move(reply)});
  };
  // One odd character in a token or a name must not become further header lines.
  const auto& headers = lane.request.headers;
  if (has_control_characters(lane.request.method) || has_control_characters(lane.request.url) ||
      std::any_of(headers.begin(), headers.end(), has_control_characters)) {
    return refuse("the URL or a header contains a control character");
  }
  if (const CURLcode code = lane.prepare(); code != CURLE_OK) return refuse(curl_easy_strerror(code));
  if (const CURLMcode code = curl_multi_add_handle(multi_, lane.easy); code != CURLM_OK) {
    return refuse(curl_multi_strerror(code));
  }
  lane.busy = true;
}

void CurlHttpClient::collect(std::vector<HttpDone>& out) {
  out.insert(out.end(), std::make_move_iterator(stillborn_.begin()), std::make_move_iterator(stillborn_.end()));
  stillborn_.clear();
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode result = message->data.result;
    Lane* lane = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &lane);
    HttpDone done{lane->id, lane->finish(result)};
    curl_multi_remove_handle(multi_, lane->easy);  // `message` is gone from here on
    lane->busy = false;
    out.push_back(std::move(done));
  }
}

void CurlHttpClient::wait(MonoTime deadline, std::vector<HttpDone>& out) {
  const std::size_t before = out.size();
  for (;;) {
    int running = 0;
    curl_multi_perform(multi_, &running);
    collect(out);
    if (out.size() > before || woken_.exchange(false)) return;
    const MonoTime now = std::chrono::steady_clock::now();
    if (now >= deadline) return;
    // Rounded up, or the last fraction of a millisecond would be spent spinning.
    constexpr std::chrono::milliseconds kLongest{std::chrono::hours{1}};
    const MonoDuration rest = std::min<MonoDuration>(deadline - now, kLongest);
    const auto slice = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(rest).count());
    if (curl_multi_poll(multi_, nullptr, 0, slice, nullptr) != CURLM_OK) {
      constexpr int kBreatheMs = 100;
      ::poll(nullptr, 0, std::min(slice, kBreatheMs));  // out of memory or descriptors: do not spin on it
    }
  }
}

void CurlHttpClient::wake() {
  woken_ = true;
  curl_multi_wakeup(multi_);
}

void CurlHttpClient::abort_all() {
  stillborn_.clear();
  for (auto& [number, lane] : lanes_) {
    if (lane->busy) curl_multi_remove_handle(multi_, lane->easy);
    lane->busy = false;
  }
}

}  // namespace vz
