// SPDX-License-Identifier: Apache-2.0
// A node of a cluster as the packet path sees it, and traffic between its pods and the other nodes': what
// bench-paths measures. Node n (from 1) has pods in 10.N.N.0/24 and fd00:10:0:N::/64 behind a VTEP of its
// own.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "switch/snapshot.h"
#include "tests/bench/inprocess/frames.h"

namespace podswitch::bench {

inline constexpr PortId kPodPort = 0, kOtherPodPort = 1, kUplinkPort = 2;

// A frame with 50 bytes of VXLAN in front.
struct alignas(64) TunnelFrame {
  static constexpr uint16_t kBytes = kFrameBytes + 50;
  std::array<uint8_t, kBytes> bytes;
};

class Cluster {
 public:
  // `pods`: of this node, from 1 to 1,000; the first two live behind the ports above.
  Cluster(uint32_t nodes, uint32_t pods);

  // Pods with addresses of their own, guarded; the uplink.
  static std::vector<BridgePort> ports();
  static Gateway gateway();
  static MacAddress outer_source();  // of what other nodes send
  static MacAddress outer_destination();
  const Routing& routing() const { return routing_; }
  size_t route_bytes() const { return routing_.tables.at("default")->memory_bytes(); }

  // Frames of so many flows, in random order. From the first pod to the second, by MAC or by the gateway to
  // pods of all nodes.
  std::vector<Frame> bridged(uint32_t flows) const;
  std::vector<Frame> to_nodes(uint32_t flows) const;
  // By the gateway to the other pods of this node, and to Services of which those are the endpoints.
  std::vector<Frame> to_pods(uint32_t flows) const;
  std::vector<Frame> to_services(uint32_t flows, uint32_t services) const;
  // `services` of ten endpoints each, of one port.
  std::shared_ptr<const ServiceTable> services(uint32_t services) const;
  // As the other nodes send them, to the second pod.
  std::vector<TunnelFrame> from_nodes(uint32_t flows) const;

 private:
  void add_pods(uint32_t pods, std::vector<Route>& routes);
  void add_node(uint32_t node, std::vector<Route>& routes);
  NextHopId add_hop(std::unique_ptr<NextHop> hop);
  static TunnelSpec tunnel_to(uint32_t node);

  const uint32_t nodes_;
  const uint32_t pods_;
  NextHopId hops_ = 0;
  NextHopTable table_;
  Routing routing_;
};

}  // namespace podswitch::bench
