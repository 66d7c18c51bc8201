// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/config.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "compat/fake_registry.hpp"
#include "config/reader.hpp"

namespace vz::config {
namespace {

constexpr std::string_view kUuid = "01234567-89ab-cdef-0123-456789abcdef";

Result load(std::string_view text) { return config::load(text, fake::registry()); }

std::string all(const Result& result) {
  std::string lines;
  for (const auto& problem : result.problems) lines += format(problem, "c") + "\n";
  return lines;
}

Settings good(std::string_view text) {
  Result result = load(text);
  EXPECT_TRUE(result.settings.has_value()) << all(result);
  return result.settings ? *result.settings : Settings{};
}

/// Exactly this one problem.
void only(std::string_view text, Problem::Severity severity, std::string_view path, std::string_view words) {
  const Result result = load(text);
  ASSERT_EQ(result.problems.size(), 1u) << text << "\n" << all(result);
  const Problem& problem = result.problems[0];
  EXPECT_EQ(problem.severity, severity) << all(result);
  EXPECT_EQ(problem.position.path, path) << all(result);
  EXPECT_NE(problem.text.find(words), std::string::npos) << all(result);
  EXPECT_EQ(result.settings.has_value(), severity == Problem::Severity::warning);
}
void error(std::string_view text, std::string_view path, std::string_view words) {
  only(text, Problem::Severity::error, path, words);
}
void warning(std::string_view text, std::string_view path, std::string_view words) {
  only(text, Problem::Severity::warning, path, words);
}

/// A file with one random meter and one channel, with more members in either.
std::string meter(std::string_view more_meter, std::string_view more_channel = "", std::string_view uuid = kUuid) {
  return fmt::format(R"({{"meters": [{{"enabled": true, "protocol": "random", {} "channels": [
      {{"uuid": "{}", "identifier": "x", {} "middleware": "http://localhost"}}]}}]}})",
                     more_meter, uuid, more_channel);
}
std::string d0(std::string_view more_meter, std::string_view channel = R"("identifier": "1.8.0", "api": "null")") {
  return fmt::format(R"({{"meters": [{{"enabled": true, "protocol": "d0", "device": "/dev/x", {} "channels": [
      {{"uuid": "{}", {}}}]}}]}})",
                     more_meter, kUuid, channel);
}
std::string channel_of(std::string_view protocol, std::string_view channel) {
  return fmt::format(R"({{"meters": [{{"enabled": true, {}, "channels": [{{"uuid": "{}", {}}}]}}]}})", protocol, kUuid,
                     channel);
}
std::string disabled(std::string text) {
  text.replace(text.find("\"enabled\": true"), 15, "\"enabled\": false");
  return text;
}

TEST(ConfigGeneral, Defaults) {
  const Settings settings = good("{}");
  EXPECT_FALSE(settings.verbosity.has_value());
  EXPECT_EQ(settings.log, "");
  EXPECT_EQ(settings.retry, 15);
  EXPECT_FALSE(settings.i_have_a_time_machine);
  EXPECT_FALSE(settings.local.enabled);
  EXPECT_EQ(settings.local.port, 8080);
  EXPECT_FALSE(settings.local.index);
  EXPECT_EQ(settings.local.timeout, 30);
  EXPECT_EQ(settings.local.buffer, -1);
  EXPECT_EQ(settings.local.address, "");
  EXPECT_EQ(settings.local.cors, "");
  EXPECT_EQ(settings.local.connections, 640);
  EXPECT_TRUE(settings.push_urls.empty());
  EXPECT_FALSE(settings.mqtt.boolean("enabled"));
  EXPECT_EQ(settings.mqtt.string("topic"), "vzlogger");
  EXPECT_FALSE(settings.mqtt.has("port"));
  EXPECT_TRUE(settings.meters.empty());
}

TEST(ConfigGeneral, Values) {
  const Settings settings =
      good(R"({"verbosity": -3, "log": "/x", "retry": -1, "i_have_a_time_machine": True, "daemon": true,
      "local": {"enabled": true, "port": 81, "index": true, "timeout": 0, "buffer": 0,
                "address": "::1", "cors": "http://nas:81", "connections": 9},
      "push": [{"url": "http://a"}, {"url": "http://b"}],
      "mqtt": {"enabled": true, "host": "h", "port": 1883, "qos": 2, "retain": true}})");
  EXPECT_EQ(settings.verbosity, -3);
  EXPECT_EQ(settings.log, "/x");
  EXPECT_EQ(settings.retry, -1);
  EXPECT_TRUE(settings.i_have_a_time_machine);
  EXPECT_TRUE(settings.local.enabled);
  EXPECT_EQ(settings.local.port, 81);
  EXPECT_TRUE(settings.local.index);
  EXPECT_EQ(settings.local.timeout, 0);
  EXPECT_EQ(settings.local.buffer, -1);
  EXPECT_EQ(settings.local.address, "::1");
  EXPECT_EQ(settings.local.cors, "http://nas:81");
  EXPECT_EQ(settings.local.connections, 9);
  EXPECT_EQ(settings.push_urls, (std::vector<std::string>{"http://a", "http://b"}));
  EXPECT_EQ(settings.mqtt.integer("qos"), 2);
  EXPECT_TRUE(settings.mqtt.boolean("retain"));
  EXPECT_EQ(settings.mqtt.position("host").path, "mqtt.host");
}

TEST(ConfigGeneral, WrongTypesAreIgnored) {
  warning(
      R"({"retry": "5"})", "retry",
      R"(Ignoring invalid field or type: retry=5 (string): found the text "5", expected a whole number; write "retry": 5)");
  warning(R"({"retry": 5.0})", "retry",
          R"(retry=5.0 (double): found the number 5.0, expected a whole number; write "retry": 5)");
  warning(R"({"log": 5})", "log", R"(log=5 (int): found the number 5, expected a text in quotes)");
  warning(R"({"log": null})", "log", "log=(null) (null)");
  warning(R"({"i_have_a_time_machine": 1})", "i_have_a_time_machine", R"(write "i_have_a_time_machine": true)");
  warning(R"({"meters": {"a": 1}})", "meters", "meters={ ... } (object)");
  warning(R"({"push": {}})", "push", "push={ } (object)");
  warning(R"({"mqtt": true})", "mqtt", "mqtt=true (boolean)");
  warning(R"({"local": {"port": "81"}})", "local.port", "port=81 (string)");
  warning(R"({"local": {"connections": 0}})", "local.connections", "allowed is 8 to 10000");
  for (const char* wrong : {"nas.local", "http://nas/page", "http://a, http://b", "http://a\\r\\nX: y", "://x"})
    warning(fmt::format(R"({{"local": {{"cors": "{}"}}}})", wrong), "local.cors", "give * for every page");
  EXPECT_EQ(load(R"({"local": {"cors": "*"}})").settings->local.cors, "*");
  for (const char* wrong : {R"("nas.local")", R"("999.1.2.3")", R"("1.2.3.4:80")"}) {
    error(fmt::format(R"({{"local": {{"enabled": true, "address": {}}}}})", wrong), "local.address", "in numbers");
    EXPECT_TRUE(load(fmt::format(R"({{"local": {{"enabled": false, "address": {}}}}})", wrong)).settings);
  }
  EXPECT_FALSE(load(R"({"local": {"enabled": true, "address": 5}})").settings) << "it must not listen everywhere instead";
  for (const char* right : {"", "localhost", "127.0.0.1", "::", "fe80::1%eth0"}) {
    const auto loaded = load(fmt::format(R"({{"local": {{"enabled": true, "address": "{}"}}}})", right));
    ASSERT_TRUE(loaded.settings) << right;
    EXPECT_EQ(loaded.settings->local.address, right);
  }
  warning(R"({"local": {"port": 70000}})", "local.port", "port is 70000; allowed is 0 to 65535");
  warning(R"({"mqtt": {"qos": 3}})", "mqtt.qos", "allowed is 0 to 2");
  warning(R"({"mqtt": {"keepalive": 3}})", "mqtt.keepalive", "too short");
  EXPECT_EQ(load(R"({"local": {"port": 70000}})").settings->local.port, 8080);
}

TEST(ConfigGeneral, UnknownNames) {
  warning(R"({"foo": 1})", "foo",
          "Ignoring invalid field or type: foo=1 (int): unknown option \"foo\"; it has no effect; known here: "
          "verbosity, log");
  warning(R"({"verbostiy": 1})", "verbostiy", "did you mean \"verbosity\"?");
  warning(R"({"meter": []})", "meter", "did you mean \"meters\"?");
  warning(R"({"interval": 1})", "interval", "belongs to a meter");
  warning(R"({"baudrate": 1})", "baudrate", "belongs to a meter with protocol d0 or sml");
  warning(R"({"local": {"prot": 1}})", "local.prot", "did you mean \"port\"?");
  warning(R"({"mqtt": {"password": "geheim"}})", "mqtt.password", "did you mean \"pass\"?");
}

TEST(ConfigGeneral, CommentsAsNames) {
  EXPECT_TRUE(load(R"({"_comment": "a", "//": 1, "#": 2, "comment": 3, "$schema": "x"})").problems.empty());
}

TEST(ConfigGeneral, SecretsAreNotShown) {
  for (const auto* text : {R"({"mqtt": {"pass": 31337}})", R"({"mqtt": {"passwort": "31337"}})",
                           R"({"mqtt": {"keypass": 31337}})", R"({"meters": [{"token": 31337}]})"})
    EXPECT_EQ(all(load(text)).find("31337"), std::string::npos) << all(load(text));
  const std::string key = meter("", R"("api": "influxdb", "host": "h", "token": 31337,)");
  EXPECT_EQ(all(load(key)).find("31337"), std::string::npos) << all(load(key));
  EXPECT_FALSE(load(key).settings.has_value());
  const std::string typo = meter("", "", "aaaabbbb-cccc-dddg-eeee-ffff00001111");
  EXPECT_NE(all(load(typo)).find("...001111"), std::string::npos) << all(load(typo));
  EXPECT_EQ(all(load(typo)).find("eeee-ffff"), std::string::npos) << all(load(typo));
}

TEST(ConfigGeneral, WhatCrashedIsRefused) {
  error(R"({"local": true})", "local", "object of \"local\" was expected");
  error(R"({"local": null})", "local", "found null");
  error("[]", "", "found an array [ ] where the configuration was expected");
  error("\"x\"", "", "where the configuration was expected");
  error("null", "", "found null");
  error(R"({"meters": [5]})", "meters[0]", "found the number 5 where a meter was expected");
  error(R"({"meters": [null]})", "meters[0]", "found null");
}

TEST(ConfigGeneral, Daemon) {
  EXPECT_TRUE(load(R"({"daemon": true})").problems.empty());
  error(R"({"daemon": false})", "daemon", "use -f");
  warning(R"({"daemon": "no"})", "daemon", "Ignoring");
}

TEST(ConfigGeneral, Push) {
  warning(R"({"push": []})", "push", "Ignoring push entry due to empty array or duplicate section");
  error(R"({"push": [1]})", "push[0]", "config: push array element not an object");
  error(R"({"push": [{}]})", "push[0]", "push requires parameter \"url\"");
  error(R"({"push": [{"url": 1}]})", "push[0].url", "Invalid type for url");
  error(R"({"push": [{"url": null}]})", "push[0].url", "is null");
  warning(R"({"push": [{"url": "a", "foo": 1}]})", "push[0].foo", "unknown option");
  warning(R"({"push": [{"url": ""}]})", "push[0].url", "is empty");
  warning(R"({"push": [{"url": "http://:5582"}]})", "push[0].url", "names no host");
  warning(R"({"push": [{"url": "ftp://host"}]})", "push[0].url", "expected http:// or https://");
  EXPECT_EQ(good(R"({"push": [{"url": "http://user:password@[::1]:5582/live?x=1"}, {"url": "host"}]})").push_urls.size(), 2U);
}

TEST(ConfigGeneral, MqttNeedsHostAndPort) {
  warning(R"({"mqtt": {"enabled": true}})", "mqtt", "mqtt host not configured!");
  warning(R"({"mqtt": {"enabled": true, "host": "h"}})", "mqtt", "\"port\": 1883");
  warning(R"({"mqtt": {"enabled": true, "host": "h", "port": 0}})", "mqtt.port", "\"port\": 1883");
}

TEST(ConfigGeneral, IntegersClampToThirtyTwoBit) {
  const Result result = load(R"({"retry": 99999999999, "verbosity": -99999999999999999999999})");
  EXPECT_EQ(result.settings->retry, 2147483647);
  EXPECT_EQ(result.settings->verbosity, -2147483648);
  ASSERT_EQ(result.problems.size(), 2u);
  EXPECT_NE(result.problems[0].text.find("taken as 2147483647"), std::string::npos);
}

TEST(ConfigGeneral, LastDuplicateWins) { EXPECT_EQ(load(R"({"retry": 1, "retry": 2})").settings->retry, 2); }

TEST(ConfigMeter, ReadsEverything) {
  const Settings settings = good(R"({"meters": [{"enabled": true, "allowskip": true, "interval": 5, "aggtime": 60,
      "aggfixedinterval": true, "protocol": "D0", "device": "/dev/x", "pullseq": "2F3F210D0A", "parity": "7E1", "channels": [
      {"uuid": "01234567-89AB-cdef-0123-456789abcdef", "identifier": "1-0:1.8.0", "api": "VolksZaehler", "middleware": "http://m",
       "aggmode": "MAX", "duplicates": 3, "unit": "Wh", "mqtt_topic": "a/b"}]}]})");
  ASSERT_EQ(settings.meters.size(), 1u);
  const MeterSettings& meter = settings.meters[0];
  EXPECT_EQ(meter.number, 0);
  EXPECT_EQ(meter.protocol->name, "d0");
  EXPECT_TRUE(meter.enabled);
  EXPECT_TRUE(meter.allowskip);
  EXPECT_EQ(meter.interval, 5);
  EXPECT_EQ(meter.aggtime, 60);
  EXPECT_TRUE(meter.aggfixedinterval);
  EXPECT_EQ(meter.options.string("parity"), "7e1");
  EXPECT_EQ(meter.options.integer("baudrate"), 9600);
  EXPECT_FALSE(meter.options.has("baudrate_read"));
  EXPECT_TRUE(meter.options.given("pullseq"));
  EXPECT_FALSE(meter.options.given("wait_sync"));
  EXPECT_EQ(meter.options.position("pullseq").path, "meters[0].pullseq");
  EXPECT_EQ(meter.options.position("wait_sync").path, "meters[0]");
  ASSERT_EQ(meter.channels.size(), 1u);
  const ChannelSettings& channel = meter.channels[0];
  EXPECT_EQ(channel.number, 0);
  EXPECT_EQ(channel.uuid, "01234567-89AB-cdef-0123-456789abcdef");
  EXPECT_EQ(channel.identifier_text, "1-0:1.8.0");
  EXPECT_EQ(channel.identifier, Identifier{*Obis::parse("1-0:1.8.0")});
  EXPECT_EQ(channel.api_text, "VolksZaehler");
  EXPECT_EQ(channel.sink->name, "volkszaehler");
  EXPECT_EQ(channel.aggmode, AggMode::max);
  EXPECT_EQ(channel.duplicates, 3);
  EXPECT_EQ(channel.unit, Unit{"Wh"});
  EXPECT_EQ(channel.mqtt_topic, "a/b");
  EXPECT_EQ(channel.options.string("middleware"), "http://m");
  EXPECT_EQ(channel.options.integer("timeout"), 30);
}

TEST(ConfigMeter, Defaults) {
  const Settings settings = good(R"({"meters": [{"protocol": "random"}]})");
  const MeterSettings& meter = settings.meters.at(0);
  EXPECT_FALSE(meter.enabled);
  EXPECT_FALSE(meter.allowskip);
  EXPECT_EQ(meter.interval, -1);
  EXPECT_EQ(meter.aggtime, -1);
  EXPECT_FALSE(meter.aggfixedinterval);
}

TEST(ConfigMeter, NumbersFollowTheFile) {
  const auto one = [](std::string_view tail) {
    return fmt::format(R"({{"uuid": "00000000-0000-0000-0000-00000000000{}", "api": "null"}})", tail);
  };
  const Settings settings = good(fmt::format(
      R"({{"sensors": [{{"protocol": "random", "channel": {}, "channels": [{}, {}]}}],
          "meters": [{{"protocol": "nonsense", "channels": [{}, {}]}}, {{"protocol": "random", "channels": [{}], "channel": {}}}]}})",
      one("0"), one("1"), one("2"), one("3"), one("4"), one("5"), one("6")));
  ASSERT_EQ(settings.meters.size(), 2u);
  EXPECT_EQ(settings.meters[0].number, 0);
  EXPECT_EQ(settings.meters[1].number, 2) << "the unknown meter keeps its number";
  std::vector<std::pair<int, char>> channels;
  for (const auto& meter : settings.meters)
    for (const auto& channel : meter.channels) channels.emplace_back(channel.number, channel.uuid.back());
  EXPECT_EQ(channels, (std::vector<std::pair<int, char>>{{0, '0'}, {1, '1'}, {2, '2'}, {5, '5'}, {6, '6'}}));
}

TEST(ConfigMeter, StrictTypes) {
  error(meter(R"("interval": "1",)"), "meters[0].interval",
        R"(Invalid type for interval: found the text "1", expected a whole number; write "interval": 1)");
  error(meter(R"("interval": 1.0,)"), "meters[0].interval", R"(write "interval": 1)");
  error(meter(R"("interval": 1e3,)"), "meters[0].interval", R"(write "interval": 1000)");
  error(meter(R"("interval": 1.5,)"), "meters[0].interval", "found the number 1.5, expected a whole number");
  error(meter(R"("interval": true,)"), "meters[0].interval", "found true, expected a whole number");
  error(meter(R"("allowskip": "yes",)"), "meters[0].allowskip", "expected true or false");
  error(meter(R"("aggfixedinterval": 1,)"), "meters[0].aggfixedinterval", R"(write "aggfixedinterval": true)");
  error(meter(R"("max": 40,)"), "meters[0].max",
        R"(Invalid type for max: found the number 40, expected a number with a decimal point; write "max": 40.0)");
  error(meter(R"("max": "40.5",)"), "meters[0].max", R"(write "max": 40.5)");
  error(d0(R"("wait_sync": true,)"), "meters[0].wait_sync", "expected a text in quotes; allowed are off and end");
  error(d0(R"("parity": [],)"), "meters[0].parity", "found an array");
  EXPECT_TRUE(load(meter(R"("max": NaN, "min": -Infinity,)")).problems.empty());
}

TEST(ConfigMeter, NullIsNoValue) {
  error(meter(R"("interval": null,)"), "meters[0].interval", "is null");
  error(meter(R"("foo": null,)"), "meters[0].foo", "is null");
  error(meter(R"("max": null,)"), "meters[0].max", "is null");
  error(meter("", R"("foo": null,)"), "meters[0].channels[0].foo", "is null");
  error(meter("", R"("aggmode": null,)"), "meters[0].channels[0].aggmode", "is null");
  error(meter("", R"("api": null,)"), "meters[0].channels[0].api", "is null");
  error(R"({"meters": [{"protocol": null}]})", "meters[0].protocol", "is null");
  error(R"({"meters": [{"protocol": "random", "channels": null}]})", "meters[0].channels", "is null");
  error(disabled(meter(R"("foo": null,)")), "meters[0].foo", "is null");
}

TEST(ConfigMeter, RangesAndChoices) {
  error(d0(R"("parity": "8e1",)"), "meters[0].parity",
        "parity is \"8e1\"; allowed are 8n1, 7n1, 7e1 and 7o1; did you mean");
  error(d0(R"("baudrate": 9601,)"), "meters[0].baudrate", "baudrate is 9601: no baud rate");
  error(d0(R"("wait_sync": "on",)"), "meters[0].wait_sync", "allowed are off and end");
  error(meter("", R"("duplicates": -1,)"), "meters[0].channels[0].duplicates",
        "duplicates is -1; allowed is at least 0 s");
  error(meter("", R"("aggmode": "foo",)"), "meters[0].channels[0].aggmode", "allowed are none, max, sum and avg");
  error(meter("", R"("aggmode": "average",)"), "meters[0].channels[0].aggmode", "aggmode is \"average\"");
}

TEST(ConfigMeter, Protocol) {
  error(R"({"meters": [{"enabled": true}]})", "meters[0]", "Missing protocol");
  error(R"({"meters": [{"enabled": true, "protocol": 5}]})", "meters[0].protocol",
        "found the number 5, expected the name of a protocol");
  error(R"({"meters": [{"enabled": true, "protocol": "smll"}]})", "meters[0].protocol",
        "did you mean \"sml\"? Known are file, exec, random");
  warning(R"({"meters": [{"enabled": false, "protocol": "ocr", "channels": [{}]}]})", "meters[0].protocol",
          "because the meter is disabled");
}

TEST(ConfigMeter, ProtocolsAreMadeOnTrial) {
  error(
      R"({"meters": [{"enabled": true, "protocol": "d0", "channel": {"uuid": "01234567-89ab-cdef-0123-456789abcdef", "identifier": "1.8", "api": "null"}}]})",
      "meters[0]", "Missing device or host");
}

TEST(ConfigMeter, IntervalWhereItMeansNothing) {
  const std::string text = d0(R"("interval": 5,)");
  warning(text, "meters[0].interval", "Interval set but not allowed for this meter! Ignoring (setting to 0).");
  EXPECT_EQ(load(text).settings->meters[0].interval, 0);
  EXPECT_EQ(load(d0(R"("interval": 5, "pullseq": "2f3f210d0a",)")).settings->meters[0].interval, 5);
  EXPECT_TRUE(load(d0(R"("interval": 0,)")).problems.empty());
}

TEST(ConfigMeter, UnknownNames) {
  warning(meter(R"("intervall": 5,)"), "meters[0].intervall",
          "unknown option \"intervall\"; did you mean \"interval\"?");
  warning(meter(R"("Interval": 5,)"), "meters[0].Interval", "Capital and small letters differ");
  warning(meter(R"("device": "/dev/x",)"), "meters[0].device", "belongs to protocol s0, d0 or sml");
  warning(meter(R"("uuid": "x",)"), "meters[0].uuid", "belongs to a channel");
  warning(meter(R"("middleware": "x",)"), "meters[0].middleware",
          "belongs to a channel with api volkszaehler or mysmartgrid");
  warning(meter(R"("verbosity": 5,)"), "meters[0].verbosity", "belongs to the top level of the file");
  warning(d0(R"("timeout": 5,)"), "meters[0].timeout", "or did you mean \"read_timeout\"?");
  warning(meter(R"("xyzzy": 5,)"), "meters[0].xyzzy", "unknown option \"xyzzy\"; it has no effect");
  EXPECT_TRUE(load(meter(R"("_note": 5, "comment": "x",)")).problems.empty());
}

TEST(ConfigMeter, ChannelSectionsOfTheWrongKind) {
  const Result result = load(R"({"meters": [{"enabled": true, "protocol": "random", "channels": {"uuid": "x"}}]})");
  ASSERT_EQ(result.problems.size(), 2u) << all(result);
  EXPECT_NE(
      all(result).find(
          "Ignoring \"channels\", which is an object { }; expected an array [ { ... } ], or the name \"channel\""),
      std::string::npos);
  EXPECT_NE(all(result).find("no channels"), std::string::npos);
  EXPECT_TRUE(result.settings->meters[0].channels.empty());
  warning(R"({"meters": [{"protocol": "random", "channel": []}]})", "meters[0].channel", "or the name \"channels\"");
  warning(R"({"meters": [{"protocol": "random", "channel": 5}]})", "meters[0].channel",
          "which is the number 5; expected an object { ... }");
  error(R"({"meters": [{"protocol": "random", "channels": [5]}]})", "meters[0].channels[0]",
        "where a channel was expected");
}

TEST(ConfigChannel, Uuid) {
  EXPECT_TRUE(load(meter("", "", "01234567-89AB-CDEF-0123-456789ABCDEF")).problems.empty());
  warning(meter("", "", "01234567"), "meters[0].channels[0].uuid", "has 8, a real one has 36");
  warning(meter("", "", ""), "meters[0].channels[0].uuid", "the uuid is empty, a real one has 36 characters");
  warning(meter("", "", "01234567-89ab-cdef-0123-456789abcdefabcd"), "meters[0].channels[0].uuid", "has 40,");
  error(meter("", "", "01234567-89ab-cdeg-0123-456789abcdef"), "meters[0].channels[0].uuid",
        "Invalid UUID: ...abcdef has \"g\" as character 18, where a digit or one of a to f belongs");
  error(meter("", "", "0123456789abcdef0123456789abcdef"), "meters[0].channels[0].uuid",
        "as character 9, where a dash belongs");
  error(meter("", "", "01234567-89ab-cdef-0123-456789abcdef "), "meters[0].channels[0].uuid",
        "has a blank before or after it");
  error(meter("", "", "hier die UUID des im Frontend angelegten Kanals (El. Energie (Zählerstand) ) einfügen"),
        "meters[0].channels[0].uuid", "the frontend shows it when you click the (i) next to the channel");
  error(R"({"meters": [{"protocol": "random", "channels": [{"api": "null"}]}]})", "meters[0].channels[0]",
        "Missing UUID");
  error(R"({"meters": [{"protocol": "random", "channels": [{"api": "null", "uuid": 5}]}]})",
        "meters[0].channels[0].uuid", "Missing UUID");
}

TEST(ConfigChannel, SameUuidTwice) {
  const auto twice = [](std::string_view first, std::string_view second) {
    return load(fmt::format(R"({{"meters": [{{"enabled": true, "protocol": "random", "channels": [
        {{"uuid": "{0}", {1}}}, {{"uuid": "{0}", {2}}}]}}]}})",
                            kUuid, first, second));
  };
  const Result result = twice(R"("middleware": "m")", R"("middleware": "m")");
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_NE(result.problems[0].text.find("the same uuid as meters[0].channels[0]"), std::string::npos);
  EXPECT_EQ(result.problems[0].position.path, "meters[0].channels[1].uuid");
  EXPECT_TRUE(twice(R"("middleware": "m")", R"("api": "null")").problems.empty());
  EXPECT_TRUE(twice(R"("middleware": "m")", R"("api": "influxdb", "host": "h")").problems.empty());
}

TEST(ConfigChannel, Identifier) {
  error(d0("", R"("api": "null", "identifier": "foo")"), "meters[0].channels[0].identifier",
        "Invalid id: \"foo\" is no identifier of protocol d0");
  error(d0("", R"("api": "null", "identifier": "couter")"), "meters[0].channels[0].identifier",
        "did you mean \"counter\"?");
  error(d0("", R"("api": "null", "identifier": "")"), "meters[0].channels[0].identifier", "Invalid id");
  error(d0("", R"("api": "null")"), "meters[0].channels[0]", "Identifier is not set, but protocol d0 needs one");
  error(d0("", R"("api": "null", "identifier": 1.8)"), "meters[0].channels[0].identifier",
        "found the number 1.8, expected a text in quotes");
  warning(channel_of(R"("protocol": "file", "path": "x")", R"("api": "null")"), "meters[0].channels[0]",
          "Using default value 'NilIdentifier'");
  EXPECT_EQ(load(channel_of(R"("protocol": "file", "path": "x")", R"("api": "null")"))
                .settings->meters[0]
                .channels[0]
                .identifier_text,
            "NilIdentifier");
  EXPECT_TRUE(
      load(channel_of(R"("protocol": "file", "path": "x")", R"("api": "null", "identifier": "")")).problems.empty());
  EXPECT_TRUE(load(channel_of(R"("protocol": "random")", R"("api": "null")")).problems.empty());
  error(channel_of(R"("protocol": "fluksov2")", R"("api": "null", "identifier": "x")"),
        "meters[0].channels[0].identifier", "sensor<number>/power");
}

TEST(ConfigChannel, Api) {
  warning(meter("", R"("api": "foo",)"), "meters[0].channels[0].api",
          "Wrong config! api: \"foo\" is unknown! Using volkszaehler; known are volkszaehler, mysmartgrid, influxdb "
          "and null");
  EXPECT_EQ(load(meter("", R"("api": "foo",)")).settings->meters[0].channels[0].sink->name, "volkszaehler");
  EXPECT_EQ(load(meter("", R"("api": "foo",)")).settings->meters[0].channels[0].api_text, "foo");
  warning(meter("", R"("api": 5,)"), "meters[0].channels[0].api", "using volkszaehler");
  warning(meter("", R"("api": "",)"), "meters[0].channels[0].api", "using volkszaehler");
  EXPECT_EQ(load(meter("", R"("api": "INFLUXDB", "host": "h",)")).settings->meters[0].channels[0].sink->name,
            "influxdb");
  EXPECT_EQ(load(meter("")).settings->meters[0].channels[0].api_text, "volkszaehler");
}

TEST(ConfigChannel, ApiOptions) {
  error(channel_of(R"("protocol": "random")", R"("identifier": "x")"), "meters[0].channels[0]",
        "api volkszaehler requires parameter \"middleware\" but it's missing: URL of the middleware");
  error(channel_of(R"("protocol": "random")", R"("middleware": 5)"), "meters[0].channels[0].middleware",
        "Invalid type for middleware");
  error(channel_of(R"("protocol": "random")", R"("middleware": "")"), "meters[0].channels[0].middleware",
        "middleware is empty");
  error(meter("", R"("timeout": -1,)"), "meters[0].channels[0].timeout", "allowed is at least 0 s");
}

TEST(ConfigChannel, UnknownNames) {
  warning(meter("", R"("database": "x",)"), "meters[0].channels[0].database", "belongs to api influxdb");
  warning(meter("", R"("aggmod": "max",)"), "meters[0].channels[0].aggmod", "did you mean \"aggmode\"?");
  warning(meter("", R"("aggtime": 5,)"), "meters[0].channels[0].aggtime", "belongs to a meter");
  warning(meter("", R"("interval": 5,)"), "meters[0].channels[0].interval", "belongs to api mysmartgrid or to a meter");
  warning(meter("", R"("colour": "red",)"), "meters[0].channels[0].colour", "unknown option");
}

TEST(ConfigChannel, OldNames) {
  const std::string text = channel_of(R"("protocol": "random")", R"("api": "influxdb", "host": "h", "batch_size": 5)");
  warning(text, "meters[0].channels[0].batch_size", "old name of \"max_batch_inserts\"");
  EXPECT_EQ(load(text).settings->meters[0].channels[0].options.integer("max_batch_inserts"), 5);
  const std::string both = channel_of(R"("protocol": "random")",
                                      R"("api": "influxdb", "host": "h", "batch_size": 5, "max_batch_inserts": 7)");
  EXPECT_EQ(load(both).settings->meters[0].channels[0].options.integer("max_batch_inserts"), 7);
}

TEST(ConfigDisabled, ProtocolAndApiOnlyWarn) {
  warning(disabled(d0(R"("baudrate": "9600",)")), "meters[0].baudrate",
          "only a warning, because the meter is disabled");
  warning(disabled(d0(R"("baudrate": 9601,)")), "meters[0].baudrate", "because the meter is disabled");
  warning(disabled(channel_of(R"("protocol": "d0")", R"("identifier": "1.8.0", "api": "null")")), "meters[0]",
          "Missing device or host");
  warning(disabled(channel_of(R"("protocol": "file")", R"("identifier": "", "api": "null")")), "meters[0]",
          "requires parameter \"path\"");
  warning(disabled(channel_of(R"("protocol": "random")", R"("identifier": "x")")), "meters[0].channels[0]",
          "requires parameter \"middleware\"");
  warning(disabled(channel_of(R"("protocol": "random")", R"("middleware": 5)")), "meters[0].channels[0].middleware",
          "Invalid type");
  EXPECT_EQ(load(disabled(d0(R"("baudrate": 9601,)"))).settings->meters[0].options.integer("baudrate"), 9600);
}

TEST(ConfigDisabled, TheRestIsStillChecked) {
  error(disabled(meter(R"("interval": "1",)")), "meters[0].interval", "Invalid type");
  error(disabled(meter("", "", "not a uuid")), "meters[0].channels[0].uuid", "Invalid UUID");
  error(disabled(d0("", R"("api": "null", "identifier": "foo")")), "meters[0].channels[0].identifier", "Invalid id");
}

TEST(ConfigProblems, AllAtOnceInFileOrder) {
  const Result result = load(R"({
  "retry": "5",
  "meters": [
    { "enabled": true,
      "protocol": "d0",
      "baudrat": 300,
      "parity": "x",
      "channels": [
        { "uuid": "x", "identifier": "foo" },
        { "uuid": "01234567-89ab-cdef-0123-456789abcdef", "identifier": "1.8.0", "aggmode": 1 }
      ]
    },
    { "protocol": 5 }
  ],
  "daemon": false
})");
  EXPECT_FALSE(result.settings.has_value());
  std::vector<unsigned> lines;
  for (const auto& problem : result.problems) lines.push_back(problem.position.line);
  EXPECT_EQ(lines, (std::vector<unsigned>{2, 6, 7, 9, 9, 9, 10, 10, 13, 15})) << all(result);
}

TEST(ConfigProblems, GoesOnAfterAForgottenComma) {
  const Result result = load("{\n\"retry\": 5\n\"meters\": [{\"protocol\": \"d00\", \"enabled\": true}]\n}");
  ASSERT_EQ(result.problems.size(), 2u) << all(result);
  EXPECT_EQ(result.problems[0].position.line, 2u);
  EXPECT_EQ(result.problems[1].position.line, 3u);
}

TEST(ConfigProblems, UnreadableValuesAreReportedOnce) {
  error(meter(R"("interval": 0x10,)"), "meters[0].interval", "is not a number");
  error(R"({"retry": .5})", "retry", "0 before the point");
  error(R"({"meters": +5})", "meters", "without the +");
  error("+5", "", "without the +");
}

TEST(ConfigProblems, ManyAreCounted) {
  std::string text = "{";
  for (int i = 0; i < 60000; ++i) text += fmt::format("\"x{}\":1,", i);
  text += "}";
  const Result result = load(text);
  ASSERT_EQ(result.problems.size(), 101u);
  EXPECT_EQ(result.problems.back().text, "and 59900 more warnings");
}

TEST(ConfigProblems, Format) {
  EXPECT_EQ(format({Problem::Severity::error, {3, 7, "meters[0].uuid"}, "is wrong"}, "/etc/v.conf"),
            "/etc/v.conf:3:7: error: is wrong [at meters[0].uuid]");
  EXPECT_EQ(format({Problem::Severity::warning, {1, 1, ""}, "is odd"}, "v.conf"), "v.conf:1:1: warning: is odd");
  EXPECT_EQ(format({Problem::Severity::error, {}, "is odd"}, "v.conf"), "v.conf: error: is odd");
}

TEST(ConfigProblems, TextsStayOnOneLine) {
  const Result result = load(meter("\"a\\nb\\u001b\": 5, \"parity\xFF\": 3,", "", "x\ny z\x01\xFF"));
  for (const auto& problem : result.problems)
    for (const char c : problem.text + problem.position.path)
      EXPECT_GE(static_cast<unsigned char>(c), 0x20) << problem.text;
  EXPECT_FALSE(result.problems.empty());
}

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() {
    std::string name = testing::TempDir() + "config_XXXXXX";
    const int fd = ::mkstemp(name.data());
    if (fd >= 0) ::close(fd);
    path_ = name;
  }
  ~ConfigFile() override { std::remove(path_.c_str()); }
  void write(const std::string& text) { std::ofstream{path_, std::ios::binary} << text; }
  std::string path_;
};

TEST_F(ConfigFile, IsReadWhole) {
  const std::string text("{\0\xFF\r\n}", 6);
  write(text);
  EXPECT_EQ(read_file(path_).value(), text);
}

TEST_F(ConfigFile, HasALimit) {
  write(std::string(kMaxFile, ' '));
  EXPECT_EQ(read_file(path_).value().size(), kMaxFile);
  write(std::string(kMaxFile + 1, ' '));
  ASSERT_FALSE(read_file(path_).has_value());
  EXPECT_EQ(read_file(path_).error().code, EFBIG);
}

TEST_F(ConfigFile, SaysWhyItCannotBeRead) {
  const auto missing = read_file(path_ + "/no/such");
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().text().find("Cannot open configfile"), std::string::npos);
  EXPECT_EQ(read_file("/no/such/file").error().code, ENOENT);
  EXPECT_NE(read_file("/no/such/file").error().remedy.find("-c FILE"), std::string::npos);
  const auto folder = read_file(testing::TempDir());
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().code, EISDIR);
}

}  // namespace
}  // namespace vz::config
