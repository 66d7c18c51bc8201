// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/problems.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "config/text.hpp"
#include "core/ascii.hpp"

namespace vz::config {
namespace {

constexpr std::size_t kMaxKey = 40;

bool before(const Problem& a, const Problem& b) {
  return std::tie(a.position.line, a.position.column) < std::tie(b.position.line, b.position.column);
}

bool same(const Problem& a, const Problem& b) {
  return a.position.line == b.position.line && a.position.column == b.position.column && a.text == b.text;
}

}  // namespace

void Problems::add(Problem problem) {
  std::size_t& count = problem.severity == Problem::Severity::error ? errors_ : warnings_;
  if (count++ < kMaxKept) kept_.push_back(std::move(problem));
}

bool Problems::room_for_warning() {
  if (warnings_ < kMaxKept) return true;
  ++warnings_;
  return false;
}

std::vector<Problem> Problems::take() {
  std::stable_sort(kept_.begin(), kept_.end(), before);
  // A protocol may repeat an option of the common table; then both tables report it.
  kept_.erase(std::unique(kept_.begin(), kept_.end(), same), kept_.end());
  const Position last = kept_.empty() ? Position{} : Position{kept_.back().position.line, 1, {}};
  if (errors_ > kMaxKept)
    kept_.push_back({Problem::Severity::error, last, fmt::format("and {} more errors", errors_ - kMaxKept)});
  if (warnings_ > kMaxKept)
    kept_.push_back({Problem::Severity::warning, last, fmt::format("and {} more warnings", warnings_ - kMaxKept)});
  errors_ = warnings_ = 0;
  return std::exchange(kept_, {});
}

void append_key(std::string& path, std::string_view key) {
  const auto plain = [](char c) {
    return is_digit(c) || is_letter(c) || c == '_' || c == '-' || c == '$';
  };
  if (!key.empty() && key.size() <= kMaxKey && std::all_of(key.begin(), key.end(), plain)) {
    if (!path.empty()) path += '.';
    path += key;
  } else {
    path += '[' + shown(key, kMaxKey) + ']';
  }
}

void append_index(std::string& path, std::size_t index) { path += fmt::format("[{}]", index); }

}  // namespace vz::config
