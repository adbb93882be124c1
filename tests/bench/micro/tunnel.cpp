// SPDX-License-Identifier: Apache-2.0
// Into a tunnel and out of it: the parts that the stages are made of.
#include <array>

#include "switch/burst.h"
#include "switch/encap.h"
#include "switch/net/flow_hash.h"
#include "switch/net/headers.h"
#include "tests/bench/micro/measure.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::bench {
namespace {

enum class Outer { Ipv4, Ipv6 };

TunnelTemplate headers(Outer outer) {
  TunnelSpec spec;
  spec.outer_source = *IpAddress::parse(outer == Outer::Ipv4 ? "192.0.2.1" : "2001:db8::1");
  spec.outer_destination = *IpAddress::parse(outer == Outer::Ipv4 ? "192.0.2.2" : "2001:db8::2");
  spec.inner_macs.emplace();
  return make_template(spec).value();
}

// A burst of packets whose places and lengths can be put back: what lies there stays right.
class Packets {
 public:
  explicit Packets(const test::Packet& packet) {
    for (test::PacketPtr& mbuf : packets_) mbuf = packet.mbuf();
    length_ = packets_.front()->data_len;
  }
  void restore() noexcept {
    for (const test::PacketPtr& mbuf : packets_) {
      mbuf->data_off = RTE_PKTMBUF_HEADROOM;
      mbuf->data_len = length_;
      mbuf->pkt_len = length_;
    }
  }
  const std::array<test::PacketPtr, kBurstSize>& all() const { return packets_; }

 private:
  std::array<test::PacketPtr, kBurstSize> packets_;
  uint16_t length_ = 0;
};

test::Packet udp_frame() {
  return test::Packet()
      .eth("02:00:00:00:00:01", "02:00:00:00:00:02")
      .ipv4("10.244.1.2", "10.244.2.3")
      .udp(5000, 53)
      .payload(22);
}

void encapsulate(benchmark::State& state, Outer outer) {
  Packets packets(udp_frame());
  const TunnelTemplate tunnel = headers(outer);
  uint16_t id = 0;
  size_t refused = 0;
  measure(
      state, kBurstSize, [&] { packets.restore(); },
      [&] {
        for (const test::PacketPtr& mbuf : packets.all())
          refused += !tunnel.encapsulate(*mbuf, {net::kEtherTypeIpv4, 14, id++, 0x12345678});
      });
  if (refused != 0) fail(state, "a packet was refused");
}

void flow_hash(benchmark::State& state) {
  Packets packets(udp_frame());
  uint32_t sum = 0;
  measure(
      state, kBurstSize, [] {},
      [&] {
        for (const test::PacketPtr& mbuf : packets.all())
          sum += net::flow_hash(*mbuf, net::kEtherTypeIpv4, 14);
        benchmark::DoNotOptimize(sum);
      });
}

// What comes from another node: no checksum of the UDP header, one of the IPv4 header, not yet verified.
void decapsulate_all(benchmark::State& state, Outer outer) {
  const test::PacketPtr one = udp_frame().mbuf();
  if (!headers(outer).encapsulate(*one, {net::kEtherTypeIpv4, 14, 1, 0x12345678}))
    return fail(state, "a packet was refused");
  Packets packets(test::Packet().payload(test::bytes_of(*one)));
  const uint16_t ether_type = outer == Outer::Ipv4 ? net::kEtherTypeIpv4 : net::kEtherTypeIpv6;
  size_t refused = 0;
  measure(
      state, kBurstSize, [&] { packets.restore(); },
      [&] {
        for (const test::PacketPtr& mbuf : packets.all()) {
          const auto read =
              net::read_tunnel(*mbuf, ether_type, 14, net::kVxlanPort, net::Encapsulation::Vxlan);
          if (read.verdict == net::TunnelVerdict::Tunnel)
            decapsulate(*mbuf, read.packet.inner_offset, read.packet.inner_length);
          else
            ++refused;
        }
      });
  if (refused != 0) fail(state, "a packet was refused");
}

BENCHMARK_CAPTURE(encapsulate, ipv4, Outer::Ipv4)->Name("tunnel/encapsulate/ipv4");
BENCHMARK_CAPTURE(encapsulate, ipv6, Outer::Ipv6)->Name("tunnel/encapsulate/ipv6");
BENCHMARK(flow_hash)->Name("tunnel/flow_hash");
BENCHMARK_CAPTURE(decapsulate_all, ipv4, Outer::Ipv4)->Name("tunnel/decapsulate/ipv4");
BENCHMARK_CAPTURE(decapsulate_all, ipv6, Outer::Ipv6)->Name("tunnel/decapsulate/ipv6");

}  // namespace
}  // namespace podswitch::bench
