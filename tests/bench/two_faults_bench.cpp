// SPDX-License-Identifier: GPL-3.0-or-later
// bench_two_faults [N [SEED]]: N readouts of an MT372 with two damaged bits each, anywhere in what the BCC protects, itself
// included, on a line without parity. Two in the same column of the XOR deceive it. Prints how often that happens,
// against the computed rate, and how many wrong values are left behind each line of defence: the XOR alone (a reader that
// looks for `1.8.0(` and takes what looks like a number), the decoder with the grammar of a checked block, the strict
// grammar, and the counter's plausibility between the readouts before and after.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "protocols/d0/counter_gate.hpp"
#include "protocols/d0/decoder.hpp"
#include "protocols/d0/telegram.hpp"

namespace {

using namespace vz;

constexpr double kTruth = 132.149;
constexpr double kStep = 0.001;  ///< from readout to readout
constexpr std::chrono::seconds kCycle{5};
constexpr std::string_view kRegister = "1.8.0(";
constexpr unsigned kBits = 7;

std::string block() {
  return "F.97.0(00000000)\r\n0.0.0(58231541)\r\nC.1.1(00000000)\r\nC.1.0(58231541)\r\n0.9.1(175102)\r\n0.9.2(120619)\r\n"
         "1.8.0(00132.149*kWh)\r\n1.8.1(00132.149*kWh)\r\n1.8.2(00000.000*kWh)\r\n1.8.3(00000.000*kWh)\r\n"
         "1.8.4(00000.000*kWh)\r\n!\r\n\x03";
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// What the XOR alone would let through: the first `1.8.0(` and the number behind it.
bool naive_value(std::string_view text, double& value) {
  const auto at = text.find(kRegister);
  if (at == std::string_view::npos) return false;
  const std::string rest{text.substr(at + kRegister.size(), 20)};
  char* end = nullptr;
  value = std::strtod(rest.c_str(), &end);
  return end != rest.c_str();
}

bool is_wrong(double value) { return std::fabs(value - kTruth) > 1e-9; }

/// The numeric registers of a block; empty if the grammar refuses it.
using Registers = std::multiset<std::pair<std::string, double>>;
Registers parse(std::string_view text, d0::Grammar grammar) {
  Registers found;
  d0::DataBlockReader reader(text, grammar);
  d0::DataSet set;
  while (reader.next(set)) {
    const auto number = d0::number(set.value);
    if (set.code && number) found.emplace(std::string{set.address}, *number);
  }
  if (reader.violation() != nullptr || !reader.closed()) found.clear();
  return found;
}

/// Readings of register 1.8.0 that a channel would get.
bool wrong_in(const Registers& registers, double& value) {
  for (const auto& [address, number] : registers) {
    value = number;
    if (address == "1.8.0" && is_wrong(number)) return true;
  }
  return false;
}

/// Whether the plausibility gate lets the value pass between its true neighbours (then, or when the next confirms it).
bool passes_gate(double value) {
  d0::CounterGate gate;
  const auto at = [](double v, int cycle) {
    return Reading{Identifier{*Obis::parse("1.8.0")}, v, Unit{"kWh"}, WallTime{} + std::chrono::hours{1} + cycle * kCycle};
  };
  std::size_t wrong = 0;
  for (const auto& [v, cycle] : {std::pair{kTruth - kStep, 0}, {value, 1}, {kTruth + kStep, 2}}) {
    std::vector<Reading> readings{at(v, cycle)};
    gate.filter(readings);
    for (const Reading& reading : readings) wrong += reading.value == value;
  }
  return wrong > 0;
}

struct Counts {
  long xor_holds = 0;
  long naive_wrong = 0;
  long accepted = 0;
  long wrong = 0;          ///< of 1.8.0
  long any_wrong = 0;      ///< any register's value or address
  long strict_accepted = 0;
  long strict_wrong = 0;
  long gated_wrong = 0;
};

void print(const char* what, long count, long total) {
  const double p = static_cast<double>(count) / static_cast<double>(total);
  const double error = 1.96 * std::sqrt(p * (1 - p) / static_cast<double>(total));
  std::printf("  %-58s %9ld   %8.4f %% +- %.4f\n", what, count, 100 * p, 100 * error);
}

}  // namespace

int main(int argc, char** argv) {
  const long total = argc > 1 ? std::atol(argv[1]) : 1'000'000;
  std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const std::string head = "/ISK5\\2MT372-0002\r\n\x02";
  std::string good = block();
  good += static_cast<char>(d0::block_check(bytes_of(good)));
  const Registers truth = parse(std::string_view(good).substr(0, good.size() - 2), d0::Grammar::lenient);
  const std::size_t size = good.size();

  d0::D0Decoder decoder(d0::ChecksumMode::automatic, true);
  d0::D0Event event;
  Counts counts;
  std::string telegram = head + good;
  decoder.feed(bytes_of(telegram), event);
  while (event.kind != d0::D0Event::Kind::telegram && event.kind != d0::D0Event::Kind::none) decoder.feed({}, event);
  for (long i = 0; i < total; ++i) {
    std::string body = good;
    const auto first = random() % (size * kBits);
    auto second = random() % (size * kBits - 1);
    if (second >= first) ++second;
    for (const auto bit : {first, second}) body[bit / kBits] = static_cast<char>(body[bit / kBits] ^ (1 << (bit % kBits)));

    double value = 0;
    if (d0::block_check(bytes_of(std::string_view(body).substr(0, size - 1))) == static_cast<unsigned char>(body.back())) {
      ++counts.xor_holds;
      counts.naive_wrong += naive_value(body, value) && is_wrong(value);
    }

    telegram.assign(head).append(body);
    decoder.reset();
    auto rest = bytes_of(telegram);
    Registers lenient;
    Registers strict;
    for (bool silent = false; lenient.empty();) {
      rest = rest.subspan(decoder.feed(rest, event));
      if (event.kind == d0::D0Event::Kind::none) {
        if (silent || !rest.empty()) break;
        event = decoder.idle();
        silent = true;
      }
      if (event.kind != d0::D0Event::Kind::telegram) continue;
      lenient = parse(event.block, event.check == d0::CheckValue::none ? d0::Grammar::strict : d0::Grammar::lenient);
      strict = parse(event.block, d0::Grammar::strict);
    }
    counts.accepted += !lenient.empty();
    counts.any_wrong += !lenient.empty() && lenient != truth;
    counts.wrong += wrong_in(lenient, value);
    counts.strict_accepted += !strict.empty();
    if (!wrong_in(strict, value)) continue;
    ++counts.strict_wrong;
    counts.gated_wrong += passes_gate(value);
  }

  const double computed = static_cast<double>(size - 1) / static_cast<double>(size * kBits - 1);
  std::printf("  %ld readouts, two of %zu x %u bits damaged in each; registers in a good one: %zu\n", total, size, kBits, truth.size());
  std::printf("  %-58s %9s   %8.4f %%\n", "computed: both in the same column, the XOR is deceived", "", 100 * computed);
  print("the XOR is deceived", counts.xor_holds, total);
  print("  and 1.8.0 wrong, by a reader that knows no grammar", counts.naive_wrong, total);
  print("taken by the decoder with the grammar of checked blocks", counts.accepted, total);
  print("  of these any register wrong", counts.any_wrong, total);
  print("  of these 1.8.0 wrong", counts.wrong, total);
  print("taken with the strict grammar", counts.strict_accepted, total);
  print("  of these 1.8.0 wrong", counts.strict_wrong, total);
  print("  of these also plausible for the counter", counts.gated_wrong, total);
  return 0;
}
