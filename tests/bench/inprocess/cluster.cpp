// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/inprocess/cluster.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"

namespace podswitch::bench {
namespace {

constexpr MacAddress kGatewayMac{{2, 0xfe, 0, 0, 0, 1}}, kUplinkMac{{2, 0xfe, 0, 0, 0, 2}};
constexpr MacAddress kNeighbourMac{{2, 0xfe, 0, 0, 0, 3}}, kVtepMac{{2, 0xfe, 0, 0, 0, 4}};
constexpr uint32_t kHostsPerNode = 250;
constexpr uint16_t kUnderlayMtu = 1500;
constexpr uint32_t kVni = 1;

Ipv4Address v4(uint8_t network, uint32_t rest) {
  return {{network, static_cast<uint8_t>(rest >> 16), static_cast<uint8_t>(rest >> 8),
           static_cast<uint8_t>(rest)}};
}
Ipv4Address pod_of_node(uint32_t node, uint32_t host) {
  return v4(10, node << 8 | host);
}
Ipv4Address local_pod(uint32_t index) {
  return v4(10, 0xf0'0000 + index + 1);
}
Ipv4Address virtual_ip(uint32_t service) {
  return v4(100, 0x40'0000 + service);
}
Ipv4Address vtep_of(uint32_t node) {
  return v4(172, 0x10'0000 | node);
}
MacAddress mac_of_pod(PortId port) {
  return mac_of(port, 0);
}

Prefix v4_prefix(const Ipv4Address& address, uint8_t length) {
  return {IpAddress(address), length};
}
Prefix v6_prefix(uint32_t node) {
  Ipv6Address address{{0xfd, 0, 0, 0x10, 0, 0, static_cast<uint8_t>(node >> 8), static_cast<uint8_t>(node)}};
  IpAddress ip{};
  ip.v6 = address;
  return {ip, 64};
}

be16_t checksum_of(const net::Ipv4Header& ip) {
  return be16_t::from_raw(net::complement(net::sum_bytes(&ip, sizeof ip)));
}

Frame udp_frame(const MacAddress& from, const MacAddress& to, const Ipv4Address& source,
                const Ipv4Address& destination, uint32_t flow) {
  struct {
    net::EtherHeader ether;
    net::Ipv4Header ip;
    net::UdpHeader udp;
  } headers{};
  headers.ether = {to, from, be16_t(net::kEtherTypeIpv4)};
  headers.ip.version_ihl = 0x45;
  headers.ip.total_length = be16_t(kFrameBytes - sizeof(net::EtherHeader));
  headers.ip.ttl = 64;
  headers.ip.protocol = net::kProtoUdp;
  headers.ip.source = source;
  headers.ip.destination = destination;
  headers.ip.checksum = checksum_of(headers.ip);
  headers.udp.source_port = be16_t(static_cast<uint16_t>(1024 + flow % 60000));
  headers.udp.destination_port = be16_t(9);
  headers.udp.length = be16_t(kFrameBytes - sizeof(net::EtherHeader) - sizeof(net::Ipv4Header));
  Frame frame{};
  static_assert(sizeof headers <= sizeof frame.bytes);
  std::memcpy(frame.bytes.data(), &headers, sizeof headers);
  return frame;
}

TunnelFrame in_tunnel(const Frame& inner, uint32_t node, uint32_t flow) {
  struct {
    net::EtherHeader ether;
    net::Ipv4Header ip;
    net::UdpHeader udp;
    net::VxlanHeader vxlan;
  } headers{};
  headers.ether = {kUplinkMac, kNeighbourMac, be16_t(net::kEtherTypeIpv4)};
  headers.ip.version_ihl = 0x45;
  headers.ip.total_length = be16_t(TunnelFrame::kBytes - sizeof(net::EtherHeader));
  headers.ip.ttl = 64;
  headers.ip.protocol = net::kProtoUdp;
  headers.ip.source = vtep_of(node);
  headers.ip.destination = vtep_of(0);
  headers.ip.checksum = checksum_of(headers.ip);
  headers.udp.source_port = be16_t(static_cast<uint16_t>(49152 + flow % 16384));
  headers.udp.destination_port = be16_t(net::kVxlanPort);
  headers.udp.length = be16_t(TunnelFrame::kBytes - sizeof(net::EtherHeader) - sizeof(net::Ipv4Header));
  headers.vxlan.flags = net::kVxlanHasVni;
  headers.vxlan.vni_reserved = be32_t(kVni << 8);
  TunnelFrame frame{};
  static_assert(sizeof headers + sizeof inner.bytes == sizeof frame.bytes);
  std::memcpy(frame.bytes.data(), &headers, sizeof headers);
  std::memcpy(frame.bytes.data() + sizeof headers, inner.bytes.data(), sizeof inner.bytes);
  return frame;
}

// Of all flows, made by make(flow).
template <typename Made, typename Make>
std::vector<Made> shuffled(uint32_t flows, Make&& make) {
  std::vector<Made> frames;
  frames.reserve(flows);
  for (uint32_t flow = 0; flow < flows; ++flow) frames.push_back(make(flow));
  std::shuffle(frames.begin(), frames.end(), std::mt19937(1));
  return frames;
}

uint32_t host_of(uint32_t flow, uint32_t nodes) {
  return 2 + flow / nodes % kHostsPerNode;
}

}  // namespace

Cluster::Cluster(uint32_t nodes, uint32_t pods) : nodes_(nodes), pods_(std::max(pods, 2U)) {
  std::vector<Route> routes;
  add_pods(pods_, routes);
  Routing::Tunnel& tunnel = routing_.tunnel.emplace();
  tunnel.udp_port = net::kVxlanPort;
  tunnel.vni = kVni;
  tunnel.vtep_mac = kVtepMac;
  tunnel.uplink_mac = kUplinkMac;
  tunnel.network = "default";
  tunnel.own_vteps = {IpAddress(vtep_of(0))};
  for (uint32_t node = 1; node <= nodes; ++node) {
    add_node(node, routes);
    tunnel.vteps.push_back(IpAddress(vtep_of(node)));
  }
  routing_.next_hops = &table_;
  routing_.tables["default"] = Lpm::build(routes);
}

void Cluster::add_pods(uint32_t pods, std::vector<Route>& routes) {
  NextHop hop{};
  hop.kind = NextHop::Kind::Pod;
  hop.port = kOtherPodPort;
  hop.fid = 1;
  hop.mtu = kUnderlayMtu;
  std::memcpy(hop.macs.data(), mac_of_pod(kOtherPodPort).bytes.data(), 6);
  std::memcpy(hop.macs.data() + 6, kGatewayMac.bytes.data(), 6);
  for (uint32_t pod = 0; pod < pods; ++pod)
    routes.push_back({v4_prefix(local_pod(pod), 32), add_hop(std::make_unique<NextHop>(hop))});
}

void Cluster::add_node(uint32_t node, std::vector<Route>& routes) {
  auto hop = std::make_unique<NextHop>();
  hop->kind = NextHop::Kind::Tunnel;
  hop->port = kUplinkPort;
  hop->fid = 2;
  hop->mtu = kUnderlayMtu - net::tunnel_overhead(net::Encapsulation::Vxlan, true);
  hop->tunnel = make_template(tunnel_to(node)).value();
  const NextHopId id = add_hop(std::move(hop));
  routes.push_back({v4_prefix(pod_of_node(node, 0), 24), id});
  routes.push_back({v6_prefix(node), id});
}

NextHopId Cluster::add_hop(std::unique_ptr<NextHop> hop) {
  (void)table_.set(hops_, std::move(hop));
  return hops_++;
}

TunnelSpec Cluster::tunnel_to(uint32_t node) {
  TunnelSpec spec;
  spec.outer_source_mac = kUplinkMac;
  spec.outer_destination_mac = kNeighbourMac;
  spec.outer_source = IpAddress(vtep_of(0));
  spec.outer_destination = IpAddress(vtep_of(node));
  spec.vni = kVni;
  spec.inner_macs = TunnelSpec::InnerMacs{.source = kVtepMac, .destination = mac_of(200, node)};
  return spec;
}

std::vector<BridgePort> Cluster::ports() {
  std::vector<BridgePort> ports(3);
  for (const PortId pod : {kPodPort, kOtherPodPort}) {
    ports[pod].id = pod;
    ports[pod].mac = mac_of_pod(pod);
    ports[pod].ips = {IpAddress(local_pod(pod))};
  }
  ports[2].id = kUplinkPort;
  ports[2].network = "underlay";
  ports[2].allow_spoofing = true;
  ports[2].is_uplink = true;
  return ports;
}

Gateway Cluster::gateway() {
  return {kGatewayMac, {IpAddress(v4(10, 0xff'fffe))}};
}

MacAddress Cluster::outer_source() {
  return kNeighbourMac;
}
MacAddress Cluster::outer_destination() {
  return kUplinkMac;
}

std::vector<Frame> Cluster::bridged(uint32_t flows) const {
  return shuffled<Frame>(flows, [&](uint32_t flow) {
    return udp_frame(mac_of_pod(kPodPort), mac_of_pod(kOtherPodPort), local_pod(kPodPort),
                     pod_of_node(1 + flow % nodes_, host_of(flow, nodes_)), flow);
  });
}

std::vector<Frame> Cluster::to_nodes(uint32_t flows) const {
  return shuffled<Frame>(flows, [&](uint32_t flow) {
    return udp_frame(mac_of_pod(kPodPort), kGatewayMac, local_pod(kPodPort),
                     pod_of_node(1 + flow % nodes_, host_of(flow, nodes_)), flow);
  });
}

std::vector<Frame> Cluster::to_pods(uint32_t flows) const {
  return shuffled<Frame>(flows, [&](uint32_t flow) {
    return udp_frame(mac_of_pod(kPodPort), kGatewayMac, local_pod(kPodPort),
                     local_pod(1 + flow % (pods_ - 1)), flow);
  });
}

std::vector<Frame> Cluster::to_services(uint32_t flows, uint32_t services) const {
  return shuffled<Frame>(flows, [&](uint32_t flow) {
    return udp_frame(mac_of_pod(kPodPort), kGatewayMac, local_pod(kPodPort), virtual_ip(flow % services),
                     flow / services);
  });
}

std::shared_ptr<const ServiceTable> Cluster::services(uint32_t services) const {
  constexpr uint32_t kEndpoints = 10;
  auto filter = std::make_shared<EndpointFilter>(size_t{services} * kEndpoints);
  std::vector<ServiceTable::Change> changes;
  for (uint32_t i = 0; i < services; ++i) {
    auto service = std::make_shared<Service>();
    service->id = i;
    std::vector<IpAddress> ips;
    for (uint32_t j = 0; j < kEndpoints; ++j) {
      const IpAddress endpoint(local_pod(1 + (i * kEndpoints + j) % (pods_ - 1)));
      if (std::find(ips.begin(), ips.end(), endpoint) == ips.end()) ips.push_back(endpoint);
    }
    std::sort(ips.begin(), ips.end());
    for (const IpAddress& endpoint : ips) {
      service->backends.push_back({endpoint, 8080});
      filter->add(endpoint, Protocol::Udp, 8080);
    }
    service->choice = std::make_shared<const Maglev>(ips);
    changes.push_back({{IpAddress(virtual_ip(i)), 9, Protocol::Udp}, service});
  }
  return ServiceTable().with(changes, filter);
}

std::vector<TunnelFrame> Cluster::from_nodes(uint32_t flows) const {
  return shuffled<TunnelFrame>(flows, [&](uint32_t flow) {
    const uint32_t node = 1 + flow % nodes_;
    return in_tunnel(udp_frame(mac_of(200, node), kVtepMac, pod_of_node(node, host_of(flow, nodes_)),
                               local_pod(kOtherPodPort), flow),
                     node, flow);
  });
}

}  // namespace podswitch::bench
