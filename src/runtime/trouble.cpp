// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/trouble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "core/ascii.hpp"

namespace vz {
namespace {

using namespace std::chrono_literals;

constexpr MonoDuration kSummaryEvery = 1h;
constexpr double kBudget = 5.0;
constexpr MonoDuration kBudgetEvery = 12min;

std::size_t kind_of(std::string_view message) {
  std::string letters{message};
  std::erase_if(letters, is_digit);
  return std::hash<std::string>{}(letters);
}

}  // namespace

Trouble::Tell Trouble::failed(MonoTime now, std::string_view message) {
  if (!active_) {
    active_ = true;
    told_ = false;
    tries_ = 0;
    since_ = now;
    kinds_.clear();
  }
  ++tries_;
  message_ = message;
  const std::size_t kind = kind_of(message);
  const bool known = std::find(kinds_.begin(), kinds_.end(), kind) != kinds_.end();
  if (!known && kinds_.size() < kMaxKinds && spend(now)) {
    kinds_.push_back(kind);
    told_ = true;
    last_told_ = now;
    return Tell::news;
  }
  if (!told_ || now - last_told_ < kSummaryEvery) return Tell::nothing;
  last_told_ = now;
  return Tell::summary;
}

std::optional<Trouble::End> Trouble::ended(MonoTime now) {
  if (!active_) return std::nullopt;
  active_ = false;
  if (!told_) ++untold_;
  message_.clear();
  return End{.lasted = now - since_, .tries = tries_, .told = told_};
}

bool Trouble::spend(MonoTime now) {
  if (budget_at_) {
    const auto passed = std::chrono::duration<double>(now - *budget_at_) / std::chrono::duration<double>(kBudgetEvery);
    budget_ = std::min(kBudget, budget_ + passed);
  }
  budget_at_ = now;
  if (budget_ < 1.0) return false;
  budget_ -= 1.0;
  return true;
}

std::optional<std::uint64_t> Notice::happened(MonoTime now) {
  if (last_told_ && now - *last_told_ < kSummaryEvery) {
    ++untold_;
    return std::nullopt;
  }
  last_told_ = now;
  return std::exchange(untold_, 0);
}

std::optional<std::uint64_t> Notice::overdue(MonoTime now) {
  if (untold_ == 0 || now - *last_told_ < kSummaryEvery) return std::nullopt;
  last_told_ = now;
  return std::exchange(untold_, 0);
}

std::string duration_text(MonoDuration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  if (seconds < 120) return fmt::format("{} s", seconds);
  const auto minutes = (seconds + 30) / 60;
  if (minutes < 120) return fmt::format("{} min", minutes);
  const auto hours = minutes / 60;
  if (hours < 48)
    return minutes % 60 == 0 ? fmt::format("{} h", hours) : fmt::format("{} h {} min", hours, minutes % 60);
  return fmt::format("{} days", (hours + 12) / 24);
}

}  // namespace vz
