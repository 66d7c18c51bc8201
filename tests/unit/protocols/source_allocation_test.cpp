// SPDX-License-Identifier: GPL-3.0-or-later
// The sessions of local sources do not allocate in the steady state. Names of up to 15 bytes live inside a reading (a 1-wire
// sensor's has exactly that); a longer one costs one allocation a reading, because a reading owns its name.
#include <string>

#include "protocols/exec/session.hpp"
#include "protocols/file/session.hpp"
#include "protocols/fluksov2/session.hpp"
#include "protocols/random/session.hpp"
#include "protocols/w1therm/session.hpp"
#include "support/counting_new.hpp"

namespace vz::test {
namespace {

std::string records(std::initializer_list<std::string_view> lines, bool ended) {
  std::string text;
  for (const auto line : lines) append_record(text, line.front() == '@' ? RecordKind::sensor : RecordKind::line, line.substr(line.front() == '@' ? 1 : 0));
  if (ended) append_record(text, RecordKind::end, "");
  return text;
}

/// Rounds of begin() and `text`, in pieces, each of which must give `readings`.
void expect_no_allocation(Session& session, const std::string& text, std::size_t readings) {
  if (!AllocationCounter::counting()) GTEST_SKIP() << "allocations are not counted under a sanitizer";
  SessionOut out;
  Instant now{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1'700'000'000}}};
  session.opened(now, out);
  std::size_t seen = 0;
  const auto round = [&] {
    now.mono += std::chrono::seconds{10};
    now.wall += std::chrono::seconds{10};
    out.clear();
    session.begin(now, out);
    seen += out.readings.size();
    for (auto rest = std::as_bytes(std::span{text}); !rest.empty();) {
      out.clear();
      rest = rest.subspan(session.received(rest.first(std::min<std::size_t>(rest.size(), 20)), now, now.mono, out));
      seen += out.readings.size();
    }
  };
  for (int n = 0; n < 3; ++n) round();
  seen = 0;
  AllocationCounter::start();
  for (int n = 0; n < 1000; ++n) round();
  EXPECT_EQ(AllocationCounter::stop(), 0U);
  EXPECT_EQ(seen, 1000 * readings);
}

TEST(SourceAllocation, File) {
  file::FileSession plain{file::LineFormat{}, false};
  expect_no_allocation(plain, records({"12.5", "-3e2", ""}, false), 2);
  file::FileSession named{file::LineFormat{"$t;$i : $v"}, true};
  expect_no_allocation(named, records({"1700000000;power : 12.5", "1700000001;temperature.in : 3"}, true), 2);
}

TEST(SourceAllocation, Exec) {
  exec::ExecSession session{file::LineFormat{"$i : $v"}};
  expect_no_allocation(session, records({"power : 12.5", "attic : 21"}, true), 2);
}

TEST(SourceAllocation, Fluksov2) {
  fluksov2::FluksoSession session;
  expect_no_allocation(session, records({"1700000000 0 123 45 1 678 -9"}, false), 4);
}

TEST(SourceAllocation, W1therm) {
  w1therm::ThermSession session;
  expect_no_allocation(session,
                       records({"@28-0000045e1a2b", "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES", "72 01 4b 46 7f ff 0e 10 57 t=23125",
                                "@28-0000045e1a2c", "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES", "72 01 4b 46 7f ff 0e 10 57 t=-1062"}, true), 2);
}

TEST(SourceAllocation, Random) {
  random::RandomSession session{random::Bounds{}};
  expect_no_allocation(session, "", 1);
}

}  // namespace
}  // namespace vz::test
