// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <set>
#include <vector>

#include "ctl/cli_arguments.h"
#include "ctl/cli_help.h"
#include "ctl/port_options.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

std::string words_for(Hint hint) {
  switch (hint) {
    case Hint::Port:
      return "$(_podswitch_names port)";
    case Hint::Node:
      return "$(_podswitch_names node)";
    case Hint::Network:
      return "$(_podswitch_names network)";
    case Hint::Queue:
      return "$(_podswitch_names port :0)";
    case Hint::LogLevel:
      return "debug info warning error";
    case Hint::None:
    case Hint::File:
      break;
  }
  return "";
}

std::string kinds() {
  std::string text;
  for (const PortKind kind : {PortKind::VhostUser, PortKind::Tap, PortKind::AfPacket, PortKind::AfXdp,
                              PortKind::Memif, PortKind::Ethdev, PortKind::Bond})
    text += fmt::format("{}{}", text.empty() ? "" : " ", to_string(kind));
  return text;
}

// One arm of the case statement on "NOUN VERB": the options, and what may stand without one.
std::string command_arm(const Command& command) {
  std::string options, plain;
  for (const Parameter& row : command.parameters) {
    if (row.is_positional)
      plain = plain.empty() ? words_for(row.hint) : plain;
    else
      options += fmt::format("{} --{}", row.letter == 0 ? "" : fmt::format(" -{}", row.letter), row.name);
  }
  if (command.takes_port_options)
    for (const PortOption& option : port_options()) options += fmt::format(" --{}", option.name);
  // A name that is to be added is none that exists.
  if (command.takes_port_options) plain.clear();
  return fmt::format("    \"{}\") options=\"{}\" plain=\"{}\" ;;\n", command.name(),
                     options.empty() ? "" : options.substr(1), plain);
}

// One arm of the case statement on the option before the cursor.
std::string value_arms() {
  std::set<std::string> arms;
  for (const Command& command : commands())
    for (const Parameter& row : command.parameters) {
      if (row.is_positional || row.shape == Shape::Flag) continue;
      if (row.hint == Hint::File)
        arms.insert(fmt::format("    -f | --{}) compopt -o default; COMPREPLY=(); return ;;\n", row.name));
      else
        arms.insert(fmt::format("    --{}) COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); return ;;\n",
                                row.name, words_for(row.hint)));
    }
  for (const PortOption& option : port_options()) {
    if (option.is_flag) continue;
    const std::string_view name = option.name;
    if (name == "path" || name == "netns")
      arms.insert(fmt::format("    --{}) compopt -o default; COMPREPLY=(); return ;;\n", name));
    else
      arms.insert(fmt::format("    --{}) COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); return ;;\n", name,
                              name == "type"   ? kinds()
                              : name == "mode" ? "client server"
                                               : ""));
  }
  std::string text;
  for (const std::string& arm : arms) text += arm;
  return text;
}

std::string verb_arms() {
  std::string text;
  std::set<std::string_view> done;
  for (const Command& command : commands()) {
    if (command.verb.empty() || !done.insert(command.noun).second) continue;
    std::string verbs;
    for (const Command& row : commands())
      if (row.noun == command.noun) verbs += fmt::format("{}{}", verbs.empty() ? "" : " ", row.verb);
    text += fmt::format("    {}) verbs=\"{}\" ;;\n", command.noun, verbs);
  }
  return text;
}

std::string nouns() {
  std::string text;
  std::set<std::string_view> done;
  for (const Command& command : commands())
    if (done.insert(command.noun).second) text += fmt::format("{}{}", text.empty() ? "" : " ", command.noun);
  return text;
}

}  // namespace

std::string bash_completion() {
  std::string text = R"(# bash completion for podswitch; made by `podswitch completion bash`

_podswitch_names() {
  local i socket=()
  for ((i = 1; i < ${#COMP_WORDS[@]} - 1; i++)); do
    [[ ${COMP_WORDS[i]} == --socket ]] || continue
    # Bash splits --socket=PATH into three words.
    [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
    socket=(--socket "${COMP_WORDS[i + 1]}")
  done
  "${COMP_WORDS[0]}" "${socket[@]}" "$1" list 2>/dev/null | awk -v suffix="$2" 'NR > 1 { print $1 suffix }'
}

_podswitch() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local noun= verb= verbs= options= plain= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    --socket | -o | --output) [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++)); ((i++)) ;;
    -*) ;;
    *) if [[ -z $noun ]]; then noun=${COMP_WORDS[i]}; elif [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; fi ;;
    esac
  done
  [[ $current == = ]] && current=
  [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
  case $previous in
    --socket) compopt -o default; COMPREPLY=(); return ;;
    -o | --output) COMPREPLY=($(compgen -W "table json yaml" -- "$current")); return ;;
)";
  text += value_arms();
  text += "  esac\n  if [[ -z $noun ]]; then\n";
  text += fmt::format(
      "    COMPREPLY=($(compgen -W \"{} --socket -o --help\" -- \"$current\"))\n    return\n  fi\n", nouns());
  text += "  case $noun in\n" + verb_arms() + "    *) verb= ;;\n  esac\n";
  text += R"(  if [[ -n $verbs && -z $verb ]]; then
    COMPREPLY=($(compgen -W "$verbs --help" -- "$current"))
    return
  fi
  case "$noun${verb:+ $verb}" in
)";
  for (const Command& command : commands()) text += command_arm(command);
  text += R"(  esac
  if [[ $current == -* || -z $plain ]]; then plain="$options --help"; fi
  COMPREPLY=($(compgen -W "$plain" -- "$current"))
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$current"; fi
}
complete -F _podswitch podswitch
)";
  return text;
}

}  // namespace podswitch
