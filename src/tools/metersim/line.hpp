// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "vz/error.hpp"

namespace vz::metersim {

/// Speeds at which the reader has set its port; 0 where that cannot be known (TCP, odd speeds).
struct PeerSpeeds {
  unsigned sends = 0;
  unsigned receives = 0;
};

/// Where a reader finds the simulated meter. No call blocks. Used by one thread.
class Port {
 public:
  virtual ~Port() = default;

  /// Opens it; again after close(), under the same name.
  virtual Expected<void> open() = 0;
  /// Takes the line away: the reader sees a hang-up.
  virtual void close() = 0;
  /// What a reader has to open: the link's path, or address:port.
  [[nodiscard]] virtual std::string name() const = 0;

  /// For the poll set; -1 if there is none at the moment.
  [[nodiscard]] virtual int data_fd() const = 0;
  [[nodiscard]] virtual int accept_fd() const { return -1; }

  enum class Accepted { connected, refused, nothing };
  /// After accept_fd() became readable. There is one reader at a time.
  virtual Accepted accept() { return Accepted::nothing; }
  /// True if somebody may be listening.
  [[nodiscard]] virtual bool listener() const = 0;

  enum class ReadEnd { more_later, gone };
  /// Appends what is there (at most a few KiB).
  virtual ReadEnd read(std::string& out) = 0;
  /// Writes what fits and says how much that was. Nobody there: all of it is gone, as on a line with a free end.
  virtual std::size_t write(std::string_view bytes) = 0;

  /// Drops what was written and nobody has fetched; true if there was something. A real port that is not open keeps
  /// nothing, but a pseudo-terminal would keep old telegrams for whoever opens it.
  virtual bool discard_unread() { return false; }

  [[nodiscard]] virtual PeerSpeeds peer_speeds() const { return {}; }
};

/// A pseudo-terminal; `link` becomes a symbolic link to it, which the destructor removes. The slave side is raw, starts
/// with `baud` and is kept open here too, so that a reader may come and go.
std::unique_ptr<Port> make_pty(std::string link, unsigned baud);

/// A listening socket. `address` is an address or host name, `port` a number (0: any free one).
std::unique_ptr<Port> make_tcp(std::string address, std::string port);

}  // namespace vz::metersim
