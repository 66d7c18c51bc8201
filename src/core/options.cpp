// SPDX-License-Identifier: GPL-3.0-or-later
#include "vz/options.hpp"

#include <cstdio>
#include <cstdlib>

namespace vz {
namespace {

[[noreturn]] void misuse(std::string_view name, const char* what) {
  std::fprintf(stderr, "bug: option %.*s %s\n", static_cast<int>(name.size()), name.data(), what);
  std::abort();
}

template <typename T>
const T& typed(const OptionValue& value, std::string_view name) {
  const T* found = std::get_if<T>(&value);
  if (found == nullptr) misuse(name, "is asked for with the wrong type, or has no value");
  return *found;
}

}  // namespace

void Options::set(std::string_view name, OptionValue value, std::optional<Position> position) {
  entries_.insert_or_assign(std::string{name}, Entry{std::move(value), std::move(position)});
}

bool Options::given(std::string_view name) const {
  const auto entry = entries_.find(name);
  return entry != entries_.end() && entry->second.position.has_value();
}

bool Options::has(std::string_view name) const {
  const auto entry = entries_.find(name);
  return entry != entries_.end() && !std::holds_alternative<std::monostate>(entry->second.value);
}

bool Options::boolean(std::string_view name) const {
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) misuse(name, "is not in the table");
  return typed<bool>(entry->second.value, name);
}

std::int64_t Options::integer(std::string_view name) const {
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) misuse(name, "is not in the table");
  return typed<std::int64_t>(entry->second.value, name);
}

double Options::real(std::string_view name) const {
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) misuse(name, "is not in the table");
  return typed<double>(entry->second.value, name);
}

const std::string& Options::string(std::string_view name) const {
  static const std::string empty;
  const auto entry = entries_.find(name);
  if (entry == entries_.end() || std::holds_alternative<std::monostate>(entry->second.value)) return empty;
  return typed<std::string>(entry->second.value, name);
}

Position Options::position(std::string_view name) const {
  const auto entry = entries_.find(name);
  if (entry != entries_.end() && entry->second.position) return *entry->second.position;
  return section_;
}

}  // namespace vz
