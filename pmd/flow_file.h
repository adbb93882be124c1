// SPDX-License-Identifier: Apache-2.0
// Where the flows lie: anonymous, in the file that was asked for, or where it is best when nobody asked: on a
// hugetlbfs, else in a tmpfs beside the control socket. When it is up to the switch a place that does not
// work is no error, and what a former start left at another of the places goes. Configuration thread.
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <vector>

#include "pmd/engine.h"
#include "pmd/flow_memory.h"

namespace podswitch {

// Throws Error when the file was asked for and does not work, or when there is no memory.
FlowMemory open_flow_memory(const FlowOptions& options, const std::string& instance, bool has_hugepages);

// Mount points of type hugetlbfs in /proc/self/mounts' form.
std::vector<std::string> hugetlbfs_mounts(std::istream& mounts);

}  // namespace podswitch
