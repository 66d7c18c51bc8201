// SPDX-License-Identifier: GPL-3.0-or-later
// What really happened to every reading, whatever the program under test believes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "vz/settings.hpp"
#include "vz/time.hpp"

namespace vz::sim {

/// What is known of a reading from its push on.
struct Item {
  std::int64_t stamp = 0;
  double value = 0.0;
  MonoTime pushed{};
  std::uint64_t sequence = 0;  ///< in this life
  std::uint32_t twin = 0;      ///< its copy in ChannelTruth::heir, from 1 on
  bool stored = false;         ///< the endpoint has it
  bool accepted = false;       ///< the outbox was told so
  bool rejected = false;
  bool durable = false;        ///< has to survive whatever comes
  bool was_durable = false;    ///< it did, while it was held: it has to survive as the one or the other
  bool lost = false;           ///< the crash may have taken it
  bool forbidden = false;      ///< the window it came from was resumed as it was before: it may not come as well
  bool undone = false;         ///< the crash has put it back to those that wait for the right time
  bool copy = false;           ///< moved here from another queue
  bool collided = false;       ///< another reading got the same millisecond, after a large step back of the clock
};

/// A reading that a meter has delivered and the outbox has not seen yet.
struct Arrival {
  double value = 0.0;
  MonoTime at{};
  std::int64_t forward = 0;  ///< all steps forward of the clock until then
  std::uint64_t steps_back = 0;
  bool trusted = true;       ///< the clock was
  bool mixed = false;        ///< the stamp is of a window in which the clock went back
};

/// An aggregation window as it has to be.
struct Window {
  std::uint64_t count = 0;
  double first = 0.0;
  double sum = 0.0;
  double most = 0.0;
  double least = 0.0;
  Arrival latest;
  bool mixed = false;      ///< the clock went back in the middle
  bool current = true;     ///< false: as it was a while ago, which is what a crash may bring back
  std::size_t items = 0;   ///< of the channel, when it was opened or looked like this
  void add(const Arrival& arrival);
};

/// A reading that waits for the right time.
struct HeldReading {
  Arrival arrival;
  MonoTime pushed{};
  std::uint64_t sequence = 0;
  bool here = true;            ///< pushed in this life
  std::uint64_t small_steps_back = 0;  ///< of the clock until then
  bool durable = false;
  bool perhaps = false;        ///< a crash may have taken it, or may have brought it back
  std::size_t moved_to = 0;    ///< the item it became, from 1 on
};

/// A channel at its endpoint, over all lives.
struct ChannelTruth {
  std::string uuid;
  std::string endpoint;
  std::string identifier;
  std::vector<Item> items;             ///< in the order of the pushes
  std::vector<std::size_t> runs{0};    ///< where a stretch of rising stamps begins
  std::size_t acked = 0;               ///< one behind the last item that was accepted
  std::size_t old_items = 0;           ///< items that were pushed long enough ago to be no longer young
  std::uint64_t dropped = 0;           ///< that the outbox counted in its past lives
  std::vector<std::size_t> poisoned;   ///< items that its database refuses
  ChannelTruth* heir = nullptr;        ///< this channel at another endpoint, where the configuration has it now
  bool seen = false;                   ///< was in a configuration
  bool may_come_back = false;          ///< readings that were given up while the disk failed, at a crash

  std::deque<Arrival> arrivals;        ///< without aggregation
  std::deque<HeldReading> held;        ///< of this boot
  std::vector<HeldReading> moved;      ///< the same, but not known to be durable as items
  std::uint64_t held_gone = 0;         ///< of those that were held: dropped at a limit, as the outbox has to have counted
  std::uint64_t apart = 0;             ///< of other boots: nobody can know their time
  std::vector<Window> windows;         ///< what the open window may be: one, but after a crash; and has been
  std::vector<Window> left;            ///< the same, as the file had it at the beginning of this life
  std::deque<std::vector<Window>> closed;  ///< not pushed yet; with an empty one among them perhaps never
  std::size_t life = 0;                ///< items at the beginning of this life
  std::size_t crashed_life = 0;        ///< and of the one before, if it crashed
  bool held_then = false;              ///< something was held at that crash: what a window was then is not told from items

  // Of the latest push.
  bool has_last = false;
  std::int64_t last_stamp = 0;
  MonoTime last_at{};
  std::int64_t last_forward = 0;
  std::uint64_t last_steps_back = 0;

  /// The window ends; what comes belongs to the next.
  void close_window();
  Item* find(std::int64_t stamp);
  Item& append(Item item);
};

}  // namespace vz::sim
