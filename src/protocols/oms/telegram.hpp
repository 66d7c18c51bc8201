// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <optional>
#include <string>

#include "core/aes.hpp"
#include "protocols/oms/records.hpp"
#include "vz/session.hpp"

namespace vz::oms {

/// How the user data of a frame become readings.
struct TelegramSettings {
  std::optional<AesBlock> key;
  bool use_local_time = false;
  bool show_records = false;  ///< each record is a note of level info (else debug)
};

/// Reads the user data of a long frame: transport layer with long, short or no header (EN 13757-7:2018, chapter 7),
/// authentication and fragmentation layer, security modes 0, 5 and 7 (OMS specification volume 2, chapters 6.2, 9 and
/// 10), and the records. With a MAC the telegram counts only if that is right; after decryption the check bytes 2F 2F
/// have to be there.
///
/// Pure; does not allocate in the steady state. Owns OpenSSL's contexts. Thread-compatible.
class TelegramReader final {
 public:
  enum class Outcome : std::uint8_t {
    telegram,  ///< read; perhaps without any register that somebody wants
    not_data,  ///< a service of M-Bus that has no records
    refused,   ///< a fault was reported, no reading was made
  };

  explicit TelegramReader(const TelegramSettings& settings);

  /// `user_data` begins with the CI field. Readings, faults and notes go to `out`; stamps are the meter's own time where
  /// it is known to the second and within kPlausible of `arrival` (the hours of the time zone apart), else `arrival`.
  Outcome read(std::span<const std::byte> user_data, WallTime arrival, SessionOut& out);
  /// Of the telegram read last: the meter has more (DIF 1F).
  [[nodiscard]] bool more_follows() const { return more_follows_; }

 private:
  static constexpr std::size_t kMostData = 256;

  struct Header {
    std::array<std::byte, 4> identification{};
    std::array<std::byte, 2> manufacturer{};
    std::byte version{};
    std::byte device_type{};
    std::byte access_number{};
    unsigned configuration = 0;
    unsigned extension = 0;  ///< of the configuration, in mode 7
  };
  struct Authentication {
    bool present = false;
    std::byte control{};
    std::optional<std::array<std::byte, 4>> counter;
    std::optional<std::array<std::byte, 2>> length;
    std::span<const std::byte> mac;
  };

  bool read_authentication(std::span<const std::byte>& rest, SessionOut& out);
  bool read_header(std::span<const std::byte>& rest, unsigned form, SessionOut& out);
  bool check_mac(std::span<const std::byte> message, SessionOut& out);
  bool decrypt(std::span<std::byte> data, SessionOut& out);
  bool key_of_message(unsigned purpose, AesBlock& key, SessionOut& out);
  Outcome read_records(std::span<const std::byte> data, WallTime arrival, SessionOut& out);
  void read_record(const Record& record, WallTime arrival, std::optional<WallTime>& meter_time, SessionOut& out) const;
  void note_record(const Record& record, SessionOut& out) const;
  bool refuse(SessionOut& out, FaultKind kind, std::string detail);

  TelegramSettings settings_;
  AesCbc decryptor_{AesCbc::Direction::decrypt};
  AesCbc encryptor_{AesCbc::Direction::encrypt};
  std::array<std::byte, kMostData> plain_{};
  std::optional<Header> known_;  ///< from the latest long header: whose short headers they are
  Header header_;
  Authentication authentication_;
  ByteOrder order_ = ByteOrder::low_first;
  bool long_header_ = false;     ///< the header names the meter
  bool more_follows_ = false;
};

/// Meter and host may differ by this much for the meter's time to be believed.
inline constexpr std::chrono::minutes kPlausible{10};

/// The moment of a meter's clock that shows the time of some time zone: whole hours of distance to `arrival` are the zone's,
/// so that neither zone nor summer time has to be known. Nothing if the rest is more than kPlausible, or the hours are
/// more than any zone has.
std::optional<WallTime> plausible_time(const ClockTime& time, WallTime arrival);

}  // namespace vz::oms
