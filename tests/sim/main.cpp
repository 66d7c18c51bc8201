// SPDX-License-Identifier: GPL-3.0-or-later
// sim_outbox [--seed N] [--runs M] [--size X] [--trace] [--planted N|all]: runs the simulation with the seeds N, N+1, ...
// A failing seed is printed with the command that replays it; the exit status is then 1.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "sim/planted.hpp"
#include "sim/simulation.hpp"

namespace {

struct Arguments {
  vz::sim::Options options;
  std::uint64_t runs = 1;
  bool planted_all = false;
};

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--trace") {
      out.options.trace = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    const char* value = argv[++i];
    if (name == "--seed") out.options.seed = std::strtoull(value, nullptr, 10);
    else if (name == "--runs") out.runs = std::strtoull(value, nullptr, 10);
    else if (name == "--size") out.options.size = std::strtod(value, nullptr);
    else if (name == "--planted" && std::strcmp(value, "all") == 0) out.planted_all = true;
    else if (name == "--planted") vz::sim::plant(std::atoi(value));
    else return false;
  }
  return true;
}

/// The first seed that fails; 0 if none does.
std::uint64_t first_failure(const Arguments& arguments, vz::sim::Counts& counts, std::string& violation) {
  vz::sim::Options options = arguments.options;
  for (std::uint64_t i = 0; i < arguments.runs; ++i, ++options.seed) {
    const vz::sim::Result result = vz::sim::simulate(options);
    for (const auto& [name, count] : result.counts) {
      if (name.starts_with("most")) counts[name] = std::max(counts[name], count);
      else counts[name] += count;
    }
    if (result.good()) continue;
    violation = result.violation;
    return options.seed;
  }
  return 0;
}

/// Every planted bug has to be found.
int find_all(const Arguments& arguments) {
  int missed = 0;
  for (const auto& bug : vz::sim::planted_bugs()) {
    vz::sim::plant(bug.number);
    vz::sim::Counts counts;
    std::string violation;
    const std::uint64_t seed = first_failure(arguments, counts, violation);
    if (seed == 0) ++missed;
    fmt::print("| {} | {} | {} | {} |\n", bug.number, bug.name,
               seed == 0 ? std::string{"not found"} : fmt::format("{}", seed - arguments.options.seed + 1), violation);
    std::fflush(stdout);
  }
  return missed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    fmt::print(stderr, "usage: sim_outbox [--seed N] [--runs M] [--size X] [--trace] [--planted N|all]\n");
    return EXIT_FAILURE;
  }
  if (arguments.planted_all) return find_all(arguments);
  vz::sim::Counts counts;
  std::string violation;
  const std::uint64_t seed = first_failure(arguments, counts, violation);
  for (const auto& [name, count] : counts) fmt::print("{:>14}  {}\n", count, name);
  if (seed == 0) return EXIT_SUCCESS;
  fmt::print("\nVIOLATION with seed {}: {}\nreplay: sim_outbox --seed {} --size {} --trace\n", seed, violation, seed,
             arguments.options.size);
  return EXIT_FAILURE;
}
