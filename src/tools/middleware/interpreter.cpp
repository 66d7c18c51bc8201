// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/interpreter.hpp"

#include <algorithm>

namespace vz::middleware {
namespace {

constexpr double kMsPerHour = 3.6e6;

/// Rows that were put together: each interpreter takes of them what suits it.
struct Package {
  std::int64_t ms = 0;  ///< of the last row
  double sum = 0.0;
  double highest = 0.0;
  double weighted = 0.0;  ///< sum of value times distance, until it is divided by the whole distance
  std::int64_t count = 0;
};

/// A row, or a group of rows as the database would give it.
struct Source {
  std::int64_t ms = 0;
  double value = 0.0;
  std::int64_t count = 1;
};

double grouped_value(Interpreter interpreter, std::span<const Row> group) {
  double highest = group.front().value;
  double sum = 0.0;
  for (const auto& row : group) {
    highest = std::max(highest, row.value);
    sum += row.value;
  }
  if (interpreter == Interpreter::accumulator) return highest;
  return interpreter == Interpreter::impulse ? sum : sum / static_cast<double>(group.size());
}

std::vector<Source> grouped(Interpreter interpreter, const View& view, std::span<const Row> rows) {
  std::vector<Source> out;
  if (!view.group) {
    out.reserve(rows.size());
    for (const auto& row : rows) out.push_back({row.ms, row.value, 1});
    return out;
  }
  for (std::size_t begin = 0; begin < rows.size();) {
    const auto key = group_key(*view.group, rows[begin].ms, view.zone);
    auto end = begin + 1;
    while (end < rows.size() && group_key(*view.group, rows[end].ms, view.zone) == key) ++end;
    const auto group = rows.subspan(begin, end - begin);
    out.push_back({group.back().ms, grouped_value(interpreter, group), static_cast<std::int64_t>(group.size())});
    begin = end;
  }
  return out;
}

std::size_t package_size(std::size_t rows, std::int64_t tuples) {
  if (tuples <= 0 || rows <= static_cast<std::size_t>(tuples) + 1) return 1;
  return rows / static_cast<std::size_t>(tuples);
}

/// Packages of all rows but the first.
std::vector<Package> packaged(const std::vector<Source>& sources, std::int64_t tuples) {
  const auto size = package_size(sources.size(), tuples);
  std::vector<Package> out;
  for (std::size_t begin = 1; begin < sources.size(); begin += size) {
    const auto end = std::min(begin + size, sources.size());
    Package package;
    package.highest = sources[begin].value;
    for (auto i = begin; i < end; ++i) {
      const auto& source = sources[i];
      package.sum += source.value;
      package.highest = std::max(package.highest, source.value);
      package.weighted += source.value * static_cast<double>(source.ms - sources[i - 1].ms);
      package.count += source.count;
    }
    package.ms = sources[end - 1].ms;
    package.weighted /= static_cast<double>(package.ms - sources[begin - 1].ms);
    out.push_back(package);
  }
  return out;
}

/// Turns one package after the other into a tuple and keeps the sums.
class Converter {
 public:
  Converter(const EntityType& type, double resolution, View::Output output, const Source& base)
      : type_(type), resolution_(resolution), output_(output), last_ms_(base.ms), last_value_(base.value) {}

  Tuple convert(const Package& package) {
    const auto distance = static_cast<double>(package.ms - last_ms_);
    last_ms_ = package.ms;
    double raw = 0.0;
    double energy = 0.0;  // in the unit of the reply's consumption
    double power = 0.0;
    if (type_.interpreter == Interpreter::sensor) {
      raw = package.weighted;
      power = raw / resolution_;
      energy = power * distance / kMsPerHour;
    } else {
      raw = type_.interpreter == Interpreter::accumulator ? package.highest : package.sum;
      const double amount = type_.interpreter == Interpreter::accumulator ? raw - last_value_ : raw;
      last_value_ = raw;
      energy = amount * type_.scale / resolution_;
      power = amount * kMsPerHour * type_.scale / (distance * resolution_);
      amount_ += amount;
    }
    energy_ += energy;
    ++tuples_;
    if (output_ == View::Output::raw) return {package.ms, raw, package.count};
    return {package.ms, output_ == View::Output::consumption ? energy : power, package.count};
  }

  [[nodiscard]] double consumption() const {
    return type_.interpreter == Interpreter::sensor ? energy_ : amount_ * type_.scale / resolution_;
  }
  [[nodiscard]] double average(std::int64_t from, std::int64_t to) const {
    if (tuples_ == 0 || to == from) return 0.0;
    if (output_ == View::Output::consumption) return consumption() / static_cast<double>(tuples_);
    return consumption() * kMsPerHour / static_cast<double>(to - from);
  }

 private:
  const EntityType& type_;
  double resolution_;
  View::Output output_;
  std::int64_t last_ms_;
  double last_value_;
  double amount_ = 0.0;  // counted apart from the energy: one division at the end keeps round figures round
  double energy_ = 0.0;
  std::int64_t tuples_ = 0;
};

}  // namespace

Series interpret(const EntityType& type, double resolution, const View& view, std::span<const Row> rows) {
  Series series;
  series.unit = type.unit;
  const auto sources = grouped(type.interpreter, view, rows);
  series.rows = static_cast<std::int64_t>(sources.size());
  Converter converter(type, resolution, view.output, sources.empty() ? Source{} : sources.front());
  for (const auto& package : packaged(sources, view.tuples)) {
    const auto tuple = converter.convert(package);
    if (!series.min || tuple.value < series.min->value) series.min = tuple;
    if (!series.max || tuple.value > series.max->value) series.max = tuple;
    series.tuples.push_back(tuple);
  }
  if (!sources.empty()) {
    series.from = sources.front().ms;
    series.to = sources.back().ms;
  }
  series.average = converter.average(series.from, series.to);
  if (type.consumption) series.consumption = converter.consumption();
  return series;
}

}  // namespace vz::middleware
