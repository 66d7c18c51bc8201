// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/config.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "config/meters.hpp"
#include "config/section.hpp"
#include "config/tables.hpp"
#include "config/text.hpp"
#include "config/vocabulary.hpp"
#include "core/outbox_options.hpp"
#include "core/url.hpp"

namespace vz::config {
namespace {

constexpr std::string_view kPushExample = "\"http://127.0.0.1:5582\"";

/// One pass over the top level of a document.
class Loader {
 public:
  Loader(const Registry& registry, Problems& problems)
      : registry_(registry), problems_(problems), meters_(registry, problems) {}

  Settings load(const Node& root);

 private:
  void general(const Node& root);
  void section(const Node& node, std::string_view name);
  void local(const Node& node);
  void local_address(const Node& node);
  void push(const Node& node);
  void mqtt(const Node& node);
  void outbox(const Node& node);
  void unknown(const Node& section, const Where& where, std::span<const OptionSpec> table);

  const Registry& registry_;
  Problems& problems_;
  MeterReader meters_;
  Settings settings_;
};

Settings Loader::load(const Node& root) {
  settings_.mqtt = defaults(mqtt_options());
  settings_.outbox = defaults(outbox_options());
  general(root);
  for (std::size_t i = 0; i < root.size(); ++i) {
    const Node node = root.child(i);
    if (!node.mark->damaged) section(node, root.key(i));
  }
  return std::move(settings_);
}

void Loader::general(const Node& root) {
  Options options;
  read_options(root, {general_options(), OnDefect::ignore, "the configuration"}, options, problems_);
  unknown(root, {Level::general}, general_options());
  if (options.has("verbosity")) settings_.verbosity = static_cast<int>(options.integer("verbosity"));
  settings_.log = options.string("log");
  settings_.retry = static_cast<int>(options.integer("retry"));
  settings_.i_have_a_time_machine = options.boolean("i_have_a_time_machine");
  if (options.has("daemon") && !options.boolean("daemon"))
    problems_.error(
        options.position("daemon"),
        "\"daemon\" option is not supported anymore, you probably want to use -f instead: remove this line, and "
        "start with -f to stay in the foreground");
}

void Loader::section(const Node& node, std::string_view name) {
  const auto wants_array = [&](std::string_view form) {
    if (node.value->is_array()) return true;
    problems_.warning(node.position(), fmt::format("{}: expected an array {}", ignoring(node, name), form));
    return false;
  };
  if (name == "local") {
    if (node.value->is_object()) return local(node);
    problems_.error(node.position(),
                    fmt::format("found {} where the object of \"local\" was expected: {{ \"enabled\": true, ... }}",
                                described(*node.value)));
  } else if (name == "mqtt") {
    if (node.value->is_object()) return mqtt(node);
    problems_.warning(node.position(), fmt::format("{}: expected an object {{ \"host\": ... }}", ignoring(node, name)));
  } else if (name == "outbox") {
    if (node.value->is_object()) return outbox(node);
    problems_.error(node.position(), fmt::format("found {} where the object of \"outbox\" was expected: {{ \"path\": ... }}",
                                                 described(*node.value)));
  } else if (name == "push") {
    if (wants_array("[ { \"url\": ... } ]")) push(node);
  } else if (name == "meters" || name == "sensors") {
    if (wants_array("of meters [ { ... } ]")) meters_.read(node, settings_.meters);
  }
}

/// A name would have to be looked up, which can keep the daemon waiting for as long as the name server likes. An address that
/// is not understood is not ignored: then everybody could read what was meant for one network.
void Loader::local_address(const Node& node) {
  const auto given = node.find("address");
  if (!given || given->mark->damaged || settings_.local.address == "localhost") return;
  const std::string& text = settings_.local.address;
  const std::string number = text.substr(0, text.find('%'));  // fe80::1%eth0
  in6_addr room{};
  const bool good = given->value->is_string() && (text.empty() || ::inet_pton(AF_INET, text.c_str(), &room) == 1 ||
                                                  ::inet_pton(AF_INET6, number.c_str(), &room) == 1);
  if (good) return;
  report(settings_.local.enabled ? OnDefect::refuse : OnDefect::ignore, given->position(),
         "local.address has to be an address of this machine in numbers, such as \"192.168.1.5\", \"::1\" or \"127.0.0.1\" "
         "(\"localhost\"); empty: all of this machine's",
         problems_);
}

void Loader::local(const Node& node) {
  Options options;
  read_options(node, {local_options(), OnDefect::ignore, "local"}, options, problems_);
  unknown(node, {Level::local}, local_options());
  const auto number = [&](std::string_view name) { return static_cast<int>(options.integer(name)); };
  settings_.local.enabled = options.boolean("enabled");
  settings_.local.port = number("port");
  settings_.local.index = options.boolean("index");
  settings_.local.timeout = number("timeout");
  settings_.local.buffer = number("buffer") == 0 ? -1 : number("buffer");
  settings_.local.address = options.string("address");
  local_address(node);
  settings_.local.cors = options.string("cors");
  settings_.local.connections = number("connections");
}

void Loader::push(const Node& node) {
  if (node.size() == 0)
    problems_.warning(node.position(), "Ignoring push entry due to empty array or duplicate section");
  for (std::size_t i = 0; i < node.size(); ++i) {
    const Node entry = node.child(i);
    if (entry.mark->damaged) continue;
    if (!entry.value->is_object()) {
      problems_.error(entry.position(),
                      fmt::format("config: push array element not an object: found {}, expected {{ \"url\": ... }}",
                                  described(*entry.value)));
      continue;
    }
    report_nulls(entry, problems_);
    Options options;
    if (read_options(entry, {push_options(), OnDefect::refuse, "push"}, options, problems_)) {
      settings_.push_urls.push_back(options.string("url"));
      if (const std::string error = url_error(settings_.push_urls.back(), kPushExample); !error.empty())
        problems_.warning(options.position("url"), fmt::format("url {}; nothing can be sent there", error));
    }
    unknown(entry, {Level::push}, push_options());
  }
}

void Loader::mqtt(const Node& node) {
  Options& options = settings_.mqtt;
  read_options(node, {mqtt_options(), OnDefect::ignore, "mqtt"}, options, problems_);
  unknown(node, {Level::mqtt}, mqtt_options());
  if (!options.boolean("enabled")) return;
  if (options.string("host").empty())
    problems_.warning(options.position("host"),
                      "mqtt host not configured! MQTT stays off; give the name of the broker as \"host\"");
  else if (!options.has("port") || options.integer("port") == 0)
    problems_.warning(options.position("port"),
                      "mqtt port not configured! MQTT stays off; give \"port\": 1883, or 8883 for TLS");
}

void Loader::outbox(const Node& node) {
  report_nulls(node, problems_);
  read_options(node, {outbox_options(), OnDefect::refuse, "outbox"}, settings_.outbox, problems_);
  unknown(node, {Level::outbox}, outbox_options());
}

void Loader::unknown(const Node& section, const Where& where, std::span<const OptionSpec> table) {
  const std::span<const OptionSpec> tables[] = {table};
  const auto sections = where.level == Level::general ? general_sections() : std::span<const std::string_view>{};
  for_unknown(section, tables, sections, [&](const Node& member, std::string_view name) {
    if (!problems_.room_for_warning()) return;
    problems_.warning(member.key_position(),
                      fmt::format("{}: {}", ignoring(member, name), unknown_name(name, where, registry_)));
  });
}

Error file_error(const std::string& path, const char* what, int code, std::string remedy) {
  return {.what = fmt::format("{}: {}", what, std::strerror(code)),
          .where = path,
          .remedy = std::move(remedy),
          .code = code};
}

/// Closes on all ways out.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result load(std::string_view text, const Registry& registry) {
  Problems problems;
  Result result;
  const Document document = read(text, problems);
  if (document.readable && !document.mark.damaged) {
    const Node root{&document.value, &document.mark, {}};
    if (document.value.is_object()) {
      Settings settings = Loader{registry, problems}.load(root);
      if (!problems.has_errors()) result.settings = std::move(settings);
    } else {
      problems.error(root.position(), fmt::format("found {} where the configuration was expected: an object "
                                                  "{{ \"meters\": [ ... ] }}",
                                                  described(document.value)));
    }
  }
  result.problems = problems.take();
  return result;
}

Expected<std::string> read_file(const std::string& path) {
  const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
  if (file.fd() < 0) {
    const int code = errno;
    const char* remedy = code == ENOENT   ? "is the path right? -c FILE names another one"
                         : code == EACCES ? "may this user read it? See ls -l"
                                          : "";
    return tl::unexpected{file_error(path, "Cannot open configfile", code, remedy)};
  }
  std::string text(kMaxFile + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t count = ::read(file.fd(), text.data() + length, text.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected{file_error(path, "Cannot read configfile", errno, errno == EISDIR ? "name the file in it" : "")};
    if (count == 0) break;
    length += static_cast<std::size_t>(count);
  }
  if (length > kMaxFile)
    return tl::unexpected{
        Error{.what = fmt::format("is larger than {} bytes, the most a configuration can have", kMaxFile),
              .where = path,
              .remedy = "is this the right file?",
              .code = EFBIG}};
  text.resize(length);
  return text;
}

std::string format(const Problem& problem, std::string_view file) {
  std::string line{file};
  if (problem.position.line != 0) line += fmt::format(":{}:{}", problem.position.line, problem.position.column);
  line += problem.severity == Problem::Severity::error ? ": error: " : ": warning: ";
  line += problem.text;
  if (!problem.position.path.empty()) line += fmt::format(" [at {}]", problem.position.path);
  return line;
}

}  // namespace vz::config
