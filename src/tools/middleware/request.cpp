// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/request.hpp"

#include <fmt/format.h>

#include "core/ascii.hpp"

namespace vz::middleware {
namespace {

constexpr std::size_t kMaxParams = 1000;  // PHP's max_input_vars

std::string form_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

const char* reason(int status) {
  switch (status) {
    case 404: return "404 Not Found";
    case 413: return "413 Request Entity Too Large";
    default: return "500 Internal Server Error";
  }
}

}  // namespace

Params Params::parse(std::string_view text) {
  Params params;
  while (!text.empty() && params.items_.size() < kMaxParams) {
    const auto end = text.find('&');
    const auto item = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (item.empty()) continue;
    const auto equals = item.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1);
    params.add(form_decoded(item.substr(0, equals)), form_decoded(value));
  }
  return params;
}

std::optional<std::string> Params::get(std::string_view name) const {
  for (auto item = items_.rbegin(); item != items_.rend(); ++item)
    if (item->first == name) return item->second;
  return std::nullopt;
}

std::vector<std::string> Params::list(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : items_)
    if (key.size() > name.size() + 1 && key.starts_with(name) && key[name.size()] == '[' && key.back() == ']')
      values.push_back(value);
  if (values.empty())
    if (auto single = get(name)) values.push_back(std::move(*single));
  return values;
}

Reply html_page(int status) {
  const char* text = reason(status);
  Reply reply;
  reply.status = status;
  reply.content_type = "text/html";
  reply.body = fmt::format(
      "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n",
      text);
  return reply;
}

}  // namespace vz::middleware
