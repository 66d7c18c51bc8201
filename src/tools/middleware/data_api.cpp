// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/data_api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/ascii.hpp"
#include "tools/middleware/entity_types.hpp"
#include "tools/middleware/interpreter.hpp"
#include "tools/middleware/json_out.hpp"

namespace vz::middleware {
namespace {

constexpr std::int64_t kMsPerDay = std::int64_t{24} * 3600 * 1000;
constexpr auto kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr auto kLatest = std::numeric_limits<std::int64_t>::max();

/// `options=x` or `options[]=x`, in any case; no list with commas.
bool has_option(const Params& params, std::string_view option) {
  const auto options = params.list("options");
  return std::any_of(options.begin(), options.end(), [&](const std::string& text) { return lower(text) == option; });
}

std::int64_t whole_ms(double ms) {
  if (!(ms < 0x1p63)) return kLatest;
  return ms < -0x1p63 ? kEarliest : static_cast<std::int64_t>(ms);
}

/// The texts for a row that is there already.
Failure duplicate_failure(const std::vector<Param>& params, std::int64_t channel, std::int64_t ms) {
  return insert_failure(params, Strictness::strict, channel,
                        fmt::format("SQLSTATE[23000]: Integrity constraint violation: 1062 Duplicate entry '{}-{}' for "
                                    "key 'PRIMARY'",
                                    channel, ms),
                        "UniqueConstraintViolationException");
}

std::int64_t tuples_wanted(const Params& params) {
  const auto text = params.get("tuples").value_or("");
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return std::max<std::int64_t>(count, 0);
}

View::Output wanted_output(const Params& params) {
  if (has_option(params, "raw")) return View::Output::raw;
  return has_option(params, "consumption") ? View::Output::consumption : View::Output::actual;
}

Result<const EntityType*> channel_type(const Entity& entity, const char* otherwise) {
  const auto* type = find_entity_type(entity.type);
  if (type == nullptr) return fail(fmt::format("Unknown entity type: '{}'", entity.type));
  if (!type->is_channel()) return fail(otherwise);
  return type;
}

}  // namespace

Result<Outcome> DataApi::run(const Call& call, const Request& request) {
  switch (call.operation) {
    case Operation::add: return add(call, request);
    case Operation::get: return get(call, request.now);
    case Operation::remove: return remove(call, request.now);
    case Operation::edit: break;
  }
  return fail(fmt::format("Invalid context operation: '{}'", operation_name(call.operation)));
}

Result<std::int64_t> DataApi::time(const std::string& text, WallTime now) const {
  if (const auto ms = parse_time(text, now, zone_)) return whole_ms(*ms);
  return fail(fmt::format("Invalid time format: '{}'", text));
}

/// `ts` and `value` from the parameters. Without them it is (now, 1): the original's trap for a body it cannot read.
Result<std::vector<Param>> DataApi::single_param(const Call& call, WallTime now) const {
  std::vector<Param> params;
  if (const auto ts = call.params.get("ts")) {
    const auto ms = parse_time(*ts, now, zone_);
    if (!ms) return fail(fmt::format("Invalid time format: '{}'", *ts));
    params.emplace_back(*ms);
  } else {
    params.emplace_back(std::int64_t{now.time_since_epoch().count()});
  }
  if (const auto value = call.params.get("value"))
    params.emplace_back(*value);
  else
    params.emplace_back(std::int64_t{1});
  return params;
}

Result<Outcome> DataApi::add(const Call& call, const Request& request) {
  const auto entity = find_entity(store_, call.identifier ? *call.identifier : call.params.get("uuid").value_or(""));
  if (!entity) return tl::unexpected(entity.error());
  if (const auto type = channel_type(*entity, "Adding data is only supported for channels"); !type)
    return tl::unexpected(type.error());

  // PHP does not show the body of a multipart form
  const bool multipart = lower(request.content_type).starts_with("multipart/form-data");
  auto decoded = decode_push(multipart ? std::string_view{} : std::string_view{request.body});
  if (auto* failure = std::get_if<Failure>(&decoded)) return tl::unexpected(std::move(*failure));
  std::vector<Param> params;
  if (auto* body = std::get_if<PushBody>(&decoded)) {
    params = std::move(body->params);
  } else {
    auto single = single_param(call, request.now);
    if (!single) return tl::unexpected(single.error());
    params = *std::move(single);
  }

  const bool skip = has_option(call.params, "skipduplicates");
  auto rows = rows_of(params, skip ? Strictness::ignore : Strictness::strict, entity->id);
  if (!rows) return tl::unexpected(rows.error());
  if (precision_ == Precision::php)
    for (auto& row : *rows) row.value = php_precision(row.value);
  const auto inserted = store_.insert(entity->id, *rows, skip ? Store::OnDuplicate::skip : Store::OnDuplicate::refuse);
  if (inserted.duplicate) return tl::unexpected(duplicate_failure(params, entity->id, inserted.duplicate->ms));
  Outcome outcome;
  outcome.members["rows"] = inserted.rows;
  outcome.rows = inserted.rows;
  return outcome;
}

Result<Outcome> DataApi::get(const Call& call, WallTime now) {
  const auto uuids = call.identifier ? std::vector<std::string>{*call.identifier} : call.params.list("uuid");
  if (uuids.empty()) return fail("Missing UUID");
  Outcome outcome;
  outcome.data.emplace();
  outcome.list = !call.identifier && !call.params.get("uuid");
  outcome.rows = 0;
  for (const auto& uuid : uuids) {
    const auto entity = find_entity(store_, uuid);
    if (!entity) return tl::unexpected(entity.error());
    auto series = read(*entity, call, now);
    if (!series) return tl::unexpected(series.error());
    *outcome.rows += series->rows;
    outcome.data->push_back(*std::move(series));
  }
  return outcome;
}

Result<Series> DataApi::read(const Entity& entity, const Call& call, WallTime now) {
  const auto type = channel_type(entity, "Data of a group cannot be read: read the channels in it");
  if (!type) return tl::unexpected(type.error());
  if ((*type)->interpreter == Interpreter::virtual_channel)
    return fail("Virtual channels are not calculated here: read the channels they are made of");

  std::int64_t last = kLatest;
  const auto to = call.params.get("to");
  if (to) {
    const auto time_to = time(*to, now);
    if (!time_to) return tl::unexpected(time_to.error());
    last = *time_to;
  }
  std::int64_t first = (to ? last : now.time_since_epoch().count()) - kMsPerDay;
  if (const auto from = call.params.get("from")) {
    const auto time_from = time(*from, now);
    if (!time_from) return tl::unexpected(time_from.error());
    first = *time_from;
  }
  if (to && first > last) return fail("From is larger than to");

  View view{.output = wanted_output(call.params), .group = {}, .tuples = tuples_wanted(call.params), .zone = zone_};
  if (const auto group = call.params.get("group"); group && !group->empty()) {
    view.group = parse_group(*group);
    if (!view.group) return fail("Unknown group");
  }
  if (!has_option(call.params, "exact")) {
    // one tuple more on each side, for the lines of a chart; on the left it needs a base of its own
    first = store_.stamp_before(entity.id, first, 2).value_or(first);
    if (to) last = store_.stamp_after(entity.id, last).value_or(last);
  }
  if (to && view.output == View::Output::consumption && last > kEarliest) --last;
  const auto rows = store_.rows(entity.id, first, last, kMaxRowsPerReply + 1);
  if (static_cast<std::int64_t>(rows.size()) > kMaxRowsPerReply)
    return tl::unexpected(Failure{.message = "Allowed memory size exhausted", .status = 500});
  const auto resolution = php_numeric(entity.property("resolution").value_or("")).value_or(1.0);
  auto series = interpret(**type, resolution, view, rows);
  series.uuid = entity.uuid;
  return series;
}

Result<Outcome> DataApi::remove(const Call& call, WallTime now) {
  std::int64_t first = 0;
  std::int64_t last = kLatest;
  const auto from = call.params.get("from");
  const auto start = from ? from : call.params.get("ts");
  if (!start) return fail("Missing timestamp (ts, from, to)");
  const auto time_from = time(*start, now);
  if (!time_from) return tl::unexpected(time_from.error());
  first = *time_from;
  if (const auto end = from ? call.params.get("to") : start) {
    const auto time_to = time(*end, now);
    if (!time_to) return tl::unexpected(time_to.error());
    last = *time_to;
  }
  if (first > last) return fail("From is larger than to");
  std::int64_t rows = 0;
  for (const auto& uuid : call.identifier ? std::vector<std::string>{*call.identifier} : call.params.list("uuid")) {
    const auto entity = find_entity(store_, uuid);
    if (!entity) return tl::unexpected(entity.error());
    rows += store_.erase(entity->id, first, last);
  }
  Outcome outcome;
  outcome.members["rows"] = rows;
  outcome.rows = rows;
  return outcome;
}

}  // namespace vz::middleware
