// SPDX-License-Identifier: Apache-2.0
#include "ctl/config_check.h"

#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "ctl/desired.h"
#include "ctl/networks.h"
#include "ctl/text.h"
#include "pmd/bond_member.h"
#include "pmd/group.h"
#include "pmd/pci_address.h"
#include "pmd/socket_path.h"

namespace podswitch {
namespace {

bool contains(const std::vector<unsigned>& list, unsigned value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// `from` without what is in `taken`.
std::vector<unsigned> without(const std::vector<unsigned>& from, const std::vector<unsigned>& taken) {
  std::vector<unsigned> rest;
  for (const unsigned core : from)
    if (!contains(taken, core)) rest.push_back(core);
  return rest;
}

bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

}  // namespace

void ConfigChecker::add(const std::string& section, std::string_view name, std::string message) {
  problems_.push_back({where_(section, name), std::move(message)});
}

void ConfigChecker::core_list(const std::vector<unsigned>& list, std::string_view name) {
  std::set<unsigned> seen;
  std::set<unsigned> reported;
  for (const unsigned core : list) {
    if (!seen.insert(core).second) {
      if (reported.insert(core).second) add("workers", name, fmt::format("core {} is listed twice", core));
    } else if (!contains(cores_.existing, core)) {
      add("workers", name,
          fmt::format("core {} does not exist; this machine has {}", core,
                      format_number_list(cores_.existing)));
    } else if (!contains(cores_.allowed, core)) {
      add("workers", name,
          fmt::format("core {} is not open to this process; its CPU set is {}", core,
                      format_number_list(cores_.allowed)));
    }
  }
}

void ConfigChecker::choose_cores(Config& config) {
  if (config.worker_cores.empty()) {
    auto free = without(cores_.allowed, config.main_cores);
    // Cores that cannot be used at all have been reported; a single core has to do both.
    if (free.empty() && cores_.allowed.size() == 1) free = cores_.allowed;
    if (free.empty())
      return add("workers", "main-core", "leaves no core to a worker: take one out or set workers.cores");
    config.worker_cores = {free.back()};
  }
  if (config.main_cores.empty()) {
    config.main_cores = without(cores_.allowed, config.worker_cores);
    if (config.main_cores.empty()) config.main_cores = config.worker_cores;
  }
}

void ConfigChecker::cores(Config& config) {
  core_list(config.worker_cores, "cores");
  core_list(config.main_cores, "main-core");
  std::set<unsigned> overlapping;
  for (const unsigned core : config.main_cores)
    if (contains(config.worker_cores, core)) overlapping.insert(core);
  for (const unsigned core : overlapping)
    add("workers", "main-core",
        fmt::format(
            "core {} is a worker's already, in workers.cores; give the other threads cores of their own",
            core));
  choose_cores(config);
}

void ConfigChecker::pins(const Config& config, const std::set<std::string>& broken_ports) {
  for (const auto& [queue, core] : config.pins) {
    const std::string key = fmt::format("{}:{}", queue.port, queue.queue);
    const auto port =
        std::find_if(config.ports.begin(), config.ports.end(),
                     [&, name = queue.port](const PortSpec& spec) { return spec.name == name; });
    if (port == config.ports.end() && broken_ports.count(queue.port) == 0)
      add("queues", key,
          fmt::format("there is no section [port.{}]; queues of ports that are added later are pinned with "
                      "'podswitch worker assign'",
                      queue.port));
    else if (port != config.ports.end() && queue.queue >= port->queues)
      add("queues", key,
          fmt::format("port {} has {} queue{}, counted from 0", port->name, port->queues,
                      port->queues == 1 ? "" : "s"));
    if (!contains(config.worker_cores, core))
      add("queues", key,
          fmt::format("core {} has no worker; workers run on {}", core,
                      format_number_list(config.worker_cores)));
  }
}

void ConfigChecker::port_on_machine(const PortSpec& port) {
  const std::string section = "port." + port.name;
  if (!port.netns.empty() && !exists(port.netns))
    add(section, "netns", fmt::format("there is no {}", port.netns));
  const bool uses_interface = port.kind == PortKind::AfPacket || port.kind == PortKind::AfXdp;
  if (uses_interface && port.netns.empty() && if_nametoindex(port.ifname.c_str()) == 0)
    add(section, "ifname", fmt::format("there is no interface {}", port.ifname));
  if (const std::string pci = pci_address(port.device);
      !pci.empty() && !exists("/sys/bus/pci/devices/" + pci))
    add(section, "device", fmt::format("there is no PCI device {}", pci));
  for (const std::string& member : port.members)
    if (std::string missing = why_no_member(member); !missing.empty())
      add(section, "members", std::move(missing));
  if (port.server)
    if (const std::string reason = why_no_listener(port.path); !reason.empty()) add(section, "path", reason);
  if (!port.socket_group.empty() && !group_id(port.socket_group))
    add(section, "socket-group", fmt::format("there is no group '{}'", port.socket_group));
}

void ConfigChecker::ports(const Config& config) {
  DesiredState earlier;
  for (const PortSpec& port : config.ports) {
    port_on_machine(port);
    earlier.ports[port.name] = std::make_shared<const PortSpec>(port);
    std::vector<Problem> found;
    find_conflicts(earlier, config.gateway, {port.name}, {}, found);
    for (Problem& problem : found) add("port." + port.name, problem.path, std::move(problem.message));
  }
  if (config.ports.size() > kMaxPorts)
    problems_.push_back(
        {"", fmt::format("{} static ports; a switch has at most {}", config.ports.size(), kMaxPorts)});
}

void ConfigChecker::networks(const Config& config) {
  DesiredState earlier;
  for (const PortSpec& port : config.ports) earlier.ports[port.name] = std::make_shared<const PortSpec>(port);
  for (const auto& [name, vni] : config.networks) {
    std::vector<Problem> found;
    check_network(name, vni, earlier, {config.overlay.network, config.overlay.vni}, found);
    for (Problem& problem : found) add("network." + name, problem.path, std::move(problem.message));
    earlier.networks[name] = vni;
  }
}

void ConfigChecker::limits(const Config& config) {
  if (config.fdb.port_limit > config.fdb.capacity)
    add("fdb", "port-limit",
        fmt::format("{} is more than fdb.size, {}", config.fdb.port_limit, config.fdb.capacity));
}

void ConfigChecker::group(const Config& config) {
  if (!config.socket_group.empty() && !group_id(config.socket_group))
    add("control", "group", fmt::format("there is no group '{}'", config.socket_group));
}

}  // namespace podswitch
