// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/faults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "tools/middleware/outcome.hpp"

namespace vz::middleware {
namespace {

constexpr std::pair<std::string_view, Fault> kNames[] = {
    {"e500", Fault::e500}, {"e400db", Fault::e400db},         {"html413", Fault::html413},      {"hang", Fault::hang},
    {"slow", Fault::slow}, {"lost-reply", Fault::lost_reply}, {"short-rows", Fault::short_rows}};
constexpr std::int64_t kLongestDelayMs = 3'600'000;

template <typename T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Error bad_rule(std::string_view rule, std::string what) {
  return {.what = std::move(what),
          .where = fmt::format("fault '{}'", rule),
          .remedy = fmt::format("one of {}, e.g. e500:0.1 or slow=2000:0.5", fault_names()),
          .code = 0};
}

Reply database_down() {
  return render(
      fail("An exception occurred in driver: SQLSTATE[HY000] [2002] Connection refused", "ConnectionException"),
      Format::json);
}

Reply one_row_fewer(Reply reply) {
  if (reply.status != 200 || reply.rows.value_or(0) == 0) return reply;
  reply.rows = *reply.rows - 1;
  Outcome outcome;
  outcome.rows = reply.rows;
  outcome.members["rows"] = *reply.rows;
  return render(outcome, Format::json);
}

Reply undelivered(Reply reply, Delivery delivery) {
  reply.delivery = delivery;
  return reply;
}

}  // namespace

std::string fault_names() {
  std::string out;
  for (const auto& [name, fault] : kNames) {
    out += out.empty() ? "" : ", ";
    out += name;
    if (fault == Fault::slow) out += "=MS";
  }
  return out;
}

Expected<FaultPlan> FaultPlan::parse(std::string_view text, std::uint64_t seed) {
  FaultPlan plan;
  plan.random_.seed(seed);
  while (!text.empty()) {
    const auto whole = text.substr(0, text.find(','));
    text = whole.size() == text.size() ? std::string_view{} : text.substr(whole.size() + 1);
    const auto colon = whole.find(':');
    const auto head = whole.substr(0, colon);
    const auto equals = head.find('=');
    Rule rule;
    const auto* const known = std::find_if(std::begin(kNames), std::end(kNames),
                                           [&](const auto& item) { return item.first == head.substr(0, equals); });
    if (known == std::end(kNames)) return tl::unexpected(bad_rule(whole, "there is no such fault"));
    rule.fault = known->second;
    if ((rule.fault == Fault::slow) != (equals != std::string_view::npos))
      return tl::unexpected(bad_rule(whole, "slow, and nothing else, takes =MILLISECONDS"));
    if (rule.fault == Fault::slow) {
      const auto delay = whole_number<std::int64_t>(head.substr(equals + 1));
      if (!delay || *delay < 0 || *delay > kLongestDelayMs)
        return tl::unexpected(bad_rule(whole, "the delay is not a number of milliseconds up to an hour"));
      rule.delay = std::chrono::milliseconds{*delay};
    }
    if (colon != std::string_view::npos) {
      const auto probability = whole_number<double>(whole.substr(colon + 1));
      if (!probability || !(*probability >= 0.0 && *probability <= 1.0))
        return tl::unexpected(bad_rule(whole, "the probability is not a number from 0 to 1"));
      rule.probability = *probability;
    }
    plan.rules_.push_back(rule);
  }
  return plan;
}

bool FaultPlan::drawn(const Rule& rule) {
  // 53 bits make a double in [0, 1) that is the same with every standard library
  return static_cast<double>(random_() >> 11) * 0x1p-53 < rule.probability;
}

Reply FaultPlan::answer(const Request& push, const std::function<Reply(const Request&)>& handler) {
  std::optional<Fault> fault;
  std::chrono::milliseconds delay{0};
  for (const auto& rule : rules_) {
    if (!drawn(rule)) continue;
    if (rule.fault == Fault::slow)
      delay += rule.delay;
    else if (!fault)
      fault = rule.fault;
  }
  Reply reply;
  switch (fault.value_or(Fault::slow)) {
    case Fault::e500: reply = html_page(500); break;
    case Fault::html413: reply = html_page(413); break;
    case Fault::e400db: reply = database_down(); break;
    case Fault::hang: return undelivered({}, Delivery::hang);
    case Fault::lost_reply: reply = undelivered(handler(push), Delivery::close); break;
    case Fault::short_rows: reply = one_row_fewer(handler(push)); break;
    case Fault::slow: reply = handler(push); break;
  }
  reply.delay = delay;
  return reply;
}

}  // namespace vz::middleware
