// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/endpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

namespace vz::sim {
namespace {

using namespace std::chrono_literals;

HttpReply http(long status, std::string body) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

HttpReply no_answer(std::string error, bool maybe_delivered) {
  HttpReply reply;
  reply.error = std::move(error);
  reply.maybe_delivered = maybe_delivered;
  return reply;
}

HttpReply exception(const char* type, const std::string& message) {
  return http(400, fmt::format(R"({{"version":"0.3","exception":{{"message":"{}","type":"{}","code":0}}}})", message, type));
}

HttpReply rows(std::size_t count) { return http(200, fmt::format(R"({{"version":"0.3","rows":{}}})", count)); }

}  // namespace

const char* name_of(Fault fault) {
  constexpr const char* kNames[] = {"none",          "refused",         "lost request",      "lost reply",
                                    "reset",         "too slow",        "server error",      "server error, stored",
                                    "gateway timeout, stored", "database down", "database lost, stored", "busy",
                                    "false duplicate", "too few rows",  "unknown uuid",      "log-in page",
                                    "stored after the client gave up", "stored after the gateway gave up"};
  return kNames[static_cast<std::size_t>(fault)];
}

void Endpoint::violated(const ChannelTruth& channel, const std::string& what) {
  if (violation_.empty()) violation_ = fmt::format("channel ...{}: {}", channel.uuid.substr(30), what);
}

/// A fault lasts for a while, or hits a single request.
Fault Endpoint::draw(MonoTime now) {
  if (healthy_ || now >= until_) return Fault::none;
  if (now < mood_until_) return mood_;
  if (random_.unit() >= share_) return Fault::none;
  const auto fault = static_cast<Fault>(1 + random_.next() % (static_cast<std::uint64_t>(Fault::count) - 1));
  if (random_.unit() < 0.3) {
    mood_ = fault;
    mood_until_ = now + std::chrono::seconds{1 + random_.next() % 900};
    ++counts_["fault lasts for a while"];
  }
  return fault;
}

Answer Endpoint::answer(const HttpRequest& request, MonoTime now) {
  const std::size_t data = request.url.find("/data/");
  const std::size_t json = request.url.find(".json", data);
  const auto channel = channels_.find(request.url.substr(data + 6, json - data - 6));
  const bool skip = request.url.ends_with("?options=skipduplicates");
  if (channel == channels_.end()) {
    violation_ = "a request for a channel that is not of this endpoint";
    return {http(400, ""), 1ms};
  }
  now_ = now;
  do_late_work(now);
  std::vector<Tuple> tuples;
  const char* at = request.body.data() + 1;
  const char* const end = request.body.data() + request.body.size();
  while ((at = static_cast<const char*>(std::memchr(at, '[', static_cast<std::size_t>(end - at)))) != nullptr) {
    Tuple& tuple = tuples.emplace_back();
    at = std::from_chars(at + 2, end, tuple.stamp).ptr;
    at = std::from_chars(at + 2, end, tuple.value).ptr;
  }
  check(*channel->second, tuples, skip);
  const Fault fault = draw(now);
  ++requests_;
  if (fault != Fault::none) ++counts_[fmt::format("fault: {}", name_of(fault))];
  MonoDuration takes = std::chrono::milliseconds{1 + random_.next() % 40};
  if (!healthy_ && random_.unit() < 0.02) {
    takes = std::chrono::milliseconds{random_.next() % 20'000};
    ++counts_["fault: slow"];
  }
  if (fault == Fault::too_slow || fault == Fault::lost_before || fault == Fault::stored_late) takes = request.timeout;
  Answer answer{act(fault, *channel->second, tuples, skip), takes};
  answer.reply.duration = takes;
  return answer;
}

HttpReply Endpoint::act(Fault fault, ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip) {
  switch (fault) {
    case Fault::none:
    case Fault::count: return store(channel, tuples, skip);
    case Fault::refused: return no_answer("Couldn't connect to server", false);
    case Fault::lost_before: return no_answer("Operation timed out", true);
    case Fault::too_slow: store(channel, tuples, skip); return no_answer("Operation timed out", true);
    case Fault::lost_after: store(channel, tuples, skip); return no_answer("Empty reply from server", true);
    case Fault::reset:
      if (random_.next() % 2 == 0) store(channel, tuples, skip);
      return no_answer("Recv failure: Connection reset by peer", true);
    case Fault::server_error: return http(500, "<html><body>Fatal error</body></html>");
    case Fault::server_error_after: store(channel, tuples, skip); return http(500, "");
    case Fault::gateway_timeout: store(channel, tuples, skip); return http(504, "<html>504</html>");
    case Fault::database_down: return exception("ConnectionException", "SQLSTATE[HY000] [2002] Connection refused");
    case Fault::database_lost:
      store(channel, tuples, skip);
      return exception("DriverException", "SQLSTATE[HY000]: General error: 2013 Lost connection during query");
    case Fault::busy: return http(503, "");
    case Fault::false_duplicate:
      return exception("UniqueConstraintViolationException", "SQLSTATE[23000]: 1062 Duplicate entry '1-1' for key");
    case Fault::too_few_rows: {
      // If any was sent before nobody can tell.
      if (skip) return store(channel, tuples, skip);
      std::vector<Tuple> some;
      for (const Tuple& tuple : tuples) {
        if (random_.next() % 3 != 0) some.push_back(tuple);
      }
      HttpReply reply = store(channel, some, true);
      return reply;
    }
    default: return act_badly(fault, channel, tuples, skip);
  }
}

HttpReply Endpoint::act_badly(Fault fault, ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip) {
  const auto later = [&] {
    late_.push_back({now_ + std::chrono::milliseconds{random_.next() % 600'000}, &channel, tuples, skip});
  };
  switch (fault) {
    case Fault::stored_late: later(); return no_answer("Operation timed out", true);
    case Fault::gateway_late: later(); return http(504, "<html>504</html>");
    case Fault::unknown_uuid: return exception("Exception", "No entity with UUID: '" + channel.uuid + "'");
    case Fault::log_in_page: return http(200, "<!DOCTYPE html><html><title>Log in</title></html>");
    default: return http(500, "");
  }
}

void Endpoint::do_late_work(MonoTime now) {
  for (auto late = late_.begin(); late != late_.end();) {
    if (late->at > now) {
      ++late;
      continue;
    }
    const HttpReply reply = store(*late->channel, late->tuples, late->skip, When::late);
    ++counts_[reply.status == 200 ? "late requests stored" : "late requests refused as known"];
    late = late_.erase(late);
  }
}

HttpReply Endpoint::store(ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip, When when) {
  std::vector<std::size_t> fresh;
  for (const Tuple& tuple : tuples) {
    Item* item = channel.find(tuple.stamp);
    if (item == nullptr) continue;
    const auto index = static_cast<std::size_t>(item - channel.items.data());
    if (std::binary_search(channel.poisoned.begin(), channel.poisoned.end(), index)) {
      ++counts_["fault: poisoned reading"];
      return exception("DriverException", "SQLSTATE[22003]: 1264 Out of range value");
    }
    if (!item->stored) {
      fresh.push_back(index);
    } else if (!skip) {
      return exception("UniqueConstraintViolationException", "SQLSTATE[23000]: 1062 Duplicate entry '36-1' for key");
    }
  }
  for (const std::size_t index : fresh) {
    channel.items[index].stored = true;
    const bool in_order = index >= channel.acked || channel.items[index].copy || channel.items[index].collided;
    if (when == When::now && !in_order && !channel.may_come_back)
      violated(channel, fmt::format("reading {} arrives after a later one was accepted", index));
  }
  return rows(fresh.size());
}

void Endpoint::check(ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip) {
  const Tuple* before = nullptr;
  for (const Tuple& tuple : tuples) {
    const Item* item = channel.find(tuple.stamp);
    if (before != nullptr && tuple.stamp <= before->stamp) violated(channel, "the stamps of a request do not rise");
    before = &tuple;
    if (item == nullptr) {
      violated(channel, fmt::format("a reading was invented: stamp {}", tuple.stamp));
    } else if (item->collided) {
      continue;  // either of the two
    } else if (item->forbidden) {
      violated(channel, fmt::format("reading {} is of a window that is delivered a second time", item - channel.items.data()));
    } else if (std::bit_cast<std::uint64_t>(item->value) != std::bit_cast<std::uint64_t>(tuple.value)) {
      violated(channel, fmt::format("a value was altered: {} instead of {}, stamp {}", tuple.value, item->value, tuple.stamp));
    } else if (item->stored && !skip) {
      violated(channel, fmt::format("reading {} is sent again without being called a repeat", item - channel.items.data()));
    }
  }
  if (tuples.empty()) violated(channel, "an empty request");
}

}  // namespace vz::sim
