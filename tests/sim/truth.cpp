// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/truth.hpp"

#include <algorithm>

namespace vz::sim {

void Window::add(const Arrival& arrival) {
  if (count++ == 0) {
    first = sum = most = least = arrival.value;
    mixed = false;
  } else {
    sum += arrival.value;
    most = std::max(most, arrival.value);
    least = std::min(least, arrival.value);
    mixed = mixed || arrival.steps_back != latest.steps_back;
  }
  latest = arrival;
}

void ChannelTruth::close_window() {
  std::vector<Window> ending;
  for (const Window& window : windows) {
    if (window.current && window.count > 0) ending.push_back(window);
  }
  if (ending.empty()) return;
  for (Window& window : windows) window.current = false;
  Window next;
  next.items = items.size() + held.size() + closed.size() + 1;
  windows.push_back(next);
  closed.push_back(std::move(ending));
}

Item* ChannelTruth::find(std::int64_t stamp) {
  auto end = items.end();
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    const auto begin = items.begin() + static_cast<std::ptrdiff_t>(*run);
    if (begin != end && stamp >= begin->stamp && stamp <= std::prev(end)->stamp) {
      const auto found = std::lower_bound(begin, end, stamp,
                                          [](const Item& item, std::int64_t wanted) { return item.stamp < wanted; });
      if (found->stamp == stamp) return &*found;
    }
    end = begin;
  }
  return nullptr;
}

Item& ChannelTruth::append(Item item) {
  if (!items.empty() && item.stamp <= items.back().stamp) runs.push_back(items.size());
  return items.emplace_back(item);
}

}  // namespace vz::sim
