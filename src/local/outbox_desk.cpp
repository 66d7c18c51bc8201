// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/outbox_desk.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/uuid.hpp"

namespace vz::local {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ControlRequest::Kind;

std::int64_t ms(WallTime time) { return time.time_since_epoch().count(); }

Json counted(const Expected<std::uint64_t>& count, const DurableOutbox::Slice& slice = {}) {
  if (!count) return bad_answer(count.error());
  Json answer = good_answer();
  answer["count"] = *count;
  if (slice.more) answer["more"] = true;
  return answer;
}

Error refused(std::string what, std::string remedy) {
  return {.what = std::move(what), .where = {}, .remedy = std::move(remedy)};
}

}  // namespace

bool OutboxDesk::knows(Kind kind) {
  switch (kind) {
    case Kind::queues:
    case Kind::rejected:
    case Kind::requeue:
    case Kind::forget:
    case Kind::export_queue:
    case Kind::retarget:
    case Kind::drop: return true;
    case Kind::status:
    case Kind::pause:
    case Kind::resume:
    case Kind::lend:
    case Kind::back: return false;
  }
  return false;
}

Json OutboxDesk::answer(const ControlRequest& request) {
  switch (request.kind) {
    case Kind::queues: return queues();
    case Kind::rejected: return rejected(request);
    case Kind::requeue: return counted(outbox_.requeue(request.ids));
    case Kind::forget: return counted(outbox_.discard_rejected(request.ids));
    case Kind::export_queue: return export_page(request);
    case Kind::retarget: return retarget(request);
    case Kind::drop: return drop(request);
    default: return bad_answer(refused("this is no request about the outbox", {}));
  }
}

std::vector<OutboxDesk::Entry> OutboxDesk::entries() const {
  std::vector<Entry> out;
  for (const OpenQueue& queue : open_)
    out.push_back({queue.name, queue.section, std::nullopt, outbox_.stats(queue.id)});
  for (OrphanQueue& orphan : outbox_.orphans()) {
    Entry entry{std::move(orphan.name), {}, std::nullopt, {.waiting = orphan.waiting, .oldest = orphan.oldest}};
    entry.unstamped = unstamped_(entry.name);
    if (entry.unstamped) entry.stats.oldest.reset();  // its stamps are no times
    out.push_back(std::move(entry));
  }
  return out;
}

Json OutboxDesk::queues() const {
  Json list = Json::array();
  for (const Entry& entry : entries()) {
    const QueueStats& stats = entry.stats;
    list.push_back({{"channel", uuid_tail(entry.name.channel)},
                    {"endpoint", entry.unstamped.value_or(entry.name.endpoint)},
                    {"section", entry.section},
                    {"orphan", entry.section.empty()},
                    {"unstamped", entry.unstamped.has_value()},
                    {"waiting", stats.waiting},
                    {"accepted", stats.accepted},
                    {"rejected", stats.rejected},
                    {"dropped", stats.dropped},
                    {"oldest", stats.oldest ? Json(ms(*stats.oldest)) : Json(nullptr)}});
  }
  Json answer = good_answer();
  answer["queues"] = std::move(list);
  return answer;
}

/// The one queue that fits.
Expected<OutboxDesk::Entry> OutboxDesk::find(const QueuePattern& pattern) const {
  std::string_view end = pattern.channel;
  end.remove_prefix(std::min(end.find_first_not_of('.'), end.size()));
  std::vector<Entry> fits;
  for (Entry& entry : entries()) {
    const bool by_section = !entry.section.empty() && entry.section == pattern.channel;
    const bool by_uuid = end.size() >= kUuidShown && std::string_view{entry.name.channel}.ends_with(end);
    if ((by_section || by_uuid) && entry.name.endpoint.find(pattern.endpoint) != std::string::npos)
      fits.push_back(std::move(entry));
  }
  if (fits.size() == 1) return std::move(fits.front());
  if (fits.empty())
    return tl::unexpected(
        refused(fmt::format("there is no queue for channel '{}'{}", uuid_tail(end),
                            pattern.endpoint.empty() ? "" : " at that endpoint"),
                "name it by the last six characters of its uuid, or as chn0; the list of queues has all"));
  return tl::unexpected(refused(fmt::format("{} queues fit channel '{}'", fits.size(), uuid_tail(end)),
                                "give more of the uuid's end, or a part of the endpoint's name"));
}

Json OutboxDesk::rejected(const ControlRequest& request) {
  const auto page = outbox_.rejected(request.after, request.max);
  if (!page) return bad_answer(page.error());
  Json list = Json::array();
  for (const RejectedReading& reading : *page)
    list.push_back({{"id", reading.id},
                    {"channel", uuid_tail(reading.queue.channel)},
                    {"endpoint", reading.queue.endpoint},
                    {"stamp", ms(reading.stamp)},
                    {"value", reading.value},
                    {"rejected_at", ms(reading.rejected_at)},
                    {"reason", reading.reason}});
  Json answer = good_answer();
  answer["readings"] = std::move(list);
  return answer;
}

Json OutboxDesk::export_page(const ControlRequest& request) {
  const auto queue = find(request.queue);
  if (!queue) return bad_answer(queue.error());
  const auto page = outbox_.export_readings(queue->name, static_cast<std::uint64_t>(request.after), request.max);
  if (!page) return bad_answer(page.error());
  Json list = Json::array();
  for (const QueuedReading& reading : *page) list.push_back({reading.sequence, ms(reading.stamp), reading.value});
  Json answer = good_answer();
  answer["channel"] = uuid_tail(queue->name.channel);
  answer["endpoint"] = queue->unstamped.value_or(queue->name.endpoint);
  answer["unstamped"] = queue->unstamped.has_value();
  answer["readings"] = std::move(list);
  return answer;
}

Json OutboxDesk::retarget(const ControlRequest& request) {
  const auto from = find(request.queue);
  if (!from) return bad_answer(from.error());
  const auto to = find(request.to);
  if (!to) return bad_answer(to.error());
  if (from->unstamped || to->unstamped)
    return bad_answer(
        refused("nobody knows the time of these readings, so no endpoint can take them", "export them instead"));
  if (from->name == to->name) return bad_answer(refused("both are the same queue", {}));
  DurableOutbox::Slice slice{.length = kSlice};
  return counted(outbox_.retarget(from->name, to->name, &slice), slice);
}

Json OutboxDesk::drop(const ControlRequest& request) {
  const auto queue = find(request.queue);
  if (!queue) return bad_answer(queue.error());
  DurableOutbox::Slice slice{.length = kSlice};
  return counted(outbox_.discard(queue->name, &slice), slice);
}

}  // namespace vz::local
