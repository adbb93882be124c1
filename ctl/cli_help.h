// SPDX-License-Identifier: Apache-2.0
// Help, the README's reference and the completion script, all made of the table of commands. The command
// line's only thread.
#pragma once

#include <string>
#include <string_view>

#include "ctl/commands.h"

namespace podswitch {

std::string usage_line(const Command& command);  // "podswitch port add [NAME] [--file FILE] ..."
std::string help_text();                         // of all
std::string help_text(std::string_view noun);    // of all that a noun can do
std::string help_text(const Command& command);
std::string commands_markdown();
std::string drops_markdown();
std::string bash_completion();

}  // namespace podswitch
