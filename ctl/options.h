// SPDX-License-Identifier: Apache-2.0
// The one table of podswitchd's options. A row makes the INI key, the flag of the same name, its line in
// --help, its default, and its paragraph in conf/podswitch.conf and the README. Main thread.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <span>
#include <string>
#include <string_view>

#include "ctl/config.h"

namespace podswitch {

struct Option {
  std::string_view key;                                 // SECTION.NAME
  std::string_view value_name;                          // "CORES"
  std::string_view default_text;                        // what applies when it is not set
  std::string_view default_note;                        // in words, when the default is computed
  std::string_view help;                                // what it does, and its range
  void (*set)(Config& config, std::string_view value);  // throws Error("", message)

  std::string_view section() const { return key.substr(0, key.find('.')); }
  std::string_view name() const { return key.substr(key.find('.') + 1); }
};

std::span<const Option> options();
const Option* find_option(std::string_view key);

// The flags made of the table, for Boost.Program_options.
boost::program_options::options_description option_flags();

// Every key, commented out, with its explanation: conf/podswitch.conf, and a block of the README.
std::string default_file();

}  // namespace podswitch
