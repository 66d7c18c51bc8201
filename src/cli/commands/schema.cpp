// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/schema.hpp"

#include <sysexits.h>

#include <ostream>

#include "cli/command_options.hpp"
#include "config/tables.hpp"
#include "core/outbox_options.hpp"

namespace vz::cli::commands {
namespace {

struct Table {
  std::string title;
  std::string about;
  std::span<const OptionSpec> options;
};

std::vector<Table> all_tables() {
  std::vector<Table> tables{
      {"Every meter", "members of an entry of `meters`, whatever its protocol", config::meter_options()},
      {"Every channel", "members of an entry of a meter's `channels`, whatever its api", config::channel_options()}};
  for (const Protocol* protocol : all_protocols())
    tables.push_back({fmt::format("Meters of protocol {}", protocol->name), std::string(protocol->summary), protocol->options});
  for (const SinkType* sink : all_sinks())
    if (!sink->options.empty())
      tables.push_back({fmt::format("Channels of api {}", sink->name), std::string(sink->summary), sink->options});
  tables.push_back({"Section outbox", "where readings wait that cannot be delivered", outbox_options()});
  tables.push_back({"Section local", "the local HTTP server", config::local_options()});
  tables.push_back({"Section mqtt", "the MQTT client", config::mqtt_options()});
  return tables;
}

void print_markdown(std::ostream& out) {
  out << "# Options\n\nAll options of the configuration, from the tables that the program checks it with "
         "(`vzlogger schema --format markdown`).\n";
  for (const Table& table : all_tables())
    out << "\n## " << table.title << "\n\n" << table.about << "\n\n" << config::option_table_markdown(table.options);
}

void print_text(std::ostream& out) {
  for (const Table& table : all_tables())
    out << table.title << " - " << table.about << "\n\n" << config::option_table_text(table.options) << '\n';
}

int run(const CommandLine& line) {
  CLI::App app("Prints what a configuration may contain.", "vzlogger schema");
  std::string format = "json";
  app.add_option("--format", format, "json: a JSON schema, for editors; markdown or text: tables of all options")
      ->check(CLI::IsMember({"json", "markdown", "text"}))
      ->capture_default_str();
  if (const auto status = read_options(app, line)) return *status;
  if (format == "json") line.out << config::json_schema({all_protocols(), all_sinks()});
  else if (format == "markdown") print_markdown(line.out);
  else print_text(line.out);
  return EX_OK;
}

}  // namespace

extern const Command schema_command;
const Command schema_command{"schema", "prints all options of the configuration, as a JSON schema or as tables",
                             "Optionen, Einstellungen, Konfiguration", run};

}  // namespace vz::cli::commands
