// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/yaml_writer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace podswitch {
namespace {

using Json = nlohmann::json;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Whether a text is the same without quotes, to readers of YAML 1.1 too.
bool is_plain(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords{"true", "false", "null", "yes", "no",
                                                   "on",   "off",   "y",    "n"};
  if (text.empty() || !is_letter(text.front())) return false;
  if (!std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '/';
      }))
    return false;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(kWords.begin(), kWords.end(), lower) == kWords.end();
}

// A JSON text is a YAML scalar in double quotes.
std::string scalar(const Json& value) {
  if (value.is_string() && is_plain(value.get_ref<const std::string&>())) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void write(std::string& out, const Json& value, size_t indent, bool is_inline);

bool is_block(const Json& value) {
  return value.is_structured() && !value.empty();
}

void write_member(std::string& out, const Json& value, size_t indent) {
  if (!is_block(value)) {
    out += ' ' + scalar(value) + '\n';
    return;
  }
  out += '\n';
  write(out, value, indent, false);
}

// `is_inline`: the first line's indentation is there already.
void write(std::string& out, const Json& value, size_t indent, bool is_inline) {
  const auto begin_line = [&] {
    if (!is_inline) out.append(indent, ' ');
    is_inline = false;
  };
  if (!is_block(value)) {
    begin_line();
    out += scalar(value) + '\n';
  } else if (value.is_array()) {
    for (const Json& item : value) {
      begin_line();
      out += "- ";
      write(out, item, indent + 2, true);
    }
  } else {
    for (const auto& [key, member] : value.items()) {
      begin_line();
      out += scalar(key) + ':';
      write_member(out, member, member.is_array() ? indent : indent + 2);
    }
  }
}

}  // namespace

std::string to_yaml(const Json& value) {
  std::string out;
  write(out, value, 0, false);
  return out;
}

}  // namespace podswitch
