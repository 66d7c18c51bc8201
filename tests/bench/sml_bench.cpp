// SPDX-License-Identifier: GPL-3.0-or-later
// bench_sml HOW N [FILE]: N telegrams (or those of a capture, N times over) decoded by `ours` (the session: framing, all
// CRCs, readings), `libsml` (transport read from a pipe and parse, as the old daemon does it) or `parse` (libsml's parse
// alone, without its reading and framing). The instructions of a telegram are the difference of two runs under callgrind,
// divided by the difference of N and by the number of telegrams in a round.
#ifdef VZ_HAVE_LIBSML
extern "C" {
#include <sml/sml_file.h>
#include <sml/sml_get_list_response.h>
#include <sml/sml_list.h>
#include <sml/sml_transport.h>
#include <sml/sml_value.h>
}
#include <unistd.h>
#endif

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "support/sml_harness.hpp"

namespace {

using namespace vz;
using test::sml::Bytes;

/// Ten registers, 300 bytes: what a household meter with its PIN entered sends.
Bytes sample() {
  using namespace test::sml;
  std::vector<Bytes> entries = {entry({.name = "010060320101", .value = text("TST")}),
                                entry({.name = "0100600100ff", .value = octets(hex("0a0154535400010203"))})};
  const Bytes wh = u(30, 1);
  const Bytes watt = u(27, 1);
  entries.push_back(entry({.name = "0100010800ff", .status = u(0x1C0104, 4), .time = sec_index(99043543), .unit = wh, .scaler = i(-1, 1), .value = u(147981129, 8)}));
  for (const char* code : {"0100010801ff", "0100010802ff", "0100020800ff"})
    entries.push_back(entry({.name = code, .unit = wh, .scaler = i(-1, 1), .value = u(20124, 8)}));
  for (const char* code : {"0100100700ff", "0100240700ff", "0100380700ff", "01004c0700ff"})
    entries.push_back(entry({.name = code, .unit = watt, .scaler = i(-1, 1), .value = i(-1371, 4)}));
  return telegram(entries);
}

double ours(const Bytes& bytes, long count, long& telegrams) {
  vz::sml::SmlSession session{vz::sml::SmlSettings{}};
  SessionOut out;
  Instant now = test::kNow;
  session.opened(now, out);
  double sum = 0.0;
  for (long n = 0; n < count; ++n) {
    now.mono += std::chrono::seconds{1};
    now.wall += std::chrono::seconds{1};
    for (std::span<const std::byte> rest = bytes; !rest.empty();) {
      out.clear();
      rest = rest.subspan(session.received(rest, now, now.mono, out));
      for (const auto& reading : out.readings) sum += reading.value;
      telegrams += out.telegrams;
    }
  }
  return sum;
}

#ifdef VZ_HAVE_LIBSML
double parsed(unsigned char* content, std::size_t size, long& telegrams) {
  double sum = 0.0;
  sml_file* file = sml_file_parse(content, size);
  for (int m = 0; m < file->messages_len; ++m) {
    sml_message* message = file->messages[m];
    if (*message->message_body->tag != SML_MESSAGE_GET_LIST_RESPONSE) continue;
    ++telegrams;
    const auto* body = static_cast<sml_get_list_response*>(message->message_body->data);
    for (const sml_list* entry = body->val_list; entry != nullptr; entry = entry->next)
      if (entry->value != nullptr && entry->value->type != SML_TYPE_OCTET_STRING)
        sum += sml_value_to_double(entry->value) * std::pow(10, entry->scaler != nullptr ? *entry->scaler : 0);
  }
  sml_file_free(file);
  return sum;
}

double libsml(const Bytes& bytes, long count, bool transport, long& telegrams) {
  int ends[2] = {-1, -1};
  if (pipe(ends) != 0) std::abort();
  std::vector<unsigned char> buffer(8096);
  double sum = 0.0;
  for (long n = 0; n < count; ++n) {
    std::size_t length = bytes.size();
    if (transport) {
      if (write(ends[1], bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
      length = sml_transport_read(ends[0], buffer.data(), buffer.size());
    } else {
      std::memcpy(buffer.data(), bytes.data(), bytes.size());
    }
    if (length < 16) std::abort();
    sum += parsed(buffer.data() + 8, length - 16, telegrams);
  }
  return sum;
}
#endif

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "ours";
  const long count = argc > 2 ? std::atol(argv[2]) : 100'000;
  const Bytes bytes = argc > 3 ? test::read_bytes(argv[3]) : sample();
  long telegrams = 0;
  double sum = 0.0;
  const auto from = std::chrono::steady_clock::now();
  if (how == "ours") {
    sum = ours(bytes, count, telegrams);
#ifdef VZ_HAVE_LIBSML
  } else if (how == "libsml" || how == "parse") {
    sum = libsml(bytes, count, how == "libsml", telegrams);
#endif
  } else {
    std::fprintf(stderr, "unknown: %s (ours, or with libsml-dev: libsml, parse)\n", how.c_str());
    return 1;
  }
  const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count();
  std::printf("%s: %ld telegrams, %zu bytes a round, %.3f us each, sum %g\n", how.c_str(), telegrams, bytes.size(),
              us / static_cast<double>(telegrams), sum);
  return 0;
}
