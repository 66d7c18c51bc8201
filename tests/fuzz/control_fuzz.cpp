// SPDX-License-Identifier: GPL-3.0-or-later
// Any line as a request to the control socket: refused in words, or understood and then the same again when it is
// written and read once more. Links vz_local and vz_core; corpus: corpus/control.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "local/control_protocol.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vz::local;
  const auto request = parse_request({reinterpret_cast<const char*>(data), size});  // NOLINT(*-reinterpret-cast)
  if (!request) {
    require(!request.error().what.empty());
    require(!bad_answer(request.error()).empty());
    return 0;
  }
  require(request->max >= 1 && request->max <= kMaxPage && request->ids.size() <= kMaxPage && request->after >= 0);
  require(request->limit.count() >= 1 && request->limit <= kLongestLending);
  const std::string line = request_line(*request);
  require(line.find('\n') == std::string::npos);
  const auto again = parse_request(line);
  // Bytes that are no UTF-8 never get through the parser, so that nothing changes on the way.
  require(line.size() > kMaxRequest || (again && request_line(*again) == line));
  return 0;
}
