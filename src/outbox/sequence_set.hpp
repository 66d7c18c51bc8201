// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace vz {

/// Sequences from `first` to `last`, both included.
struct SequenceRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool operator==(const SequenceRange&) const = default;
};

/// A set of sequences, kept as few disjoint ranges. Pure; value type; its size is the number of ranges, which is one or
/// two where batches are settled from the front.
class SequenceSet {
 public:
  SequenceSet() = default;
  explicit SequenceSet(const std::vector<SequenceRange>& ranges) {
    for (const SequenceRange& range : ranges) add(range);
  }

  /// Adds a range; returns how many of its members are new.
  std::uint64_t add(SequenceRange range) {
    if (range.last < range.first) return 0;
    const auto begin = std::lower_bound(ranges_.begin(), ranges_.end(), range.first,
                                        [](const SequenceRange& r, std::uint64_t s) { return r.last + 1 < s; });
    auto end = begin;
    std::uint64_t known = 0;
    SequenceRange merged = range;
    for (; end != ranges_.end() && end->first <= range.last + 1; ++end) {
      const std::uint64_t from = std::max(end->first, range.first);
      const std::uint64_t to = std::min(end->last, range.last);
      if (to >= from) known += to - from + 1;
      merged.first = std::min(merged.first, end->first);
      merged.last = std::max(merged.last, end->last);
    }
    ranges_.insert(ranges_.erase(begin, end), merged);
    return range.last - range.first + 1 - known;
  }

  [[nodiscard]] bool contains(std::uint64_t sequence) const {
    const auto found = std::lower_bound(ranges_.begin(), ranges_.end(), sequence,
                                        [](const SequenceRange& r, std::uint64_t s) { return r.last < s; });
    return found != ranges_.end() && found->first <= sequence;
  }

  /// Forgets all members up to and with `sequence`.
  void forget_to(std::uint64_t sequence) {
    const auto kept = std::find_if(ranges_.begin(), ranges_.end(),
                                   [=](const SequenceRange& r) { return r.last > sequence; });
    ranges_.erase(ranges_.begin(), kept);
    if (!ranges_.empty() && ranges_.front().first <= sequence) ranges_.front().first = sequence + 1;
  }

  /// Forgets all members up to and with `head`, and those that follow it without a gap; returns the last of these, or `head`.
  std::uint64_t join(std::uint64_t head) {
    forget_to(head);
    if (!ranges_.empty() && ranges_.front().first == head + 1) {
      head = ranges_.front().last;
      ranges_.erase(ranges_.begin());
    }
    return head;
  }

  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const SequenceRange& r : ranges_) sum += r.last - r.first + 1;
    return sum;
  }

  [[nodiscard]] const std::vector<SequenceRange>& ranges() const { return ranges_; }

 private:
  std::vector<SequenceRange> ranges_;  ///< rising, never touching
};

}  // namespace vz
