// SPDX-License-Identifier: Apache-2.0
#include "ctl/host/uplink_plan.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "pmd/error.h"
#include "pmd/ingress_block.h"
#include "pmd/pci_address.h"
#include "pmd/unique_fd.h"

namespace podswitch {
namespace {

// Drivers that leave the interface with the kernel while DPDK uses the device.
constexpr std::array<std::string_view, 3> kBifurcated{"mlx4_core", "mlx5_core", "mana"};

[[noreturn]] void refuse(const std::string& message) {
  throw Error("", message);
}

// False: the driver does not answer this question.
template <typename T>
bool ask_ethtool(const std::string& ifname, uint32_t command, T& answer) {
  const UniqueFd fd(
      check_errno(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket to query interfaces"));
  answer = {};
  answer.cmd = command;
  ifreq request{};
  std::memcpy(request.ifr_name, ifname.c_str(), std::min<size_t>(ifname.size(), IFNAMSIZ - 1));
  request.ifr_data = reinterpret_cast<char*>(&answer);
  return ::ioctl(fd.get(), SIOCETHTOOL, &request) == 0;
}

// AF_XDP takes the frames of the queues that it is bound to; the kernel would keep those of the others.
void check_channels(const UplinkRequest& request) {
  ethtool_channels channels;
  if (!ask_ethtool(request.nic, ETHTOOL_GCHANNELS, channels)) return;
  const uint32_t count = channels.combined_count + channels.rx_count;
  if (count > 0 && count != request.queues)
    refuse(
        fmt::format("{} receives on {} queues, and af-xdp would take {} of them: --queues {}, or first "
                    "`ethtool -L {} combined {}`",
                    request.nic, count, request.queues, count, request.nic, request.queues));
}

std::string pci_device(const std::string& nic) {
  ethtool_drvinfo driver;
  if (!ask_ethtool(nic, ETHTOOL_GDRVINFO, driver)) refuse(nic + " has no driver that says what device it is");
  const auto text = [](const char* bytes, size_t size) { return std::string(bytes, ::strnlen(bytes, size)); };
  const std::string name = text(driver.driver, sizeof driver.driver),
                    bus = text(driver.bus_info, sizeof driver.bus_info);
  if (pci_address(bus).empty()) refuse(fmt::format("{} is no PCI device: --type af-packet or af-xdp", nic));
  if (std::find(kBifurcated.begin(), kBifurcated.end(), name) == kBifurcated.end())
    refuse(fmt::format(
        "{} has driver {}, which gives the device to DPDK only by giving up the interface: that "
        "cannot be undone safely by a timer. Use --type af-xdp, or bind {} to vfio-pci and configure "
        "ports '{}' and '{}' by hand (README, Uplink)",
        nic, name, bus, kUplinkPort, kHostPort));
  return bus;
}

Link need_link(const std::vector<Link>& links, const std::string& name) {
  for (const Link& link : links)
    if (link.name == name) return link;
  refuse(fmt::format("there is no interface {} in this network namespace", name));
}

void check_nic(const Link& nic, const std::vector<Link>& links) {
  if (nic.name == kHostInterface) refuse(fmt::format("{} is the host port's own interface", nic.name));
  if (!nic.mac || (nic.flags & IFF_LOOPBACK) != 0) refuse(nic.name + " is no Ethernet interface");
  if ((nic.flags & IFF_UP) == 0) refuse(fmt::format("{} is down: ip link set {} up", nic.name, nic.name));
  if (nic.kind == "vlan")
    refuse(
        fmt::format("{} is a VLAN interface: attach what it stands on, with --vlan {}", nic.name, nic.vlan));
  for (const Link& master : links)
    if (nic.master == master.index)
      refuse(fmt::format("{} belongs to {}: attach {} instead", nic.name, master.name, master.name));
}

// Where the addresses are.
Link find_source(const UplinkRequest& request, const Link& nic, const std::vector<Link>& links) {
  if (request.vlan == 0) return nic;
  for (const Link& link : links)
    if (link.kind == "vlan" && link.lower == nic.index && link.vlan == request.vlan) return link;
  refuse(fmt::format("{} has no VLAN interface with tag {}, on which the node's addresses would be", nic.name,
                     request.vlan));
}

void check_routes(const Belongings& belongings) {
  std::vector<Problem> problems;
  for (const KernelRoute& route : belongings.routes)
    if (!route.unknown.empty())
      problems.push_back(
          {"", fmt::format("route {} has attribute {} (RTA_*), which cannot be moved: delete the route",
                           route.to_string(), fmt::join(route.unknown, ", "))});
  if (!problems.empty()) throw Error(std::move(problems));
}

}  // namespace

UplinkPlan plan_uplink(const UplinkRequest& request) {
  if (request.kind != PortKind::AfPacket && request.kind != PortKind::AfXdp &&
      request.kind != PortKind::Ethdev)
    refuse(fmt::format("--type {}: an uplink of an interface is af-packet, af-xdp or ethdev",
                       to_string(request.kind)));
  if (request.vlan > 4094) refuse(fmt::format("--vlan {}: 1 to 4094", request.vlan));
  Rtnetlink kernel;
  const std::vector<Link> links = kernel.links();
  for (const Link& link : links)
    if (link.name == kHostInterface && link.kind != "tun")
      refuse(fmt::format("interface {} exists and is no tap: the host port needs this name", link.name));
  const Link nic = need_link(links, request.nic);
  check_nic(nic, links);
  const Link source = find_source(request, nic, links);
  if ((source.flags & IFF_UP) == 0)
    refuse(fmt::format("{} is down: ip link set {} up", source.name, source.name));
  if (!source.mac) refuse(source.name + " is no Ethernet interface");

  UplinkPlan plan;
  if (request.kind == PortKind::AfXdp) check_channels(request);
  if (request.kind == PortKind::Ethdev) plan.device = pci_device(nic.name);
  for (const Link& link : links)
    if (link.lower == nic.index && link.index != source.index)
      plan.warnings.push_back(
          fmt::format("{} stands on {} and will receive nothing any more", link.name, nic.name));
  if (source.index != nic.index && belongings_of(kernel, nic.index).has_global_address())
    plan.warnings.push_back(fmt::format(
        "{} has addresses of its own, outside VLAN {}: they will be out of reach", nic.name, request.vlan));
  UplinkState& state = plan.state;
  state.boot_id = present_boot_id();
  state.netns = present_netns();
  state.nic = nic.name;
  state.source = source.name;
  state.host = kHostInterface;
  state.kind = request.kind;
  state.queues = request.queues;
  state.vlan = request.vlan;
  state.mtu = static_cast<uint16_t>(std::min<uint32_t>(source.mtu, UINT16_MAX));
  state.mac = *source.mac;
  state.belongings = belongings_of(kernel, source.index);
  check_routes(state.belongings);
  return plan;
}

namespace {

// Where tunnels end, and the way to outside addresses: the first address of each family, and the default
// route's gateway if it lies in the same prefix.
void describe_underlay(const Belongings& belongings, nlohmann::json& port) {
  std::vector<std::string> addresses, gateways;
  for (const bool is_v4 : {true, false}) {
    const auto own = std::find_if(
        belongings.addresses.begin(), belongings.addresses.end(), [&](const InterfaceAddress& address) {
          return address.address.is_v4() == is_v4 && address.scope == RT_SCOPE_UNIVERSE;
        });
    if (own == belongings.addresses.end()) continue;
    const PrefixedAddress mine{own->address, own->length};
    addresses.push_back(mine.to_string());
    for (const KernelRoute& route : belongings.routes) {
      const bool is_default = route.destination.length == 0 && route.destination.is_v4() == is_v4;
      if (!is_default || route.hops.empty() || !route.hops.front().gateway) continue;
      if (!mine.prefix().contains(*route.hops.front().gateway)) continue;
      gateways.push_back(route.hops.front().gateway->to_string());
      break;
    }
  }
  port["underlay"] = addresses;
  port["underlay-gateway"] = gateways;
}

}  // namespace

nlohmann::json uplink_port(const UplinkPlan& plan) {
  const UplinkState& state = plan.state;
  nlohmann::json port{{"name", kUplinkPort},
                      {"type", to_string(state.kind)},
                      {"network", kUnderlay},
                      {"mtu", fmt::format("{}", state.mtu)},
                      {"queues", fmt::format("{}", state.queues)},
                      {"allow-spoofing", "true"}};
  if (state.kind == PortKind::Ethdev)
    port["device"] = plan.device;
  else
    port["ifname"] = state.nic;
  if (state.vlan != 0) port["trunk"] = fmt::format("{}", state.vlan);
  port["role"] = "uplink";
  port["mac"] = state.mac.to_string();
  describe_underlay(state.belongings, port);
  return port;
}

nlohmann::json host_port(const UplinkState& state) {
  nlohmann::json port{{"name", kHostPort},
                      {"type", to_string(PortKind::Tap)},
                      {"network", kUnderlay},
                      {"ifname", state.host},
                      {"mac", state.mac.to_string()},
                      {"mtu", fmt::format("{}", state.mtu)},
                      {"queues", fmt::format("{}", state.queues)},
                      {"allow-spoofing", "true"}};
  if (state.vlan != 0) port["vlan"] = fmt::format("{}", state.vlan);
  port["role"] = "host";
  return port;
}

bool needs_ingress_block(PortKind kind) {
  // AF_XDP takes them before, but what its queues cannot hold goes on to the kernel.
  return kind == PortKind::AfPacket || kind == PortKind::AfXdp;
}

std::string describe(const UplinkPlan& plan) {
  const UplinkState& state = plan.state;
  std::string text =
      fmt::format("port {}: {} on {}, {} queues{}\n", kUplinkPort, to_string(state.kind), state.nic,
                  state.queues, state.vlan == 0 ? "" : fmt::format(", VLAN {}", state.vlan));
  text += fmt::format("port {}: interface {}, MAC {}, MTU {}\n", kHostPort, state.host, state.mac.to_string(),
                      state.mtu);
  if (needs_ingress_block(state.kind))
    text += fmt::format("nftables: table netdev {} keeps the kernel off what arrives on {}\n", kIngressTable,
                        state.nic);
  for (const InterfaceAddress& address : state.belongings.addresses)
    text += fmt::format("address {}/{}: from {} to {}\n", address.address.to_string(), address.length,
                        state.source, state.host);
  for (const KernelRoute& route : state.belongings.routes)
    text += fmt::format("route {}: to {}\n", route.to_string(), state.host);
  for (const Neighbour& neighbour : state.belongings.neighbours)
    text += fmt::format("neighbour {}: to {}\n", neighbour.to_string(), state.host);
  for (const std::string& warning : plan.warnings) text += fmt::format("warning: {}\n", warning);
  return text;
}

}  // namespace podswitch
