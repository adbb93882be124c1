// SPDX-License-Identifier: Apache-2.0
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "pmd/rtnetlink.h"
#include "pmd/rtnetlink_message.h"

namespace podswitch {
namespace {

constexpr uint32_t kTicksPerSecond = 100;  // USER_HZ, in which the kernel tells an expiry
constexpr uint16_t kMaxPlainMetric = RTAX_FASTOPEN_NO_COOKIE;

// RTA_VIA: a gateway of another family.
IpAddress via_of(NetlinkBytes value) {
  return ip_of(value.subspan(std::min<size_t>(sizeof(uint16_t), value.size())));
}

void put_gateway(NetlinkMessage& message, const IpAddress& gateway, bool route_is_v4) {
  if (gateway.is_v4() == route_is_v4) return put_ip(message, RTA_GATEWAY, gateway);
  struct {
    uint16_t family;
    Ipv6Address address;
  } const via{AF_INET6, gateway.v6};
  static_assert(sizeof via == 18);
  message.put_value(RTA_VIA, via);
}

void read_hops(NetlinkBytes value, KernelRoute& route) {
  while (value.size() >= sizeof(rtnexthop)) {
    const auto head = value_of<rtnexthop>(value);
    if (head.rtnh_len < sizeof head || head.rtnh_len > value.size()) return;
    RouteHop hop;
    hop.interface = static_cast<unsigned>(head.rtnh_ifindex);
    hop.weight = head.rtnh_hops;
    hop.is_onlink = (head.rtnh_flags & RTNH_F_ONLINK) != 0;
    for_each_attribute(value.subspan(sizeof head, head.rtnh_len - sizeof head),
                       [&](uint16_t type, NetlinkBytes of_hop) {
                         if (type == RTA_GATEWAY) hop.gateway = ip_of(of_hop);
                         if (type == RTA_VIA) hop.gateway = via_of(of_hop);
                         if (type == RTA_ENCAP) route.unknown.push_back(type);
                       });
    route.hops.push_back(hop);
    value = value.subspan(std::min<size_t>(NLMSG_ALIGN(head.rtnh_len), value.size()));
  }
}

void read_metrics(NetlinkBytes value, KernelRoute& route) {
  for_each_attribute(value, [&](uint16_t type, NetlinkBytes metric) {
    if (type > kMaxPlainMetric || type == RTAX_CC_ALGO)
      route.unknown.push_back(RTA_METRICS);
    else
      route.metrics.emplace_back(type, value_of<uint32_t>(metric));
  });
}

KernelRoute read_route(NetlinkBytes payload) {
  const auto head = value_of<rtmsg>(payload);
  KernelRoute route;
  const bool is_v4 = head.rtm_family == AF_INET;
  IpAddress destination = is_v4 ? IpAddress(Ipv4Address{}) : IpAddress(Ipv6Address{});
  RouteHop hop;
  hop.is_onlink = (head.rtm_flags & RTNH_F_ONLINK) != 0;
  route.table = head.rtm_table;
  route.protocol = head.rtm_protocol;
  route.scope = head.rtm_scope;
  route.type = head.rtm_type;
  route.tos = head.rtm_tos;
  for_each_attribute(payload.subspan(sizeof head), [&](uint16_t type, NetlinkBytes value) {
    switch (type) {
      case RTA_DST:
        destination = ip_of(value);
        break;
      case RTA_SRC:
        route.from = Prefix{ip_of(value), head.rtm_src_len};
        break;
      case RTA_TABLE:
        route.table = value_of<uint32_t>(value);
        break;
      case RTA_PRIORITY:
        route.metric = value_of<uint32_t>(value);
        break;
      case RTA_PREFSRC:
        route.source = ip_of(value);
        break;
      case RTA_OIF:
        hop.interface = value_of<uint32_t>(value);
        break;
      case RTA_GATEWAY:
        hop.gateway = ip_of(value);
        break;
      case RTA_VIA:
        hop.gateway = via_of(value);
        break;
      case RTA_MULTIPATH:
        read_hops(value, route);
        break;
      case RTA_METRICS:
        read_metrics(value, route);
        break;
      case RTA_PREF:
        route.preference = value_of<uint8_t>(value);
        break;
      case RTA_CACHEINFO:
        if (const int32_t left = value_of<rta_cacheinfo>(value).rta_expires; left > 0)
          route.expires_s = static_cast<uint32_t>(left) / kTicksPerSecond + 1;
        break;
      case RTA_NH_ID:  // the hops of the nexthop object follow as if they were the route's own
      case RTA_IIF:
        break;
      default:
        route.unknown.push_back(type);
    }
  });
  route.destination = Prefix{destination, head.rtm_dst_len};
  if (route.hops.empty() && hop.interface != 0) route.hops.push_back(hop);
  return route;
}

void put_hops(NetlinkMessage& message, const KernelRoute& route) {
  const bool is_v4 = route.destination.is_v4();
  if (route.hops.size() == 1) {
    message.put_value(RTA_OIF, route.hops.front().interface);
    if (route.hops.front().gateway) put_gateway(message, *route.hops.front().gateway, is_v4);
    return;
  }
  const size_t all = message.begin(RTA_MULTIPATH);
  for (const RouteHop& hop : route.hops) {
    // The hop's attributes lie behind its head and count in its length.
    NetlinkMessage attributes(0, 0);
    if (hop.gateway) put_gateway(attributes, *hop.gateway, is_v4);
    const NetlinkBytes inside = attributes.finish(0).subspan(sizeof(nlmsghdr));
    rtnexthop head{};
    head.rtnh_len = static_cast<uint16_t>(sizeof head + inside.size());
    head.rtnh_flags = hop.is_onlink ? RTNH_F_ONLINK : 0;
    head.rtnh_hops = hop.weight;
    head.rtnh_ifindex = static_cast<int>(hop.interface);
    message.append(bytes_of(head));
    message.append(inside);
  }
  message.end(all);
}

}  // namespace

bool KernelRoute::uses(unsigned interface) const {
  return std::any_of(hops.begin(), hops.end(),
                     [&](const RouteHop& hop) { return hop.interface == interface; });
}

std::string KernelRoute::to_string() const {
  std::string text = destination.length == 0 ? fmt::format("default (IPv{})", destination.is_v4() ? 4 : 6)
                                             : destination.to_string();
  for (const RouteHop& hop : hops) {
    if (hop.gateway) text += " via " + hop.gateway->to_string();
    text += " dev " + interface_name(hop.interface);
  }
  if (source) text += " src " + source->to_string();
  if (table != RT_TABLE_MAIN) text += fmt::format(" table {}", table);
  if (metric != 0) text += fmt::format(" metric {}", metric);
  return text;
}

std::vector<KernelRoute> Rtnetlink::routes() {
  std::vector<KernelRoute> found;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    NetlinkMessage message(RTM_GETROUTE, NLM_F_DUMP);
    rtmsg head{};
    head.rtm_family = family;
    message.header(head);
    socket_.dump(std::move(message), "listing routes", [&](uint16_t type, NetlinkBytes payload) {
      const auto of_row = value_of<rtmsg>(payload);
      if (type != RTM_NEWROUTE || of_row.rtm_family != family || (of_row.rtm_flags & RTM_F_CLONED) != 0)
        return;
      KernelRoute route = read_route(payload);
      if (route.table != RT_TABLE_LOCAL) found.push_back(std::move(route));
    });
  }
  return found;
}

bool Rtnetlink::change_route(const KernelRoute& route, uint16_t type, uint16_t flags) {
  const bool is_new = type == RTM_NEWROUTE;
  NetlinkMessage message(type, static_cast<uint16_t>(flags | NLM_F_ACK));
  rtmsg head{};
  head.rtm_family = family_of(route.destination.address);
  head.rtm_dst_len = route.destination.length;
  head.rtm_src_len = route.from ? route.from->length : 0;
  head.rtm_tos = route.tos;
  head.rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE says which: more than a byte
  head.rtm_protocol = route.protocol;
  head.rtm_scope = route.scope;
  head.rtm_type = route.type;
  if (route.hops.size() == 1 && route.hops.front().is_onlink) head.rtm_flags = RTNH_F_ONLINK;
  message.header(head);
  put_ip(message, RTA_DST, route.destination.address);
  if (route.from) put_ip(message, RTA_SRC, route.from->address);
  message.put_value(RTA_TABLE, route.table);
  if (route.metric != 0) message.put_value(RTA_PRIORITY, route.metric);
  if (route.source) put_ip(message, RTA_PREFSRC, *route.source);
  if (!route.hops.empty()) put_hops(message, route);
  if (is_new && !route.metrics.empty()) {
    const size_t metrics = message.begin(RTA_METRICS);
    for (const auto& [metric, value] : route.metrics) message.put_value(metric, value);
    message.end(metrics);
  }
  if (is_new && route.preference) message.put_value(RTA_PREF, *route.preference);
  if (is_new && route.expires_s != 0) message.put_value(RTA_EXPIRES, route.expires_s);
  const auto answer = socket_.ask(std::move(message));
  if (is_new) return judge(answer, {EEXIST}, "adding route " + route.to_string());
  return judge(answer, {ESRCH, ENODEV}, "removing route " + route.to_string());
}

bool Rtnetlink::add(const KernelRoute& route) {
  return change_route(route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND);
}

bool Rtnetlink::add_alone(const KernelRoute& route) {
  return change_route(route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
}

bool Rtnetlink::remove(const KernelRoute& route) {
  return change_route(route, RTM_DELROUTE, 0);
}

}  // namespace podswitch
