// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_help.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "ctl/cli_arguments.h"
#include "ctl/port_options.h"
#include "switch/drop_reason.h"

namespace podswitch {
namespace {

using Line = std::pair<std::string, std::string>;  // what one types, what it means

std::string usage_of(const Parameter& row) {
  std::string text = row.is_positional          ? std::string(row.value_name)
                     : row.letter != 0          ? fmt::format("-{} {}", row.letter, row.value_name)
                     : row.shape == Shape::Flag ? fmt::format("--{}", row.name)
                                                : fmt::format("--{} {}", row.name, row.value_name);
  if (row.shape == Shape::Texts) text += "...";
  return row.is_required ? text : fmt::format("[{}]", text);
}

std::string typed(const Parameter& row) {
  if (row.is_positional) return std::string(row.value_name);
  if (row.letter != 0) return fmt::format("-{}, --{} {}", row.letter, row.name, row.value_name);
  return row.shape == Shape::Flag ? fmt::format("--{}", row.name)
                                  : fmt::format("--{} {}", row.name, row.value_name);
}

std::vector<Line> lines_of(const Command& command) {
  std::vector<Line> lines;
  for (const Parameter& row : command.parameters) lines.emplace_back(typed(row), row.help);
  if (!command.takes_port_options) return lines;
  for (const PortOption& option : port_options())
    lines.emplace_back(
        option.is_flag ? fmt::format("--{}", option.name)
                       : fmt::format("--{} {}", option.name, option.value_name),
        fmt::format("{}{}{}", option.help, option.repeatable ? "; may be given several times" : "",
                    option.default_text.empty() ? "" : fmt::format("; default: {}", option.default_text)));
  return lines;
}

std::string aligned(const std::vector<Line>& lines) {
  size_t width = 0;
  for (const auto& [left, right] : lines) width = std::max(width, left.size());
  std::string text;
  for (const auto& [left, right] : lines) text += fmt::format("  {:<{}}  {}\n", left, width, right);
  return text;
}

std::string global_text() {
  std::vector<Line> lines;
  for (const GlobalOption& option : global_options())
    lines.emplace_back(
        option.value_name.empty() ? option.name : fmt::format("{} {}", option.name, option.value_name),
        option.help);
  return fmt::format("Everywhere:\n{}", aligned(lines));
}

std::string commands_text(std::string_view noun) {
  std::vector<Line> lines;
  for (const Command& command : commands())
    if (noun.empty() || command.noun == noun) lines.emplace_back(command.name(), command.help);
  return fmt::format("Commands:\n{}", aligned(lines));
}

// A cell of a markdown table.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

std::string usage_line(const Command& command) {
  std::string text = "podswitch " + command.name();
  if (command.takes_port_options) return text + " NAME --type KIND [options] | --file FILE";
  for (const Parameter& row : command.parameters) text += fmt::format(" {}", usage_of(row));
  return text;
}

std::string help_text() {
  return "Usage: podswitch [--socket PATH] [-o table|json|yaml] NOUN [VERB] [arguments]\n"
         "Talks to podswitchd, the packet switch of this node.\n\n" +
         commands_text("") + "\n" + global_text() +
         "\nExit codes: 0 done, 1 refused, 2 wrong usage, 3 no daemon; diff has its own.\n"
         "`podswitch NOUN VERB --help` says more on one command.\n";
}

std::string help_text(std::string_view noun) {
  return fmt::format("Usage: podswitch {} VERB [arguments]\n\n", noun) + commands_text(noun) + "\n" +
         global_text();
}

std::string help_text(const Command& command) {
  std::string text = fmt::format("Usage: {}\n{}\n", usage_line(command), command.help);
  if (const auto lines = lines_of(command); !lines.empty()) text += "\nArguments:\n" + aligned(lines);
  return text + "\n" + global_text();
}

std::string commands_markdown() {
  std::string text = "| command | what it does |\n|---|---|\n";
  for (const Command& command : commands())
    text += fmt::format("| `{}` | {} |\n", cell(usage_line(command)), cell(command.help));
  for (const Command& command : commands()) {
    const auto lines = lines_of(command);
    if (lines.empty()) continue;
    text += fmt::format("\n`podswitch {}`:\n\n| argument | meaning |\n|---|---|\n", command.name());
    for (const auto& [left, right] : lines) text += fmt::format("| `{}` | {} |\n", cell(left), cell(right));
  }
  text += "\nEverywhere:\n\n| option | meaning |\n|---|---|\n";
  for (const GlobalOption& option : global_options())
    text += fmt::format("| `{}{}{}` | {} |\n", option.name, option.value_name.empty() ? "" : " ",
                        cell(option.value_name), cell(option.help));
  return text;
}

std::string drops_markdown() {
  std::string text = "| reason | the packet was | because |\n|---|---|---|\n";
  for (const ReasonInfo& reason : kReasons)
    text +=
        fmt::format("| `{}` | {} | {} |\n", reason.name,
                    reason.disposition == Disposition::Dropped ? "dropped" : "forwarded", cell(reason.text));
  return text;
}

}  // namespace podswitch
