// SPDX-License-Identifier: GPL-3.0-or-later
// bench_d0_worker N: N telegrams of 256 bytes through the meter worker, from the read to the aggregated reading, without
// a line. The instructions of one telegram are the difference of two runs under callgrind, divided by the difference of N.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "outbox/ram_outbox.hpp"
#include "platform/clock.hpp"
#include "protocols/d0/session.hpp"
#include "protocols/d0/telegram.hpp"
#include "runtime/meter_worker.hpp"

namespace {

using namespace vz;

class SilentLog final : public Log {
 public:
  bool enabled(Level) const override { return false; }
  void write(Level, std::string_view, std::string_view) override {}
};

std::string telegram() {
  std::string block =
      "F.F(00000000)\r\n0.0.0(58231541)\r\nC.1.0(58231541)\r\n0.9.1(175102)\r\n0.9.2(120619)\r\n1.8.0(00132.149*kWh)\r\n"
      "1.8.1(00132.149*kWh)\r\n1.8.2(00000.000*kWh)\r\n2.8.0(00000.000*kWh)\r\n16.7.0(000123.4*W)\r\n";
  constexpr std::size_t kWanted = 256 - 19 - 1 - 3 - 2;
  block += "C.5(" + std::string(kWanted - block.size() - 7, '0') + ")\r\n!\r\n\x03";
  return "/ISK5\\2MT372-0002\r\n\x02" + block + static_cast<char>(d0::block_check(std::as_bytes(std::span(block))));
}

class Replay final : public Transport {
 public:
  Replay(std::string bytes, long count, std::stop_source& stop) : bytes_(std::move(bytes)), count_(count), stop_(stop) {}
  ReadResult read(std::span<std::byte> buffer, MonoTime, MonoTime, Wake&) override {
    if (count_-- <= 0) {
      stop_.request_stop();
      return {ReadResult::Kind::woken, 0, {}};
    }
    std::memcpy(buffer.data(), bytes_.data(), bytes_.size());
    return {ReadResult::Kind::bytes, bytes_.size(), {}};
  }
  Expected<void> write(std::span<const std::byte>, MonoTime, Wake&) override { return {}; }
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}

 private:
  std::string bytes_;
  long count_;
  std::stop_source& stop_;
};

class ReplayFactory final : public TransportFactory {
 public:
  ReplayFactory(long count, std::stop_source& stop) : count_(count), stop_(stop) {}
  Expected<std::unique_ptr<Transport>> open(const Endpoint&, LineSettings, MonoTime, Wake&) override {
    return std::make_unique<Replay>(telegram(), count_, stop_);
  }

 private:
  long count_;
  std::stop_source& stop_;
};

}  // namespace

int main(int argc, char** argv) {
  const long count = argc > 1 ? std::atol(argv[1]) : 100'000;
  const Protocol protocol{.name = "d0", .summary = {}, .options = {}};
  MeterSettings meter;
  meter.protocol = &protocol;
  meter.channels.push_back({.uuid = "u", .identifier_text = "1.8.0", .identifier = Identifier{*Obis::parse("1.8.0")},
                            .api_text = "null", .aggmode = AggMode::max, .mqtt_topic = {}, .options = {}});
  const SystemClock clock;
  SilentLog log;
  RamOutbox outbox;
  std::stop_source stop;
  ReplayFactory factory(count, stop);
  d0::D0Settings settings;
  MeterSource source{SerialPort{"replay"}, std::make_unique<d0::D0Session>(settings), {}};
  MeterPipeline pipeline(meter, false, {std::nullopt}, outbox, log, {}, clock);
  MeterWorker worker(meter, std::move(source), std::move(pipeline), {factory, clock, log, 1});
  const auto from = std::chrono::steady_clock::now();
  worker.run(stop.get_token());
  const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count();
  std::printf("%ld telegrams of %zu bytes, %llu read, %.2f us each\n", count, telegram().size(),
              static_cast<unsigned long long>(worker.status().telegrams), us / static_cast<double>(count));
  return worker.status().telegrams == static_cast<std::uint64_t>(count) ? 0 : 1;
}
