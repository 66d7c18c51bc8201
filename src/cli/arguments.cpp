// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <ostream>
#include <vector>

#include "cli/help.hpp"
#include "cli/version.hpp"
#include "config/schema.hpp"

namespace vz::cli {
namespace {

constexpr int kExitFailure = 1;
constexpr ArgumentSpec::Value kNone = ArgumentSpec::Value::none;
constexpr ArgumentSpec::Value kRequired = ArgumentSpec::Value::required;

// In the order of the usage text. Without a help text: understood, but not listed, because this build cannot do it.
constexpr ArgumentSpec kSpecs[] = {
    {'c', "config", kRequired, "configuration file (default /etc/vzlogger.conf)"},
    {'o', "log", kRequired, "log file, instead of the one in the configuration"},
    {'f', "foreground", kNone, "stay in the foreground"},
    {'l', "httpd", kNone, "serve readings over HTTP, as local.enabled does"},
    {'p', "httpd-port", kRequired, "its TCP port, instead of the one in the configuration"},
    {'r', "register", kNone, "register the channels with APIs that want it, then exit"},
    {'v', "verbose", kRequired, "verbosity: 0, 1, 3, 5, 10 or 15 (everything)"},
    {'h', "help", kNone, "show this help"},
    {'V', "version", kNone, "show the version of vzlogger"},
    {0, "help-protocol", kRequired, "show the options of a protocol", ArgumentSpec::Since::new_here},
};

/// What the reader met next.
struct Item {
  enum class Kind { option, other, wrong } kind = Kind::other;
  const ArgumentSpec* spec = nullptr;  ///< of an option
  std::string_view text;               ///< an option's value, or the other argument
  std::string error;                   ///< what is wrong, in getopt's words
};

/// Cuts a command line into options and other arguments, by getopt_long's rules.
class Reader {
 public:
  explicit Reader(std::span<const char* const> arguments) : arguments_(arguments) {}

  std::optional<Item> next() {
    if (!bundle_.empty()) return short_option();
    if (at_ == arguments_.size()) return std::nullopt;
    const std::string_view argument = arguments_[at_++];
    if (ended_ || argument.size() < 2 || argument[0] != '-') return Item{.text = argument, .error = {}};
    if (argument == "--") {
      ended_ = true;
      return next();
    }
    if (argument[1] == '-') return long_option(argument.substr(2));
    bundle_ = argument.substr(1);
    return short_option();
  }

 private:
  static Item wrong(std::string text) { return {.kind = Item::Kind::wrong, .text = {}, .error = std::move(text)}; }

  std::optional<std::string_view> take_value() {
    if (at_ == arguments_.size()) return std::nullopt;
    return arguments_[at_++];
  }

  Item short_option() {
    const char letter = bundle_.front();
    bundle_.remove_prefix(1);
    const auto spec = std::find_if(std::begin(kSpecs), std::end(kSpecs),
                                   [&](const ArgumentSpec& row) { return row.letter == letter; });
    if (spec == std::end(kSpecs)) return wrong(fmt::format("invalid option -- '{}'", letter));
    Item item{.kind = Item::Kind::option, .spec = spec, .text = {}, .error = {}};
    if (spec->value == kNone) return item;
    const auto value = bundle_.empty() ? take_value() : std::optional(bundle_);
    bundle_ = {};
    if (!value) return wrong(fmt::format("option requires an argument -- '{}'", letter));
    item.text = *value;
    return item;
  }

  Item long_option(std::string_view text) {
    const auto equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const auto candidates = find(name);
    if (candidates.empty()) return wrong(fmt::format("unrecognized option '--{}'", text));
    if (candidates.size() > 1) {
      std::string error = fmt::format("option '--{}' is ambiguous; possibilities:", text);
      for (const ArgumentSpec* candidate : candidates) error += fmt::format(" '--{}'", candidate->name);
      return wrong(std::move(error));
    }
    const ArgumentSpec& spec = *candidates.front();
    Item item{.kind = Item::Kind::option, .spec = &spec, .text = {}, .error = {}};
    if (equals != std::string_view::npos) {
      if (spec.value == kNone) return wrong(fmt::format("option '--{}' doesn't allow an argument", spec.name));
      item.text = text.substr(equals + 1);
    } else if (spec.value == kRequired) {
      const auto value = take_value();
      if (!value) return wrong(fmt::format("option '--{}' requires an argument", spec.name));
      item.text = *value;
    }
    return item;
  }

  /// The option of that name, else those that begin with it; newer options only where no old one does.
  static std::vector<const ArgumentSpec*> find(std::string_view name) {
    std::vector<const ArgumentSpec*> old;
    std::vector<const ArgumentSpec*> added;
    for (const ArgumentSpec& spec : kSpecs) {
      if (spec.name == name) return {&spec};
      if (spec.name.starts_with(name)) (spec.since == ArgumentSpec::Since::old ? old : added).push_back(&spec);
    }
    return old.empty() ? added : old;
  }

  std::span<const char* const> arguments_;
  std::size_t at_ = 0;
  std::string_view bundle_;  ///< short options of the current argument that were not read yet
  bool ended_ = false;       ///< `--` was met
};

struct Number {
  int value = 0;
  bool clean = false;  ///< the whole text was a number in range
};

/// As atoi(3): blanks, a sign, digits, the rest is ignored. Saturates.
Number read_number(std::string_view text) {
  const auto start = text.find_first_not_of(" \t\n\v\f\r");
  if (start != std::string_view::npos) text.remove_prefix(start);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  // without the sign, because from_chars would take a second one
  const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
  long value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  constexpr long kMax = std::numeric_limits<int>::max();
  const bool fits = error == std::errc{} && value <= kMax;
  if (error == std::errc::result_out_of_range || value > kMax) value = kMax;
  return {.value = static_cast<int>(negative ? -value : value), .clean = fits && digits.size() == text.size()};
}

/// Applies the options one after the other.
class Parser {
 public:
  Parser(std::string_view program, std::ostream& out, std::ostream& err) : program_(program), out_(out), err_(err) {}

  void apply(const Item& item) {
    switch (item.kind) {
      case Item::Kind::other:
        err_ << program_ << ": ignoring '" << item.text << "': it is no option, and no command (vzlogger help); a configuration is named with -c\n";
        break;
      case Item::Kind::wrong:
        usage(kExitFailure);
        out_.flush();  // so that what is wrong stands below the long text
        err_ << program_ << ": " << item.error << '\n';
        break;
      case Item::Kind::option: option(*item.spec, item.text); break;
    }
  }

  Arguments result;

 private:
  void option(const ArgumentSpec& spec, std::string_view value) {
    switch (spec.letter) {
      case 'c': result.config = value; break;
      case 'o': result.log = std::string(value); break;
      case 'f': result.foreground = true; break;
      case 'l': result.httpd = true; break;
      case 'p': result.httpd_port = number(spec, value); break;
      case 'r': result.register_device = true; break;
      case 'v':
        // a negative level has always been ignored, whatever was set before stays
        if (const int level = number(spec, value); level >= 0) result.verbosity = level;
        break;
      case 'h': usage(0); break;
      case 'V':
        print_version(out_, build_info());
        result.exit_status = 0;
        break;
      default: protocol_help(value); break;
    }
  }

  int number(const ArgumentSpec& spec, std::string_view value) {
    const Number number = read_number(value);
    if (!number.clean)
      err_ << program_ << ": --" << spec.name << " takes a number; '" << value << "' counts as " << number.value
           << '\n';
    return number.value;
  }

  void usage(int status) {
    print_help(out_, program_, all_protocols(), obis_aliases(), all_sinks());
    result.exit_status = status;
  }

  void protocol_help(std::string_view name) {
    if (const Protocol* protocol = find_protocol(all_protocols(), name)) {
      out_ << config::protocol_help(*protocol);
      result.exit_status = 0;
      return;
    }
    err_ << program_ << ": there is no protocol '" << name << "' in this build, only:";
    for (const Protocol* protocol : all_protocols()) err_ << ' ' << protocol->name;
    err_ << '\n';
    result.exit_status = kExitFailure;
  }

  std::string_view program_;
  std::ostream& out_;
  std::ostream& err_;
};

}  // namespace

std::span<const ArgumentSpec> argument_specs() { return kSpecs; }

Arguments parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  const std::span<const char* const> arguments(argv, argc > 0 ? static_cast<std::size_t>(argc) : 0);
  Parser parser(arguments.empty() ? "vzlogger" : arguments.front(), out, err);
  Reader reader(arguments.empty() ? arguments : arguments.subspan(1));
  while (!parser.result.exit_status) {
    const auto item = reader.next();
    if (!item) break;
    parser.apply(*item);
  }
  return std::move(parser.result);
}

}  // namespace vz::cli
