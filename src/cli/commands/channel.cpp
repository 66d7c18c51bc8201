// SPDX-License-Identifier: GPL-3.0-or-later
// Channels at the middleware, and their uuids in the configuration.
#include <sysexits.h>

#include <algorithm>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command_options.hpp"
#include "cli/config_file.hpp"
#include "cli/middleware_client.hpp"
#include "config/config.hpp"
#include "config/advice.hpp"
#include "config/edit.hpp"
#include "core/channel_advice.hpp"
#include "core/uuid.hpp"
#include "platform/curl_http_client.hpp"
#include "vz/protocol.hpp"
#include "vz/sink.hpp"

namespace vz::cli::commands {
namespace {

using nlohmann::json;

constexpr const char* kUsualMiddleware = "http://localhost/middleware.php";
constexpr const char* kAnyUuid = "00000000-0000-0000-0000-000000000000";

struct Wishes {
  std::string config = "/etc/vzlogger.conf";
  std::string meter;
  std::string identifier;
  std::string middleware;
  std::string type;
  std::string title;
  std::string aggmode;
  std::string channel;  ///< of delete: chnN or a uuid
  double resolution = 0;
  bool is_public = false;
  bool dry_run = false;
  bool yes = false;
  bool json = false;
};

/// No channel has it: it stands for one that is still to be made. `vzlogger probe` numbers them in the last group.
bool is_placeholder(const std::string& uuid) { return uuid.empty() || config::is_placeholder_uuid(uuid); }

std::string number(double value) { return fmt::format("{}", value); }

bool sends_to_middleware(const ChannelSettings& channel) { return channel.sink->name == "volkszaehler"; }

/// A channel that `vzlogger probe` wrote: it sends nothing until it gets a uuid.
bool waits_for_uuid(const ChannelSettings& channel) {
  return is_placeholder(channel.uuid) && (sends_to_middleware(channel) || channel.sink->name == "null");
}

/// The meter that `text` names ("mtr0", "0"), or the only enabled one if it names none.
const MeterSettings* find_meter(const Settings& settings, const std::string& text, std::ostream& err) {
  std::vector<const MeterSettings*> fitting;
  for (const MeterSettings& meter : settings.meters) {
    if (text.empty() ? meter.enabled : text == fmt::format("mtr{}", meter.number) || text == fmt::format("{}", meter.number))
      fitting.push_back(&meter);
  }
  if (fitting.size() == 1) return fitting.front();
  if (!text.empty()) {
    err << fmt::format("the configuration has no meter {}\n", text);
  } else if (fitting.empty()) {
    err << "the configuration has no enabled meter; name one with --meter\n";
  } else {
    err << "the configuration has several meters; say which one:";
    for (const MeterSettings* meter : fitting) err << fmt::format(" --meter mtr{}", meter->number);
    err << '\n';
  }
  return nullptr;
}

std::string middleware_of(const Settings& settings, const Wishes& wishes) {
  if (!wishes.middleware.empty()) return wishes.middleware;
  for (const MeterSettings& meter : settings.meters)
    for (const ChannelSettings& channel : meter.channels)
      if (sends_to_middleware(channel) && !channel.options.string("middleware").empty()) return channel.options.string("middleware");
  return kUsualMiddleware;
}

// --- list -----------------------------------------------------------------------------------------------------------

struct Row {
  const MeterSettings* meter = nullptr;
  const ChannelSettings* channel = nullptr;
  std::optional<Entity> entity;
  std::string trouble;
};

Row ask_about(HttpClient& http, const MeterSettings& meter, const ChannelSettings& channel) {
  Row row{&meter, &channel, {}, {}};
  if (is_placeholder(channel.uuid)) {
    row.trouble = "has no channel yet: vzlogger channel create";
    return row;
  }
  auto entity = MiddlewareClient(http, channel.options.string("middleware")).channel(channel.uuid);
  if (!entity) {
    row.trouble = entity.error().text();
    return row;
  }
  row.entity = *entity;
  if (const auto advice = advise_channel(meter, channel.identifier))
    row.trouble = channel_misfit(*advice, entity->type, entity->resolution);
  return row;
}

json row_json(const Row& row) {
  json out{{"meter", fmt::format("mtr{}", row.meter->number)},
           {"channel", fmt::format("chn{}", row.channel->number)},
           {"identifier", row.channel->identifier_text},
           {"uuid", row.channel->uuid}};
  if (row.entity) {
    out["title"] = row.entity->title;
    out["type"] = row.entity->type;
    if (row.entity->resolution) out["resolution"] = *row.entity->resolution;
  }
  if (!row.trouble.empty()) out["trouble"] = row.trouble;
  return out;
}

void print_row(std::ostream& out, const Row& row) {
  const std::string name = fmt::format("mtr{} chn{}", row.meter->number, row.channel->number);
  std::string text = fmt::format("{:<12} {:<20} {:<9}", name, row.channel->identifier_text, uuid_tail(row.channel->uuid));
  if (row.entity) {
    text += fmt::format(" {:<20} {}", row.entity->title, row.entity->type);
    if (row.entity->resolution) text += fmt::format(", resolution {}", number(*row.entity->resolution));
  }
  out << text << '\n';
  if (!row.trouble.empty()) out << fmt::format("{:<12} ! {}\n", "", row.trouble);
}

int list(const Wishes& wishes, const CommandLine& line) {
  CurlHttpClient http;
  if (wishes.is_public) {
    std::string middleware = wishes.middleware;
    if (middleware.empty()) {
      const auto file = load_config(wishes.config, line.err);
      if (!file) return EX_CONFIG;
      middleware = middleware_of(*file->result.settings, wishes);
    }
    const auto found = MiddlewareClient(http, middleware).public_channels();
    if (!found) {
      line.err << found.error().text() << '\n';
      return EX_UNAVAILABLE;
    }
    for (const Entity& entity : *found)
      line.out << fmt::format("{}  {:<30} {}{}\n", entity.uuid, entity.title, entity.type,
                              entity.resolution ? fmt::format(", resolution {}", number(*entity.resolution)) : "");
    return EX_OK;
  }
  const auto file = load_config(wishes.config, line.err);
  if (!file) return EX_CONFIG;
  json rows = json::array();
  bool good = true;
  for (const MeterSettings& meter : file->result.settings->meters) {
    for (const ChannelSettings& channel : meter.channels) {
      if (!meter.enabled || !sends_to_middleware(channel)) continue;
      const Row row = ask_about(http, meter, channel);
      good = good && row.trouble.empty();
      if (wishes.json) rows.push_back(row_json(row));
      else print_row(line.out, row);
    }
  }
  if (wishes.json) line.out << rows.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  return good ? EX_OK : EXIT_FAILURE;
}

// --- create ---------------------------------------------------------------------------------------------------------

/// A channel to be made, and where its uuid goes.
struct Plan {
  const MeterSettings* meter = nullptr;
  const ChannelSettings* channel = nullptr;  ///< null: a new entry of the meter
  std::string identifier_text;
  std::string middleware;
  std::map<std::string, std::string> properties;
};

/// Fills in what the user left open; false if that cannot be done, which was told.
bool complete(Plan& plan, const Identifier& identifier, const Wishes& wishes, std::ostream& err) {
  const auto advice = advise_channel(*plan.meter, identifier);
  plan.properties["type"] = !wishes.type.empty() ? wishes.type : advice ? std::string(advice->type) : "";
  if (plan.properties["type"].empty()) {
    err << fmt::format("no type of the middleware fits the register {} by itself; give one with --type, e.g. universalsensor\n",
                       plan.identifier_text);
    return false;
  }
  plan.properties["title"] = !wishes.title.empty() ? wishes.title : advice ? advice->title : plan.identifier_text;
  const bool proposed = advice && advice->type == plan.properties["type"];
  if (wishes.resolution > 0) plan.properties["resolution"] = number(wishes.resolution);
  else if (proposed && advice->resolution) plan.properties["resolution"] = number(*advice->resolution);
  if (plan.properties["type"].starts_with("universal") && advice) plan.properties["unit"] = advice->unit;
  if (wishes.is_public) plan.properties["public"] = "1";
  return true;
}

/// All channels of the configuration that have none at the middleware yet.
std::optional<std::vector<Plan>> plan_placeholders(const Settings& settings, const Wishes& wishes, std::ostream& err) {
  std::vector<Plan> plans;
  for (const MeterSettings& meter : settings.meters) {
    const bool chosen = wishes.meter.empty() ? meter.enabled : wishes.meter == fmt::format("mtr{}", meter.number) || wishes.meter == fmt::format("{}", meter.number);
    if (!chosen) continue;
    for (const ChannelSettings& channel : meter.channels) {
      if (!waits_for_uuid(channel)) continue;
      const bool names_one = wishes.middleware.empty() && sends_to_middleware(channel);
      Plan plan{&meter, &channel, channel.identifier_text,
                names_one ? channel.options.string("middleware") : middleware_of(settings, wishes), {}};
      if (!complete(plan, channel.identifier, wishes, err)) return std::nullopt;
      plans.push_back(std::move(plan));
    }
  }
  if (plans.empty()) {
    err << "every channel of the configuration has a uuid; to make one for another register: --identifier, e.g. 1.8.0\n";
    return std::nullopt;
  }
  return plans;
}

std::optional<std::vector<Plan>> plan_one(const Settings& settings, const Wishes& wishes, std::ostream& err) {
  const MeterSettings* meter = find_meter(settings, wishes.meter, err);
  if (meter == nullptr) return std::nullopt;
  const auto identifier = Identifier::parse(meter->protocol->identifiers, wishes.identifier);
  if (!identifier) {
    err << fmt::format("{} is no identifier of protocol {}\n", wishes.identifier, meter->protocol->name);
    return std::nullopt;
  }
  Plan plan{meter, nullptr, wishes.identifier, middleware_of(settings, wishes), {}};
  const auto same = [&](const Identifier& other) {
    return other == *identifier ||
           (other.obis() != nullptr && identifier->obis() != nullptr && other.obis()->canonical() == identifier->obis()->canonical());
  };
  for (const ChannelSettings& channel : meter->channels) {
    if (!same(channel.identifier) || !(sends_to_middleware(channel) || waits_for_uuid(channel))) continue;
    if (!is_placeholder(channel.uuid)) {
      err << fmt::format("mtr{} has a channel for {} already: {}\n", meter->number, wishes.identifier, uuid_tail(channel.uuid));
      return std::nullopt;
    }
    plan.channel = &channel;
  }
  if (!complete(plan, *identifier, wishes, err)) return std::nullopt;
  std::vector<Plan> plans;
  plans.push_back(std::move(plan));
  return plans;
}

/// The configuration's text with the new channel in it.
Expected<std::string> entered(const std::string& text, const Plan& plan, const std::string& uuid, const Wishes& wishes) {
  if (plan.channel != nullptr) {
    const std::string path = plan.channel->options.section().path;
    auto changed = config::with_value(text, path + ".uuid", uuid);
    if (sends_to_middleware(*plan.channel)) return changed;
    if (changed) changed = config::with_value(*changed, path + ".api", "volkszaehler");
    return changed ? config::with_member(*changed, path, "middleware", plan.middleware) : changed;
  }
  config::Value channel{{"uuid", uuid}, {"identifier", plan.identifier_text}, {"api", "volkszaehler"}, {"middleware", plan.middleware}};
  if (!wishes.aggmode.empty()) channel["aggmode"] = wishes.aggmode;
  return config::with_element(text, plan.meter->options.section().path + ".channels", channel);
}

/// The same, made sure of: an Error if the daemon would not start with the result.
Expected<std::string> entered_well(const std::string& text, const Plan& plan, const std::string& uuid, const Wishes& wishes) {
  auto changed = entered(text, plan, uuid, wishes);
  if (changed && !config::load(*changed, {all_protocols(), all_sinks()}).settings)
    return tl::unexpected(Error{"would not be right with it, and stays as it was", wishes.config, {}});
  return changed;
}

/// Replaces the configuration, unless somebody else has changed it since it was read.
Expected<void> replace_known(const std::string& path, const std::string& known, const std::string& text) {
  const auto now = config::read_file(path);
  if (!now) return tl::unexpected(now.error());
  if (*now != known) return tl::unexpected(Error{"was changed by somebody else meanwhile, and stays as it is", path, {}});
  return replace_file(path, text);
}

std::string described(const Plan& plan) {
  std::string text = fmt::format("mtr{} {}: \"{}\", {}", plan.meter->number, plan.identifier_text, plan.properties.at("title"), plan.properties.at("type"));
  if (const auto resolution = plan.properties.find("resolution"); resolution != plan.properties.end())
    text += ", resolution " + resolution->second;
  return text;
}

int create(const Wishes& wishes, const CommandLine& line) {
  auto file = load_config(wishes.config, line.err);
  if (!file) return EX_CONFIG;
  const Settings& settings = *file->result.settings;
  const auto plans = wishes.identifier.empty() ? plan_placeholders(settings, wishes, line.err) : plan_one(settings, wishes, line.err);
  if (!plans) return EXIT_FAILURE;
  if (wishes.dry_run) {
    for (const Plan& plan : *plans) line.out << "would create " << described(plan) << '\n';
    return EX_OK;
  }
  if (const auto writable = may_replace(wishes.config); !writable) {
    line.err << writable.error().text() << '\n';
    return EXIT_FAILURE;
  }
  CurlHttpClient http;
  std::string text = file->text;
  for (const Plan& plan : *plans) {
    // before anything is made: what cannot be entered is better not made at all
    if (const auto trial = entered_well(text, plan, kAnyUuid, wishes); !trial) {
      line.err << fmt::format("could not create {}: {}\n", described(plan), trial.error().text());
      return EXIT_FAILURE;
    }
    const auto made = MiddlewareClient(http, plan.middleware).create(plan.properties);
    if (!made) {
      line.err << fmt::format("could not create {}: {}\n", described(plan), made.error().text());
      return EX_UNAVAILABLE;
    }
    line.out << fmt::format("created {}\n        {}\n", described(plan), made->uuid);
    auto changed = entered_well(text, plan, made->uuid, wishes);
    if (const auto done = changed ? replace_known(wishes.config, text, *changed) : Expected<void>(tl::unexpected(changed.error())); !done) {
      line.err << fmt::format("{}; put the uuid above into {} yourself\n", done.error().text(), wishes.config);
      return EXIT_FAILURE;
    }
    text = std::move(*changed);
  }
  line.out << fmt::format("{} now names {}; restart vzlogger to use {}\n", wishes.config,
                          plans->size() == 1 ? "it" : "them", plans->size() == 1 ? "it" : "them");
  return EX_OK;
}

// --- delete ---------------------------------------------------------------------------------------------------------

bool confirmed(const Wishes& wishes, const Entity& entity, const CommandLine& line) {
  if (wishes.yes) return true;
  line.out << fmt::format("Delete the channel \"{}\" ({}) and all its data at the middleware? Type yes: ", entity.title, entity.type) << std::flush;
  std::string answer;
  std::getline(line.in, answer);
  return answer == "yes";
}

int remove(const Wishes& wishes, const CommandLine& line) {
  const auto file = load_config(wishes.config, line.err);
  if (!file) return EX_CONFIG;
  std::string uuid = wishes.channel;
  std::string middleware = middleware_of(*file->result.settings, wishes);
  Position named;
  for (const MeterSettings& meter : file->result.settings->meters) {
    for (const ChannelSettings& channel : meter.channels) {
      if (wishes.channel != fmt::format("chn{}", channel.number) && wishes.channel != channel.uuid) continue;
      uuid = channel.uuid;
      named = channel.options.section();
      if (wishes.middleware.empty() && sends_to_middleware(channel)) middleware = channel.options.string("middleware");
    }
  }
  if (uuid == wishes.channel && uuid.starts_with("chn")) {
    line.err << fmt::format("the configuration has no channel {}; vzlogger channel list shows what it has\n", uuid);
    return EXIT_FAILURE;
  }
  CurlHttpClient http;
  MiddlewareClient client(http, middleware);
  const auto entity = client.channel(uuid);
  if (!entity) {
    line.err << entity.error().text() << '\n';
    return EX_UNAVAILABLE;
  }
  if (!confirmed(wishes, *entity, line)) {
    line.out << "nothing was deleted\n";
    return EXIT_FAILURE;
  }
  if (const auto gone = client.remove(uuid); !gone) {
    line.err << gone.error().text() << '\n';
    return EX_UNAVAILABLE;
  }
  line.out << fmt::format("deleted \"{}\"\n", entity->title);
  if (named.line != 0)
    line.out << fmt::format("{}:{} still names it; remove that channel from the configuration\n", wishes.config, named.line);
  return EX_OK;
}

void add_common(CLI::App& app, Wishes& wishes) {
  app.add_option("-c,--config", wishes.config, "configuration file")->capture_default_str();
  app.add_option("--middleware", wishes.middleware, "address of the middleware (default: that of the configuration's channels)");
}

int run(const CommandLine& line) {
  Wishes wishes;
  CLI::App app("Lists, creates and deletes channels at the Volkszähler middleware.", "vzlogger channel");
  app.require_subcommand(1);
  auto* list_app = app.add_subcommand("list", "the configuration's channels and what the middleware knows of them");
  add_common(*list_app, wishes);
  list_app->add_flag("--public", wishes.is_public, "the middleware's public channels instead");
  list_app->add_flag("--json", wishes.json, "for programs");
  auto* create_app = app.add_subcommand("create", "creates channels and puts their uuids into the configuration");
  add_common(*create_app, wishes);
  create_app->add_option("--meter", wishes.meter, "mtrN: the meter, if there are several");
  create_app->add_option("--identifier", wishes.identifier,
                         "the register, e.g. 1.8.0; without it: all channels of the configuration without a uuid (zeros, as vzlogger probe writes them)");
  create_app->add_option("--type", wishes.type, "type of the channel (default: what fits the register)");
  create_app->add_option("--resolution", wishes.resolution, "register units in a kWh (or m3, l) (default: what fits)")->check(CLI::PositiveNumber);
  create_app->add_option("--title", wishes.title, "title (default: from the register)");
  create_app->add_option("--aggmode", wishes.aggmode, "aggmode of a new entry")->check(CLI::IsMember({"none", "max", "avg", "sum"}));
  create_app->add_flag("--public", wishes.is_public, "everybody may see it in the frontend");
  create_app->add_flag("--dry-run", wishes.dry_run, "only say what would be created");
  auto* delete_app = app.add_subcommand("delete", "deletes a channel and all its data");
  add_common(*delete_app, wishes);
  delete_app->add_option("channel", wishes.channel, "chnN or a uuid")->required();
  delete_app->add_flag("--yes", wishes.yes, "do not ask");
  if (const auto status = read_options(app, line)) return *status;
  if (*list_app) return list(wishes, line);
  if (*create_app) return create(wishes, line);
  return remove(wishes, line);
}

}  // namespace

extern const Command channel_command;
const Command channel_command{"channel", "lists, creates and deletes channels at the middleware", "Kanal anlegen, UUID, Auflösung", run};

}  // namespace vz::cli::commands
