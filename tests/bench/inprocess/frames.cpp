// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/inprocess/frames.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "switch/net/checksum.h"
#include "switch/net/headers.h"

namespace podswitch::bench {
namespace {

struct Headers {
  net::EtherHeader ether;
  net::Ipv4Header ip;
  net::UdpHeader udp;
};
static_assert(sizeof(Headers) == 42);

Ipv4Address address(uint8_t network, uint32_t host) {
  return {{network, static_cast<uint8_t>(host >> 16), static_cast<uint8_t>(host >> 8),
           static_cast<uint8_t>(host)}};
}

Frame make_frame(PortId from, PortId to, uint32_t flow, uint32_t mac) {
  Headers headers{};
  headers.ether = {mac_of(to, mac), mac_of(from, mac), be16_t(net::kEtherTypeIpv4)};
  headers.ip.version_ihl = 0x45;
  headers.ip.total_length = be16_t(kFrameBytes - sizeof(net::EtherHeader));
  headers.ip.ttl = 64;
  headers.ip.protocol = net::kProtoUdp;
  headers.ip.source = address(10, flow);
  headers.ip.destination = address(11, flow);
  headers.ip.checksum = be16_t::from_raw(net::complement(net::sum_bytes(&headers.ip, sizeof headers.ip)));
  headers.udp.source_port = be16_t(static_cast<uint16_t>(1024 + flow % 60000));
  headers.udp.destination_port = be16_t(9);
  headers.udp.length = be16_t(kFrameBytes - sizeof(net::EtherHeader) - sizeof(net::Ipv4Header));
  Frame frame{};
  std::memcpy(frame.bytes.data(), &headers, sizeof headers);
  return frame;
}

}  // namespace

MacAddress mac_of(PortId port, uint32_t index) {
  return {{2, static_cast<uint8_t>(port), static_cast<uint8_t>(index >> 24),
           static_cast<uint8_t>(index >> 16), static_cast<uint8_t>(index >> 8), static_cast<uint8_t>(index)}};
}

std::vector<Frame> make_frames(PortId from, PortId to, uint32_t flows, uint32_t macs) {
  std::vector<Frame> frames;
  const uint32_t count = std::max(flows, macs);
  frames.reserve(count);
  for (uint32_t i = 0; i < count; ++i) frames.push_back(make_frame(from, to, i % flows, i % macs));
  std::shuffle(frames.begin(), frames.end(), std::mt19937(from));
  return frames;
}

}  // namespace podswitch::bench
