// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/outcome.hpp"

#include <fmt/format.h>

namespace vz::middleware {
namespace {

constexpr const char* kVersion = "0.3";  // of the API

Json stamped(const Tuple& tuple) { return Json::array({tuple.ms, round3(tuple.value)}); }

std::string json_series(const Series& series) {
  std::string out = "{\"tuples\":[";
  for (const auto& tuple : series.tuples) {
    if (out.back() == ']') out += ',';
    out += fmt::format("[{},{},{}]", tuple.ms, php_text(round3(tuple.value)), tuple.count);
  }
  Json header;
  header["uuid"] = series.uuid;
  header["from"] = series.from;
  header["to"] = series.to;
  if (series.min) header["min"] = stamped(*series.min);
  if (series.max) header["max"] = stamped(*series.max);
  header["average"] = round3(series.average);
  if (series.consumption) header["consumption"] = round3(*series.consumption);
  header["rows"] = series.rows;
  return out + "]," + php_json(header).substr(1);
}

std::string json_body(const Outcome& outcome) {
  Json members;
  members["version"] = kVersion;
  members.update(outcome.members);
  auto body = php_json(members);
  if (!outcome.data) return body;
  body.pop_back();
  body += outcome.list ? ",\"data\":[" : ",\"data\":";
  for (std::size_t i = 0; i < outcome.data->size(); ++i) {
    if (i != 0) body += ',';
    body += json_series((*outcome.data)[i]);
  }
  return body + (outcome.list ? "]}" : "}");
}

std::string csv_series(const Series& series) {
  std::string out = fmt::format("# uuid: {}\n# from: {}\n# to: {}\n", series.uuid, series.from, series.to);
  if (series.min) out += fmt::format("# min: {} => {}\n", series.min->ms, php_text(round3(series.min->value)));
  if (series.max) out += fmt::format("# max: {} => {}\n", series.max->ms, php_text(round3(series.max->value)));
  out += fmt::format("# average: {}\n", php_text(round3(series.average)));
  if (series.consumption) out += fmt::format("# consumption: {}\n", php_text(round3(*series.consumption)));
  out += fmt::format("# rows: {}\n", series.rows);
  for (const auto& tuple : series.tuples)
    out += fmt::format("{};{};{}\n", tuple.ms, php_text(round3(tuple.value)), tuple.count);
  return out;
}

/// The last value with its unit, or the consumption if there is no tuple.
std::string text_series(const Series& series) {
  if (!series.tuples.empty()) return fmt::format("{} {}", php_text(round3(series.tuples.back().value)), series.unit);
  return fmt::format("{} {}h", php_text(round3(series.consumption.value_or(0))), series.unit);
}

Reply render_failure(const Failure& failure, Format format) {
  if (failure.status != 400) return html_page(failure.status);
  Reply reply;
  reply.status = 400;
  if (format == Format::json) {
    Json members;
    members["version"] = kVersion;
    members["exception"] = {{"message", failure.message}, {"type", failure.type}, {"code", 0}};
    reply.body = php_json(members);
    return reply;
  }
  reply.content_type = format == Format::csv ? "text/csv" : "text/plain";
  reply.body = fmt::format("{}# [0]:{}\n", failure.type, failure.message);
  return reply;
}

}  // namespace

std::optional<Format> parse_format(std::string_view extension) {
  if (extension == "json") return Format::json;
  if (extension == "csv") return Format::csv;
  if (extension == "txt") return Format::text;
  return std::nullopt;
}

Reply render(const Result<Outcome>& outcome, Format format) {
  if (!outcome) return render_failure(outcome.error(), format);
  Reply reply;
  reply.rows = outcome->rows;
  if (format == Format::json) {
    reply.body = json_body(*outcome);
    return reply;
  }
  if (!outcome->data) {
    auto refused = render_failure({.message = "Can't show: 'array'"}, format);
    refused.rows = outcome->rows;
    return refused;
  }
  reply.content_type = format == Format::csv ? "text/csv" : "text/plain";
  if (format == Format::csv) reply.body = fmt::format("# source: volkszaehler.org\n# version: {}\n", kVersion);
  for (const auto& series : *outcome->data)
    reply.body += format == Format::csv ? csv_series(series) : text_series(series);
  return reply;
}

}  // namespace vz::middleware
