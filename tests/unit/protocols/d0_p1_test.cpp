// SPDX-License-Identifier: GPL-3.0-or-later
// DSMR P1: encrypted telegrams (sealed here, by the real algorithm), and the meter's own time.
#include <gtest/gtest.h>

#include <random>

#include "protocols/d0/telegram.hpp"
#include "support/counting_new.hpp"
#include "support/glo_builder.hpp"
#include "vz/protocol.hpp"

namespace vz::test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const std::string kTelegram = p1_telegram(
    "0-0:1.0.0(221006155014S)\r\n1-0:1.8.0(006545766*Wh)\r\n1-0:1.7.0(00000286*W)\r\n0-0:96.13.0()\r\n"
    "0-1:24.2.1(221006155000S)(00123.456*m3)\r\n");
constexpr std::size_t kReadings = 3;

d0::D0Settings with_key(std::string_view key = kKeyText, std::string_view authentication = {}) {
  auto settings = listening("8n1");
  settings.key = key_of(key);
  if (!authentication.empty()) settings.authentication_key = key_of(authentication);
  return settings;
}

/// The faults of a stream, in words.
std::vector<std::string> fault_texts(const Bytes& stream, const d0::D0Settings& settings) {
  d0::D0Session session{settings};
  SessionOut out;
  Instant now{MonoTime{seconds{1000}}, WallTime{seconds{1'700'000'000}}};
  std::vector<std::string> texts;
  const auto collect = [&] {
    for (const auto& fault : out.faults)
      if (fault.kind != FaultKind::silence) texts.push_back(fmt::format("{}: {}", text(fault.kind), fault.detail));
    out.clear();
  };
  session.opened(now, out);
  for (std::span<const std::byte> rest = stream; !rest.empty(); collect()) rest = rest.subspan(session.received(rest, now, now.mono, out));
  now.mono += seconds{1};
  session.timer(now, out);
  collect();
  return texts;
}

TEST(D0Encrypted, ATelegramIsReadInAllFormsOfItsFrame) {
  for (const int length_bytes : {2, 1}) {
    if (length_bytes == 1 && kTelegram.size() + 17 > 255) continue;
    const auto got = decode(sealed(kTelegram, {.length_bytes = length_bytes}), with_key(), all_at_once);
    ASSERT_EQ(got.telegrams.size(), 1U);
    ASSERT_EQ(got.telegrams[0].size(), kReadings);
    EXPECT_EQ(got.telegrams[0][0].value, 6545766);
    EXPECT_EQ(got.telegrams[0][0].unit.text(), "Wh");
    EXPECT_EQ(got.telegrams[0][2].value, 123.456);
    EXPECT_TRUE(got.faults.empty());
  }
  const auto tiny = p1_telegram("1-0:1.8.0(1*Wh)\r\n");
  ASSERT_LE(tiny.size() + 17, 127U);
  EXPECT_EQ(decode(sealed(tiny, {.length_bytes = 0}), with_key(), all_at_once).telegrams.size(), 1U);
  EXPECT_EQ(decode(sealed(tiny, {.length_bytes = 1}), with_key(), all_at_once).telegrams.size(), 1U);
}

TEST(D0Encrypted, AnySplitGivesTheSame) {
  const auto stream = sealed(kTelegram) + sealed(kTelegram, {.counter = 0xDB08DB08});
  const auto whole = decode(stream, with_key(), all_at_once).lines();
  EXPECT_EQ(whole.size(), 2 * (kReadings + 1) + 1);
  for (std::size_t at = 1; at < stream.size(); ++at) {
    bool first = true;
    ASSERT_EQ(decode(stream, with_key(), [&] { return std::exchange(first, false) ? at : stream.size(); }).lines(), whole) << at;
  }
  EXPECT_EQ(decode(stream, with_key(), [] { return 1; }).lines(), whole);
}

TEST(D0Encrypted, TwoKeysAsInAustria) {
  const auto stream = sealed(kTelegram, {.authentication_key = kAuthText});
  EXPECT_EQ(decode(stream, with_key(kKeyText, kAuthText), all_at_once).telegrams.size(), 1U);
  EXPECT_EQ(decode(stream, with_key(kKeyText), all_at_once).telegrams.size(), 1U) << "the telegram's own CRC vouches for it";
  EXPECT_EQ(fault_texts(stream, with_key(kKeyText, kLuxembourgText)),
            std::vector<std::string>{"cannot be decrypted: the authentication tag is wrong: auth_key is not this meter's, or bytes were "
                                     "damaged on the line"});
}

TEST(D0Encrypted, WithoutTagTheCrcVouches) {
  const auto stream = sealed(kTelegram, {.security = std::byte{0x20}});
  EXPECT_EQ(decode(stream, with_key(), all_at_once).telegrams.size(), 1U);
  EXPECT_TRUE(decode(stream, with_key(kKeyText, kAuthText), all_at_once).telegrams.empty());
  std::string bare = kTelegram.substr(0, kTelegram.find('!')) + "!\r\n";
  EXPECT_EQ(fault_texts(sealed(bare, {.security = std::byte{0x20}}), with_key()),
            std::vector<std::string>{"cannot be decrypted: nothing vouches for what was decrypted; set auth_key (your grid operator has it)"});
  EXPECT_EQ(decode(sealed(bare), with_key(), all_at_once).telegrams.size(), 1U) << "the tag vouches for it";
}

TEST(D0Encrypted, AWrongKeyIsAFaultInWordsAndNoValue) {
  const auto stream = sealed(kTelegram);
  const auto wrong = with_key("0123456789ABCDEF0123456789abcdee");
  EXPECT_TRUE(decode(stream, wrong, all_at_once).telegrams.empty());
  EXPECT_EQ(fault_texts(stream, wrong),
            std::vector<std::string>{"cannot be decrypted: key is not this meter's, or bytes were damaged on the line"});
}

TEST(D0Encrypted, WithoutKeyItSaysThatOneIsNeeded) {
  // (what looks like a telegram inside of the encrypted one is a fault of its own, now and then)
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
    const auto got = decode(sealed(kTelegram), listening("8n1"), [&] { return piece; });
    EXPECT_TRUE(got.telegrams.empty());
    EXPECT_EQ(std::count(got.faults.begin(), got.faults.end(), text(FaultKind::encryption)), 1);
  }
  EXPECT_EQ(fault_texts(sealed(kTelegram), listening("8n1")).front(),
            "cannot be decrypted: the meter's telegrams are encrypted; set key (your grid operator has it)");
}

TEST(D0Encrypted, ReadableTextWithAKeyIsSaid) {
  const auto bytes = bytes_of(kTelegram);
  d0::D0Session session{with_key()};
  SessionOut out;
  Instant now{MonoTime{seconds{1000}}, WallTime{seconds{1'700'000'000}}};
  session.opened(now, out);
  session.received(bytes, now, now.mono, out);
  ASSERT_TRUE(out.timer);
  now.mono = *out.timer;
  out.clear();
  session.timer(now, out);
  ASSERT_EQ(out.faults.size(), 1U);
  EXPECT_EQ(out.faults[0].kind, FaultKind::grammar);
  EXPECT_NE(out.faults[0].detail.find("needs no key"), std::string::npos);
}

TEST(D0Encrypted, OneWrongBitNeverMakesAReading) {
  const auto tiny = p1_telegram("1-0:1.8.0(006545766*Wh)\r\n1-0:1.7.0(00000286*W)\r\n");
  for (const auto& settings : {with_key(), with_key(kKeyText, kLuxembourgText)}) {
    const auto stream = sealed(tiny);
    for (std::size_t at = 0; at < stream.size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        Bytes damaged = stream;
        damaged[at] ^= static_cast<std::byte>(1U << bit);
        for (const auto& telegram : decode(damaged, settings, all_at_once).telegrams) {
          // without an authentication key of one's own the CRC may vouch, where the damage is outside of the text
          ASSERT_EQ(telegram.size(), 2U) << at;
          ASSERT_EQ(telegram[0].value, 6545766) << at;
          ASSERT_EQ(telegram[1].value, 286) << at;
          ASSERT_FALSE(settings.authentication_key.has_value()) << at;
        }
      }
    }
  }
}

TEST(D0Encrypted, ALostByteCostsOneTelegram) {
  const auto one = sealed(kTelegram, {.counter = 1});
  const auto three = sealed(kTelegram, {.counter = 2}) + sealed(kTelegram, {.counter = 3}) + sealed(kTelegram, {.counter = 4});
  for (std::size_t at = 0; at < one.size(); ++at) {
    Bytes cut = one;
    cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(at));
    const auto got = decode(cut + three, with_key(), all_at_once);
    ASSERT_EQ(got.telegrams.size(), 3U) << "without byte " << at;
  }
  for (std::size_t length = 0; length < one.size(); ++length) {
    const auto got = decode(std::span(one).first(length), with_key(), all_at_once);
    ASSERT_TRUE(got.telegrams.empty()) << length;
    ASSERT_EQ(got.faults.size(), length >= 2 ? 1U : length == 0 ? 0U : 1U) << length;
  }
}

TEST(D0Encrypted, NoiseBeforeItCostsNothing) {
  std::mt19937 random{3};
  const auto frame = sealed(kTelegram);
  for (int i = 0; i < 300; ++i) {
    Bytes noisy;
    for (std::size_t n = random() % 40; n > 0; --n) noisy.push_back(static_cast<std::byte>(random() % 3 == 0 ? 0xDB : random() % 5 == 0 ? 8 : random()));
    ASSERT_EQ(decode(noisy + frame, with_key(), all_at_once).telegrams.size(), 1U) << i;
  }
}

TEST(D0Encrypted, NoAllocationInTheSteadyState) {
  if (!AllocationCounter::counting()) GTEST_SKIP() << "allocations are not counted under a sanitizer";
  const auto frame = sealed(kTelegram);
  d0::D0Session session{with_key()};
  SessionOut out;
  Instant now{MonoTime{seconds{1000}}, WallTime{seconds{1'700'000'000}}};
  session.opened(now, out);
  unsigned telegrams = 0;
  const auto feed = [&] {
    now.mono += seconds{10};
    now.wall += seconds{10};
    for (std::span<const std::byte> rest = frame; !rest.empty();) {
      out.clear();
      rest = rest.subspan(session.received(rest.first(std::min<std::size_t>(64, rest.size())), now, now.mono, out));
      telegrams += out.telegrams;
    }
  };
  for (int i = 0; i < 3; ++i) feed();
  telegrams = 0;
  AllocationCounter::start();
  for (int i = 0; i < 1000; ++i) feed();
  EXPECT_EQ(AllocationCounter::stop(), 0U);
  EXPECT_EQ(telegrams, 1000U);
}

WallTime utc(int y, unsigned mo, unsigned d, int h, int mi, int s) {
  using namespace std::chrono;
  return sys_days{year{y} / month{mo} / day{d}} + hours{h} + minutes{mi} + seconds{s};
}

TEST(P1Time, TheLetterSaysWhichTime) {
  EXPECT_EQ(d0::p1_time("221006155014S"), utc(2022, 10, 6, 13, 50, 14));
  EXPECT_EQ(d0::p1_time("101209113020W"), utc(2010, 12, 9, 10, 30, 20));
  EXPECT_EQ(d0::p1_time("221030023000S"), utc(2022, 10, 30, 0, 30, 0)) << "the hour that comes twice, first";
  EXPECT_EQ(d0::p1_time("221030023000W"), utc(2022, 10, 30, 1, 30, 0)) << "and again";
  EXPECT_EQ(d0::p1_time("220101000000W"), utc(2021, 12, 31, 23, 0, 0));
  for (const auto* bad : {"", "101209113020", "101209113020X", "101309113020W", "100230113020W", "101209243020W", "101209116020W",
                          "10120911302 W", "1012091130200W", "-01209113020W"})
    EXPECT_FALSE(d0::p1_time(bad)) << bad;
}

/// Feeds telegrams to a session whose host's clock says `arrival`.
class P1Times : public testing::Test {
 protected:
  std::vector<std::string> feed(const std::string& lines, WallTime arrival, const d0::D0Settings& settings = listening("8n1")) {
    if (!session_) session_.emplace(settings);
    now_ = {now_.mono + seconds{10}, arrival};
    const auto bytes = bytes_of(p1_telegram(lines));
    SessionOut out;
    if (!opened_) session_->opened(now_, out);
    opened_ = true;
    out.clear();
    session_->received(bytes, now_, now_.mono, out);
    std::vector<std::string> texts;
    for (const auto& reading : out.readings)
      texts.push_back(fmt::format("{}={} {}", reading.identifier.text(), reading.value,
                                  std::chrono::duration_cast<seconds>(reading.stamp - arrival).count()));
    return texts;
  }
  Instant now_{MonoTime{seconds{1000}}, {}};
  std::optional<d0::D0Session> session_;
  bool opened_ = false;
};

using Texts = std::vector<std::string>;
const WallTime kArrival = utc(2022, 10, 6, 13, 50, 15);

TEST_F(P1Times, ThePlausibleOneIsUsed) {
  EXPECT_EQ(feed("0-0:1.0.0(221006155014S)\r\n1-0:1.8.0(1*kWh)\r\n", kArrival), (Texts{"1-0:1.8.0*255=1 -1"}));
  EXPECT_EQ(feed("1-0:1.8.0(2*kWh)\r\n0-0:1.0.0(221006155024S)\r\n", kArrival + seconds{10}), (Texts{"1-0:1.8.0*255=2 -1"}))
      << "wherever it stands";
}

TEST_F(P1Times, TheOthersAreNot) {
  for (const auto* time : {"221006155014W", "221006145014S", "221006160016S", "221006153914S", "991006155014S", "x"})
    EXPECT_EQ(feed(fmt::format("0-0:1.0.0({})\r\n1-0:1.8.0(1*kWh)\r\n", time), kArrival), (Texts{"1-0:1.8.0*255=1 0"})) << time;
  EXPECT_EQ(feed("0-1:1.0.0(221006155014S)\r\n1-0:1.8.0(1*kWh)\r\n", kArrival), (Texts{"1-0:1.8.0*255=1 0"})) << "another clock";
}

TEST_F(P1Times, NeverIfTheUserSaysSo) {
  auto settings = listening("8n1");
  settings.use_local_time = true;
  const std::string lines = "0-0:1.0.0(221006155014S)\r\n1-0:1.8.0(1*kWh)\r\n0-1:24.2.1(221006155000S)(5*m3)\r\n";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(feed(lines, kArrival, settings), (Texts{"1-0:1.8.0*255=1 0", "0-1:24.2.1*255=5 0"}));
}

TEST_F(P1Times, AValueOfAnotherMeterHasItsOwnAndCountsOnce) {
  const auto lines = [](const char* clock, const char* taken, const char* volume) {
    return fmt::format("0-0:1.0.0({})\r\n1-0:1.7.0(1*kW)\r\n0-1:24.2.1({})({}*m3)\r\n", clock, taken, volume);
  };
  EXPECT_EQ(feed(lines("221006155014S", "221006150000S", "5"), kArrival), (Texts{"1-0:1.7.0*255=1 -1", "0-1:24.2.1*255=5 -3015"}));
  EXPECT_EQ(feed(lines("221006155024S", "221006150000S", "5"), kArrival + seconds{10}), (Texts{"1-0:1.7.0*255=1 -1"}));
  EXPECT_EQ(feed(lines("221006155034S", "221006150000S", "6"), kArrival + seconds{20}), (Texts{"1-0:1.7.0*255=1 -1", "0-1:24.2.1*255=6 -3035"}))
      << "corrected";
  EXPECT_EQ(feed(lines("221006155044S", "221006155500S", "6"), kArrival + seconds{30}), (Texts{"1-0:1.7.0*255=1 -1", "0-1:24.2.1*255=6 255"}))
      << "the next one, by a clock that is a little fast";
  EXPECT_EQ(feed(lines("221006155054S", "000101000000W", "6"), kArrival + seconds{40}), (Texts{"1-0:1.7.0*255=1 -1", "0-1:24.2.1*255=6 -1"}))
      << "a clock that was never set";
}

TEST_F(P1Times, WithoutAPlausibleClockEachTelegramCounts) {
  const std::string lines = "0-0:1.0.0(121006155014S)\r\n0-1:24.2.1(121006150000S)(5*m3)\r\n";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(feed(lines, kArrival), (Texts{"0-1:24.2.1*255=5 0"}));
}

TEST(D0Options, Keys) {
  const Protocol* d0 = nullptr;
  for (const auto* protocol : all_protocols())
    if (protocol->name == "d0") d0 = protocol;
  ASSERT_NE(d0, nullptr);
  const OptionSpec* key = nullptr;
  for (const auto& spec : d0->options)
    if (spec.name == "key") key = &spec;
  ASSERT_NE(key, nullptr);
  EXPECT_TRUE(key->secret);
  EXPECT_EQ(key->check(OptionValue{std::string{kKeyText}}), "");
  const auto wrong = key->check(OptionValue{std::string{"0123456789abcdef"}});
  EXPECT_EQ(wrong, "is no key: expected 32 hexadecimal digits, and nothing else; found 16 characters") << "and not the key itself";
}

}  // namespace
}  // namespace vz::test
