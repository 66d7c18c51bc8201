// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <termios.h>

#include <memory>
#include <string>
#include <vector>

#include "platform/eighth_bit_filter.hpp"
#include "platform/fd.hpp"
#include "platform/parity_marks.hpp"
#include "vz/transport.hpp"

namespace vz {

/// A serial line (or a pty, or any other tty), raw and locked against other programs.
///
/// Lock: flock, which binds also programs of root, and TIOCEXCL, which binds also programs that know no flock. A pty
/// gets the flock only: it would stay exclusive after a crash for as long as its other end is open. Close: unsent
/// output is dropped first, since a tty's close otherwise waits for it; then the settings that were found are put back.
/// RTS and DTR stay raised while it is open (reading heads take their power from them). Used by one thread. Does not
/// allocate once open.
class SerialTransport final : public Transport {
 public:
  /// Opens, locks and sets the line and drops what was received before. Does not wait for a carrier.
  static Expected<std::unique_ptr<Transport>> open(const std::string& path, LineSettings line);
  ~SerialTransport() override;

  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override;
  Expected<void> write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) override;
  Expected<void> set_line(LineSettings line) override;
  void discard_input() override;

 private:
  SerialTransport(platform::Fd fd, std::string path, const termios& found);
  [[nodiscard]] ReadResult closed(int code) const;

  platform::Fd fd_;
  std::string path_;
  termios found_;  ///< as it was before open()
  bool marked_ = false;
  platform::ParityMarks marks_;
  bool pty_ = false;  ///< knows no parity, so that it may be in the characters
  platform::EighthBitFilter eighth_bit_;
  std::vector<std::byte> with_parity_;
};

}  // namespace vz
