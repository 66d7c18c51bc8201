// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/command_options.hpp"

#include <sysexits.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "config/text.hpp"

namespace vz::cli {
namespace {

/// The sub-command that was given, as deep as they go.
const CLI::App& deepest(const CLI::App& app) {
  const CLI::App* found = &app;
  while (!found->get_subcommands().empty()) found = found->get_subcommands().front();
  return *found;
}

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + ' ' + app.get_name();
}

/// What could have been meant: sub-commands for a word, options for what begins with a dash.
std::vector<std::string> candidates(const CLI::App& app, bool options) {
  std::vector<std::string> names;
  if (!options)
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(sub->get_name());
  if (options)
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

/// About the first word that nobody knew; empty if there is none.
std::string unknown_word(const CLI::App& root, const CLI::App& app) {
  const std::vector<std::string> words = root.remaining(true);
  if (words.empty()) return {};
  const std::string& word = words.front();
  const bool option = word.starts_with('-') && word.size() > 1;
  const auto names = candidates(app, option);
  std::string text = fmt::format("{} {} here", option ? "there is no option" : "nothing is known about", config::shown(word));
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto meant = config::closest(std::string_view{word}.substr(0, word.find('=')), views);
  if (!meant.empty()) return text + fmt::format("; did you mean {}?", meant);
  if (!option && !views.empty()) text += fmt::format("; it could be {}", config::join(views, ", ", " or "));
  return text;
}

std::string wrong(const CLI::App& root, const CLI::App& app, const CLI::ParseError& error) {
  // CLI11's words for what is no option's fault tell little
  const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const bool missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (unknown || missing)
    if (auto text = unknown_word(root, app); !text.empty()) return text;
  const auto names = candidates(app, false);
  if (missing && !names.empty()) {
    const std::vector<std::string_view> views(names.begin(), names.end());
    return fmt::format("what is to be done? One of {}", config::join(views, ", ", " and "));
  }
  std::string text = error.what();
  for (auto zeros = text.find(".000000"); zeros != std::string::npos; zeros = text.find(".000000")) text.erase(zeros, 7);
  return text;
}

}  // namespace

std::optional<int> read_options(CLI::App& app, const CommandLine& line) {
  std::vector<std::string> words(line.arguments.begin(), line.arguments.end());
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the end
  try {
    app.parse(words);
  } catch (const CLI::Success& help) {
    return app.exit(help, line.out, line.err) == 0 ? EX_OK : EX_USAGE;
  } catch (const CLI::ParseError& error) {
    const CLI::App& used = deepest(app);
    const std::string name = full_name(used);
    line.err << fmt::format("{}: {}\nMore about it: {} --help\n", name, wrong(app, used, error), name);
    return EX_USAGE;
  }
  return std::nullopt;
}

}  // namespace vz::cli
