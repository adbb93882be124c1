// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>

#include "ctl/options.h"
#include "ctl/text.h"

namespace podswitch {
namespace {

// Breaks `text` into comment lines.
void append_comment(std::string& out, std::string_view text) {
  constexpr size_t kWidth = 98;
  while (!text.empty()) {
    size_t end = text.size();
    if (end > kWidth) end = text.rfind(' ', kWidth);
    out += fmt::format("# {}\n", text.substr(0, end));
    text = trim(text.substr(end));
  }
}

constexpr std::string_view kFileHead = R"(# SPDX-License-Identifier: Apache-2.0
# podswitchd's configuration. Made by 'podswitchd --print-config'; every key is shown with its
# default, commented out. A key is also a flag ('--workers.cores 1'), and the command line wins.
# 'podswitchd --check --config FILE' says what is wrong with a file. '#' and ';' start a comment, at
# a line's start or after a blank.
)";

constexpr std::string_view kFileTail = R"(
[queues]

# PORT:QUEUE = CORE keeps a receive queue of a static port on one worker; the others are spread by
# round robin.
#uplink:0 = 1

# One section per static port: it exists before anything is asked of the control socket, and only
# this file changes it. The keys are the options of 'podswitch port add', without the dashes.
#[port.uplink]
#type = ethdev
#device = 0000:00:05.0
#queues = 2
#
#[port.web]
#type = tap
#ifname = eth0
#netns = /run/netns/web
#ip = 10.1.0.2, fd00:1::2

# One section per network that is stretched over the nodes: ports in it are bridged with those on
# other nodes that are in a network of the same VNI.
#[network.blue]
#vni = 100
)";

}  // namespace

boost::program_options::options_description option_flags() {
  namespace po = boost::program_options;
  po::options_description flags("Options, also keys of the configuration file", 110, 50);
  for (const Option& option : options()) {
    const std::string text(option.default_text);
    std::string help(option.help);
    if (!option.default_note.empty()) help += fmt::format(" Default: {}.", option.default_note);
    flags.add_options()(
        std::string(option.key).c_str(),
        po::value<std::string>()->default_value(text, text)->value_name(std::string(option.value_name)),
        help.c_str());
  }
  return flags;
}

std::string default_file() {
  std::string out(kFileHead);
  std::string_view section;
  for (const Option& option : options()) {
    if (option.section() != section) {
      section = option.section();
      out += fmt::format("\n[{}]\n", section);
    }
    out += '\n';
    append_comment(out, option.help);
    if (!option.default_note.empty()) append_comment(out, fmt::format("Default: {}.", option.default_note));
    out += fmt::format("#{} ={}{}\n", option.name(), option.default_text.empty() ? "" : " ",
                       option.default_text);
  }
  out += kFileTail;
  return out;
}

}  // namespace podswitch
