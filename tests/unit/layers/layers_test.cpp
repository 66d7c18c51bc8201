// SPDX-License-Identifier: GPL-3.0-or-later
// Holds what the compiler does not: who may include whom, licence lines, and that no file names the machine it was
// written on.
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace vz {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = VZ_SOURCE_DIR;

/// A folder whose files are one layer, and the folders that these files may include, besides their own.
struct Layer {
  std::string folder;
  std::set<std::string> below;
};

const std::string kContracts = "include/vz";
const std::string kCore = "src/core";
const std::set<std::string> kMiddle{"src/config", "src/protocols", "src/sinks", "src/platform", "src/outbox"};

std::set<std::string> join(std::set<std::string> a, const std::set<std::string>& b) {
  a.insert(b.begin(), b.end());
  return a;
}

std::vector<Layer> layers() {
  const std::set<std::string> core{kContracts, kCore};
  std::vector<Layer> result{{kContracts, {}}, {kCore, {kContracts}}};
  for (const std::string& folder : kMiddle) result.push_back({folder, core});
  const auto upper = join(core, kMiddle);
  result.push_back({"src/runtime", upper});
  result.push_back({"src/local", upper});
  result.push_back({"src/cli", join(upper, {"src/runtime", "src/local"})});
  result.push_back({"src/tools/metersim", join(core, {"src/platform"})});
  result.push_back({"src/tools/middleware", join(core, {"src/platform"})});
  return result;
}

/// The layer that a path below the root belongs to; null if none.
const Layer* layer_of(const std::vector<Layer>& all, std::string_view path) {
  for (const Layer& layer : all)
    if (path.starts_with(layer.folder + "/")) return &layer;
  return nullptr;
}

/// Where `#include "name"` in the file `from` leads, relative to the root: as the compiler looks. The folder of the
/// including file first, then include/, src/; a generated header counts as a contract.
std::string resolve(std::string_view from, const std::string& name,
                    const std::function<bool(const std::string&)>& exists) {
  const std::string beside = (fs::path(from).parent_path() / name).lexically_normal().string();
  for (const std::string& candidate : {beside, "include/" + name, "src/" + name})
    if (exists(candidate)) return candidate;
  return name.starts_with("vz/") ? "include/" + name : std::string{};
}

/// System headers that only some folders may use: a library belongs to one layer, and what is to be pure does no I/O.
struct HeaderRule {
  std::regex header;
  std::set<std::string> allowed_in;
};

const std::vector<HeaderRule>& header_rules() {
  static const std::vector<HeaderRule> kRules{
      {std::regex("sqlite3\\.h"), {"src/outbox", "src/tools/middleware"}},
      {std::regex("curl/.*"), {"src/platform"}},
      {std::regex("spdlog/.*"), {"src/platform"}},
      {std::regex("mosquitto\\.h"), {"src/platform"}},
      {std::regex("openssl/.*"), {"src/sinks", "src/core", "src/platform"}},
      {std::regex("gpiod\\.h"), {"src/platform"}},
      {std::regex("microhttpd\\.h"), {"src/local", "src/tools/middleware"}},
      {std::regex(
           "(termios|poll|fcntl|unistd|netdb|csignal|signal|fstream|iostream|syslog)(\\.h)?|sys/.*|net/.*|arpa/.*"),
       {"src/config", "src/platform", "src/outbox", "src/runtime", "src/local", "src/cli", "src/tools/metersim",
        "src/tools/middleware"}},
  };
  return kRules;
}

/// What is wrong with this include, or nothing.
std::optional<std::string> violation(const std::vector<Layer>& all, const std::string& from, const std::string& name,
                                     bool quoted, const std::function<bool(const std::string&)>& exists) {
  const Layer* layer = layer_of(all, from);
  if (layer == nullptr) return std::nullopt;
  if (quoted || name.starts_with("vz/")) {
    if (name == "vz/version.hpp" && !from.ends_with(".cpp"))
      return from + ": vz/version.hpp changes with every commit, only a .cpp may include it";
    const std::string target = resolve(from, name, exists);
    const Layer* other = layer_of(all, target);
    if (other == nullptr) return from + ": \"" + name + "\" is in no layer; third-party headers take <>";
    if (other == layer || layer->below.contains(other->folder)) return std::nullopt;
    return from + ": " + layer->folder + " must not include " + other->folder + " (\"" + name + "\")";
  }
  for (const HeaderRule& rule : header_rules())
    if (std::regex_match(name, rule.header) && !rule.allowed_in.contains(layer->folder))
      return from + ": <" + name + "> does not belong in " + layer->folder;
  return std::nullopt;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The files under version control; in an unpacked archive, all but the build folders. Relative to the root.
std::vector<std::string> tracked_files() {
  std::vector<std::string> result;
  const std::string command =
      "git -C '" + kRoot.string() + "' ls-files -z --cached --others --exclude-standard 2>/dev/null";
  if (FILE* pipe = ::popen(command.c_str(), "r")) {
    std::string name;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
      if (c != 0) {
        name += static_cast<char>(c);
      } else if (fs::is_regular_file(kRoot / name)) {
        result.push_back(std::exchange(name, {}));
      } else {
        name.clear();
      }
    }
    if (::pclose(pipe) == 0 && !result.empty()) return result;
  }
  result.clear();
  for (auto at = fs::recursive_directory_iterator(kRoot); at != fs::recursive_directory_iterator(); ++at) {
    const std::string name = at->path().filename().string();
    if (at->is_directory() && (name == "build" || name == ".git"))
      at.disable_recursion_pending();
    else if (at->is_regular_file())
      result.push_back(fs::relative(at->path(), kRoot).string());
  }
  return result;
}

struct Include {
  std::string name;
  bool quoted = false;
};

std::vector<Include> includes(const std::string& text) {
  static const std::regex kPattern(R"re(^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">])re");
  std::vector<Include> result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_search(line, match, kPattern)) result.push_back({match[2], match[1] == "\""});
  }
  return result;
}

bool is_cpp(std::string_view path) { return path.ends_with(".cpp") || path.ends_with(".hpp") || path.ends_with(".h"); }

/// Our own code and scripts carry the licence line; data, prose and generated configuration do not need it.
bool wants_licence(std::string_view path) {
  if (is_cpp(path) || path.ends_with(".cmake") || path.ends_with("CMakeLists.txt") || path.ends_with(".sh") ||
      path.ends_with(".py"))
    return true;
  const bool plain = path.substr(path.rfind('/') + 1).find('.') == std::string_view::npos;
  return plain && (path.starts_with("scripts/") || path.starts_with(".ci/"));
}

/// The places in `text` that name a folder of the machine it was written on.
std::vector<std::string> machine_paths(const std::string& text) {
  // composed, so that this file passes
  static const std::regex kPattern("(^|[^A-Za-z0-9_.~-])/(" + std::string("wo") + "rk|" + "ro" + "ot|" + "tmp/bash_" +
                                   "jobs)/[A-Za-z0-9_.]");
  std::vector<std::string> result;
  for (std::sregex_iterator at(text.begin(), text.end(), kPattern), end; at != end; ++at) result.push_back(at->str());
  return result;
}

bool is_text(const std::string& text) { return text.find('\0') == std::string::npos; }

TEST(Layers, EveryIncludePointsDown) {
  const auto all = layers();
  const auto exists = [](const std::string& path) { return fs::is_regular_file(kRoot / path); };
  std::size_t seen = 0;
  for (const std::string& path : tracked_files()) {
    if (!is_cpp(path) || layer_of(all, path) == nullptr) continue;
    for (const auto& [name, quoted] : includes(read(kRoot / path))) {
      ++seen;
      if (const auto problem = violation(all, path, name, quoted, exists)) ADD_FAILURE() << *problem;
    }
  }
  EXPECT_GT(seen, 50U) << "the scan found hardly any include: is it looking in the right place?";
}

TEST(Layers, EverySourceFolderIsInTheTable) {
  const auto all = layers();
  for (const std::string& path : tracked_files()) {
    const bool precompiled = path == "src/pch.hpp" || path == "src/pch.cpp";
    if (!is_cpp(path) || precompiled || !(path.starts_with("src/") || path.starts_with("include/"))) continue;
    EXPECT_NE(layer_of(all, path), nullptr) << path << " belongs to no layer";
  }
}

TEST(Layers, TheRuleItself) {
  const auto all = layers();
  const std::set<std::string> files{
      "include/vz/obis.hpp", "src/core/backoff.hpp",       "src/config/reader.hpp",  "src/protocols/d0/block.hpp",
      "src/sinks/json.hpp",  "src/platform/clock.hpp",     "src/runtime/worker.hpp", "src/local/server.hpp",
      "src/cli/help.hpp",    "src/tools/metersim/pty.hpp", "src/outbox/outbox.hpp",  "src/tools/middleware/store.hpp"};
  const auto allowed = [&](const std::string& from, const std::string& name, bool quoted = true) {
    return !violation(all, from, name, quoted, [&](const std::string& path) { return files.contains(path); });
  };
  EXPECT_TRUE(allowed("src/core/backoff.cpp", "vz/obis.hpp"));
  EXPECT_TRUE(allowed("src/core/backoff.cpp", "backoff.hpp"));
  EXPECT_FALSE(allowed("src/core/backoff.cpp", "config/reader.hpp"));
  EXPECT_FALSE(allowed("include/vz/obis.hpp", "core/backoff.hpp"));
  EXPECT_TRUE(allowed("src/protocols/d0.cpp", "protocols/d0/block.hpp"));
  EXPECT_TRUE(allowed("src/protocols/d0.cpp", "core/backoff.hpp"));
  for (const char* other : {"config/reader.hpp", "sinks/json.hpp", "platform/clock.hpp", "outbox/outbox.hpp",
                            "runtime/worker.hpp", "cli/help.hpp"})
    EXPECT_FALSE(allowed("src/protocols/d0.cpp", other)) << other;
  EXPECT_FALSE(allowed("src/protocols/d0.cpp", "../sinks/json.hpp"));
  EXPECT_TRUE(allowed("src/runtime/worker.cpp", "outbox/outbox.hpp"));
  EXPECT_FALSE(allowed("src/runtime/worker.cpp", "local/server.hpp"));
  EXPECT_FALSE(allowed("src/runtime/worker.cpp", "cli/help.hpp"));
  EXPECT_TRUE(allowed("src/cli/main.cpp", "runtime/worker.hpp"));
  EXPECT_FALSE(allowed("src/cli/main.cpp", "tools/metersim/pty.hpp"));
  EXPECT_TRUE(allowed("src/tools/metersim/main.cpp", "platform/clock.hpp"));
  EXPECT_FALSE(allowed("src/tools/metersim/main.cpp", "tools/middleware/store.hpp"));
  EXPECT_FALSE(allowed("src/tools/metersim/main.cpp", "protocols/d0/block.hpp"));
  EXPECT_FALSE(allowed("src/core/backoff.cpp", "nowhere.hpp"));
  // libraries and pure folders
  EXPECT_TRUE(allowed("src/outbox/store.cpp", "sqlite3.h", false));
  EXPECT_FALSE(allowed("src/core/backoff.cpp", "sqlite3.h", false));
  EXPECT_FALSE(allowed("src/sinks/json.cpp", "curl/curl.h", false));
  EXPECT_TRUE(allowed("src/platform/clock.cpp", "mosquitto.h", false));
  EXPECT_FALSE(allowed("src/sinks/json.cpp", "mosquitto.h", false));
  EXPECT_FALSE(allowed("src/protocols/d0.cpp", "unistd.h", false));
  EXPECT_TRUE(allowed("src/protocols/d0.cpp", "charconv", false));
  // the generated version
  EXPECT_TRUE(allowed("src/cli/version.cpp", "vz/version.hpp"));
  EXPECT_FALSE(allowed("src/cli/version.hpp", "vz/version.hpp"));
}

TEST(Layers, IncludesAreFoundAsWritten) {
  const auto found = includes("#include \"a/b.hpp\"\n#  include <vz/c.hpp>  // why\n// #include \"no.hpp\"\n");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "a/b.hpp");
  EXPECT_TRUE(found[0].quoted);
  EXPECT_EQ(found[1].name, "vz/c.hpp");
  EXPECT_FALSE(found[1].quoted);
}

TEST(Files, SourcesCarryTheLicenceLine) {
  std::size_t seen = 0;
  for (const std::string& path : tracked_files()) {
    if (!wants_licence(path)) continue;
    ++seen;
    const std::string text = read(kRoot / path);
    auto end = text.find('\n');
    if (text.starts_with("#!")) end = text.find('\n', end + 1);  // the second line of a script
    EXPECT_NE(text.substr(0, end).find("SPDX-License-Identifier: GPL-3.0-or-later"), std::string::npos) << path;
  }
  EXPECT_GT(seen, 30U);
}

TEST(Files, NoneNamesTheMachineItWasWrittenOn) {
  for (const std::string& path : tracked_files()) {
    const std::string text = read(kRoot / path);
    if (!is_text(text)) continue;
    for (const std::string& found : machine_paths(text)) ADD_FAILURE() << path << " holds '" << found << "...'";
  }
}

TEST(Files, MachinePathsAreRecognised) {
  const std::string work = std::string("/wo") + "rk/";
  EXPECT_EQ(machine_paths("see " + work + "x").size(), 1U);
  EXPECT_EQ(machine_paths("\"" + work + "shared/spec\" and " + work + "main").size(), 2U);
  EXPECT_EQ(machine_paths("build" + work + "x, https://example.org" + work + "x").size(), 0U);
  EXPECT_EQ(machine_paths("/workshop/x").size(), 0U);
}

TEST(Files, ExampleConfigurationsAreJsonWithComments) {
  std::size_t seen = 0;
  for (const std::string& path : tracked_files()) {
    if (!path.starts_with("etc/") || !path.ends_with(".conf")) continue;
    ++seen;
    const auto json = nlohmann::json::parse(read(kRoot / path), nullptr, false, true);
    EXPECT_TRUE(json.is_object()) << path;
  }
  EXPECT_GE(seen, 2U);
}

}  // namespace
}  // namespace vz
