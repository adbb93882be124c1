// SPDX-License-Identifier: Apache-2.0
#include "ctl/host/relocate.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <string>

#include "ctl/host/host_routes.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

// Collects failures instead of ending at the first.
class Steps {
 public:
  void run(const std::function<void()>& step) {
    try {
      step();
    } catch (const Error& error) {
      problems_.insert(problems_.end(), error.problems().begin(), error.problems().end());
    }
  }
  void finish() {
    if (!problems_.empty()) throw Error(std::move(problems_));
  }

 private:
  std::vector<Problem> problems_;
};

// A gateway can be named only once there is a route to it.
bool has_gateway(const KernelRoute& route) {
  return std::any_of(route.hops.begin(), route.hops.end(),
                     [](const RouteHop& hop) { return hop.gateway.has_value(); });
}

}  // namespace

bool Belongings::has_global_address() const {
  return std::any_of(addresses.begin(), addresses.end(),
                     [](const InterfaceAddress& address) { return address.scope == RT_SCOPE_UNIVERSE; });
}

Belongings belongings_of(Rtnetlink& kernel, unsigned interface) {
  Belongings found{kernel.addresses(interface), kernel.routes(), kernel.permanent_neighbours(interface)};
  // The kernel puts a new IPv6 address before the older ones: the oldest first makes the same list again.
  const auto v6 =
      std::stable_partition(found.addresses.begin(), found.addresses.end(),
                            [](const InterfaceAddress& address) { return address.address.is_v4(); });
  std::reverse(v6, found.addresses.end());
  std::erase_if(found.routes, [&](const KernelRoute& route) {
    return route.protocol == kRouteProtocol || !route.uses(interface);
  });
  std::stable_partition(found.routes.begin(), found.routes.end(),
                        [](const KernelRoute& route) { return !has_gateway(route); });
  std::erase_if(found.neighbours, [](const Neighbour& one) { return one.protocol == kRouteProtocol; });
  return found;
}

Belongings on_interface(const Belongings& what, unsigned from, unsigned to) {
  Belongings moved = what;
  for (InterfaceAddress& address : moved.addresses) address.interface = to;
  for (KernelRoute& route : moved.routes)
    for (RouteHop& hop : route.hops)
      if (hop.interface == from) hop.interface = to;
  for (Neighbour& neighbour : moved.neighbours) neighbour.interface = to;
  return moved;
}

void relocate(Rtnetlink& kernel, const Belongings& what, unsigned from, unsigned to) {
  const Belongings there = on_interface(what, from, to), here = on_interface(what, to, from);
  Steps steps;
  const auto add_routes = [&] {
    for (const KernelRoute& route : there.routes) steps.run([&] { kernel.add(route); });
  };
  for (const InterfaceAddress& address : there.addresses) steps.run([&] { kernel.add(address); });
  for (const Neighbour& neighbour : there.neighbours) steps.run([&] { kernel.set(neighbour); });
  // Beside the old ones first, so that at no time there is no way out.
  add_routes();
  if (from == 0) return steps.finish();
  for (const KernelRoute& route : here.routes) steps.run([&] { kernel.remove(route); });
  // A primary IPv4 address takes its secondaries with it: they go before it.
  for (auto address = here.addresses.rbegin(); address != here.addresses.rend(); ++address)
    steps.run([&] { kernel.remove(*address); });
  // The kernel deletes every route that names an address as its source when an interface loses that address,
  // although another has it.
  add_routes();
  for (const Neighbour& neighbour : here.neighbours) steps.run([&] { kernel.remove(neighbour); });
  steps.finish();
}

void copy_settings(const std::string& from, const std::string& to) {
  static const std::vector<std::pair<const char*, const char*>> kSettings{
      {"ipv4", "forwarding"},       {"ipv4", "rp_filter"},      {"ipv4", "arp_ignore"},
      {"ipv4", "arp_announce"},     {"ipv4", "arp_filter"},     {"ipv4", "proxy_arp"},
      {"ipv4", "accept_redirects"}, {"ipv4", "send_redirects"}, {"ipv6", "disable_ipv6"},
      {"ipv6", "forwarding"},       {"ipv6", "accept_ra"},      {"ipv6", "autoconf"},
      {"ipv6", "use_tempaddr"}};
  for (const auto& [family, setting] : kSettings) {
    const auto path = [&, f = family, s = setting](const std::string& ifname) {
      return fmt::format("/proc/sys/net/{}/conf/{}/{}", f, ifname, s);
    };
    std::string wanted, present;
    if (!(std::ifstream(path(from)) >> wanted) || !(std::ifstream(path(to)) >> present) || wanted == present)
      continue;
    std::ofstream(path(to)) << wanted << std::endl;
  }
}

}  // namespace podswitch
