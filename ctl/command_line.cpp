// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

#include <map>

#include "ctl/config.h"
#include "ctl/options.h"
#include "ctl/text.h"

namespace podswitch {
namespace {

namespace po = boost::program_options;

const std::map<std::string_view, Action> kActions{{"check", Action::Check},
                                                  {"help", Action::Help},
                                                  {"version", Action::Version},
                                                  {"print-config", Action::PrintConfig}};

std::string unknown_flag(const std::string& flag) {
  const std::string name = flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
  if (name.rfind("queues.", 0) == 0 || name.rfind("port.", 0) == 0)
    return "is known in the configuration file only";
  std::vector<std::string_view> known{"config"};
  for (const auto& [action, value] : kActions) known.push_back(action);
  for (const Option& option : options()) known.push_back(option.key);
  return "no such option" + suggestion(name, known, "--");
}

// Boost refuses "--key=", an empty value, but takes it as a word of its own.
std::vector<std::string> words_of(int argc, const char* const* argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool is_empty_value = word.rfind("--", 0) == 0 && word.find('=') == word.size() - 1;
    words.push_back(is_empty_value ? word.substr(0, word.size() - 1) : word);
    if (is_empty_value) words.emplace_back();
  }
  return words;
}

}  // namespace

Invocation parse_command_line(int argc, const char* const* argv, std::vector<Problem>& problems) {
  namespace style = po::command_line_style;
  po::options_description flags = option_flags();
  flags.add_options()("config", po::value<std::string>());
  for (const auto& [name, action] : kActions) flags.add_options()(std::string(name).c_str(), "");
  Invocation invocation;
  try {
    const auto parsed = po::command_line_parser(words_of(argc, argv))
                            .options(flags)
                            .style(style::unix_style & ~style::allow_guessing & ~style::allow_short)
                            .allow_unregistered()
                            .run();
    std::map<std::string, int> times;
    bool skip_value = false;
    for (const po::option& option : parsed.options) {
      const bool is_positional = option.string_key.empty();
      const bool is_unknown =
          option.unregistered || (!is_positional && !flags.find_nothrow(option.string_key, false));
      const std::string flag = "--" + option.string_key;
      if (is_positional) {
        // What follows an unknown option is most likely its value.
        if (!skip_value)
          problems.push_back({"", fmt::format("unexpected argument '{}': podswitchd takes only options",
                                              option.original_tokens.front())});
      } else if (is_unknown) {
        problems.push_back({flag, unknown_flag(option.string_key)});
      } else if (++times[option.string_key] == 2) {
        problems.push_back({flag, "given twice"});
      } else if (const auto action = kActions.find(option.string_key); action != kActions.end()) {
        invocation.action = action->second;
      } else if (option.string_key == "config") {
        invocation.config_path = option.value.front();
      } else {
        invocation.overrides.push_back({option.string_key, option.value.front(), flag});
      }
      skip_value = is_unknown;
    }
  } catch (const po::error& error) {
    problems.push_back({"", fmt::format("{}; see podswitchd --help", error.what())});
  }
  return invocation;
}

}  // namespace podswitch
