// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "ctl/port_options.h"
#include "ctl/text.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& words) : words_(words) {
    if (const char* socket = std::getenv("PODSWITCH_SOCKET"); socket != nullptr && *socket != 0)
      line_.socket = socket;
  }

  CommandLine run() {
    try {
      return parse();
    } catch (UsageError& error) {
      const auto rows = commands();
      const bool is_noun =
          std::any_of(rows.begin(), rows.end(), [&](const Command& row) { return row.noun == line_.noun; });
      error.command = line_.command != nullptr ? line_.command->name() : is_noun ? line_.noun : "";
      throw;
    }
  }

 private:
  CommandLine parse() {
    bool options_ended = false;
    while (at_ < words_.size()) {
      const std::string& word = words_[at_++];
      if (!options_ended && word == "--")
        options_ended = true;
      else if (!options_ended && word.size() > 1 && word[0] == '-')
        take_option(word);
      else
        take_word(word);
    }
    if (!line_.wants_help) finish();
    return std::move(line_);
  }

  void take_word(const std::string& word) {
    if (line_.noun.empty()) return take_noun(word);
    if (line_.command == nullptr) return take_verb(word);
    take_positional(word);
  }

  void take_noun(const std::string& word) {
    line_.noun = word;
    if (const Command* whole = find_command(word)) line_.command = whole;
    const auto rows = commands();
    if (std::any_of(rows.begin(), rows.end(), [&](const Command& row) { return row.noun == word; })) return;
    std::vector<std::string_view> nouns;
    for (const Command& row : rows) nouns.push_back(row.noun);
    throw UsageError(fmt::format("no such command '{}'{}", word, suggestion(word, nouns)));
  }

  void take_verb(const std::string& word) {
    line_.command = find_command(line_.noun + " " + word);
    if (line_.command != nullptr) return;
    std::vector<std::string_view> verbs;
    for (const Command& row : commands())
      if (row.noun == line_.noun) verbs.push_back(row.verb);
    throw UsageError(fmt::format("'{}' is nothing that '{}' can do: {}{}", word, line_.noun,
                                 fmt::join(verbs, ", "), suggestion(word, verbs)));
  }

  void take_positional(const std::string& word) {
    size_t index = 0;
    for (const Parameter& row : line_.command->parameters) {
      if (!row.is_positional) continue;
      if (row.shape == Shape::Texts || index == positionals_) {
        if (row.shape == Shape::Texts)
          line_.arguments[std::string(row.name)].push_back(word);
        else
          store(row, word);
        ++positionals_;
        return;
      }
      ++index;
    }
    throw UsageError(fmt::format("'{}' is one word too many", word));
  }

  void take_option(const std::string& word) {
    std::string name = word;
    std::optional<std::string> value;
    if (const size_t equals = word.find('='); word.starts_with("--") && equals != std::string::npos) {
      name = word.substr(0, equals);
      value = word.substr(equals + 1);
    }
    if (name == "-h" || name == "--help") {
      line_.wants_help = true;
    } else if (name == "--version" && line_.noun.empty()) {
      take_noun("version");
    } else if (name == "--socket") {
      line_.socket = value_of(name, value);
    } else if (name == "-o" || name == "--output") {
      const std::string form = value_of(name, value);
      if (form != "table" && form != "json" && form != "yaml")
        throw UsageError(fmt::format("-o {}: the output is table, json or yaml", form));
      line_.wants_json = form == "json";
      line_.wants_yaml = form == "yaml";
    } else {
      take_command_option(name, value);
    }
  }

  void take_command_option(const std::string& name, const std::optional<std::string>& value) {
    if (line_.command == nullptr)
      throw UsageError(fmt::format("no such option '{}'{}; a command's options follow the command", name,
                                   line_.noun.empty() ? "" : " before the verb"));
    const std::string_view bare = std::string_view(name).substr(std::min<size_t>(2, name.size()));
    for (const Parameter& row : line_.command->parameters) {
      const bool is_long = name.starts_with("--") && row.name == bare;
      const bool is_short = row.letter != 0 && name == std::string{'-', row.letter};
      if (row.is_positional || !(is_long || is_short)) continue;
      if (row.shape == Shape::Flag && value) throw UsageError(fmt::format("{} takes no value", name));
      if (row.shape == Shape::Flag)
        target(row)[std::string(row.name)] = true;
      else if (row.shape == Shape::Texts)
        store_list(row, value_of(name, value));
      else
        store(row, value_of(name, value));
      return;
    }
    if (line_.command->takes_port_options && name.starts_with("--"))
      if (const PortOption* option = find_port_option(bare)) return take_port_option(*option, name, value);
    std::vector<std::string_view> known;
    for (const Parameter& row : line_.command->parameters)
      if (!row.is_positional) known.push_back(row.name);
    if (line_.command->takes_port_options)
      for (const PortOption& option : port_options()) known.push_back(option.name);
    throw UsageError(fmt::format("no such option '{}'{}", name, suggestion(bare, known)));
  }

  void take_port_option(const PortOption& option, const std::string& name,
                        const std::optional<std::string>& value) {
    const std::string key(option.name);
    if (!option.repeatable && line_.arguments.contains(key))
      throw UsageError(fmt::format("{} is given twice", name));
    if (option.is_flag)
      line_.arguments[key] = value.value_or("true");
    else if (option.repeatable)
      line_.arguments[key].push_back(value_of(name, value));
    else
      line_.arguments[key] = value_of(name, value);
  }

  std::string value_of(const std::string& name, const std::optional<std::string>& attached) {
    if (attached) return *attached;
    if (at_ == words_.size()) throw UsageError(fmt::format("{} needs a value", name));
    return words_[at_++];
  }

  // As one types it.
  static std::string spelled(const Parameter& row) {
    return row.is_positional ? std::string(row.value_name) : fmt::format("--{}", row.name);
  }

  Json& target(const Parameter& row) { return row.is_local ? line_.local : line_.arguments; }

  void store(const Parameter& row, const std::string& value) {
    const std::string key(row.name);
    if (target(row).contains(key)) throw UsageError(fmt::format("{} is given twice", spelled(row)));
    if (row.shape != Shape::Number) {
      target(row)[key] = value;
      return;
    }
    try {
      target(row)[key] = parse_number(value, 0, UINT32_MAX);
    } catch (const Error& error) {
      throw UsageError(fmt::format("{}: {}", spelled(row), error.what()));
    }
  }

  // Given several times, or with commas.
  void store_list(const Parameter& row, const std::string& value) {
    try {
      const auto parts = split_list(value);
      if (parts.empty()) throw Error("", "needs a value");
      for (const std::string_view part : parts)
        target(row)[std::string(row.name)].push_back(std::string(part));
    } catch (const Error& error) {
      throw UsageError(fmt::format("{}: {}", spelled(row), error.what()));
    }
  }

  void finish() {
    if (line_.noun.empty()) throw UsageError("no command");
    if (line_.command == nullptr) {
      std::vector<std::string_view> verbs;
      for (const Command& row : commands())
        if (row.noun == line_.noun) verbs.push_back(row.verb);
      throw UsageError(fmt::format("what shall be done with '{}'? {}", line_.noun, fmt::join(verbs, ", ")));
    }
    for (const Parameter& row : line_.command->parameters)
      if (row.is_required && !target(row).contains(row.name))
        throw UsageError(fmt::format("{} is missing: {}", spelled(row), row.help));
    if (line_.command->takes_port_options) check_port_add();
    check_interval();
  }

  void check_interval() const {
    if (line_.wants_yaml && line_.local.contains("watch"))
      throw UsageError("--watch shows a table, or JSON with -o json");
    if (!line_.local.contains("interval")) return;
    if (!line_.local.contains("watch")) throw UsageError("--interval goes with --watch only");
    if (line_.local.at("interval") == 0) throw UsageError("--interval: at least 1 second");
  }

  void check_port_add() const {
    if (line_.local.contains("file")) {
      if (!line_.arguments.empty()) throw UsageError("--file has the names and all options in the file");
      return;
    }
    if (!line_.arguments.contains("name")) throw UsageError("NAME is missing, or --file");
    if (!line_.arguments.contains("type")) throw UsageError("--type is missing");
  }

  const std::vector<std::string>& words_;
  size_t at_ = 0;
  size_t positionals_ = 0;
  CommandLine line_;
};

}  // namespace

CommandLine parse_cli(const std::vector<std::string>& words) {
  // `help NOUN VERB` is `NOUN VERB --help`, also behind options that stand everywhere.
  size_t at = 0;
  while (at < words.size() && words[at].starts_with("-"))
    at += words[at] == "--socket" || words[at] == "-o" || words[at] == "--output" ? 2 : 1;
  if (at + 1 < words.size() && words[at] == "help" && !words[at + 1].starts_with("-")) {
    std::vector<std::string> rest(words.begin(), words.end());
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(at));
    rest.emplace_back("--help");
    return parse_cli(rest);
  }
  return Parser(words).run();
}

std::vector<GlobalOption> global_options() {
  return {{"--socket", "PATH",
           "the daemon's control socket; default: $PODSWITCH_SOCKET, or /run/podswitch/control.sock"},
          {"-o", "table|json|yaml", "for people, or for programs; default: table"},
          {"--help", "", "help on what stands before it"},
          {"--version", "", "the same as the command version"}};
}

}  // namespace podswitch
