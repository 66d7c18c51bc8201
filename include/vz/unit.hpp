// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vz {

/// The unit of a reading as the meter names it (`kWh`, `m3`), at most 15 bytes, empty if it names none.
/// A small value type without heap.
class Unit {
 public:
  static constexpr std::size_t kMaxLength = 15;

  constexpr Unit() = default;
  explicit constexpr Unit(std::string_view text) {
    length_ = static_cast<std::uint8_t>(text.size() < kMaxLength ? text.size() : kMaxLength);
    for (std::size_t i = 0; i < length_; ++i) text_[i] = text[i];
  }
  [[nodiscard]] constexpr std::string_view text() const { return {text_.data(), length_}; }
  constexpr bool operator==(const Unit& other) const { return text() == other.text(); }

 private:
  std::array<char, kMaxLength> text_{};
  std::uint8_t length_ = 0;
};

}  // namespace vz
