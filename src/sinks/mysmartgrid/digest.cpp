// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/mysmartgrid/digest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace vz::sinks::mysmartgrid {

std::string digest(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned length = 0;
  const auto* data = reinterpret_cast<const unsigned char*>(text.data());
  HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), data, text.size(), bytes.data(), &length);
  std::string out;
  for (unsigned i = 0; i < length; ++i) out += fmt::format("{:02x}", bytes.at(i));
  return out;
}

}  // namespace vz::sinks::mysmartgrid
