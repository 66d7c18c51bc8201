// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/push_sender.hpp"

#include <algorithm>
#include <utility>

namespace vz {
namespace {

using std::chrono::seconds;

constexpr seconds kFirstPause{1};
constexpr seconds kLongestPause{60};
constexpr std::size_t kMaxShownReply = 200;
constexpr seconds kIdle{3600};

/// What a server said, fit for one line: bounded, and without uuids.
std::string shown(const std::string& body) {
  if (body.empty()) return "(null)";
  // as one path, so that nothing of it counts as user, query or fragment
  std::string text = body.substr(0, kMaxShownReply);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == '?' || c == '#') c = ' ';
  return redacted("/" + text).substr(1);
}

std::string message_for(const std::string& name, const HttpReply& reply) {
  if (reply.status == 0)
    return fmt::format("CURL: {} {}. Is the push server running there? Otherwise remove it from \"push\" in the configuration.",
                       name, reply.error);
  return fmt::format("CURL Error from url {}: {} {}", name, reply.status, shown(reply.body));
}

}  // namespace

PushSender::PushSender(HttpClient& http, const Clock& clock, Log& log, PushSettings settings)
    : http_(http), clock_(clock), log_(log), settings_(std::move(settings)), jitter_(settings_.seed) {
  for (const auto& url : settings_.urls) {
    Target target{.url = url, .name = name_for(url), .backoff = Backoff{kFirstPause, kLongestPause}, .trouble = {}, .drops = {}, .trouble_since = {}};
    targets_.push_back(std::move(target));
  }
}

/// Targets that differ in what must not be shown alone are told apart by a number.
std::string PushSender::name_for(const std::string& url) const {
  const std::string plain = redacted(url);
  const auto taken = [&](const std::string& name) {
    return std::any_of(targets_.begin(), targets_.end(), [&](const Target& target) { return target.name == name; });
  };
  std::string name = plain;
  for (int copy = 2; taken(name); ++copy) name = fmt::format("{} ({})", plain, copy);
  return name;
}

void PushSender::raw(const ChannelSettings& channel, const Reading& reading) {
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() >= settings_.max_waiting) {
      waiting_.pop_front();
      ++first_;
      for (auto& target : targets_) {
        if (target.next >= first_) continue;
        target.next = first_;
        ++target.dropped;
      }
    }
    waiting_.push_back({channel.uuid, reading.stamp, reading.value});
  }
  http_.wake();
}

void PushSender::raw_unstamped(const ChannelSettings&, const Reading&, const Instant&) {
  const std::scoped_lock lock(mutex_);
  ++unstamped_;
}

void PushSender::run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { http_.wake(); });
  while (!stop.stop_requested()) step();
  http_.abort_all();
}

void PushSender::step() {
  const MonoTime now = clock_.now().mono;
  start_what_can(now);
  done_.clear();
  http_.wait(next_deadline(now), done_);
  for (const auto& done : done_) finish(done);
}

void PushSender::start_what_can(MonoTime now) {
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    {
      const std::scoped_lock lock(mutex_);
      Target& target = targets_[i];
      const auto from = static_cast<std::size_t>(target.next - first_);
      const std::size_t count = std::min(waiting_.size() - from, kMaxDocument);
      if (target.busy || count == 0 || now < target.paused_until) continue;
      const auto begin = waiting_.begin() + static_cast<std::ptrdiff_t>(from);
      batch_.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
      target.busy = true;
      target.taken = count;
      target.next += count;
    }
    http_.start(i, static_cast<std::uint32_t>(i), sinks::push::request(targets_[i].url, settings_.user_agent, batch_));
  }
}

MonoTime PushSender::next_deadline(MonoTime now) const {
  const std::scoped_lock lock(mutex_);
  MonoTime deadline = now + kIdle;
  for (const auto& target : targets_)
    if (!target.busy && target.next < first_ + waiting_.size()) deadline = std::min(deadline, std::max(now, target.paused_until));
  return deadline;
}

void PushSender::finish(const HttpDone& done) {
  const Instant now = clock_.now();
  Target& target = targets_.at(static_cast<std::size_t>(done.id));
  constexpr long kOk = 200;
  constexpr long kRedirect = 300;
  if (done.reply.status >= kOk && done.reply.status < kRedirect) succeeded(target, now.mono);
  else failed(target, done.reply, now);
  std::uint64_t dropped = 0;
  {
    const std::scoped_lock lock(mutex_);
    trim();
    dropped = target.dropped - std::exchange(target.dropped_before, target.dropped);
  }
  if (dropped > 0 && target.drops.happened(now.mono))
    log_.print(Level::warning, "push", "more than {} readings wait for {}: the oldest are dropped; told once an hour at most",
               settings_.max_waiting, target.name);
}

void PushSender::succeeded(Target& target, MonoTime now) {
  std::optional<Trouble::End> end;
  {
    const std::scoped_lock lock(mutex_);
    target.busy = false;
    ++target.documents;
    target.readings += target.taken;
    target.backoff.reset();
    target.trouble_since.reset();
    end = target.trouble.ended(now);
  }
  if (end && end->told)
    log_.print(Level::info, "push", "pushing again to {} after {}", target.name, duration_text(end->lasted));
}

void PushSender::failed(Target& target, const HttpReply& reply, const Instant& now) {
  Trouble::Tell news{};
  std::uint64_t lost = 0;
  {
    const std::scoped_lock lock(mutex_);
    target.busy = false;
    if (reply.status == 0 && !reply.maybe_delivered) {
      // it never left: it waits for the next try, as far as the bound allows
      const std::uint64_t from = target.next - target.taken;
      target.dropped += from < first_ ? std::min(first_ - from, target.taken) : 0;
      target.next = std::max(from, first_);
      target.paused_until = now.mono + target.backoff.next(jitter_);
    } else {
      target.failed += target.taken;
    }
    news = target.trouble.failed(now.mono, message_for(target.name, reply));
    if (!target.trouble_since) target.trouble_since = now.wall;
    lost = target.failed + target.dropped;
  }
  tell(target, news, lost, now.mono);
}

void PushSender::tell(const Target& target, Trouble::Tell tell, std::uint64_t lost, MonoTime now) {
  switch (tell) {
    case Trouble::Tell::nothing: break;
    case Trouble::Tell::news: log_.write(Level::alert, "push", target.trouble.message()); break;
    case Trouble::Tell::summary:
      log_.print(Level::warning, "push", "still no push to {} after {}: {} tries failed, {} readings given up; {}", target.name,
                 duration_text(now - target.trouble.since()), target.trouble.tries(), lost, target.trouble.message());
      break;
  }
}

/// Forgets what all targets have taken. What is under way may have to wait again.
void PushSender::trim() {
  std::uint64_t oldest = first_ + waiting_.size();
  for (const auto& target : targets_) oldest = std::min(oldest, target.next - (target.busy ? target.taken : 0));
  while (first_ < oldest) {
    waiting_.pop_front();
    ++first_;
  }
}

ServiceReport PushSender::report(std::size_t index) const {
  const std::scoped_lock lock(mutex_);
  const Target& target = targets_.at(index);
  return {.name = "push " + target.name,
          .working = !target.trouble.active(),
          .trouble = target.trouble.message(),
          .trouble_since = target.trouble_since,
          .counters = {{"documents", target.documents},
                       {"readings", target.readings},
                       {"waiting", first_ + waiting_.size() - target.next},
                       {"failed", target.failed},
                       {"dropped", target.dropped},
                       {"unstamped", unstamped_}}};
}

}  // namespace vz
