// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "vz/http.hpp"

namespace vz {

/// Sends one request and waits for its end, for programs that have nothing else to do. No other transfer may be under way.
HttpReply call(HttpClient& http, HttpRequest request);

}  // namespace vz
