// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "local/control_protocol.hpp"
#include "vz/held_line.hpp"
#include "vz/log.hpp"
#include "vz/time.hpp"

namespace vz::local {

/// Who has paused which meter, and who has borrowed which line for how long. A borrower has its lines until it gives
/// them back, its connection ends, or its time is over, whatever comes first; a paused meter stays so until somebody
/// resumes it or the daemon ends. Both are told in the log. Used by one thread; time is passed in. No I/O but to look a
/// device file up.
class LineDesk {
 public:
  /// A connection to the socket.
  struct Client {
    std::uint64_t id = 0;
    pid_t pid = 0;
  };
  /// So long a meter may take to let go of its line.
  static constexpr std::chrono::seconds kPatience{10};

  /// The lines outlive the desk.
  LineDesk(std::vector<HeldLine*> lines, Log& log) : lines_(std::move(lines)), log_(log) {}

  nlohmann::ordered_json pause(int meter, Client client);
  nlohmann::ordered_json resume(int meter, Client client);

  /// Begins to lend: empty if the answer has to wait until the lines are closed (lent() has it then). Of a connection that
  /// has borrowed just that already the time begins anew.
  std::optional<nlohmann::ordered_json> lend(const ControlRequest& request, Client client, MonoTime now);
  /// The answer to a lend() that had to wait, once there is one: the lines are closed, or one stayed open too long.
  std::optional<nlohmann::ordered_json> lent(std::uint64_t client, MonoTime now);
  nlohmann::ordered_json back(std::uint64_t client, MonoTime now);
  /// The connection has ended.
  void gone(std::uint64_t client, MonoTime now);
  /// Takes back what was lent for too long; the connections that had it.
  std::vector<std::uint64_t> expire(MonoTime now);

  [[nodiscard]] bool borrows(std::uint64_t client) const;
  /// When expire() or lent() should be called; none: nothing is lent.
  [[nodiscard]] std::optional<MonoTime> next_deadline() const;

 private:
  struct Loan {
    Client client;
    std::vector<HeldLine*> lines;
    std::chrono::seconds limit{};
    MonoTime since{};
    MonoTime from{};      ///< where `limit` begins
    bool pending = true;  ///< not closed yet
    [[nodiscard]] MonoTime ends() const { return from + (pending ? kPatience : limit); }
  };
  enum class Why { given_back, connection_ended, time_over, stayed_open };

  [[nodiscard]] HeldLine* find(int meter) const;
  [[nodiscard]] std::vector<HeldLine*> users_of(const ControlRequest& request) const;
  [[nodiscard]] const Loan* loan_of(const HeldLine* line) const;
  [[nodiscard]] std::vector<Loan>::iterator loan_by(std::uint64_t client);
  [[nodiscard]] bool paused(const HeldLine* line) const;
  nlohmann::ordered_json lent_answer(Loan& loan, MonoTime now);
  static nlohmann::ordered_json prolonged(Loan& loan, const ControlRequest& request, MonoTime now);
  void end(std::vector<Loan>::iterator loan, Why why, MonoTime now);

  std::vector<HeldLine*> lines_;
  Log& log_;
  std::vector<HeldLine*> paused_;
  std::vector<Loan> loans_;
};

}  // namespace vz::local
