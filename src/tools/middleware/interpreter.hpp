// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/middleware/entity_types.hpp"
#include "tools/middleware/store.hpp"
#include "tools/middleware/time_text.hpp"

namespace vz::middleware {

/// One tuple of a reply: the end of its interval, the value, and how many rows went into it.
struct Tuple {
  std::int64_t ms = 0;
  double value = 0.0;
  std::int64_t count = 1;
};

/// What a read asks of the interpreter.
struct View {
  enum class Output { actual, consumption, raw };
  Output output = Output::actual;
  std::optional<Group> group;
  std::int64_t tuples = 0;  ///< about as many tuples as this; 0: one a row
  Zone zone = Zone::local;
};

/// The data of one channel as a reply shows it; nothing is rounded yet.
struct Series {
  std::string uuid;
  std::vector<Tuple> tuples;
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::optional<Tuple> min;
  std::optional<Tuple> max;
  double average = 0.0;
  std::optional<double> consumption;  ///< Wh (or what the type counts); only of types that have one
  std::int64_t rows = 0;              ///< rows (or groups) read, the base included
  std::string_view unit;
};

/// Turns stored rows into power, consumption or the stored values themselves, as the original's interpreters do:
/// the first row is only the base of the second one's interval, and each tuple bears the end of its interval.
///
/// accumulator: the difference of two readings by their distance; `resolution` is units per kWh (m3, ...).
/// impulse: the pulses by the distance to the row before. sensor: the value holds for the interval before it.
///
/// Pure. `rows` rises in time.
Series interpret(const EntityType& type, double resolution, const View& view, std::span<const Row> rows);

}  // namespace vz::middleware
