// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <concepts>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "vz/time.hpp"

namespace vz::local {

/// Readers for answers of another program, which may be older or newer: each leaves `to` alone if there is no such member of
/// that type. Pure; never throw. `from` is an object.

inline void take(const nlohmann::ordered_json& from, const char* name, std::string& to) {
  if (const auto it = from.find(name); it != from.end() && it->is_string()) to = it->get<std::string>();
}

template <std::unsigned_integral T>
requires(!std::same_as<T, bool>) void take(const nlohmann::ordered_json& from, const char* name, T& to) {
  if (const auto it = from.find(name); it != from.end() && it->is_number_unsigned()) to = it->get<T>();
}

inline void take(const nlohmann::ordered_json& from, const char* name, std::int64_t& to) {
  if (const auto it = from.find(name); it != from.end() && it->is_number_integer()) to = it->get<std::int64_t>();
}

/// A small number, such as a channel's.
inline void take(const nlohmann::ordered_json& from, const char* name, int& to) {
  const auto it = from.find(name);
  if (it != from.end() && it->is_number_unsigned() && it->get<std::uint64_t>() < 1'000'000) to = it->get<int>();
}

inline void take(const nlohmann::ordered_json& from, const char* name, bool& to) {
  if (const auto it = from.find(name); it != from.end() && it->is_boolean()) to = it->get<bool>();
}

inline void take(const nlohmann::ordered_json& from, const char* name, std::optional<double>& to) {
  if (const auto it = from.find(name); it != from.end() && it->is_number()) to = it->get<double>();
}

/// Milliseconds since 1970.
inline void take(const nlohmann::ordered_json& from, const char* name, std::optional<WallTime>& to) {
  const auto it = from.find(name);
  if (it != from.end() && it->is_number_integer()) to = WallTime{std::chrono::milliseconds{it->get<std::int64_t>()}};
}

inline void take(const nlohmann::ordered_json& from, const char* name, WallTime& to) {
  std::optional<WallTime> time;
  take(from, name, time);
  if (time) to = *time;
}

/// The member, or the default value of its type.
template <typename T>
T member(const nlohmann::ordered_json& from, const char* name) {
  T value{};
  take(from, name, value);
  return value;
}

}  // namespace vz::local
