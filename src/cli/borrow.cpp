// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/borrow.hpp"

#include <cstdlib>
#include <ostream>

#include "local/control_server.hpp"

namespace vz::cli {

std::string default_socket() { return local::control_path(std::getenv("RUNTIME_DIRECTORY")); }

std::optional<local::BorrowedLine> borrow_line(const Endpoint& endpoint, const std::string& socket, std::chrono::seconds limit,
                                               std::ostream& err) {
  if (!std::holds_alternative<SerialPort>(endpoint) && !std::holds_alternative<TcpPeer>(endpoint)) return std::nullopt;
  const std::string line = text(endpoint);
  auto borrowed = local::BorrowedLine::borrow(socket, line, limit);
  if (!borrowed) {
    err << fmt::format("the running daemon cannot be asked for {}: {}\n", line, borrowed.error().text());
    return std::nullopt;
  }
  for (const int meter : borrowed->meters())
    err << fmt::format("{} is borrowed from the running daemon, which does not read mtr{} meanwhile\n", line, meter);
  return std::move(*borrowed);
}

Renewal::Renewal(local::BorrowedLine* line, std::chrono::seconds limit, MonoTime now) : line_(line), limit_(limit) {
  if (line_ == nullptr || line_->meters().empty()) line_ = nullptr;
  else at_ = now + limit_ / 2;
}

Expected<void> Renewal::renew(MonoTime now) {
  if (line_ == nullptr) return {};
  at_ = now + limit_ / 2;
  return line_->renew();
}

}  // namespace vz::cli
