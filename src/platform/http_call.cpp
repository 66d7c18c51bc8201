// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/http_call.hpp"

namespace vz {

HttpReply call(HttpClient& http, HttpRequest request) {
  constexpr std::uint64_t kId = 1;
  std::vector<HttpDone> done;
  http.start(kId, 0, std::move(request));
  while (done.empty()) http.wait(MonoTime::max(), done);
  return std::move(done.front().reply);
}

}  // namespace vz
