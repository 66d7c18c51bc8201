// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/oms/vif.hpp"

#include <array>
#include <span>

namespace vz::oms {
namespace {

/// How the codes of a row differ.
enum class Step : std::uint8_t {
  none,
  exponent,    ///< the n-th has n added to the exponent
  time,        ///< seconds, minutes, hours, days
  long_time,   ///< hours, days, months, years
  from_minute, ///< minutes, hours, days: the code for seconds means something else
};

struct Row {
  std::uint8_t first;
  std::uint8_t last;
  Step step;
  Quantity quantity;
  std::int8_t exponent;  ///< of the first code
  std::string_view unit;
  std::string_view name;
};

using Q = Quantity;
using S = Step;

constexpr Row kPrimary[] = {
    {0x00, 0x07, S::exponent, Q::energy, -3, "Wh", "energy"},
    {0x08, 0x0F, S::exponent, Q::energy, 0, "J", "energy"},
    {0x10, 0x17, S::exponent, Q::volume, -6, "m3", "volume"},
    {0x18, 0x1F, S::exponent, Q::mass, -3, "kg", "mass"},
    {0x20, 0x23, S::time, Q::other, 0, "", "on time"},
    {0x24, 0x27, S::time, Q::operating_time, 0, "", "operating time"},
    {0x28, 0x2F, S::exponent, Q::power, -3, "W", "power"},
    {0x30, 0x37, S::exponent, Q::power, 0, "J/h", "power"},
    {0x38, 0x3F, S::exponent, Q::volume_flow, -6, "m3/h", "volume flow"},
    {0x40, 0x47, S::exponent, Q::volume_flow, -7, "m3/min", "volume flow"},
    {0x48, 0x4F, S::exponent, Q::volume_flow, -9, "m3/s", "volume flow"},
    {0x50, 0x57, S::exponent, Q::mass_flow, -3, "kg/h", "mass flow"},
    {0x58, 0x5B, S::exponent, Q::flow_temperature, -3, "°C", "flow temperature"},
    {0x5C, 0x5F, S::exponent, Q::return_temperature, -3, "°C", "return temperature"},
    {0x60, 0x63, S::exponent, Q::temperature_difference, -3, "K", "temperature difference"},
    {0x64, 0x67, S::exponent, Q::external_temperature, -3, "°C", "external temperature"},
    {0x68, 0x6B, S::exponent, Q::pressure, -3, "bar", "pressure"},
    {0x6C, 0x6C, S::none, Q::date, 0, "", "date"},
    {0x6D, 0x6D, S::none, Q::date_time, 0, "", "date and time"},
    {0x6E, 0x6E, S::none, Q::hca_units, 0, "", "units of a heat cost allocator"},
    {0x70, 0x73, S::time, Q::other, 0, "", "averaging duration"},
    {0x74, 0x77, S::time, Q::other, 0, "", "actuality duration"},
    {0x78, 0x78, S::none, Q::other, 0, "", "fabrication number"},
    {0x79, 0x79, S::none, Q::other, 0, "", "identification"},
    {0x7A, 0x7A, S::none, Q::other, 0, "", "address"},
    {0x7C, 0x7C, S::none, Q::plain_text, 0, "", "value with a unit in plain text"},
    {0x7E, 0x7E, S::none, Q::other, 0, "", "any"},
    {0x7F, 0x7F, S::none, Q::manufacturer, 0, "", "manufacturer's own"},
};

constexpr Row kBehindFd[] = {
    {0x00, 0x03, S::exponent, Q::other, -3, "currency", "credit"},
    {0x04, 0x07, S::exponent, Q::other, -3, "currency", "debit"},
    {0x08, 0x08, S::none, Q::other, 0, "", "access number"},
    {0x09, 0x09, S::none, Q::other, 0, "", "device type"},
    {0x0A, 0x0A, S::none, Q::other, 0, "", "manufacturer"},
    {0x0B, 0x0B, S::none, Q::other, 0, "", "parameter set"},
    {0x0C, 0x0C, S::none, Q::other, 0, "", "model or version"},
    {0x0D, 0x0D, S::none, Q::other, 0, "", "hardware version"},
    {0x0E, 0x0E, S::none, Q::other, 0, "", "firmware version"},
    {0x0F, 0x0F, S::none, Q::other, 0, "", "software version"},
    {0x10, 0x10, S::none, Q::other, 0, "", "customer location"},
    {0x11, 0x11, S::none, Q::other, 0, "", "customer"},
    {0x12, 0x15, S::none, Q::other, 0, "", "access code"},
    {0x16, 0x16, S::none, Q::other, 0, "", "password"},
    {0x17, 0x17, S::none, Q::error_flags, 0, "", "error flags"},
    {0x18, 0x18, S::none, Q::other, 0, "", "error mask"},
    {0x19, 0x19, S::none, Q::other, 0, "", "security key"},
    {0x1A, 0x1A, S::none, Q::other, 0, "", "digital output"},
    {0x1B, 0x1B, S::none, Q::other, 0, "", "digital input"},
    {0x1C, 0x1C, S::none, Q::other, 0, "Bd", "baud rate"},
    {0x1D, 0x1D, S::none, Q::other, 0, "", "response delay in bit times"},
    {0x1E, 0x1E, S::none, Q::other, 0, "", "retries"},
    {0x1F, 0x1F, S::none, Q::other, 0, "", "remote control"},
    {0x20, 0x20, S::none, Q::other, 0, "", "first storage number for cyclic storage"},
    {0x21, 0x21, S::none, Q::other, 0, "", "last storage number for cyclic storage"},
    {0x22, 0x22, S::none, Q::other, 0, "", "size of a storage block"},
    {0x23, 0x23, S::none, Q::other, 0, "", "descriptor for tariff and subunit"},
    {0x24, 0x27, S::time, Q::other, 0, "", "storage interval"},
    {0x28, 0x28, S::none, Q::other, 0, "months", "storage interval"},
    {0x29, 0x29, S::none, Q::other, 0, "years", "storage interval"},
    {0x2A, 0x2A, S::none, Q::other, 0, "", "operator's own data"},
    {0x2B, 0x2B, S::none, Q::other, 0, "s", "time point"},
    {0x2C, 0x2F, S::time, Q::other, 0, "", "duration since the last readout"},
    {0x30, 0x30, S::none, Q::other, 0, "", "start of the tariff"},
    {0x31, 0x33, S::from_minute, Q::other, 0, "", "duration of the tariff"},
    {0x34, 0x37, S::time, Q::other, 0, "", "period of the tariff"},
    {0x38, 0x38, S::none, Q::other, 0, "months", "period of the tariff"},
    {0x39, 0x39, S::none, Q::other, 0, "years", "period of the tariff"},
    {0x3A, 0x3A, S::none, Q::other, 0, "", "number without dimension"},
    {0x3B, 0x3B, S::none, Q::other, 0, "", "data container for wireless M-Bus"},
    {0x3C, 0x3F, S::time, Q::other, 0, "", "period of transmissions"},
    {0x40, 0x4F, S::exponent, Q::voltage, -9, "V", "voltage"},
    {0x50, 0x5F, S::exponent, Q::current, -12, "A", "current"},
    {0x60, 0x60, S::none, Q::other, 0, "", "reset counter"},
    {0x61, 0x61, S::none, Q::other, 0, "", "cumulation counter"},
    {0x62, 0x62, S::none, Q::other, 0, "", "control signal"},
    {0x63, 0x63, S::none, Q::other, 0, "", "day of the week"},
    {0x64, 0x64, S::none, Q::other, 0, "", "number of the week"},
    {0x65, 0x65, S::none, Q::other, 0, "", "time of day at which the day changes"},
    {0x66, 0x66, S::none, Q::other, 0, "", "state of parameter activation"},
    {0x67, 0x67, S::none, Q::other, 0, "", "supplier's own information"},
    {0x68, 0x6B, S::long_time, Q::other, 0, "", "duration since the last cumulation"},
    {0x6C, 0x6F, S::long_time, Q::other, 0, "", "operating time of the battery"},
    {0x70, 0x70, S::none, Q::other, 0, "", "date of the battery change"},
    {0x71, 0x71, S::none, Q::other, 0, "dBm", "radio level"},
    {0x72, 0x72, S::none, Q::other, 0, "", "daylight saving"},
    {0x73, 0x73, S::none, Q::other, 0, "", "listening window"},
    {0x74, 0x74, S::none, Q::other, 0, "d", "remaining life of the battery"},
    {0x75, 0x75, S::none, Q::other, 0, "", "number of times the meter was stopped"},
    {0x76, 0x76, S::none, Q::other, 0, "", "data container of the manufacturer"},
};

constexpr Row kBehindFb[] = {
    {0x00, 0x01, S::exponent, Q::energy, 5, "Wh", "energy"},
    {0x02, 0x03, S::exponent, Q::reactive_energy, 3, "varh", "reactive energy"},
    {0x04, 0x05, S::exponent, Q::apparent_energy, 3, "VAh", "apparent energy"},
    {0x08, 0x09, S::exponent, Q::energy, 8, "J", "energy"},
    {0x0C, 0x0F, S::exponent, Q::energy, 5, "cal", "energy"},
    {0x10, 0x11, S::exponent, Q::volume, 2, "m3", "volume"},
    {0x14, 0x17, S::exponent, Q::reactive_power, 0, "var", "reactive power"},
    {0x18, 0x19, S::exponent, Q::mass, 5, "kg", "mass"},
    {0x1A, 0x1B, S::exponent, Q::other, -1, "%", "relative humidity"},
    {0x20, 0x20, S::none, Q::volume, 0, "ft3", "volume"},
    {0x21, 0x21, S::none, Q::volume, -1, "ft3", "volume"},
    {0x22, 0x22, S::none, Q::volume, -1, "gal", "volume"},
    {0x23, 0x23, S::none, Q::volume, 0, "gal", "volume"},
    {0x24, 0x24, S::none, Q::volume_flow, -3, "gal/min", "volume flow"},
    {0x25, 0x25, S::none, Q::volume_flow, 0, "gal/min", "volume flow"},
    {0x26, 0x26, S::none, Q::volume_flow, 0, "gal/h", "volume flow"},
    {0x28, 0x29, S::exponent, Q::power, 5, "W", "power"},
    {0x2A, 0x2A, S::none, Q::other, -1, "°", "phase angle of voltage to voltage"},
    {0x2B, 0x2B, S::none, Q::other, -1, "°", "phase angle of voltage to current"},
    {0x2C, 0x2F, S::exponent, Q::frequency, -3, "Hz", "frequency"},
    {0x30, 0x31, S::exponent, Q::power, 8, "J/h", "power"},
    {0x34, 0x37, S::exponent, Q::apparent_power, 0, "VA", "apparent power"},
    {0x58, 0x5B, S::exponent, Q::flow_temperature, -3, "°F", "flow temperature"},
    {0x5C, 0x5F, S::exponent, Q::return_temperature, -3, "°F", "return temperature"},
    {0x60, 0x63, S::exponent, Q::temperature_difference, -3, "°F", "temperature difference"},
    {0x64, 0x67, S::exponent, Q::external_temperature, -3, "°F", "external temperature"},
    {0x70, 0x73, S::exponent, Q::other, -3, "°F", "temperature limit"},
    {0x74, 0x77, S::exponent, Q::other, -3, "°C", "temperature limit"},
    {0x78, 0x7F, S::exponent, Q::other, -3, "W", "cumulated maximum of power"},
};

constexpr std::array<std::string_view, 4> kTimes = {"s", "min", "h", "d"};
constexpr std::array<std::string_view, 4> kLongTimes = {"h", "d", "months", "years"};

Meaning look_up(std::span<const Row> rows, unsigned code) {
  for (const Row& row : rows) {
    if (code < row.first || code > row.last) continue;
    const unsigned n = code - row.first;
    Meaning meaning{row.quantity, row.exponent, row.unit, row.name};
    switch (row.step) {
      case Step::none: break;
      case Step::exponent: meaning.exponent += static_cast<int>(n); break;
      case Step::time: meaning.unit = kTimes[n % kTimes.size()]; break;
      case Step::long_time: meaning.unit = kLongTimes[n % kLongTimes.size()]; break;
      case Step::from_minute: meaning.unit = kTimes[(n + 1) % kTimes.size()]; break;
    }
    return meaning;
  }
  return {};
}

}  // namespace

Meaning primary_meaning(unsigned code) { return look_up(kPrimary, code); }
Meaning meaning_behind_fd(unsigned code) { return look_up(kBehindFd, code); }
Meaning meaning_behind_fb(unsigned code) { return look_up(kBehindFb, code); }

}  // namespace vz::oms
