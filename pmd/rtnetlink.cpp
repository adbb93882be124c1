// SPDX-License-Identifier: Apache-2.0
// Links, addresses and neighbours; routes are in rtnetlink_route.cpp.
#include "pmd/rtnetlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "pmd/rtnetlink_message.h"

namespace podswitch {
namespace {

// The kernel sets these itself.
constexpr uint32_t kKernelFlags = IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED |
                                  IFA_F_STABLE_PRIVACY | IFA_F_SECONDARY;

Link read_link(NetlinkBytes payload) {
  const auto head = value_of<ifinfomsg>(payload);
  Link link;
  link.index = static_cast<unsigned>(head.ifi_index);
  link.flags = head.ifi_flags;
  bool lower_is_elsewhere = false;
  for_each_attribute(payload.subspan(sizeof head), [&](uint16_t type, NetlinkBytes value) {
    if (type == IFLA_IFNAME) link.name = text_of(value);
    if (type == IFLA_MTU) link.mtu = value_of<uint32_t>(value);
    if (type == IFLA_LINK) link.lower = value_of<uint32_t>(value);
    if (type == IFLA_LINK_NETNSID) lower_is_elsewhere = true;
    if (type == IFLA_MASTER) link.master = value_of<uint32_t>(value);
    if (type == IFLA_ADDRESS && head.ifi_type == ARPHRD_ETHER && value.size() == sizeof(MacAddress))
      link.mac = value_of<MacAddress>(value);
    if (type != IFLA_LINKINFO) return;
    for_each_attribute(value, [&](uint16_t info, NetlinkBytes of_info) {
      if (info == IFLA_INFO_KIND) link.kind = text_of(of_info);
      if (info != IFLA_INFO_DATA || link.kind != "vlan") return;
      for_each_attribute(of_info, [&](uint16_t data, NetlinkBytes id) {
        if (data == IFLA_VLAN_ID) link.vlan = value_of<uint16_t>(id);
      });
    });
  });
  // A veth's other half is no device that it stands on.
  if (lower_is_elsewhere || link.kind == "veth" || link.lower == link.index) link.lower = 0;
  return link;
}

InterfaceAddress read_address(NetlinkBytes payload) {
  const auto head = value_of<ifaddrmsg>(payload);
  InterfaceAddress address;
  address.interface = head.ifa_index;
  address.length = head.ifa_prefixlen;
  address.scope = head.ifa_scope;
  address.flags = head.ifa_flags;
  std::optional<IpAddress> local, remote;
  for_each_attribute(payload.subspan(sizeof head), [&](uint16_t type, NetlinkBytes value) {
    if (type == IFA_LOCAL) local = ip_of(value);
    if (type == IFA_ADDRESS) remote = ip_of(value);
    if (type == IFA_BROADCAST) address.broadcast = ip_of(value);
    if (type == IFA_LABEL) address.label = text_of(value);
    if (type == IFA_FLAGS) address.flags = value_of<uint32_t>(value);
    if (type == IFA_RT_PRIORITY) address.metric = value_of<uint32_t>(value);
    if (type == IFA_PROTO) address.protocol = value_of<uint8_t>(value);
    if (type != IFA_CACHEINFO) return;
    const auto times = value_of<ifa_cacheinfo>(value);
    address.preferred_s = times.ifa_prefered;
    address.valid_s = times.ifa_valid;
  });
  address.address = local ? *local : remote.value_or(IpAddress());
  if (local && remote && *local != *remote) address.peer = remote;
  return address;
}

NetlinkMessage message_of(const InterfaceAddress& address, uint16_t type, uint16_t flags) {
  NetlinkMessage message(type, flags);
  ifaddrmsg head{};
  head.ifa_family = family_of(address.address);
  head.ifa_prefixlen = address.length;
  head.ifa_scope = address.scope;
  head.ifa_index = address.interface;
  message.header(head);
  put_ip(message, IFA_LOCAL, address.address);
  put_ip(message, IFA_ADDRESS, address.peer.value_or(address.address));
  return message;
}

Neighbour read_neighbour(NetlinkBytes payload, const ndmsg& head) {
  Neighbour neighbour;
  neighbour.interface = static_cast<unsigned>(head.ndm_ifindex);
  for_each_attribute(payload.subspan(sizeof head), [&](uint16_t type, NetlinkBytes value) {
    if (type == NDA_DST) neighbour.address = ip_of(value);
    if (type == NDA_LLADDR) neighbour.mac = value_of<MacAddress>(value);
    if (type == NDA_PROTOCOL) neighbour.protocol = value_of<uint8_t>(value);
  });
  return neighbour;
}

NetlinkMessage message_of(const Neighbour& neighbour, uint16_t type, uint16_t flags) {
  NetlinkMessage message(type, flags);
  ndmsg head{};
  head.ndm_family = family_of(neighbour.address);
  head.ndm_ifindex = static_cast<int>(neighbour.interface);
  head.ndm_state = NUD_PERMANENT;
  message.header(head);
  put_ip(message, NDA_DST, neighbour.address);
  return message;
}

}  // namespace

std::string interface_name(unsigned index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(index, name.data()) != nullptr ? name.data() : fmt::format("{}", index);
}

std::string InterfaceAddress::to_string() const {
  return fmt::format("{}/{} on {}", address.to_string(), length, interface_name(interface));
}

std::string Neighbour::to_string() const {
  return fmt::format("{} at {} on {}", address.to_string(), mac.to_string(), interface_name(interface));
}

std::vector<Link> Rtnetlink::links() {
  NetlinkMessage message(RTM_GETLINK, NLM_F_DUMP);
  message.header(ifinfomsg{});
  std::vector<Link> found;
  socket_.dump(std::move(message), "listing interfaces", [&](uint16_t type, NetlinkBytes payload) {
    if (type == RTM_NEWLINK) found.push_back(read_link(payload));
  });
  return found;
}

std::optional<Link> Rtnetlink::link(const std::string& name) {
  for (Link& one : links())
    if (one.name == name) return std::move(one);
  return std::nullopt;
}

std::vector<InterfaceAddress> Rtnetlink::addresses(unsigned interface) {
  NetlinkMessage message(RTM_GETADDR, NLM_F_DUMP);
  message.header(ifaddrmsg{});
  std::vector<InterfaceAddress> found;
  socket_.dump(std::move(message), "listing addresses", [&](uint16_t type, NetlinkBytes payload) {
    if (type != RTM_NEWADDR) return;
    const auto family = value_of<ifaddrmsg>(payload).ifa_family;
    if (family != AF_INET && family != AF_INET6) return;
    InterfaceAddress address = read_address(payload);
    if (address.interface == interface) found.push_back(std::move(address));
  });
  return found;
}

std::vector<Neighbour> Rtnetlink::permanent_neighbours(unsigned interface) {
  NetlinkMessage message(RTM_GETNEIGH, NLM_F_DUMP);
  message.header(ndmsg{});
  std::vector<Neighbour> found;
  socket_.dump(std::move(message), "listing neighbours", [&](uint16_t type, NetlinkBytes payload) {
    const auto head = value_of<ndmsg>(payload);
    const bool is_ip = head.ndm_family == AF_INET || head.ndm_family == AF_INET6;
    if (type == RTM_NEWNEIGH && is_ip && head.ndm_state == NUD_PERMANENT &&
        static_cast<unsigned>(head.ndm_ifindex) == interface)
      found.push_back(read_neighbour(payload, head));
  });
  return found;
}

bool Rtnetlink::add(const InterfaceAddress& address) {
  NetlinkMessage message = message_of(address, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  uint32_t flags = address.flags & ~kKernelFlags;
  // It is the same station's before and after: nobody else can have it, and a second of detection is a second
  // without it.
  if (!address.address.is_v4()) flags |= IFA_F_NODAD;
  message.put_value(IFA_FLAGS, flags);
  if (address.broadcast) put_ip(message, IFA_BROADCAST, *address.broadcast);
  if (!address.label.empty()) message.put_text(IFA_LABEL, address.label);
  if (address.metric != 0) message.put_value(IFA_RT_PRIORITY, address.metric);
  if (address.protocol != 0) message.put_value(IFA_PROTO, address.protocol);
  ifa_cacheinfo times{};
  times.ifa_prefered = address.preferred_s;
  times.ifa_valid = address.valid_s;
  message.put_value(IFA_CACHEINFO, times);
  return judge(socket_.ask(std::move(message)), {EEXIST}, "adding address " + address.to_string());
}

bool Rtnetlink::remove(const InterfaceAddress& address) {
  return judge(socket_.ask(message_of(address, RTM_DELADDR, NLM_F_ACK)), {EADDRNOTAVAIL, ENODEV},
               "removing address " + address.to_string());
}

bool Rtnetlink::set(const Neighbour& neighbour) {
  NetlinkMessage message = message_of(neighbour, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  message.put_value(NDA_LLADDR, neighbour.mac);
  if (neighbour.protocol != 0) message.put_value(NDA_PROTOCOL, neighbour.protocol);
  return judge(socket_.ask(std::move(message)), {}, "setting neighbour " + neighbour.to_string());
}

bool Rtnetlink::remove(const Neighbour& neighbour) {
  return judge(socket_.ask(message_of(neighbour, RTM_DELNEIGH, NLM_F_ACK)), {ENOENT, ENODEV},
               "removing neighbour " + neighbour.to_string());
}

bool Rtnetlink::set_up(unsigned interface, bool up) {
  NetlinkMessage message(RTM_NEWLINK, NLM_F_ACK);
  ifinfomsg head{};
  head.ifi_index = static_cast<int>(interface);
  head.ifi_flags = up ? IFF_UP : 0;
  head.ifi_change = IFF_UP;
  message.header(head);
  return judge(socket_.ask(std::move(message)), {},
               fmt::format("setting interface {} {}", interface_name(interface), up ? "up" : "down"));
}

bool Rtnetlink::remove_link(unsigned interface) {
  NetlinkMessage message(RTM_DELLINK, NLM_F_ACK);
  ifinfomsg head{};
  head.ifi_index = static_cast<int>(interface);
  message.header(head);
  return judge(socket_.ask(std::move(message)), {ENODEV}, "deleting interface " + interface_name(interface));
}

}  // namespace podswitch
