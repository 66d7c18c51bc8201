// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace vz {

/// One column of a row as SQLite's record format has it.
struct SalvagedColumn {
  enum class Kind { null, integer, real, text, blob };
  Kind kind = Kind::null;
  std::int64_t integer = 0;
  std::string_view bytes;  ///< of text and blob; into the page
};

/// Finds the rows that are whole on one page of an SQLite file, without the tree above it: for files whose tree is
/// damaged. A page that is no leaf of a table, rows that go on elsewhere, and anything inconsistent are skipped; what is
/// found may be an old version of a row. Pure; takes any bytes. `first_page`: the page begins with the file's header.
void salvage_rows(std::string_view page, bool first_page,
                  const std::function<void(std::int64_t id, std::span<const SalvagedColumn> columns)>& found);

}  // namespace vz
