// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/aggregator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace vz {

Aggregator::Aggregator(AggMode mode, std::chrono::seconds fixed_interval)
    : mode_(mode), fixed_interval_(fixed_interval) {}

void Aggregator::weigh(Point next) {
  if (previous_) {
    // a clock that was set back must not make a weight negative
    const double seconds = std::max(0.0, std::chrono::duration<double>(next.stamp - previous_->stamp).count());
    weighted_ += previous_->value * seconds;
    weight_ += seconds;
  }
  previous_ = next;
}

void Aggregator::add(Point reading) {
  if (count_ == 0) {
    latest_ = reading;
    extreme_or_sum_ = reading.value;
    previous_ = carried_;
  } else {
    if (reading.stamp > latest_.stamp) latest_ = reading;
    if (mode_ == AggMode::max) extreme_or_sum_ = std::max(extreme_or_sum_, reading.value);
    if (mode_ == AggMode::sum) extreme_or_sum_ += reading.value;
  }
  if (mode_ == AggMode::avg) weigh(reading);
  ++count_;
}

void Aggregator::move(WallTime before, WallTime after) {
  if (count_ == 0 && !carried_) return;
  const WallTime known = count_ > 0 ? latest_.stamp : carried_->stamp;
  const auto distance = [known](WallTime from) { return known < from ? from - known : known - from; };
  if (distance(after) < distance(before)) return;
  const auto step = after - before;
  latest_.stamp += step;
  if (previous_) previous_->stamp += step;
  if (carried_) carried_->stamp += step;
}

std::optional<Point> Aggregator::close() {
  if (count_ == 0) return std::nullopt;
  Point result{extreme_or_sum_, latest_.stamp};
  if (mode_ == AggMode::avg) {
    result.value = weight_ > 0 ? weighted_ / weight_ : latest_.value;
    carried_ = latest_;
    weighted_ = weight_ = 0.0;
  }
  if (fixed_interval_ > std::chrono::seconds{0}) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(result.stamp);
    auto into = whole.time_since_epoch() % fixed_interval_;
    if (into < std::chrono::seconds{0}) into += fixed_interval_;
    result.stamp = whole - into;
  }
  count_ = 0;
  return result;
}

namespace {

constexpr std::string_view kWindowFormat = "w1";

std::string point_text(const std::optional<Point>& point) {
  return point ? fmt::format(" 1 {} {}", point->value, point->stamp.time_since_epoch().count()) : " 0 0 0";
}

/// Reads numbers set apart by blanks.
class NumberReader {
 public:
  explicit NumberReader(std::string_view text) : rest_(text) {}
  template <typename T>
  T next() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    T value{};
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    good_ = good_ && error == std::errc{};
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }
  Point point() {
    const auto value = next<double>();
    return {value, WallTime{std::chrono::milliseconds{next<std::int64_t>()}}};
  }
  std::optional<Point> optional_point() {
    const bool there = next<int>() != 0;
    const Point value = point();
    return there ? std::optional{value} : std::nullopt;
  }
  [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::string Aggregator::save() const {
  if (count_ == 0 && !carried_) return {};
  return fmt::format("{} {} {} {} {} {} {} {}{}{}", kWindowFormat, static_cast<int>(mode_), count_, extreme_or_sum_,
                     latest_.value, latest_.stamp.time_since_epoch().count(), weighted_, weight_, point_text(previous_),
                     point_text(carried_));
}

bool Aggregator::restore(std::string_view text) {
  if (!text.starts_with(kWindowFormat)) return false;
  NumberReader reader(text.substr(kWindowFormat.size()));
  Aggregator saved{mode_, fixed_interval_};
  const int mode = reader.next<int>();
  saved.count_ = reader.next<std::uint64_t>();
  saved.extreme_or_sum_ = reader.next<double>();
  saved.latest_ = reader.point();
  saved.weighted_ = reader.next<double>();
  saved.weight_ = reader.next<double>();
  saved.previous_ = reader.optional_point();
  saved.carried_ = reader.optional_point();
  if (!reader.complete() || mode != static_cast<int>(mode_)) return false;
  *this = saved;
  return true;
}

}  // namespace vz
