// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/line_desk.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <utility>

namespace vz::local {
namespace {

using Json = nlohmann::ordered_json;

std::string section(const HeldLine& line) { return fmt::format("mtr{}", line.number()); }

Json no_such_meter(int meter) {
  return bad_answer(
      {.what = fmt::format("there is no enabled meter mtr{}", meter), .where = {}, .remedy = "see vzlogger status"});
}

/// True if both names lead to the same device or file: people write /dev/ttyUSB0 for /dev/serial/by-id/....
bool same_file(const std::string& a, const std::string& b) {
  struct stat one {};
  struct stat other {};
  if (::stat(a.c_str(), &one) != 0 || ::stat(b.c_str(), &other) != 0) return false;
  if (S_ISCHR(one.st_mode) && S_ISCHR(other.st_mode)) return one.st_rdev == other.st_rdev;
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool uses(const HeldLine& line, const std::string& device) {
  if (std::holds_alternative<NoTransport>(line.endpoint()) || std::holds_alternative<CommandSource>(line.endpoint()))
    return false;
  const std::string own = text(line.endpoint());
  if (own == device) return true;
  return !std::holds_alternative<TcpPeer>(line.endpoint()) && same_file(own, device);
}

Json meters(const std::vector<HeldLine*>& lines) {
  Json list = Json::array();
  for (const HeldLine* line : lines) list.push_back(line->number());
  return list;
}

}  // namespace

HeldLine* LineDesk::find(int meter) const {
  const auto found =
      std::find_if(lines_.begin(), lines_.end(), [&](const HeldLine* line) { return line->number() == meter; });
  return found == lines_.end() ? nullptr : *found;
}

bool LineDesk::paused(const HeldLine* line) const {
  return std::find(paused_.begin(), paused_.end(), line) != paused_.end();
}

const LineDesk::Loan* LineDesk::loan_of(const HeldLine* line) const {
  for (const Loan& loan : loans_)
    if (std::find(loan.lines.begin(), loan.lines.end(), line) != loan.lines.end()) return &loan;
  return nullptr;
}

std::vector<LineDesk::Loan>::iterator LineDesk::loan_by(std::uint64_t client) {
  return std::find_if(loans_.begin(), loans_.end(), [&](const Loan& loan) { return loan.client.id == client; });
}

bool LineDesk::borrows(std::uint64_t client) const {
  return std::any_of(loans_.begin(), loans_.end(), [&](const Loan& loan) { return loan.client.id == client; });
}

Json LineDesk::pause(int meter, Client client) {
  HeldLine* line = find(meter);
  if (line == nullptr) return no_such_meter(meter);
  Json answer = good_answer();
  answer["changed"] = !paused(line);
  if (paused(line)) return answer;
  paused_.push_back(line);
  if (loan_of(line) == nullptr) line->hold(Hold::paused);
  log_.print(Level::alert, section(*line), "reading is paused, as process {} asked; vzlogger resume mtr{} ends that",
             client.pid, meter);
  return answer;
}

Json LineDesk::resume(int meter, Client client) {
  HeldLine* line = find(meter);
  if (line == nullptr) return no_such_meter(meter);
  Json answer = good_answer();
  answer["changed"] = paused(line);
  if (!paused(line)) return answer;
  std::erase(paused_, line);
  if (loan_of(line) == nullptr) line->hold(Hold::none);
  log_.print(Level::alert, section(*line), "reading goes on, as process {} asked", client.pid);
  return answer;
}

std::vector<HeldLine*> LineDesk::users_of(const ControlRequest& request) const {
  std::vector<HeldLine*> users;
  for (HeldLine* line : lines_)
    if (request.meter ? line->number() == *request.meter : uses(*line, request.device)) users.push_back(line);
  return users;
}

std::optional<Json> LineDesk::lend(const ControlRequest& request, Client client, MonoTime now) {
  const std::vector<HeldLine*> users = users_of(request);
  if (const auto loan = loan_by(client.id); loan != loans_.end()) {
    if (loan->pending || loan->lines != users)
      return bad_answer({.what = "this connection has borrowed already", .where = {}, .remedy = "give back first"});
    return prolonged(*loan, request, now);
  }
  if (request.meter && users.empty()) return no_such_meter(*request.meter);
  for (const HeldLine* line : users) {
    if (const Loan* loan = loan_of(line))
      return bad_answer({.what = fmt::format("mtr{} is lent to process {} already", line->number(), loan->client.pid),
                         .where = {},
                         .remedy = "wait until that has ended"});
  }
  if (users.empty()) {  // nobody reads it: there is nothing to lend
    Json answer = good_answer();
    answer["meters"] = Json::array();
    return answer;
  }
  loans_.push_back({client, users, request.limit, now, now});
  for (HeldLine* line : users) line->hold(Hold::lent);
  return lent(client.id, now);
}

std::optional<Json> LineDesk::lent(std::uint64_t client, MonoTime now) {
  const auto loan = loan_by(client);
  if (loan == loans_.end() || !loan->pending) return std::nullopt;
  const auto open =
      std::find_if(loan->lines.begin(), loan->lines.end(), [](const HeldLine* line) { return !line->released(); });
  if (open == loan->lines.end()) return lent_answer(*loan, now);
  if (now < loan->ends()) return std::nullopt;
  const int meter = (*open)->number();
  end(loan, Why::stayed_open, now);
  return bad_answer(
      {.what = fmt::format("mtr{} does not let go of its line", meter), .where = {}, .remedy = "try again"});
}

/// Who asks again for what it has still lives, and goes on.
Json LineDesk::prolonged(Loan& loan, const ControlRequest& request, MonoTime now) {
  loan.limit = request.limit;
  loan.from = now;
  Json answer = good_answer();
  answer["meters"] = meters(loan.lines);
  answer["seconds"] = loan.limit.count();
  return answer;
}

Json LineDesk::lent_answer(Loan& loan, MonoTime now) {
  loan.pending = false;
  loan.since = loan.from = now;
  for (const HeldLine* line : loan.lines)
    log_.print(Level::alert, section(*line),
               "{} is lent to process {} for {} s at most; the meter is not read meanwhile", text(line->endpoint()),
               loan.client.pid, loan.limit.count());
  Json answer = good_answer();
  answer["meters"] = meters(loan.lines);
  answer["seconds"] = loan.limit.count();
  return answer;
}

/// What each line goes back to is as before: paused, or read.
void LineDesk::end(std::vector<Loan>::iterator loan, Why why, MonoTime now) {
  const Loan ended = std::move(*loan);
  loans_.erase(loan);
  const auto lasted = std::chrono::duration_cast<std::chrono::seconds>(now - ended.since).count();
  for (HeldLine* line : ended.lines) {
    line->hold(paused(line) ? Hold::paused : Hold::none);
    if (ended.pending) continue;
    const std::string_view how = why == Why::given_back         ? "was given back"
                                 : why == Why::connection_ended ? "is back, because the borrower has ended,"
                                                                : "was taken back, because the time is over,";
    log_.print(Level::alert, section(*line), "{} {} after {} s{}", text(line->endpoint()), how, lasted,
               paused(line) ? "; reading is still paused" : "; reading goes on");
  }
}

Json LineDesk::back(std::uint64_t client, MonoTime now) {
  Json answer = good_answer();
  const auto loan = loan_by(client);
  answer["meters"] = loan == loans_.end() ? Json::array() : meters(loan->lines);
  if (loan != loans_.end()) end(loan, Why::given_back, now);
  return answer;
}

void LineDesk::gone(std::uint64_t client, MonoTime now) {
  if (const auto loan = loan_by(client); loan != loans_.end()) end(loan, Why::connection_ended, now);
}

std::vector<std::uint64_t> LineDesk::expire(MonoTime now) {
  std::vector<std::uint64_t> clients;
  for (const Loan& loan : loans_)
    if (!loan.pending && now >= loan.ends()) clients.push_back(loan.client.id);
  for (const std::uint64_t client : clients) end(loan_by(client), Why::time_over, now);
  return clients;
}

std::optional<MonoTime> LineDesk::next_deadline() const {
  std::optional<MonoTime> next;
  for (const Loan& loan : loans_)
    if (!next || loan.ends() < *next) next = loan.ends();
  return next;
}

}  // namespace vz::local
