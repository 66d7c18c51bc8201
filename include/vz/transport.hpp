// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "vz/error.hpp"
#include "vz/line.hpp"
#include "vz/time.hpp"
#include "vz/wake.hpp"

namespace vz {

/// Where a meter's bytes come from.
struct NoTransport {};  ///< the session makes its own readings
struct SerialPort {
  std::string path;
};
struct TcpPeer {
  std::string host;
  std::string port;  ///< number or service name
};
/// A file, fifo or character device of which lines are read. Its bytes are records (core/source_records.hpp).
struct FileSource {
  std::string path;
  bool rewind = false;  ///< each read takes the whole file; else only what was added
  bool timed = false;   ///< reads when something is written to the transport; else when the file changes
};
/// A program to run whenever something is written to the transport. Its bytes are records.
struct CommandSource {
  std::string command;  ///< for sh -c
  std::chrono::seconds limit{300};  ///< it is ended when it runs for longer
};
/// The temperature sensors of the kernel's 1-wire driver, read when something is written. Its bytes are records.
struct OneWireBus {
  std::string root;  ///< the folder with one entry a sensor
};
/// Pulses: edges of a GPIO line, or bytes of a serial port with a GPIO line that says their direction. Its bytes are
/// records (core/edge_records.hpp).
struct GpioLines {
  std::string chip;          ///< "gpiochip0" or "/dev/gpiochip0"; empty: the numbers are those of /sys/class/gpio
  int pulse = -1;            ///< the line whose rising edges are the pulses; negative: `serial` has them
  int direction = -1;        ///< the line that is high for pulses that count as negative; negative: there is none
  bool raspberry = false;    ///< without chip: the numbers are those of a Raspberry Pi's own chip
  std::string serial;        ///< without pulse: the port whose bytes are the pulses
};
using Endpoint = std::variant<NoTransport, SerialPort, TcpPeer, FileSource, CommandSource, OneWireBus, GpioLines>;

/// "/dev/ttyUSB0", "host:port", "[::1]:port", "/path", "GPIO 17", "command ..." (its first word only: the rest may hold
/// secrets).
std::string text(const Endpoint& endpoint);

/// What a read brought.
struct ReadResult {
  enum class Kind { bytes, timeout, woken, closed } kind = Kind::timeout;
  std::size_t count = 0;        ///< for bytes: at least 1
  std::optional<Error> error;   ///< for closed: why (end of file has one, too)
};

/// An open line to a meter. Opened by a TransportFactory. The destructor closes, without waiting for unsent output.
/// Used by one thread. No call blocks longer than its deadline or past a wake-up of `wake`.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Waits until `not_before` (nothing is read until then), then for bytes until `deadline`, and reads what is there.
  /// Returns early with Kind::woken when `wake` fires. Characters with wrong parity carry kDamagedBit.
  virtual ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) = 0;
  /// Hands all bytes to the driver. A line that takes no bytes until `deadline` is an error.
  virtual Expected<void> write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) = 0;
  /// Changes speed and format at once; no effect on a TCP peer.
  virtual Expected<void> set_line(LineSettings line) = 0;
  /// Drops received bytes that were not read yet.
  virtual void discard_input() = 0;
};

/// Tells when a device that is away may be there again. Used by one thread.
class ReturnWatch {
 public:
  enum class End { returned, timeout, woken };
  virtual ~ReturnWatch() = default;
  /// Waits until another try to open is worth while (also if that came about before this call), until `deadline`, or
  /// until `wake` fires.
  virtual End wait(MonoTime deadline, Wake& wake) = 0;
};

/// Opens transports; injected so that tests bring their own. Thread-safe.
class TransportFactory {
 public:
  virtual ~TransportFactory() = default;
  /// Never blocks longer than `deadline`, or past a wake-up (then an error with code ECANCELED).
  virtual Expected<std::unique_ptr<Transport>> open(const Endpoint& endpoint, LineSettings line, MonoTime deadline,
                                                    Wake& wake) = 0;
  /// From now on watches for the return of the endpoint's device. Null if nothing would tell, as with a TCP peer.
  virtual std::unique_ptr<ReturnWatch> watch(const Endpoint& endpoint) {
    (void)endpoint;
    return nullptr;
  }
};

}  // namespace vz
