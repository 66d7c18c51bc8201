// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/target.hpp"

#include <algorithm>

#include "core/ascii.hpp"

namespace vz::local {
namespace {

enum class Plus { literal, blank };

/// Appends the decoded text; false if it cannot be decoded.
bool decode(std::string_view text, Plus plus, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus == Plus::blank) {
      c = ' ';
    } else if (c == '%') {
      if (text.size() - i < 3) return false;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    out += c;
  }
  return true;
}

/// Of `http://host/path?query` the part from the path on.
std::string_view without_authority(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const auto end = text.find_first_of("/?", scheme.size());
    return end == std::string_view::npos ? std::string_view{} : text.substr(end);
  }
  return text;
}

bool read_arguments(std::string_view query, Target& target) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view piece = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (piece.empty()) continue;
    const auto equals = std::min(piece.find('='), piece.size());
    std::pair<std::string, std::string> argument;
    if (!decode(piece.substr(0, equals), Plus::blank, argument.first)) return false;
    if (equals < piece.size() && !decode(piece.substr(equals + 1), Plus::blank, argument.second)) return false;
    if (target.arguments.size() < kMaxArguments) target.arguments.push_back(std::move(argument));
  }
  return true;
}

}  // namespace

const std::string* Target::argument(std::string_view name) const {
  const auto found =
      std::find_if(arguments.begin(), arguments.end(), [&](const auto& argument) { return argument.first == name; });
  return found == arguments.end() ? nullptr : &found->second;
}

std::optional<Target> parse_target(std::string_view text) {
  if (text.size() > kMaxTarget) return std::nullopt;
  const bool absolute = !text.starts_with('/');
  const std::string_view rest = without_authority(text);
  if (absolute && rest.size() == text.size()) return std::nullopt;
  const auto question = std::min(rest.find('?'), rest.size());
  Target target;
  if (!decode(rest.substr(0, question), Plus::literal, target.path)) return std::nullopt;
  if (target.path.empty()) target.path += '/';
  if (question < rest.size() && !read_arguments(rest.substr(question + 1), target)) return std::nullopt;
  return target;
}

}  // namespace vz::local
