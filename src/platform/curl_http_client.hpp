// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vz/http.hpp"

namespace vz {

/// "vzlogger/<version> (<libcurl's version string>)", what the old daemon sent.
std::string curl_user_agent();

/// HttpClient on one curl multi handle.
///
/// On the wire: request line, Host, (Authorization, if the URL has a user), the headers of the request in their order,
/// Content-Length if there is a body; nothing else, in HTTP/1.1. Redirects are not followed, certificates are verified,
/// only http and https, the proxy variables of the environment hold. A connection attempt takes at most 30 s.
///
/// A lane is one easy handle, so at most one connection at a time; idle connections are kept and may serve another lane
/// of the same server. If a kept connection turns out dead while a request is being sent, libcurl sends the request
/// once more on a new one: such a reply has `maybe_delivered` set although it has a status.
///
/// No call but wait() takes any time; nothing here waits for a name server, which may outlive this object. Construct
/// after the process has forked. One thread, wake() apart. Starting a lane that is busy is a bug and terminates.
class CurlHttpClient final : public HttpClient {
 public:
  CurlHttpClient();
  ~CurlHttpClient() override;
  CurlHttpClient(const CurlHttpClient&) = delete;
  CurlHttpClient& operator=(const CurlHttpClient&) = delete;

  void start(std::uint64_t id, std::uint32_t lane, HttpRequest request) override;
  void wait(MonoTime deadline, std::vector<HttpDone>& out) override;
  void wake() override;
  void abort_all() override;

 private:
  struct Lane;
  Lane& lane_for(std::uint32_t number);
  void collect(std::vector<HttpDone>& out);

  CURLM* multi_ = nullptr;
  std::map<std::uint32_t, std::unique_ptr<Lane>> lanes_;
  std::vector<HttpDone> stillborn_;  ///< transfers that could not be started, for the next wait()
  std::atomic<bool> woken_ = false;
};

}  // namespace vz
