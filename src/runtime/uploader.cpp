// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/uploader.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace vz {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kFirstBatchSize = 64;
constexpr std::size_t kSmallestBatchSize = 8;
constexpr MonoDuration kFastReply = 1s;
constexpr MonoDuration kSlowReply = 4s;
/// After so many full batches in a row a limit that a refusal has set is lifted by one step.
constexpr unsigned kFullBatchesToGrow = 4;
/// So many readings in a row may be rejected at once; then each one has to be refused twice, a pause apart. A receiver
/// that suddenly refuses everything (a broken update) must not empty the queue.
constexpr unsigned kTrustedRejections = 3;
/// So often passing trouble may hit one channel, while others get through, before the channel waits alone.
constexpr unsigned kLoneFailures = 4;
constexpr std::chrono::seconds kChannelPause{60};
constexpr std::chrono::seconds kLongestChannelPause{3600};

/// How many of the readings at the front can be sent together: the values finite, the stamps strictly rising.
std::size_t sendable(const std::vector<QueuedReading>& batch) {
  std::size_t count = 0;
  while (count < batch.size() && std::isfinite(batch[count].value) &&
         (count == 0 || batch[count].stamp > batch[count - 1].stamp)) {
    ++count;
  }
  return count;
}

bool all_repeats(const std::vector<QueuedReading>& batch) {
  return std::all_of(batch.begin(), batch.end(), [](const QueuedReading& reading) { return reading.repeat; });
}

std::string said(const HttpReply& reply, const std::string& message) {
  if (!message.empty()) return message;
  return reply.status == 0 ? "request failed: " + reply.error : fmt::format("request failed: HTTP {}", reply.status);
}

std::string more(std::uint64_t untold) {
  return untold == 0 ? "" : fmt::format(" ({} more since the last message)", untold);
}

long long whole_seconds(MonoDuration duration) { return std::chrono::round<std::chrono::seconds>(duration).count(); }

}  // namespace

Uploader::Uploader(HttpClient& http, Outbox& outbox, const Clock& clock, Log& log, UploaderSettings settings)
    : http_(http), outbox_(outbox), clock_(clock), log_(log), settings_(settings), jitter_(settings.seed) {}

void Uploader::add(QueueId queue, std::unique_ptr<Sink> sink, std::string section, std::string channel_label) {
  const auto same_queue = [queue](const Channel& channel) { return channel.queue == queue; };
  if (!sink->delivers() || std::any_of(channels_.begin(), channels_.end(), same_queue)) return;
  const std::string endpoint = sink->endpoint();
  auto lane = std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& known) { return known.endpoint == endpoint; });
  const std::scoped_lock lock(status_mutex_);
  if (lane == lanes_.end()) {
    lane = lanes_.insert(lanes_.end(), Lane{.endpoint = endpoint,
                                            .channels = {},
                                            .batch_size = kFirstBatchSize,
                                            .backoff = Backoff{settings_.retry},
                                            .trouble = {},
                                            .request = {},
                                            .batch = {}});
    status_.endpoints.push_back(
        {.endpoint = endpoint, .trouble = {}, .trouble_since = {}, .next_try = {}, .last_success = {}});
  }
  lane->channels.push_back(channels_.size());
  status_.channels.push_back({.id = queue,
                              .section = section,
                              .label = channel_label,
                              .endpoint = endpoint,
                              .trouble = {},
                              .trouble_since = {},
                              .next_try = {},
                              .last_success = {},
                              .queue = {}});
  const std::size_t limit = sink->max_batch();
  channels_.push_back({.queue = queue,
                       .sink = std::move(sink),
                       .section = std::move(section),
                       .label = std::move(channel_label),
                       .lane = static_cast<std::size_t>(lane - lanes_.begin()),
                       .limit = limit,
                       .backoff = Backoff{kChannelPause, kLongestChannelPause},
                       .trouble = {},
                       .notes = {},
                       .rejections = {},
                       .doubted = {}});
}

void Uploader::run(const std::stop_token& stop) {
  const std::stop_callback wake_up(stop, [this] { http_.wake(); });
  while (!stop.stop_requested()) step();
  halt();
  heartbeat_.waiting();
}

void Uploader::halt() {
  http_.abort_all();
  const Instant now = clock_.now();
  for (Lane& lane : lanes_) {
    if (!lane.request) continue;
    const Channel& channel = channels_[lane.sender];
    outbox_.mark_sent(channel.queue, lane.batch.front().sequence, lane.batch.back().sequence);
    lane.request.reset();
    publish(lane, channel, now, false);
  }
}

void Uploader::notify() {
  if (watching_.exchange(false)) http_.wake();
}

bool Uploader::step() {
  // Set before the queues are looked at: whatever is pushed after the look then finds it set and wakes the wait.
  watching_ = true;
  const MonoTime now = clock_.now().mono;
  heartbeat_.working(now);
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) start_next(lane, now);
  bool ready = false;
  const MonoTime deadline = next_deadline(now, ready);
  if (!ready) watching_ = false;
  const bool under_way =
      std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.request.has_value(); });

  done_.clear();
  heartbeat_.waiting();
  http_.wait(deadline, done_);
  if (done_.empty()) return under_way || deadline != MonoTime::max();
  heartbeat_.working(clock_.now().mono);
  for (const HttpDone& done : done_) finish(done);
  heartbeat_.waiting();
  return under_way || deadline != MonoTime::max();
}

MonoTime Uploader::next_deadline(MonoTime now, bool& ready) const {
  MonoTime deadline = MonoTime::max();
  for (const Lane& lane : lanes_) {
    if (lane.request) continue;
    if (lane.paused_until > now) {
      deadline = std::min(deadline, lane.paused_until);
      continue;
    }
    ready = true;
    for (const std::size_t index : lane.channels) {
      if (channels_[index].paused_until > now) deadline = std::min(deadline, channels_[index].paused_until);
    }
  }
  return deadline;
}

void Uploader::start_next(std::size_t lane_index, MonoTime now) {
  Lane& lane = lanes_[lane_index];
  if (lane.request || lane.paused_until > now) return;
  for (std::size_t looked_at = 0; looked_at < lane.channels.size(); ++looked_at) {
    Channel& channel = channels_[lane.channels[lane.turn]];
    lane.turn = (lane.turn + 1) % lane.channels.size();
    if (channel.paused_until > now || !fill_batch(lane, channel)) continue;
    send(lane_index, channel);
    return;
  }
}

bool Uploader::fill_batch(Lane& lane, Channel& channel) {
  const std::size_t most =
      std::max<std::size_t>(1, std::min({lane.batch_size, channel.limit, channel.sink->max_batch()}));
  for (;;) {
    lane.batch.clear();
    outbox_.peek(channel.queue, most, lane.batch);
    if (lane.batch.empty()) return false;
    if (std::isfinite(lane.batch.front().value)) break;
    // None should ever get here; no request can carry it, so it must not block the others.
    const std::uint64_t sequence = lane.batch.front().sequence;
    outbox_.settle(channel.queue, sequence, sequence, Verdict::rejected, "not a finite number");
    if (const auto untold = channel.rejections.happened(clock_.now().mono)) {
      log_.print(Level::error, channel.section, "a reading that is not a finite number was set aside{}", more(*untold));
    }
  }
  lane.batch.resize(sendable(lane.batch));
  return true;
}

void Uploader::send(std::size_t lane_index, Channel& channel) {
  Lane& lane = lanes_[lane_index];
  HttpRequest request = channel.sink->encode(lane.batch);
  if (log_.enabled(Level::debug)) {
    const bool json = request.body.starts_with('[') || request.body.starts_with('{');
    log_.print(Level::debug, channel.section, "==> number of tuples: {}", lane.batch.size());
    if (request.secret) log_.write(Level::debug, channel.section, "request body: not shown, a key is in it");
    else log_.print(Level::debug, channel.section, "{}request body: {}", json ? "JSON " : "", request.body);
  }
  lane.sender = static_cast<std::size_t>(&channel - channels_.data());
  lane.request = next_request_++;
  http_.start(*lane.request, static_cast<std::uint32_t>(lane_index), std::move(request));
  const std::scoped_lock lock(status_mutex_);
  status_.endpoints[lane_index].sending = true;
}

void Uploader::finish(const HttpDone& done) {
  const auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& known) { return known.request == done.id; });
  if (lane == lanes_.end()) return;
  Channel& channel = channels_[lane->sender];
  const Instant now = clock_.now();
  Judgement judgement = channel.sink->classify(done.reply, lane->batch);
  lane->request.reset();
  ++lane->requests;
  const bool success = judgement.verdict == Verdict::accepted;
  if (success) {
    log_.print(Level::debug, channel.section, "CURL Request succeeded with code: {}", done.reply.status);
  } else {
    ++lane->failures;
    judgement.message = said(done.reply, judgement.message);
    judgement.repeat = judgement.repeat || (done.reply.status == 0 && done.reply.maybe_delivered);
    log_.print(Level::debug, channel.section, "{}", judgement.message);
  }
  switch (judgement.verdict) {
    case Verdict::accepted: accepted(*lane, channel, judgement, now); break;
    case Verdict::rejected: rejected(*lane, channel, judgement, now); break;
    case Verdict::keep: kept(*lane, channel, judgement, now); break;
  }
  adapt_batch_size(*lane, channel, done.reply);
  publish(*lane, channel, now, success);
}

void Uploader::accepted(Lane& lane, Channel& channel, const Judgement& judgement, const Instant& now) {
  recovered(lane, channel, now.mono);
  outbox_.settle(channel.queue, lane.batch.front().sequence, lane.batch.back().sequence, Verdict::accepted, {});
  ++lane.successes;
  lane.backoff.reset();
  lane.paused_until = {};
  channel.backoff.reset();
  const std::chrono::seconds pace = channel.sink->pace();
  channel.paused_until = pace.count() > 0 ? now.mono + pace : MonoTime{};
  channel.lone_failures = 0;
  channel.lane_successes = lane.successes;
  channel.rejected_in_a_row = 0;
  channel.doubted.reset();
  grow_limit(channel, lane.batch.size());
  if (judgement.message.empty()) return;
  if (const auto untold = channel.notes.happened(now.mono)) {
    log_.print(Level::warning, channel.section, "{}{}", judgement.message, more(*untold));
  }
}

void Uploader::rejected(Lane& lane, Channel& channel, const Judgement& judgement, const Instant& now) {
  const QueuedReading& first = lane.batch.front();
  if (channel.rejected_in_a_row >= kTrustedRejections && channel.doubted != first.sequence) {
    channel.doubted = first.sequence;
    channel_failed(lane, channel, judgement.message + "; several in a row: the others get a second try each", now);
    return;
  }
  outbox_.settle(channel.queue, first.sequence, lane.batch.back().sequence, Verdict::rejected, judgement.message);
  ++channel.rejected_in_a_row;
  channel.limit = channel.sink->max_batch();
  if (const auto untold = channel.rejections.happened(now.mono)) {
    log_.print(Level::error, channel.section, "{}; {} reading{} set aside (value={} ts={}){}", judgement.message,
               lane.batch.size(), lane.batch.size() == 1 ? "" : "s", first.value,
               first.stamp.time_since_epoch().count(), more(*untold));
  }
}

void Uploader::kept(Lane& lane, Channel& channel, const Judgement& judgement, const Instant& now) {
  if (judgement.repeat) {
    outbox_.mark_sent(channel.queue, lane.batch.front().sequence, lane.batch.back().sequence);
  }
  switch (judgement.retry) {
    case Retry::soon:
      if (hits_only(lane, channel))
        channel_failed(lane, channel, judgement.message, now);
      else
        endpoint_failed(lane, channel, judgement.message, now);
      break;
    case Retry::rarely: channel_failed(lane, channel, judgement.message, now); break;
    case Retry::halve: refused_as_a_whole(lane, channel, judgement, now); break;
  }
}

void Uploader::refused_as_a_whole(Lane& lane, Channel& channel, const Judgement& judgement, const Instant& now) {
  const std::size_t sent = lane.batch.size();
  // As repeats they make another request, which may well pass whole; only the same one again needs to be smaller.
  const bool changes = judgement.repeat && !all_repeats(lane.batch);
  if (sent == 1 && !changes) {
    channel_failed(lane, channel, judgement.message, now);
    return;
  }
  if (!changes) channel.limit = std::max<std::size_t>(1, sent / 2);
  channel.full_batches = 0;
  if (const auto untold = channel.notes.happened(now.mono)) {
    log_.print(Level::info, channel.section, "{}{}", judgement.message, more(*untold));
  }
}

void Uploader::endpoint_failed(Lane& lane, Channel& channel, const std::string& message, const Instant& now) {
  const MonoDuration pause = lane.backoff.next(jitter_);
  lane.paused_until = now.mono + pause;
  const Trouble::Tell what = lane.trouble.failed(now.mono, message);
  tell(what, lane.trouble, channel.section, lane.endpoint, waiting(lane), pause, now.mono);
}

void Uploader::channel_failed(Lane& lane, Channel& channel, const std::string& message, const Instant& now) {
  const MonoDuration pause = channel.backoff.next(jitter_);
  channel.paused_until = now.mono + pause;
  const Trouble::Tell what = channel.trouble.failed(now.mono, message);
  tell(what, channel.trouble, channel.section, fmt::format("{} for channel {}", lane.endpoint, channel.label),
       outbox_.stats(channel.queue).waiting, pause, now.mono);
}

void Uploader::tell(Trouble::Tell tell, const Trouble& trouble, const std::string& section, const std::string& where,
                    std::uint64_t waiting, MonoDuration pause, MonoTime now) {
  switch (tell) {
    case Trouble::Tell::nothing: break;
    case Trouble::Tell::news:
      log_.write(Level::alert, section, trouble.message());
      log_.print(Level::info, section, "Waiting {} secs for next request due to previous failure",
                 whole_seconds(pause));
      break;
    case Trouble::Tell::summary:
      log_.print(Level::warning, section, "still no delivery to {} after {}: {} tries failed, {} readings waiting; {}",
                 where, duration_text(now - trouble.since()), trouble.tries(), waiting, trouble.message());
      break;
  }
}

void Uploader::recovered(Lane& lane, Channel& channel, MonoTime now) {
  const auto of_lane = lane.trouble.ended(now);
  const auto of_channel = channel.trouble.ended(now);
  if (of_lane && of_lane->told) {
    log_.print(Level::info, channel.section, "delivering again to {} after {}, {} readings were waiting", lane.endpoint,
               duration_text(of_lane->lasted), waiting(lane));
  } else if (of_channel && of_channel->told) {
    log_.print(Level::info, channel.section, "delivering again after {}, {} readings were waiting",
               duration_text(of_channel->lasted), outbox_.stats(channel.queue).waiting);
  }
}

bool Uploader::hits_only(Lane& lane, Channel& channel) {
  if (lane.successes != channel.lane_successes) ++channel.lone_failures;
  channel.lane_successes = lane.successes;
  return channel.lone_failures >= kLoneFailures;
}

void Uploader::adapt_batch_size(Lane& lane, const Channel& channel, const HttpReply& reply) {
  const std::size_t sent = lane.batch.size();
  if (reply.duration > kSlowReply) {
    // a small request was not slow for its size
    if (sent * 2 > lane.batch_size) lane.batch_size = std::max(kSmallestBatchSize, lane.batch_size / 2);
  } else if (reply.duration < kFastReply && reply.status != 0 && sent >= lane.batch_size) {
    lane.batch_size = std::max(lane.batch_size, std::min(lane.batch_size * 2, channel.sink->max_batch()));
  }
}

void Uploader::grow_limit(Channel& channel, std::size_t sent) {
  const std::size_t most = channel.sink->max_batch();
  if (channel.limit >= most || sent < channel.limit || ++channel.full_batches < kFullBatchesToGrow) return;
  channel.limit = std::min(channel.limit * 2, most);
  channel.full_batches = 0;
}

std::uint64_t Uploader::waiting(const Lane& lane) const {
  std::uint64_t sum = 0;
  for (const std::size_t index : lane.channels) sum += outbox_.stats(channels_[index].queue).waiting;
  return sum;
}

void Uploader::publish(const Lane& lane, const Channel& channel, const Instant& now, bool success) {
  const auto wall = [&](MonoTime moment) -> std::optional<WallTime> {
    return now.wall + std::chrono::duration_cast<std::chrono::milliseconds>(moment - now.mono);
  };
  const auto trouble = [&](auto& status, const auto& source) {
    status.trouble = source.trouble.message();
    status.trouble_since = source.trouble.active() ? wall(source.trouble.since()) : std::nullopt;
    status.next_try = source.paused_until > now.mono ? wall(source.paused_until) : std::nullopt;
    if (success) status.last_success = now.wall;
  };
  const std::scoped_lock lock(status_mutex_);
  EndpointStatus& endpoint = status_.endpoints[channel.lane];
  endpoint.sending = lane.request.has_value();
  endpoint.requests = lane.requests;
  endpoint.failures = lane.failures;
  trouble(endpoint, lane);
  trouble(status_.channels[static_cast<std::size_t>(&channel - channels_.data())], channel);
}

UploaderStatus Uploader::status() const {
  UploaderStatus copy;
  {
    const std::scoped_lock lock(status_mutex_);
    copy = status_;
  }
  for (std::size_t i = 0; i < copy.channels.size(); ++i) copy.channels[i].queue = outbox_.stats(channels_[i].queue);
  return copy;
}

}  // namespace vz
