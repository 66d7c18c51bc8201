// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "vz/sink.hpp"

namespace vz::sinks::web {

/// The judgement of a request that got no answer (HttpReply::status 0): libcurl's words, where, and what to do. `option`
/// is the name of the option that holds the address, `uuid` the channel's, which is not shown whole. Pure.
Judgement unanswered(const HttpReply& reply, std::string_view endpoint, std::string_view option, std::string_view uuid);

}  // namespace vz::sinks::web
