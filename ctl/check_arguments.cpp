// SPDX-License-Identifier: Apache-2.0
// A request's arguments against the row of its command.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/text.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

const Parameter* find_parameter(const Command& command, std::string_view name) {
  const auto found = std::find_if(command.parameters.begin(), command.parameters.end(),
                                  [&](const Parameter& p) { return !p.is_local && p.name == name; });
  return found == command.parameters.end() ? nullptr : &*found;
}

bool has_shape(const nlohmann::json& value, Shape shape) {
  switch (shape) {
    case Shape::Text:
      return value.is_string();
    case Shape::Number:
      return value.is_number_unsigned();
    case Shape::Flag:
      return value.is_boolean();
    case Shape::Texts:
      return value.is_array() && !value.empty() &&
             std::all_of(value.begin(), value.end(), [](const auto& item) { return item.is_string(); });
  }
  return false;
}

std::string_view shape_text(Shape shape) {
  switch (shape) {
    case Shape::Text:
      return "a string";
    case Shape::Number:
      return "a whole number";
    case Shape::Flag:
      return "true or false";
    case Shape::Texts:
      return "an array of strings, at least one";
  }
  return {};
}

}  // namespace

void check_arguments(const Command& command, const nlohmann::json& arguments) {
  std::vector<Problem> problems;
  for (const auto& [key, value] : arguments.items()) {
    const Parameter* parameter = find_parameter(command, key);
    if (parameter != nullptr) {
      if (!has_shape(value, parameter->shape))
        problems.push_back({key, fmt::format("not {}", shape_text(parameter->shape))});
    } else if (!command.takes_port_options) {
      std::vector<std::string_view> known;
      for (const Parameter& row : command.parameters) known.push_back(row.name);
      problems.push_back(
          {key, fmt::format("'{}' has no such argument{}", command.name(), suggestion(key, known))});
    }
  }
  for (const Parameter& row : command.parameters)
    if (row.is_required && !arguments.contains(row.name))
      problems.push_back({std::string(row.name), fmt::format("missing: {}", row.help)});
  if (!problems.empty()) throw Error(std::move(problems));
}

}  // namespace podswitch
