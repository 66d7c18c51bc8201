// SPDX-License-Identifier: GPL-3.0-or-later
// In the steady state neither decoder nor session allocates.
#include "support/counting_new.hpp"
#include "support/d0_harness.hpp"

namespace vz::test {
namespace {

Bytes golden_input(const char* name) {
  return read_bytes(fmt::format("{}/tests/golden/d0/{}/input.bin", VZ_SOURCE_DIR, name));
}

void expect_no_allocation(const Bytes& telegram, const d0::D0Settings& settings, std::size_t piece) {
  if (!AllocationCounter::counting()) GTEST_SKIP() << "allocations are not counted under a sanitizer";
  d0::D0Session session{settings};
  SessionOut out;
  Instant now{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1700000000}}};
  session.opened(now, out);
  unsigned telegrams = 0;
  const auto feed = [&] {
    now.mono += std::chrono::seconds{1};
    now.wall += std::chrono::seconds{1};
    for (std::span<const std::byte> rest = telegram; !rest.empty();) {
      out.clear();
      const auto used = session.received(rest.first(std::min(piece, rest.size())), now, now.mono, out);
      telegrams += out.telegrams;
      rest = rest.subspan(used);
    }
    out.clear();
    now.mono += std::chrono::milliseconds{500};
    session.timer(now, out);
    telegrams += out.telegrams;
  };
  for (int i = 0; i < 3; ++i) feed();
  telegrams = 0;
  AllocationCounter::start();
  for (int i = 0; i < 1000; ++i) feed();
  EXPECT_EQ(AllocationCounter::stop(), 0U);
  EXPECT_EQ(telegrams, 1000U);
}

TEST(D0Allocation, NoneForAReadoutWithBcc) {
  const auto telegram = golden_input("mt372");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{37}, std::size_t{4096}})
    expect_no_allocation(telegram, listening("7e1"), piece);
}

TEST(D0Allocation, NoneForAPushedTelegramAndItsCounterGate) {
  const auto telegram = golden_input("push_mode_d");
  expect_no_allocation(telegram, listening("7e1"), 16);
}

TEST(D0Allocation, NoneForP1) {
  const auto telegram = golden_input("p1_gas");
  expect_no_allocation(telegram, listening("8n1"), 64);
}

}  // namespace
}  // namespace vz::test
