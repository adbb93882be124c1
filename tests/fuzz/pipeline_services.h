// SPDX-License-Identifier: Apache-2.0
// The Services of the pipeline fuzzer, and the flows that are there when its packet comes: the pod at port 0
// is their client, the one at port 1 their endpoint; what is larger than 1280 bytes does not fit the latter.
#pragma once

#include <algorithm>
#include <string_view>

#include "tests/unit/make_services.h"
#include "tests/unit/rig.h"

namespace podswitch::fuzz {

inline constexpr std::string_view kVip = "10.96.0.1", kVip6 = "2001:db8:96::1";

inline Routing routing_with_services(NextHopTable& hops) {
  const auto ip = [](std::string_view text) { return *IpAddress::parse(text); };
  for (const PortId port : {0, 1}) {
    auto hop = std::make_unique<NextHop>();
    hop->kind = NextHop::Kind::Pod;
    hop->port = port;
    hop->fid = 1;
    hop->mtu = port == 0 ? 1500 : 1280;
    hop->macs = {0x02, 0, 0, 0, 0, static_cast<uint8_t>(port + 1), 0x02, 0xaa, 0, 0, 0, 0xfe};
    hops.set(port, std::move(hop)).reset();
  }
  std::vector<Route> routes{{Prefix::of(ip("10.0.0.1")), 0},
                            {Prefix::of(ip("10.0.0.2")), 1},
                            {Prefix::of(ip("2001:db8::1")), 0},
                            {Prefix::of(ip("2001:db8::2")), 1}};
  std::sort(routes.begin(), routes.end(), [](const auto& a, const auto& b) { return a.prefix < b.prefix; });
  test::ServiceChanges services;
  ServiceId id = 0;
  for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp, Protocol::Sctp})
    for (const bool is_v6 : {false, true}) {
      const IpAddress vip = ip(is_v6 ? kVip6 : kVip), backend = ip(is_v6 ? "2001:db8::2" : "10.0.0.2");
      services.push_back({{vip, 80, protocol}, test::make_service(id++, {{backend, 8080}})});
      services.push_back({{vip, 81, protocol}, test::make_service(id++, {})});
    }
  Routing routing;
  routing.next_hops = &hops;
  routing.tables["default"] = Lpm::build(routes);
  routing.services = {"default", test::make_table(services)};
  return routing;
}

// The same before each input: what earlier ones have begun is gone.
inline void begin_flows(test::Rig& rig) {
  for (FlowSlot slot = 0; slot < rig.flows().end(); ++slot)
    rig.flows().remove(slot, rig.flows().record(slot).sequence.load(), rig.flow_worker().slots);
  using test::Packet;
  static const auto eth = [] { return Packet().eth("02:00:00:00:00:01", "02:aa:00:00:00:fe"); };
  static const Packet packets[] = {
      eth().ipv4("10.0.0.1", kVip).tcp(4000, 80, {.flags = 2}),
      eth().ipv6("2001:db8::1", kVip6).tcp(4000, 80, {.flags = 2}),
      eth().ipv4("10.0.0.1", kVip).udp(4000, 80),
      eth().ipv6("2001:db8::1", kVip6).udp(4000, 80),
      eth().ipv4("10.0.0.1", kVip).sctp(4000, 80).payload(test::Bytes{1, 0, 0, 4}),
      // The first fragments of datagrams whose others may come.
      eth()
          .ipv4("10.0.0.1", kVip, {.fragment = 0x2000, .protocol = 17})
          .payload({0x0f, 0xa0, 0, 80, 0, 99, 0, 0}),
      eth().ipv6("2001:db8::1", kVip6).fragment6(0, true, 17).payload({0x0f, 0xa0, 0, 80, 0, 99, 0, 0}),
  };
  for (const Packet& packet : packets) (void)rig.send(0, packet);
}

}  // namespace podswitch::fuzz
