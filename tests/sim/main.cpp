// SPDX-License-Identifier: GPL-3.0-or-later
// sim_outbox [--seed N] [--runs M] [--size X] [--trace] [--every SECONDS] [--resume FILE] [--planted N|all]: runs the
// simulation with the seeds N, N+1, ... A failing seed is printed with the command that replays it; the exit status is
// then 1.
//
// For long runs: --every prints the counts so far again and again; --resume keeps them, and the next seed, in FILE, and
// goes on from there when it is started again.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "sim/planted.hpp"
#include "sim/simulation.hpp"

namespace {

struct Arguments {
  vz::sim::Options options;
  std::uint64_t runs = 1;
  int every = 0;  ///< seconds
  std::string resume;
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
    else if (name == "--every") out.every = std::atoi(value);
    else if (name == "--resume") out.resume = value;
    else if (name == "--size") out.options.size = std::strtod(value, nullptr);
    else if (name == "--planted" && std::strcmp(value, "all") == 0) out.planted_all = true;
    else if (name == "--planted") vz::sim::plant(std::atoi(value));
    else return false;
  }
  return true;
}

void add(vz::sim::Counts& counts, const vz::sim::Counts& more) {
  for (const auto& [name, count] : more) {
    if (name.starts_with("most")) counts[name] = std::max(counts[name], count);
    else counts[name] += count;
  }
}

void print(const vz::sim::Counts& counts) {
  for (const auto& [name, count] : counts) fmt::print("{:>14}  {}\n", count, name);
  std::fflush(stdout);
}

/// The counts of a long run, which may end at any moment.
class Progress {
 public:
  Progress(Arguments& arguments, vz::sim::Counts& counts) : arguments_(arguments), counts_(counts) {
    if (arguments.resume.empty()) return;
    std::ifstream file(arguments.resume);
    std::uint64_t seed = 0;
    if (!(file >> seed) || seed < arguments.options.seed) return;
    const std::uint64_t done = seed - arguments.options.seed;
    arguments.runs -= std::min(done, arguments.runs);
    arguments.options.seed = seed;
    std::uint64_t count = 0;
    for (std::string name; file >> count && std::getline(file >> std::ws, name);) counts[name] = count;
  }
  /// All seeds before that one are done.
  void at(std::uint64_t seed) {
    if (arguments_.every <= 0) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < std::chrono::seconds{arguments_.every}) return;
    told_ = now;
    fmt::print("\nbefore seed {}:\n", seed);
    print(counts_);
    save(seed);
  }
  void save(std::uint64_t seed) const {
    if (arguments_.resume.empty()) return;
    const std::string fresh = arguments_.resume + ".new";
    {
      std::ofstream file(fresh);
      file << seed << "\n";
      for (const auto& [name, count] : counts_) file << count << " " << name << "\n";
    }
    std::filesystem::rename(fresh, arguments_.resume);
  }

 private:
  const Arguments& arguments_;
  const vz::sim::Counts& counts_;
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

/// The first seed that fails; 0 if none does.
std::uint64_t first_failure(const Arguments& arguments, vz::sim::Counts& counts, std::string& violation,
                            Progress* progress = nullptr) {
  vz::sim::Options options = arguments.options;
  for (std::uint64_t i = 0; i < arguments.runs; ++i, ++options.seed) {
    if (progress != nullptr) progress->at(options.seed);
    const vz::sim::Result result = vz::sim::simulate(options);
    add(counts, result.counts);
    if (result.good()) continue;
    violation = result.violation;
    return options.seed;
  }
  if (progress != nullptr) progress->save(options.seed);
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
    fmt::print(stderr,
               "usage: sim_outbox [--seed N] [--runs M] [--size X] [--trace] [--every SECONDS] [--resume FILE] "
               "[--planted N|all]\n");
    return EXIT_FAILURE;
  }
  if (arguments.planted_all) return find_all(arguments);
  vz::sim::Counts counts;
  std::string violation;
  Progress progress(arguments, counts);
  const std::uint64_t seed = first_failure(arguments, counts, violation, &progress);
  print(counts);
  if (seed == 0) return EXIT_SUCCESS;
  fmt::print("\nVIOLATION with seed {}: {}\nreplay: sim_outbox --seed {} --size {} --trace\n", seed, violation, seed,
             arguments.options.size);
  return EXIT_FAILURE;
}
