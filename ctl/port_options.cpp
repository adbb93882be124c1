// SPDX-License-Identifier: Apache-2.0
#include "ctl/port_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "ctl/derived_mac.h"
#include "ctl/text.h"

namespace podswitch {
namespace {

constexpr size_t kMaxIps = 64;
constexpr size_t kMaxValueSize = 4096;

using Texts = std::vector<std::string>;

template <typename T>
void sort_unique(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

Texts given(const std::string& text, std::string_view default_text = "") {
  return text == default_text ? Texts{} : Texts{text};
}

void set_type(PortSpec& spec, std::string_view value) {
  const auto kind = port_kind(value);
  if (!kind)
    throw Error("",
                fmt::format("'{}' is no port type: vhost-user, tap, af-packet, af-xdp, memif, ethdev or bond",
                            value));
  spec.kind = *kind;
}

void set_ip(PortSpec& spec, std::string_view value) {
  const auto parts = split_list(value);
  if (parts.empty()) throw Error("", "an address is missing");
  for (const std::string_view part : parts) {
    if (spec.ips.size() == kMaxIps) throw Error("", fmt::format("more than {} addresses", kMaxIps));
    spec.ips.push_back(parse_ip(part));
  }
}

template <typename Address>
Texts texts_of(const std::vector<Address>& addresses) {
  Texts texts;
  for (const Address& address : addresses) texts.push_back(address.to_string());
  return texts;
}

void set_role(PortSpec& spec, std::string_view value) {
  const auto role = port_role(value);
  if (!role) throw Error("", fmt::format("'{}' is none of pod, uplink, host", value));
  spec.role = *role;
}

void set_underlay(PortSpec& spec, std::string_view value) {
  for (const std::string_view part : split_list(value)) {
    const auto address = PrefixedAddress::parse(part);
    if (!address)
      throw Error("", fmt::format("'{}' is no address with a prefix length, such as 192.0.2.7/24", part));
    spec.underlay.push_back(*address);
  }
}

void set_underlay_gateway(PortSpec& spec, std::string_view value) {
  for (const std::string_view part : split_list(value)) spec.underlay_gateways.push_back(parse_ip(part));
}

void refuse_two_vlan_modes(const PortSpec& spec) {
  if (spec.vlan.mode != VlanMode::Untagged)
    throw Error("", "a port takes either vlan (one, untagged towards the pod) or trunk (tagged), not both");
}

void set_vlan(PortSpec& spec, std::string_view value) {
  refuse_two_vlan_modes(spec);
  spec.vlan.access = static_cast<uint16_t>(parse_number(value, 1, 4094));
  spec.vlan.mode = VlanMode::Access;
}

void set_trunk(PortSpec& spec, std::string_view value) {
  refuse_two_vlan_modes(spec);
  const auto vlans = parse_number_list(value, 1, 4094);
  if (vlans.empty()) throw Error("", "a trunk needs a list of VLANs from 1 to 4094, such as 10,20,100-199");
  spec.vlan.trunk.assign(vlans.begin(), vlans.end());
  spec.vlan.mode = VlanMode::Trunk;
}

// Which of them fit is validate()'s question: the type may come later.
void set_mode(PortSpec& spec, std::string_view value) {
  spec.bond_mode = bond_mode(value);
  spec.server = value == "server";
  if (value != "client" && !spec.server && !spec.bond_mode)
    throw Error("", fmt::format("'{}' is none of client, server, active-backup, 802.3ad", value));
}

Texts get_mode(const PortSpec& spec) {
  if (spec.bond_mode) return {std::string(to_string(*spec.bond_mode))};
  return spec.server ? Texts{"server"} : Texts{};
}

// A device string has commas of its own, before each KEY=VALUE.
void set_members(PortSpec& spec, std::string_view value) {
  for (const std::string_view part : split_list(value)) {
    if (part.find('=') == std::string_view::npos)
      spec.members.emplace_back(part);
    else if (spec.members.empty())
      throw Error("", fmt::format("'{}' belongs to no device", part));
    else
      spec.members.back() += fmt::format(",{}", part);
  }
}

// clang-format off
constexpr std::array kOptions{
    PortOption{.name = "type", .value_name = "KIND", .help = "vhost-user, tap, af-packet, af-xdp, memif, ethdev or bond", .default_text = "",
               .set = set_type,
               .get = [](const PortSpec& s) { return Texts{std::string(to_string(s.kind))}; }},
    PortOption{.name = "network", .value_name = "NAME", .help = "the network the port belongs to", .default_text = "default",
               .set = [](PortSpec& s, std::string_view v) { s.network = v; },
               .get = [](const PortSpec& s) { return given(s.network, "default"); }},
    PortOption{.name = "role", .value_name = "pod|uplink|host", .help = "pod; uplink: to the underlay, that is other nodes and the outside; host: to the node's own stack", .default_text = "pod",
               .set = set_role,
               .get = [](const PortSpec& s) { return given(std::string(to_string(s.role)), "pod"); }},
    PortOption{.name = "underlay", .value_name = "ADDRESS/LENGTH", .help = "uplink: the node's address in the underlay, where its tunnels end; at most one of each family", .default_text = "", .repeatable = true,
               .set = set_underlay,
               .get = [](const PortSpec& s) { return texts_of(s.underlay); }},
    PortOption{.name = "underlay-gateway", .value_name = "ADDRESS", .help = "uplink: the underlay's gateway, the pods' way to outside addresses; at most one of each family", .default_text = "", .repeatable = true,
               .set = set_underlay_gateway,
               .get = [](const PortSpec& s) { return texts_of(s.underlay_gateways); }},
    PortOption{.name = "pod", .value_name = "NAMESPACE/NAME", .help = "the pod behind the port", .default_text = "",
               .set = [](PortSpec& s, std::string_view v) { s.pod = v; },
               .get = [](const PortSpec& s) { return given(s.pod); }},
    PortOption{.name = "uid", .value_name = "UID", .help = "the pod's uid", .default_text = "",
               .set = [](PortSpec& s, std::string_view v) { s.uid = v; },
               .get = [](const PortSpec& s) { return given(s.uid); }},
    PortOption{.name = "mac", .value_name = "MAC", .help = "the pod's MAC address: static, and the only one it may send from; a tap with an ip and no mac gets one made of its name", .default_text = "",
               .set = [](PortSpec& s, std::string_view v) { s.mac = parse_mac(v); },
               .get = [](const PortSpec& s) { return s.mac ? Texts{s.mac->to_string()} : Texts{}; }},
    PortOption{.name = "ip", .value_name = "ADDRESS", .help = "an IPv4 or IPv6 address of the pod, which may send only from its addresses; the switch answers ARP and neighbour discovery for it when the port has a mac", .default_text = "", .repeatable = true,
               .set = set_ip,
               .get = [](const PortSpec& s) { return texts_of(s.ips); }},
    PortOption{.name = "mtu", .value_name = "BYTES", .help = "largest packet, without the Ethernet header: 68 to 9000", .default_text = "1500", .is_number = true,
               .set = [](PortSpec& s, std::string_view v) { s.mtu = static_cast<uint16_t>(parse_number(v, kMinMtu, kMaxMtu)); },
               .get = [](const PortSpec& s) { return given(std::to_string(s.mtu), "1500"); }},
    PortOption{.name = "queues", .value_name = "N", .help = "queue pairs: 1 to 16", .default_text = "1", .is_number = true,
               .set = [](PortSpec& s, std::string_view v) { s.queues = static_cast<uint16_t>(parse_number(v, 1, 16)); },
               .get = [](const PortSpec& s) { return given(std::to_string(s.queues), "1"); }},
    PortOption{.name = "vlan", .value_name = "N", .help = "access port: untagged towards the pod, inside this VLAN", .default_text = "", .is_number = true,
               .set = set_vlan,
               .get = [](const PortSpec& s) { return s.vlan.mode == VlanMode::Access ? Texts{std::to_string(s.vlan.access)} : Texts{}; }},
    PortOption{.name = "trunk", .value_name = "LIST", .help = "trunk port: only frames tagged with these VLANs, such as 10,20,100-199", .default_text = "",
               .set = set_trunk,
               .get = [](const PortSpec& s) { return s.vlan.mode == VlanMode::Trunk ? Texts{format_number_list({s.vlan.trunk.begin(), s.vlan.trunk.end()})} : Texts{}; }},
    PortOption{.name = "allow-spoofing", .value_name = "", .help = "the pod may send from any address", .default_text = "false", .is_flag = true,
               .set = [](PortSpec& s, std::string_view v) { s.allow_spoofing = parse_flag(v); },
               .get = [](const PortSpec& s) { return s.allow_spoofing ? Texts{"true"} : Texts{}; }},
    PortOption{.name = "path", .value_name = "PATH", .help = "vhost-user, memif: the socket, at most 107 bytes", .default_text = "",
               .set = [](PortSpec& s, std::string_view v) { s.path = v; },
               .get = [](const PortSpec& s) { return given(s.path); }},
    PortOption{.name = "mode", .value_name = "MODE", .help = "vhost-user, memif: server makes the socket, client connects to it; bond: active-backup or 802.3ad (LACP)", .default_text = "client",
               .set = set_mode,
               .get = get_mode},
    PortOption{.name = "socket-mode", .value_name = "OCTAL", .help = "vhost-user server: permission bits of the socket", .default_text = "",
               .set = [](PortSpec& s, std::string_view v) { s.socket_mode = parse_octal_mode(v); },
               .get = [](const PortSpec& s) { return s.socket_mode ? Texts{fmt::format("{:04o}", *s.socket_mode)} : Texts{}; }},
    PortOption{.name = "socket-group", .value_name = "GROUP", .help = "vhost-user server: group of the socket", .default_text = "",
               .set = [](PortSpec& s, std::string_view v) { s.socket_group = v; },
               .get = [](const PortSpec& s) { return given(s.socket_group); }},
    PortOption{.name = "memif-id", .value_name = "N", .help = "memif: the interface's number on its socket", .default_text = "0", .is_number = true,
               .set = [](PortSpec& s, std::string_view v) { s.memif_id = static_cast<uint32_t>(parse_number(v, 0, UINT32_MAX)); },
               .get = [](const PortSpec& s) { return given(std::to_string(s.memif_id), "0"); }},
    PortOption{.name = "ifname", .value_name = "NAME", .help = "tap, af-packet, af-xdp: the interface, at most 15 bytes", .default_text = "",
               .set = [](PortSpec& s, std::string_view v) { s.ifname = v; },
               .get = [](const PortSpec& s) { return given(s.ifname); }},
    PortOption{.name = "netns", .value_name = "PATH", .help = "tap, af-packet: network namespace of the interface, such as /run/netns/web", .default_text = "",
               .set = [](PortSpec& s, std::string_view v) { s.netns = v; },
               .get = [](const PortSpec& s) { return given(s.netns); }},
    PortOption{.name = "device", .value_name = "DEVICE", .help = "ethdev: a PCI address or a DPDK device string such as net_null0", .default_text = "",
               .set = [](PortSpec& s, std::string_view v) { s.device = v; },
               .get = [](const PortSpec& s) { return given(s.device); }},
    PortOption{.name = "members", .value_name = "DEVICE", .help = "bond: 2 to 8 NICs, the preferred one first: PCI addresses, DPDK device strings, or in active-backup the kernel's interfaces", .default_text = "", .repeatable = true,
               .set = set_members,
               .get = [](const PortSpec& s) { return s.members; }},
};
// clang-format on

// Applies settings to one spec and keeps each option's first problem only.
class Builder {
 public:
  Builder(std::string name, const std::string& path, std::vector<Problem>& problems)
      : path_(path), problems_(problems) {
    spec_.name = std::move(name);
  }

  const PortOption* find(const std::string& name) {
    const PortOption* option = find_port_option(name);
    if (option == nullptr) {
      std::vector<std::string_view> known;
      for (const PortOption& row : kOptions) known.push_back(row.name);
      add(name, "no such port option" + suggestion(name, known));
    }
    return option;
  }

  // `where` is the option's name, with an index for an element of a list.
  void set(const PortOption& option, std::string_view value, const std::string& where) {
    if (!seen_.insert(option.name).second && !option.repeatable) return add(where, "given twice");
    if (value.size() > kMaxValueSize)
      return fail(option, where, fmt::format("longer than {} bytes", kMaxValueSize));
    if (!is_plain_text(value))
      return fail(option, where, "has control characters or bytes that are not UTF-8");
    try {
      option.set(spec_, value);
    } catch (const Error& error) {
      fail(option, where, error.problems().front().message);
    }
  }

  void fail(const PortOption& option, const std::string& where, std::string message) {
    seen_.insert(option.name);
    failed_.insert(option.name);
    add(where, std::move(message));
  }

  void add(const std::string& where, std::string message) {
    problems_.push_back({path_.empty() ? where : path_ + "." + where, std::move(message)});
  }

  PortSpec finish() {
    if (seen_.count("type") == 0)
      add("type", "missing: one of vhost-user, tap, af-packet, af-xdp, memif, ethdev or bond");
    // What else is right depends on the type.
    if (seen_.count("type") == 0 || failed_.count("type") != 0) return std::move(spec_);
    settle();
    std::vector<Problem> found;
    validate(spec_, "", found);
    // A value that could not be read is not also missing.
    for (Problem& problem : found)
      if (failed_.count(problem.path) == 0) add(problem.path, std::move(problem.message));
    return std::move(spec_);
  }

 private:
  // The same command again must make the same port, in whichever order it has its lists.
  void settle() {
    sort_unique(spec_.ips);
    sort_unique(spec_.underlay);
    sort_unique(spec_.underlay_gateways);
    sort_unique(spec_.vlan.trunk);
    // Only a tap takes the MAC that the switch gives it.
    if (spec_.kind == PortKind::Tap && !spec_.ips.empty() && !spec_.mac)
      spec_.mac = derived_mac(fmt::format("{} {} {}", host_name(), spec_.network, spec_.name));
  }

  const std::string& path_;
  std::vector<Problem>& problems_;
  PortSpec spec_;
  std::set<std::string_view> seen_;
  std::set<std::string_view> failed_;
};

nlohmann::json value_of(const PortOption& option, const Texts& values) {
  if (option.repeatable) return values;
  if (option.is_flag) return parse_flag(values.front());
  if (option.is_number) return parse_number(values.front(), 0, UINT32_MAX);
  return values.front();
}

void set_from_json(Builder& builder, const PortOption& option, const nlohmann::json& value,
                   const std::string& where) {
  if (value.is_string())
    builder.set(option, value.get_ref<const std::string&>(), where);
  else if (value.is_boolean() && option.is_flag)
    builder.set(option, value.get<bool>() ? "true" : "false", where);
  else if (value.is_number() && (option.is_number || option.name == "trunk"))
    builder.set(option, value.dump(), where);
  else
    builder.fail(option, where,
                 fmt::format("of JSON type {}, not {}", value.type_name(),
                             option.is_flag     ? "boolean"
                             : option.is_number ? "number"
                                                : "string"));
}

}  // namespace

std::span<const PortOption> port_options() {
  return kOptions;
}

const PortOption* find_port_option(std::string_view name) {
  const auto* found =
      std::find_if(kOptions.begin(), kOptions.end(), [&](const PortOption& row) { return row.name == name; });
  return found == kOptions.end() ? nullptr : found;
}

PortSpec make_port(std::string name, const PortSettings& settings, const std::string& path,
                   std::vector<Problem>& problems) {
  Builder builder(std::move(name), path, problems);
  for (const auto& [key, value] : settings)
    if (const PortOption* option = builder.find(key)) builder.set(*option, value, key);
  return builder.finish();
}

nlohmann::json to_json(const PortSpec& spec) {
  nlohmann::json object{{"name", spec.name}};
  for (const PortOption& option : kOptions)
    if (const Texts values = option.get(spec); !values.empty())
      object[std::string(option.name)] = value_of(option, values);
  return object;
}

PortSpec port_from_json(const nlohmann::json& object, const std::string& path,
                        std::vector<Problem>& problems) {
  if (!object.is_object()) {
    problems.push_back({path, fmt::format("a port is a JSON object, not of type {}", object.type_name())});
    return {};
  }
  const auto name = object.find("name");
  const bool has_name = name != object.end() && name->is_string();
  Builder builder(has_name ? name->get<std::string>() : std::string(), path, problems);
  for (const auto& [key, value] : object.items()) {
    if (key == "name") continue;
    const PortOption* option = builder.find(key);
    if (option == nullptr) continue;
    if (!option->repeatable || !value.is_array()) {
      set_from_json(builder, *option, value, key);
      continue;
    }
    for (size_t i = 0; i < value.size(); ++i)
      set_from_json(builder, *option, value[i], fmt::format("{}[{}]", key, i));
  }
  return builder.finish();
}

}  // namespace podswitch
