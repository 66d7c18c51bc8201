// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/aggregator.hpp"

#include <algorithm>

namespace vz {

Aggregator::Aggregator(AggMode mode, std::chrono::seconds fixed_interval)
    : mode_(mode), fixed_interval_(fixed_interval) {}

void Aggregator::weigh(Point next) {
  if (previous_) {
    const double seconds = std::chrono::duration<double>(next.stamp - previous_->stamp).count();
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

}  // namespace vz
