// SPDX-License-Identifier: Apache-2.0
#include "ctl/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "ctl/flow_options.h"
#include "ctl/text.h"
#include "pmd/socket_path.h"

namespace podswitch {
namespace {

template <typename T>
T number(std::string_view text, T min, T max) {
  return static_cast<T>(parse_number(text, min, max));
}

std::string absolute_path(std::string_view text) {
  if (text.empty() || text.front() != '/') throw Error("", fmt::format("'{}' is not an absolute path", text));
  return std::string(text);
}

void set_node_name(Config& config, std::string_view text) {
  const bool ok =
      text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
      });
  if (!ok)
    throw Error("", fmt::format("'{}' is no node name: at most 253 letters, digits, '.', '-' or '_'", text));
  config.node_name = text;
}

void set_socket(Config& config, std::string_view text) {
  config.socket = absolute_path(text);
  if (text.size() > kMaxSocketPath)
    throw Error("", fmt::format("{} bytes long; a socket's path has at most {}: use a shorter folder",
                                text.size(), kMaxSocketPath));
}

void set_idle(Config& config, std::string_view text) {
  if (text != "adaptive" && text != "poll")
    throw Error("", fmt::format("'{}' is neither adaptive nor poll", text));
  config.idle = text == "poll" ? IdlePolicy::Poll : IdlePolicy::Adaptive;
}

void set_spread(Config& config, std::string_view text) {
  if (text == "auto")
    config.spread = SpreadPolicy::Auto;
  else if (text == "off")
    config.spread = SpreadPolicy::Off;
  else if (text == "always")
    config.spread = SpreadPolicy::Always;
  else
    throw Error("", fmt::format("'{}' is none of auto, off, always", text));
}

void set_hugepages(Config& config, std::string_view text) {
  if (text == "auto")
    config.memory.hugepages = HugepagePolicy::Auto;
  else if (text == "required")
    config.memory.hugepages = HugepagePolicy::Required;
  else if (text == "none")
    config.memory.hugepages = HugepagePolicy::None;
  else
    throw Error("", fmt::format("'{}' is none of auto, required, none", text));
}

void set_mib(Config& config, std::string_view text) {
  config.memory.mib_per_node.clear();
  for (const std::string_view part : split_list(text))
    config.memory.mib_per_node.push_back(number<uint32_t>(part, 0, 1 << 20));
}

void set_buffers(Config& config, std::string_view text) {
  config.memory.buffers = text.empty() ? 0 : number<uint32_t>(text, 2048, 1 << 24);
}

void set_gateway(Config& config, std::string_view text) {
  config.gateway.ips.clear();
  for (const std::string_view part : split_list(text)) {
    const IpAddress ip = parse_ip(part);
    const bool group = ip.is_v4() ? ip.v4().bytes[0] >= 224 || ip.v4().bytes[0] == 0 : ip.v6.is_multicast();
    if (group || ip.v6.is_unspecified())
      throw Error("", fmt::format("{} is not a unicast address", ip.to_string()));
    if (std::find(config.gateway.ips.begin(), config.gateway.ips.end(), ip) != config.gateway.ips.end())
      throw Error("", fmt::format("{} is given twice", ip.to_string()));
    config.gateway.ips.push_back(ip);
  }
}

void set_service_cidrs(Config& config, std::string_view text) {
  config.service_cidrs.clear();
  for (const std::string_view part : split_list(text)) {
    const Prefix cidr = parse_prefix(part);
    if (cidr.length == 0) throw Error("", fmt::format("{} is every address, not those of Services", part));
    for (const Prefix& other : config.service_cidrs)
      if (other.overlaps(cidr)) throw Error("", fmt::format("{} overlaps {}", part, other.to_string()));
    config.service_cidrs.push_back(cidr);
  }
}

void set_gateway_mac(Config& config, std::string_view text) {
  config.gateway.mac = text.empty() ? MacAddress{} : parse_mac(text);
  if (!text.empty() && (config.gateway.mac.is_zero() || config.gateway.mac.is_multicast()))
    throw Error("", fmt::format("{} is zero or a group address", config.gateway.mac.to_string()));
}

void set_router_advertisements(Config& config, std::string_view text) {
  using Advertisements = Gateway::Advertisements;
  if (text != "off" && text != "mtu" && text != "default-router")
    throw Error("", fmt::format("'{}' is none of off, mtu, default-router", text));
  config.gateway.advertisements = text == "off"   ? Advertisements::Off
                                  : text == "mtu" ? Advertisements::Mtu
                                                  : Advertisements::DefaultRouter;
}

void set_mode(Config& config, std::string_view text) {
  if (text == "tunnel")
    config.overlay.mode = OverlayMode::Tunnel;
  else if (text == "direct")
    config.overlay.mode = OverlayMode::Direct;
  else if (text == "auto")
    config.overlay.mode = OverlayMode::Auto;
  else
    throw Error("", fmt::format("'{}' is none of tunnel, direct and auto", text));
}

void set_encapsulation(Config& config, std::string_view text) {
  if (text != "vxlan" && text != "geneve")
    throw Error("", fmt::format("'{}' is neither vxlan nor geneve", text));
  config.overlay.encapsulation = text == "vxlan" ? net::Encapsulation::Vxlan : net::Encapsulation::Geneve;
}

void set_df(Config& config, std::string_view text) {
  if (text != "set" && text != "inherit" && text != "clear")
    throw Error("", fmt::format("'{}' is none of set, inherit, clear", text));
  config.overlay.dont_fragment = text == "set"       ? DontFragment::Set
                                 : text == "inherit" ? DontFragment::Inherit
                                                     : DontFragment::Clear;
}

void set_overlay_port(Config& config, std::string_view text) {
  config.overlay.udp_port = text.empty() ? 0 : number<uint16_t>(text, 1, 65535);
}

void set_vtep_mac(Config& config, std::string_view text) {
  config.overlay.vtep_mac.reset();
  if (text.empty()) return;
  config.overlay.vtep_mac = parse_mac(text);
  if (config.overlay.vtep_mac->is_zero() || config.overlay.vtep_mac->is_multicast())
    throw Error("", fmt::format("{} is zero or a group address", config.overlay.vtep_mac->to_string()));
}

// An IPv4 address or a host name; IPv6 stands in brackets.
bool is_host(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    return Ipv6Address::parse(host.substr(1, host.size() - 2)).has_value();
  if (host.empty()) return false;
  if (host.find_first_not_of("0123456789.") == std::string_view::npos)
    return Ipv4Address::parse(host).has_value();
  return std::all_of(host.begin(), host.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
  });
}

void set_listen(Config& config, std::string_view text) {
  config.metrics_listen = text;
  if (text.empty()) return;
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !is_host(text.substr(0, colon)))
    throw Error("", fmt::format("'{}' is not HOST:PORT, such as 127.0.0.1:9479 or [::1]:9479", text));
  parse_number(text.substr(colon + 1), 1, 65535);
}

void set_level(Config& config, std::string_view text) {
  const auto level = log::parse_level(text);
  if (!level) throw Error("", fmt::format("'{}' is none of debug, info, warning, error", text));
  config.log_level = *level;
}

constexpr unsigned kMaxCore = 1023;  // of a cpu_set_t

constexpr std::array kOptions{
    Option{.key = "node.name",
           .value_name = "NAME",
           .default_text = "",
           .default_note = "the host's name",
           .help = "This node's name: shown by 'podswitch status', and what the gateway's MAC is made of.",
           .set = set_node_name},
    Option{
        .key = "control.socket",
        .value_name = "PATH",
        .default_text = "/run/podswitch/control.sock",
        .default_note = "",
        .help =
            "Where 'podswitch' reaches the daemon; at most 107 bytes. One daemon serves one socket; daemons "
            "with different sockets (and state directories) run side by side.",
        .set = set_socket},
    Option{.key = "control.group",
           .value_name = "GROUP",
           .default_text = "",
           .default_note = "the daemon's own",
           .help = "Group of the control socket.",
           .set = [](Config& c, std::string_view v) { c.socket_group = v; }},
    Option{.key = "control.mode",
           .value_name = "OCTAL",
           .default_text = "0660",
           .default_note = "",
           .help = "Permission bits of the control socket. Who may write to it commands the switch.",
           .set = [](Config& c, std::string_view v) { c.socket_mode = parse_octal_mode(v); }},
    Option{.key = "state.directory",
           .value_name = "PATH",
           .default_text = "/var/lib/podswitch",
           .default_note = "",
           .help = "Where accepted changes are journalled, to be replayed at the next start.",
           .set = [](Config& c, std::string_view v) { c.state_directory = absolute_path(v); }},
    Option{.key = "workers.cores",
           .value_name = "CORES",
           .default_text = "",
           .default_note = "one worker, on the highest core it may use",
           .help = "Cores that move packets, one worker on each: a list such as 1,3-5.",
           .set = [](Config& c, std::string_view v) { c.worker_cores = parse_number_list(v, 0, kMaxCore); }},
    Option{.key = "workers.main-core",
           .value_name = "CORES",
           .default_text = "",
           .default_note = "all that the workers leave",
           .help = "Cores for every other thread: configuration, housekeeping, metrics.",
           .set = [](Config& c, std::string_view v) { c.main_cores = parse_number_list(v, 0, kMaxCore); }},
    Option{.key = "workers.idle",
           .value_name = "adaptive|poll",
           .default_text = "adaptive",
           .default_note = "",
           .help = "What a worker does when no packet comes: adaptive backs off and sleeps, poll never does.",
           .set = set_idle},
    Option{.key = "workers.spread",
           .value_name = "auto|off|always",
           .default_text = "auto",
           .default_note = "",
           .help =
               "Whether workers finish packets out of tunnels for the one that polls the uplink: when it is "
               "overloaded, never, always.",
           .set = set_spread},
    Option{.key = "memory.hugepages",
           .value_name = "auto|required|none",
           .default_text = "auto",
           .default_note = "",
           .help = "auto takes hugepages when there are some and warns when there are none.",
           .set = set_hugepages},
    Option{.key = "memory.mib",
           .value_name = "LIST",
           .default_text = "",
           .default_note = "computed from ports and queues",
           .help = "Memory in MiB, one amount per NUMA node: 512 or 512,512.",
           .set = set_mib},
    Option{.key = "memory.buffers",
           .value_name = "N",
           .default_text = "",
           .default_note = "computed from ports and queues",
           .help = "Packet buffers, 2048 to 16777216; each takes about 2.3 KiB.",
           .set = set_buffers},
    Option{.key = "pods.gateway",
           .value_name = "ADDRESSES",
           .default_text = "",
           .default_note = "none",
           .help = "The pods' gateway, IPv4 and IPv6, as a comma list without prefix lengths. The switch "
                   "answers ARP, "
                   "neighbour discovery and ping for these.",
           .set = set_gateway},
    Option{.key = "pods.gateway-mac",
           .value_name = "MAC",
           .default_text = "",
           .default_note = "derived from the node's name",
           .help = "The gateway's, and so the switch's own, MAC address.",
           .set = set_gateway_mac},
    Option{.key = "pods.service-cidrs",
           .value_name = "CIDRS",
           .default_text = "",
           .default_note = "none",
           .help = "The cluster's Service CIDRs, IPv4 and IPv6, as a comma list. The host's packets to them "
                   "go to the switch by the host port, as those to pods do; a family needs a gateway.",
           .set = set_service_cidrs},
    Option{.key = "pods.router-advertisements",
           .value_name = "mtu|default-router|off",
           .default_text = "mtu",
           .default_note = "",
           .help = "What pods with IPv6 addresses hear from an IPv6 gateway: their MTU, and with "
                   "default-router that it is one. Their routes are otherwise not touched.",
           .set = set_router_advertisements},
    Option{.key = "overlay.mode",
           .value_name = "tunnel|direct|auto",
           .default_text = "tunnel",
           .default_note = "",
           .help = "How other nodes' pods are reached: tunnel wraps every packet; direct wraps none, so that "
                   "the routers of the underlay, if there are any between nodes, must know the pod CIDRs; "
                   "auto is direct to nodes in the uplink's own subnet and wraps what goes beyond it.",
           .set = set_mode},
    Option{.key = "overlay.encapsulation",
           .value_name = "vxlan|geneve",
           .default_text = "vxlan",
           .default_note = "",
           .help = "How packets to other nodes' pods are wrapped: VXLAN (RFC 7348) or Geneve (RFC 8926).",
           .set = set_encapsulation},
    Option{.key = "overlay.udp-port",
           .value_name = "PORT",
           .default_text = "",
           .default_note = "4789 for VXLAN, 6081 for Geneve",
           .help = "UDP destination port of the tunnels; Flannel's VXLAN has 8472.",
           .set = set_overlay_port},
    Option{
        .key = "overlay.vni",
        .value_name = "N",
        .default_text = "1",
        .default_note = "",
        .help = "The tunnels' virtual network identifier, 0 to 16777215; Flannel's is 1.",
        .set = [](Config& c, std::string_view v) { c.overlay.vni = number<uint32_t>(v, 0, net::kMaxVni); }},
    Option{.key = "overlay.network",
           .value_name = "NAME",
           .default_text = "default",
           .default_note = "",
           .help = "The network whose pods are reached over the tunnels.",
           .set = [](Config& c, std::string_view v) { c.overlay.network = v; }},
    Option{.key = "overlay.df",
           .value_name = "set|inherit|clear",
           .default_text = "set",
           .default_note = "",
           .help = "Don't Fragment of tunnel packets over IPv4: inherit takes the inner packet's, clear lets "
                   "routers of the underlay fragment.",
           .set = set_df},
    Option{.key = "overlay.vtep-mac",
           .value_name = "MAC",
           .default_text = "",
           .default_note = "derived from the uplink's address",
           .help = "This node's inner MAC: what other nodes send routed packets to.",
           .set = set_vtep_mac},
    Option{.key = "fdb.size",
           .value_name = "N",
           .default_text = "131072",
           .default_note = "",
           .help = "MAC addresses the switch can know, given ones included: 1024 to 16777216.",
           .set = [](Config& c, std::string_view v) { c.fdb.capacity = number<size_t>(v, 1024, 1 << 24); }},
    Option{.key = "fdb.port-limit",
           .value_name = "N",
           .default_text = "0",
           .default_note = "",
           .help = "MAC addresses one port may learn, at most fdb.size; 0: half of fdb.size.",
           .set = [](Config& c, std::string_view v) { c.fdb.port_limit = number<uint32_t>(v, 0, 1 << 24); }},
    Option{
        .key = "fdb.aging-seconds",
        .value_name = "S",
        .default_text = "300",
        .default_note = "",
        .help = "A learned address is forgotten after so many silent seconds, at most 1000000; 0: never.",
        .set = [](Config& c, std::string_view v) { c.fdb.aging_seconds = number<uint32_t>(v, 0, 1000000); }},
    Option{.key = "metrics.listen",
           .value_name = "HOST:PORT",
           .default_text = "127.0.0.1:9479",
           .default_note = "",
           .help = "Where Prometheus scrapes /metrics, such as 0.0.0.0:9479 or [::]:9479; empty: off.",
           .set = set_listen},
    Option{.key = "log.level",
           .value_name = "LEVEL",
           .default_text = "info",
           .default_note = "",
           .help = "debug, info, warning or error; 'podswitch log level' changes it while running.",
           .set = set_level},
};

}  // namespace

std::span<const Option> options() {
  static const std::vector<Option> table = [] {
    std::vector<Option> rows(kOptions.begin(), kOptions.end());
    const auto flows = flow_options();
    const auto place =
        std::find_if(rows.begin(), rows.end(), [](const Option& row) { return row.section() == "metrics"; });
    rows.insert(place, flows.begin(), flows.end());
    return rows;
  }();
  return table;
}

const Option* find_option(std::string_view key) {
  const auto rows = options();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Option& row) { return row.key == key; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace podswitch
