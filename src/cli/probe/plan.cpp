// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/probe/plan.hpp"

#include <algorithm>
#include <array>

namespace vz::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kRequest = "2F3F210D0A";  // /?! CR LF
constexpr std::string_view kStay = "063030300D0A";   // ACK 000 CR LF
constexpr std::string_view kTrick = "2F3F210D0A00000000000000000000063030300D0A";
constexpr std::string_view kSmlRequest =
    "1b1b1b1b0101010176050a0b0c0162006200726301007701050501020305000000010101010163ed690076050a0b0c02620062007263070075"
    "050501020301010101637c4e0076050a0b0c036200620072630200710163c6820000001b1b1b1b1a020429";

enum Way : std::size_t { usual, stay, trick, delayed, at_9600, sml, wake_up, wake_short, at_2400, eight_bits, at_4800, at_1200 };

constexpr std::array<Approach, 12> kApproaches{{
    {"request at 300 baud, 7e1", "d0", 300, "7e1", kRequest, "auto"},
    {"request at 300 baud, acknowledged so that the speed stays", "d0", 300, "7e1", kRequest, kStay},
    {"request and acknowledge in one, NULs between them", "d0", 300, "7e1", kTrick, ""},
    {"request at 300 baud, slow change of speed", "d0", 300, "7e1", kRequest, "auto", 0, 300},
    {"request at 9600 baud, 7e1", "d0", 9600, "7e1", kRequest, "auto"},
    {"SML request at 9600 baud", "sml", 9600, "8n1", kSmlRequest, ""},
    {"wake-up and request at 300 baud (battery)", "d0", 300, "7e1", kRequest, "auto", 65, 0, 3600},
    {"short wake-up and request at 300 baud (battery)", "d0", 300, "7e1", kRequest, "auto", 40, 0, 3600},
    {"request at 2400 baud, 7e1", "d0", 2400, "7e1", kRequest, "auto"},
    {"request at 300 baud, 8n1", "d0", 300, "8n1", kRequest, "auto"},
    {"request at 4800 baud, 7e1", "d0", 4800, "7e1", kRequest, "auto"},
    {"request at 1200 baud, 7e1", "d0", 1200, "7e1", kRequest, "auto"},
}};

/// The speeds of meters that send by themselves, the usual ones first.
constexpr std::array<unsigned, 10> kRing{9600, 115200, 2400, 300, 19200, 4800, 1200, 600, 38400, 57600};
/// Meters that send by themselves do so every ten seconds at least.
constexpr MonoDuration kPeriod = 11s;

ProbeStep listen(unsigned baud, MonoDuration patience) {
  return {.kind = ProbeStep::Kind::listen, .baud = baud, .patience = patience};
}
ProbeStep ask(Way way) {
  return {.kind = ProbeStep::Kind::ask, .baud = kApproaches[way].baud, .approach = &kApproaches[way]};
}

}  // namespace

std::string Approach::pullseq() const { return std::string(2UL * wake_up_nuls, '0') + std::string{request}; }

std::span<const Approach> all_approaches() { return kApproaches; }

ProbePlan::ProbePlan(Line line, Asking asking, MonoDuration budget) : line_(line), budget_(budget) {
  if (line == Line::network) {
    steps_ = {listen(9600, 3s),  ask(stay), listen(9600, 3s), ask(usual), ask(sml),
              listen(9600, 3s), ask(trick), ask(wake_up),      ask(stay),  listen(9600, kPeriod)};
  } else {
    steps_ = {listen(9600, 2500ms), ask(usual),   listen(9600, 3500ms), ask(sml),        ask(at_9600),
              listen(115200, 2s),   ask(wake_up), ask(usual),           listen(9600, 6s), ask(at_2400),
              ask(eight_bits),      ask(wake_short), ask(at_4800),      ask(at_1200),    listen(9600, kPeriod)};
  }
  if (asking == Asking::not_allowed) {
    std::erase_if(steps_, [](const ProbeStep& step) { return step.kind == ProbeStep::Kind::ask; });
    steps_.push_back(listen(9600, kPeriod));
  }
}

/// The next speed to listen at, after the last one made no sense: the one that the noise speaks for, else the usual ones
/// within the bounds that are known, else any.
void ProbePlan::choose_speed(unsigned slower) {
  if (tried_.size() >= kRing.size()) {
    tried_.clear();
    above_ = below_ = 0;
  }
  const unsigned baud = last_.baud;
  if (slower == 1) above_ = std::max(above_, baud);
  if (slower > 1) below_ = below_ == 0 ? baud / slower : std::min(below_, baud / slower);
  const auto untried = [&](unsigned speed) { return std::find(tried_.begin(), tried_.end(), speed) == tried_.end(); };
  const auto choose = [&](auto&& fits) {
    const auto found = std::find_if(kRing.begin(), kRing.end(), [&](unsigned speed) { return untried(speed) && fits(speed); });
    if (found == kRing.end()) return false;
    speed_ = *found;
    tried_.push_back(speed_);
    return true;
  };
  if (slower > 1 && slower < 9 && choose([&](unsigned speed) { return speed == baud / slower; })) return;
  if (choose([&](unsigned speed) { return speed > above_ && (below_ == 0 || speed <= below_); })) return;
  choose([](unsigned) { return true; });
}

void ProbePlan::note(Heard result, unsigned slower) {
  const bool asked = last_.kind == ProbeStep::Kind::ask;
  switch (result) {
    case Heard::silence:
      searching_ = false;
      break;
    case Heard::noise:
    case Heard::sense:
      if (line_ == Line::network) break;  // no speed to look for
      if (!searching_) {
        tried_.clear();
        above_ = below_ = 0;
        // what was heard while listening rules that speed out; what disturbed a request rules out nothing
        if (!asked) tried_.push_back(last_.baud);
      }
      searching_ = true;
      choose_speed(asked || result == Heard::sense ? 0 : slower);
      break;
    case Heard::greeting:
      searching_ = false;
      if (fallbacks_) break;
      fallbacks_ = true;
      for (const Way way : {trick, delayed, stay}) steps_.push_front(ask(way));
      break;
  }
}

ProbeStep ProbePlan::give(ProbeStep step) {
  last_ = step;
  return step;
}

ProbeStep ProbePlan::next(Heard result, MonoDuration elapsed, unsigned slower) {
  if (last_.kind != ProbeStep::Kind::done) note(result, slower);
  if (elapsed >= budget_) return give({});
  if (searching_) {
    ProbeStep step = listen(speed_, std::min(kPeriod, budget_ - elapsed));
    step.searching = true;
    return give(step);
  }
  if (steps_.empty()) return give({});
  ProbeStep step = steps_.front();
  steps_.pop_front();
  if (step.kind == ProbeStep::Kind::listen) step.patience = std::min(step.patience, budget_ - elapsed);
  return give(step);
}

}  // namespace vz::cli
