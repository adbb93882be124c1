// SPDX-License-Identifier: Apache-2.0
// The rows of the option table about flows. Those of the timeouts come from the list of states, so that a new
// state has its key by itself. Main thread.
#pragma once

#include <span>

#include "ctl/options.h"

namespace podswitch {

std::span<const Option> flow_options();  // live as long as the program

}  // namespace podswitch
