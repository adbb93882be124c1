// SPDX-License-Identifier: Apache-2.0
// Moving what makes a node reachable, its addresses, routes and permanent neighbours, from one interface to
// another so that open connections go on. In the namespace of the calling thread.
#pragma once

#include <vector>

#include "pmd/rtnetlink.h"

namespace podswitch {

struct Belongings {  // of one interface
  std::vector<InterfaceAddress> addresses;
  std::vector<KernelRoute> routes;  // that use it, the switch's own left aside
  std::vector<Neighbour> neighbours;

  // Whether a node can be reached by them: link-local ones every interface has.
  bool has_global_address() const;
  friend bool operator==(const Belongings&, const Belongings&) = default;
};

Belongings belongings_of(Rtnetlink& kernel, unsigned interface);
// As `what`, on `to` in the place of `from`.
Belongings on_interface(const Belongings& what, unsigned from, unsigned to);

// Both interfaces are up; `from` 0: it is gone, and what it had with it. What is on `to` already stays. Goes
// on after a failure, as far as it can, so that most of a node is better than none; then throws Error with
// all that failed.
void relocate(Rtnetlink& kernel, const Belongings& what, unsigned from, unsigned to);

// The MAC stays the same, but some settings of /proc/sys/net decide what the kernel does with an address.
// Those that cannot be read or written are left out.
void copy_settings(const std::string& from, const std::string& to);

}  // namespace podswitch
