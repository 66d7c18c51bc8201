// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/gpio_transport.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <array>

#include "platform/gpio_lookup.hpp"
#include "platform/transport_io.hpp"
#include "platform/wait.hpp"

namespace vz {
namespace {

using platform::GpioLine;
using platform::WaitEnd;

constexpr std::size_t kAtOnce = 128;
constexpr std::size_t kRecordRoom = 32;

struct TakenLine {
  std::unique_ptr<GpioLine> line;
  std::string records;  ///< how it was found
};

/// Looks a line up and takes it.
Expected<TakenLine> take_line(const GpioLines& wanted, int number, platform::GpioDriver& driver, const std::string& sysfs) {
  const auto chips = driver.chips();
  const auto place = platform::find_gpio(wanted, number, chips, platform::sysfs_gpio_ranges(sysfs));
  if (!place) return tl::unexpected(place.error());
  auto line = driver.request(place->chip, place->line);
  if (!line) return tl::unexpected(line.error());
  TakenLine taken{std::move(*line), {}};
  if (!place->note.empty()) append_record(taken.records, RecordKind::note, place->note);
  return taken;
}

/// The level that a line has now.
Expected<void> append_level(TakenLine& taken, LineEdge::Line which) {
  const auto level = taken.line->level();
  if (!level) return tl::unexpected(level.error());
  append_edge(taken.records, RecordKind::level, {which, *level, std::chrono::steady_clock::now()});
  return {};
}

}  // namespace

Expected<std::unique_ptr<Transport>> GpioTransport::open(const GpioLines& lines, platform::GpioDriver& driver,
                                                         const std::string& sysfs) {
  auto pulse = take_line(lines, lines.pulse, driver, sysfs);
  if (!pulse) return tl::unexpected(pulse.error());
  TakenLine direction;
  if (lines.direction >= 0) {
    auto taken = take_line(lines, lines.direction, driver, sysfs);
    if (!taken) return tl::unexpected(taken.error());
    direction = std::move(*taken);
    if (auto level = append_level(direction, LineEdge::Line::direction); !level) return tl::unexpected(level.error());
  }
  if (auto level = append_level(*pulse, LineEdge::Line::pulse); !level) return tl::unexpected(level.error());
  return std::unique_ptr<Transport>{new GpioTransport(text(Endpoint{lines}), direction.records + pulse->records,
                                                      std::move(pulse->line), std::move(direction.line))};
}

GpioTransport::GpioTransport(std::string where, std::string first, std::unique_ptr<GpioLine> pulse, std::unique_ptr<GpioLine> direction)
    : where_(std::move(where)), edges_(std::move(pulse), std::move(direction)) {
  out_.text.reserve(first.size() + (kAtOnce + 4) * kRecordRoom);
  out_.text = std::move(first);
}

/// Makes records of the edges that have come.
void GpioTransport::fetch() {
  std::array<LineEdge, kAtOnce> edges;
  auto taken = edges_.take(edges);
  for (std::size_t i = 0; i < taken.edges; ++i) append_edge(out_.text, RecordKind::edge, edges[i]);
  if (taken.dropped > 0)
    append_record(out_.text, RecordKind::trouble,
                  fmt::format("{} edges were lost: they came faster than they could be dealt with", taken.dropped));
  if (!taken.error) return;
  failed_ = std::move(taken.error);
  if (failed_->where.empty()) failed_->where = where_;
}

ReadResult GpioTransport::read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) {
  if (const auto ended = platform::hold_back(not_before, deadline, wake)) return {*ended, 0, std::nullopt};
  for (;;) {
    if (!out_.empty()) return {ReadResult::Kind::bytes, out_.take(buffer), std::nullopt};
    if (failed_) return {ReadResult::Kind::closed, 0, failed_};
    const auto waited = platform::wait_for(edges_.fd(), POLLIN, deadline, wake);
    if (waited.end == WaitEnd::woken) return {ReadResult::Kind::woken, 0, std::nullopt};
    if (waited.end == WaitEnd::timeout) return {ReadResult::Kind::timeout, 0, std::nullopt};
    if (waited.end == WaitEnd::failed)
      return {ReadResult::Kind::closed, 0, Error{"cannot wait for edges: " + platform::errno_text(waited.error), where_, "", waited.error}};
    fetch();
  }
}

Expected<std::unique_ptr<Transport>> DirectedSerialTransport::open(std::unique_ptr<Transport> serial, const GpioLines& lines,
                                                                   platform::GpioDriver& driver, const std::string& sysfs) {
  auto direction = take_line(lines, lines.direction, driver, sysfs);
  if (!direction) return tl::unexpected(direction.error());
  return std::unique_ptr<Transport>{
      new DirectedSerialTransport(std::move(serial), std::move(direction->line), std::move(direction->records))};
}

DirectedSerialTransport::DirectedSerialTransport(std::unique_ptr<Transport> serial, std::unique_ptr<GpioLine> direction, std::string note)
    : serial_(std::move(serial)), direction_(std::move(direction)) {
  out_.text = std::move(note);
}

ReadResult DirectedSerialTransport::read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) {
  if (!out_.empty()) return {ReadResult::Kind::bytes, out_.take(buffer), std::nullopt};
  std::array<std::byte, 64> pulses;
  auto result = serial_->read(pulses, not_before, deadline, wake);
  if (result.kind != ReadResult::Kind::bytes) return result;
  const auto level = direction_->level();
  if (!level) return {ReadResult::Kind::closed, 0, level.error()};
  const MonoTime now = std::chrono::steady_clock::now();
  append_edge(out_.text, RecordKind::level, {LineEdge::Line::direction, *level, now});
  // Several at once are those of a read that came late; a character of such a line takes this long.
  constexpr MonoDuration kCharacter = std::chrono::nanoseconds{LineSettings{300, CharacterFormat::n8}.duration(1)};
  for (std::size_t i = 0; i < result.count; ++i)
    append_edge(out_.text, RecordKind::pulse, {LineEdge::Line::pulse, true, now - kCharacter * static_cast<int>(result.count - 1 - i)});
  return {ReadResult::Kind::bytes, out_.take(buffer), std::nullopt};
}

}  // namespace vz
