// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/oms/telegram.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/decimal.hpp"
#include "protocols/oms/registers.hpp"

namespace vz::oms {
namespace {

constexpr std::byte kCheck{0x2F};
constexpr unsigned kAuthenticationLayer = 0x90;

/// What a CI field announces (EN 13757-7:2018, table 2).
enum class Form : std::uint8_t { no_header, short_header, long_header, application_error, reset, unknown };

Form form_of(unsigned ci) {
  switch (ci) {
    case 0x78:
    case 0x51: return Form::no_header;
    case 0x7A:
    case 0x5A: return Form::short_header;
    case 0x72:
    case 0x76:
    case 0x5B: return Form::long_header;
    case 0x70:
    case 0x6E:
    case 0x6F: return Form::application_error;
    case 0x50:
    case 0x52: return Form::reset;
    default: return Form::unknown;
  }
}

std::string hexadecimal(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) fmt::format_to(std::back_inserter(text), "{:02X}", std::to_integer<unsigned>(byte));
  return text;
}

/// The text of a record, as far as it can be shown; the last letter comes first.
std::string reversed_text(std::span<const std::byte> bytes) {
  std::string text;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    const auto c = std::to_integer<unsigned char>(bytes[i]);
    text.push_back(c >= 0x20 && c < 0x7F ? static_cast<char>(c) : '?');
  }
  return text;
}

double scaled(const Record& record) {
  const int exponent = record.meaning.exponent;
  const RecordValue& value = record.value;
  if (value.kind == RecordValue::Kind::real)
    return exponent < 0 ? value.real / decimal(1, -exponent) : value.real * decimal(1, exponent);
  const double number = decimal(value.magnitude, exponent);
  return value.negative && number != 0.0 ? -number : number;
}

bool is_number(const Record& record) {
  return record.value.kind == RecordValue::Kind::integer || record.value.kind == RecordValue::Kind::real;
}

std::string value_text(const Record& record) {
  if (record.error != 0) return fmt::format("none: the meter reports error {:02X}", record.error);
  if (const auto time = clock_time(record))
    return fmt::format("{}-{:02}-{:02} {:02}:{:02}:{:02}", time->year, time->month, time->day, time->hour, time->minute, time->second);
  if (is_number(record)) return fmt::format("{}", scaled(record));
  if (record.value.kind == RecordValue::Kind::bytes && record.data_field == 0xD)
    return fmt::format("\"{}\"", reversed_text(record.data));
  return record.data.empty() ? "none" : "none in " + hexadecimal(record.data);
}

}  // namespace

std::optional<WallTime> plausible_time(const ClockTime& time, WallTime arrival) {
  using namespace std::chrono;
  const year_month_day date{year{time.year}, month{time.month}, day{time.day}};
  if (!date.ok()) return std::nullopt;
  const WallTime shown = sys_days{date} + hours{time.hour} + minutes{time.minute} + seconds{time.second};
  constexpr hours kWest{-12};
  constexpr hours kEast{14};
  const auto zone = round<hours>(shown - arrival);
  if (zone < kWest || zone > kEast) return std::nullopt;
  const WallTime moment = shown - zone;
  if (abs(moment - arrival) > kPlausible) return std::nullopt;
  return moment;
}

TelegramReader::TelegramReader(const TelegramSettings& settings) : settings_(settings) {}

bool TelegramReader::refuse(SessionOut& out, FaultKind kind, std::string detail) {
  out.faults.push_back({kind, std::move(detail)});
  return false;
}

TelegramReader::Outcome TelegramReader::read(std::span<const std::byte> user_data, WallTime arrival, SessionOut& out) {
  header_ = {};
  authentication_ = {};
  more_follows_ = false;
  long_header_ = false;
  std::span<const std::byte> rest = user_data;
  if (std::to_integer<unsigned>(rest.front()) == kAuthenticationLayer && !read_authentication(rest, out)) return Outcome::refused;
  const std::span<const std::byte> message = rest;
  const unsigned ci = std::to_integer<unsigned>(rest.front());
  rest = rest.subspan(1);
  switch (form_of(ci)) {
    case Form::no_header: break;
    case Form::short_header:
    case Form::long_header:
      if (!read_header(rest, ci, out)) return Outcome::refused;
      break;
    case Form::reset: return Outcome::not_data;
    case Form::application_error:
      refuse(out, FaultKind::grammar, fmt::format("the meter answers with an error of its own ({})", hexadecimal(message)));
      return Outcome::refused;
    case Form::unknown:
      refuse(out, FaultKind::grammar, fmt::format("frames with control information {:02X} are not known", ci));
      return Outcome::refused;
  }
  if (!authentication_.mac.empty() && !check_mac(message, out)) return Outcome::refused;
  if (rest.size() > plain_.size()) return Outcome::refused;  // cannot be: a frame is shorter
  std::copy(rest.begin(), rest.end(), plain_.begin());
  const auto data = std::span<std::byte>(plain_).first(rest.size());
  if (!decrypt(data, out)) return Outcome::refused;
  return read_records(data, arrival, out);
}

/// CI 90: length, fragmentation control, then the fields that it announces.
bool TelegramReader::read_authentication(std::span<const std::byte>& rest, SessionOut& out) {
  constexpr std::size_t kFixed = 4;  // CI, length, fragmentation control
  const auto broken = [&] { return refuse(out, FaultKind::grammar, "the authentication layer of the frame is broken"); };
  if (rest.size() < kFixed) return broken();
  const std::size_t length = std::to_integer<std::size_t>(rest[1]);
  if (length < 2 || length + 2 >= rest.size()) return broken();
  const unsigned control = std::to_integer<unsigned>(rest[2]) | std::to_integer<unsigned>(rest[3]) << 8U;
  auto fields = rest.subspan(kFixed, length - 2);
  rest = rest.subspan(2 + length);
  const auto take = [&](std::size_t count) {
    const auto taken = fields.first(std::min(count, fields.size()));
    fields = fields.subspan(taken.size());
    return taken;
  };
  constexpr unsigned kMoreFragments = 0x4000, kControl = 0x2000, kLength = 0x1000, kCounter = 0x0800, kMac = 0x0400, kKey = 0x0200;
  if ((control & kMoreFragments) != 0)
    return refuse(out, FaultKind::grammar, "messages in several fragments are not supported");
  authentication_.present = true;
  if ((control & kControl) != 0) {
    const auto field = take(1);
    if (field.empty()) return broken();
    authentication_.control = field[0];
  }
  if ((control & kKey) != 0 && take(2).size() != 2) return broken();
  if ((control & kCounter) != 0) {
    const auto field = take(4);
    if (field.size() != 4) return broken();
    std::copy(field.begin(), field.end(), authentication_.counter.emplace().begin());
  }
  if ((control & kMac) != 0) {
    constexpr std::array<std::size_t, 5> kMacLengths = {2, 4, 8, 12, 16};  // authentication types 3 to 7: AES-CMAC
    const unsigned type = std::to_integer<unsigned>(authentication_.control) & 0x0FU;
    if (type < 3 || type > 7)
      return refuse(out, FaultKind::encryption, fmt::format("authentication type {} is not supported", type));
    authentication_.mac = take(kMacLengths[type - 3]);
    if (authentication_.mac.size() != kMacLengths[type - 3]) return broken();
  }
  if ((control & kLength) != 0) {
    const auto field = take(2);
    if (field.size() != 2) return broken();
    std::copy(field.begin(), field.end(), authentication_.length.emplace().begin());
  }
  return true;
}

bool TelegramReader::read_header(std::span<const std::byte>& rest, unsigned ci, SessionOut& out) {
  constexpr std::size_t kShort = 4;  // access number, status, configuration
  constexpr std::size_t kAddress = 8;
  constexpr unsigned kMode7 = 7;
  constexpr unsigned kHighFirst = 0x76;
  order_ = ci == kHighFirst ? ByteOrder::high_first : ByteOrder::low_first;
  long_header_ = form_of(ci) == Form::long_header;
  const std::size_t size = kShort + (long_header_ ? kAddress : 0);
  const auto too_short = [&] { return refuse(out, FaultKind::grammar, "the frame is too short for its header"); };
  if (rest.size() < size) return too_short();
  if (long_header_) {
    std::copy_n(rest.begin(), 4, header_.identification.begin());
    std::copy_n(rest.begin() + 4, 2, header_.manufacturer.begin());
    header_.version = rest[6];
    header_.device_type = rest[7];
    known_ = header_;
    rest = rest.subspan(kAddress);
  } else if (known_) {
    header_ = *known_;
    long_header_ = true;
  }
  header_.access_number = rest[0];
  header_.configuration = std::to_integer<unsigned>(rest[2]) | std::to_integer<unsigned>(rest[3]) << 8U;
  if (order_ == ByteOrder::high_first) header_.configuration = (header_.configuration & 0xFFU) << 8U | header_.configuration >> 8U;
  rest = rest.subspan(kShort);
  if ((header_.configuration >> 8U & 0x1FU) != kMode7) return true;
  if (rest.empty()) return too_short();
  header_.extension = std::to_integer<unsigned>(rest[0]);
  rest = rest.subspan(1);
  return true;
}

/// KDF-A (OMS volume 2, 9.6.2): purpose 0 encrypts what the meter sends, 1 authenticates it.
bool TelegramReader::key_of_message(unsigned purpose, AesBlock& key, SessionOut& out) {
  if (!settings_.key)
    return refuse(out, FaultKind::encryption, "the frame is protected, and there is no key in the configuration (\"key\")");
  if (!authentication_.counter)
    return refuse(out, FaultKind::encryption, "the frame has no message counter, from which its key is to be derived");
  if (!long_header_)
    return refuse(out, FaultKind::encryption, "the frame does not name its meter, whose number the key depends on");
  constexpr std::byte kPadding{0x07};
  AesBlock input;
  input.fill(kPadding);
  input[0] = static_cast<std::byte>(purpose);
  std::copy(authentication_.counter->begin(), authentication_.counter->end(), input.begin() + 1);
  std::copy(header_.identification.begin(), header_.identification.end(), input.begin() + 5);
  if (aes_cmac(encryptor_, *settings_.key, input, key)) return true;
  return refuse(out, FaultKind::encryption, "the key could not be derived (OpenSSL refused)");
}

/// AFL.MAC: over message control, counter, length, and everything from the CI field on.
bool TelegramReader::check_mac(std::span<const std::byte> message, SessionOut& out) {
  constexpr unsigned kAuthenticate = 0x01;
  AesBlock key{};
  if (!key_of_message(kAuthenticate, key, out)) return false;
  std::array<std::byte, kMostData + 8> input{};
  std::size_t size = 0;
  input[size++] = authentication_.control;
  for (const std::byte byte : *authentication_.counter) input[size++] = byte;
  if (authentication_.length)
    for (const std::byte byte : *authentication_.length) input[size++] = byte;
  if (message.size() > input.size() - size) return refuse(out, FaultKind::oversized, "the frame is too long");
  std::copy(message.begin(), message.end(), input.begin() + static_cast<std::ptrdiff_t>(size));
  size += message.size();
  AesBlock mac{};
  const bool done = aes_cmac(encryptor_, key, std::span(input).first(size), mac);
  if (done && std::equal(authentication_.mac.begin(), authentication_.mac.end(), mac.begin())) return true;
  return refuse(out, FaultKind::encryption, "the authentication code (MAC) is wrong; is it the right key?");
}

/// In place. What is not encrypted is left as it is.
bool TelegramReader::decrypt(std::span<std::byte> data, SessionOut& out) {
  constexpr unsigned kNone = 0, kHeaderVector = 5, kDerivedKey = 7;
  const unsigned mode = header_.configuration >> 8U & 0x1FU;
  if (mode == kNone) return true;
  if (mode != kHeaderVector && mode != kDerivedKey)
    return refuse(out, FaultKind::encryption, fmt::format("the frame is encrypted in mode {}; only 5 and 7 are supported", mode));
  const std::size_t size = (header_.configuration >> 4U & 0x0FU) * kAesBlock;
  if (size == 0) return true;
  if (size > data.size())
    return refuse(out, FaultKind::grammar, fmt::format("{} bytes are said to be encrypted, but the frame has only {}", size, data.size()));
  if (!settings_.key)
    return refuse(out, FaultKind::encryption,
                  fmt::format("the frame is encrypted (mode {}), and there is no key in the configuration (\"key\")", mode));
  if (!long_header_)
    return refuse(out, FaultKind::encryption, "the frame is encrypted, but does not name its meter, which decryption needs");
  AesBlock key = *settings_.key;
  AesBlock iv{};
  if (mode == kHeaderVector) {
    std::copy(header_.manufacturer.begin(), header_.manufacturer.end(), iv.begin());
    std::copy(header_.identification.begin(), header_.identification.end(), iv.begin() + 2);
    iv[6] = header_.version;
    iv[7] = header_.device_type;
    std::fill(iv.begin() + 8, iv.end(), header_.access_number);
  } else {
    const unsigned derivation = header_.extension >> 4U & 3U;
    if (derivation > 1)
      return refuse(out, FaultKind::encryption, fmt::format("key derivation {} is not known", derivation));
    if (derivation == 1 && !key_of_message(0x00, key, out)) return false;
  }
  if (!decryptor_.run(key, iv, data.first(size)))
    return refuse(out, FaultKind::encryption, "the frame could not be decrypted (OpenSSL refused)");
  if (data[0] == kCheck && data[1] == kCheck) return true;
  return refuse(out, FaultKind::encryption, "the frame cannot be decrypted: is it the right key? (the check bytes 2F 2F are missing)");
}

TelegramReader::Outcome TelegramReader::read_records(std::span<const std::byte> data, WallTime arrival, SessionOut& out) {
  RecordReader records{data, order_};
  Record record;
  std::optional<WallTime> meter_time;
  while (true) {
    switch (records.next(record)) {
      case RecordReader::Step::record: read_record(record, arrival, meter_time, out); break;
      case RecordReader::Step::end: more_follows_ = records.more_follows(); return Outcome::telegram;
      case RecordReader::Step::malformed:
        refuse(out, FaultKind::grammar, "the frame's check sum is right, but its last record is broken");
        return Outcome::telegram;
    }
  }
}

/// The meter's time holds for the records behind it.
void TelegramReader::read_record(const Record& record, WallTime arrival, std::optional<WallTime>& meter_time, SessionOut& out) const {
  if (out.wants(settings_.show_records ? Level::info : Level::debug)) note_record(record, out);
  if (!settings_.use_local_time && record.storage == 0 && order_ == ByteOrder::low_first)
    if (const auto time = clock_time(record)) meter_time = plausible_time(*time, arrival);
  if (!is_number(record)) return;
  const auto code = register_of(record, std::to_integer<unsigned>(header_.device_type));
  if (!code || !out.wants(*code)) return;
  out.readings.push_back({Identifier{*code}, scaled(record), Unit{record.meaning.unit}, meter_time.value_or(arrival)});
}

void TelegramReader::note_record(const Record& record, SessionOut& out) const {
  const auto code = register_of(record, std::to_integer<unsigned>(header_.device_type));
  const std::string_view name = record.meaning.name.empty() ? "reserved" : record.meaning.name;
  const std::string unit = record.unit_text.empty() ? std::string{record.meaning.unit} : reversed_text(record.unit_text);
  out.notes.push_back({settings_.show_records ? Level::info : Level::debug,
                       fmt::format("record {}: {} {}{}{}, storage {}, tariff {}, subunit {}: {}", hexadecimal(record.head), name,
                                   value_text(record), unit.empty() ? "" : " ", unit, record.storage, record.tariff,
                                   record.subunit, code ? code->text() : "no register")});
}

}  // namespace vz::oms
