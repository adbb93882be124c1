// SPDX-License-Identifier: Apache-2.0
// Writes the first inputs of the fuzzers that take packets: for the pipeline one frame of each kind that the
// stages look into, for tunnels one of each kind, and what is sent through them.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/pipeline_input.h"
#include "tests/fuzz/pipeline_services.h"
#include "tests/unit/packet_builder.h"

namespace podswitch::fuzz {
namespace {

using test::Bytes;
using test::Packet;

constexpr std::string_view kOwn = "02:00:00:00:00:01";
constexpr std::string_view kPeer = "02:00:00:00:00:03";
constexpr std::string_view kGateway = "02:aa:00:00:00:fe";
constexpr std::string_view kGroup = "33:33:ff:00:00:02";

struct Seed {
  Controls controls;
  Packet packet;
};

Packet eth(std::string_view destination) {
  return Packet().eth(kOwn, destination);
}
Packet v4(std::string_view destination = kPeer, std::string_view address = "10.0.0.9") {
  return eth(destination).ipv4("10.0.0.1", address);
}
Packet v6(std::string_view destination = kPeer, std::string_view address = "2001:db8::9") {
  return eth(destination).ipv6("2001:db8::1", address, {.hop_limit = 255});
}

std::vector<Seed> pipeline_seeds() {
  constexpr Controls kPlain{.tailroom = 0, .headroom = 4};
  constexpr Controls kRoomy{.tailroom = 32, .headroom = 4};
  constexpr Controls kPartial{.request = kPartialChecksum, .first_cut = 100, .headroom = 4};
  constexpr Controls kSuper{.request = kPartialChecksum | kSuperFrame,
                            .segment_size_low = 200,
                            .first_cut = 120,
                            .second_cut = 33,
                            .headroom = 4};
  constexpr Controls kTrunk{.port = 3, .headroom = 4};
  return {
      {kPlain, eth(test::kBroadcastMac).arp(1, kOwn, "10.0.0.1", test::kZeroMac, "10.0.0.2")},
      {kPlain, eth(kGateway).arp(1, kOwn, "10.0.0.1", test::kZeroMac, "10.0.0.254")},
      {kRoomy, v6(kGroup, "ff02::1:ff00:2").solicitation("2001:db8::2")},
      {kPlain, v6(kGroup, "ff02::1:ff00:2").solicitation("2001:db8::2").nd_option(1, kOwn)},
      {kPlain, v6().advertisement("2001:db8::1", 0).nd_option(2, kOwn)},
      {kPlain, v4(kGateway, "10.0.0.254").icmp(8).echo(1, 2).payload(20)},
      {kPlain, v6(kGateway, "2001:db8::fe").icmpv6(128).echo(1, 2).payload(20)},
      {kPlain, v6(kGateway, "2001:db8::fe").fragment6(0, true).icmpv6(128).echo(1, 2)},
      {kPlain, v6().extension(0).extension(60, 2).extension(43, 3).udp(1, 2).payload(9)},
      {kPartial, v4().udp(1, 2).payload(99).partial_checksum()},
      {kPartial, v6().sctp(1, 2).payload(99).partial_checksum()},
      {kSuper, v4().tcp(1, 2, {.flags = 0x99, .options = Bytes(12, 1)}).payload(1501).partial_checksum()},
      {kSuper, v6().extension(60).tcp(1, 2).payload(1501).partial_checksum()},
      {kTrunk, eth(kPeer).vlan(7).vlan(9, 0x88a8).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2)},
  };
}

// What the flows of pipeline_services.h make of it.
std::vector<Seed> service_seeds() {
  constexpr Controls kPod{.tailroom = 32, .headroom = 120}, kEndpoint{.port = 1, .headroom = 120};
  constexpr Controls kPartial{.request = kPartialChecksum, .first_cut = 100, .headroom = 120};
  constexpr Controls kSuper{
      .request = kPartialChecksum | kSuperFrame, .segment_size_low = 200, .first_cut = 120, .headroom = 120};
  const auto back4 = [] { return eth(kGateway).ipv4("10.0.0.2", "10.0.0.1"); };
  const auto back6 = [] { return eth(kGateway).ipv6("2001:db8::2", "2001:db8::1"); };
  // What an error quotes behind four bytes of its own.
  const auto quoted = [](const Packet& packet) {
    const Bytes frame = packet.bytes();
    Bytes body(4, 0);
    body.insert(body.end(), frame.begin() + 14, frame.end());
    return body;
  };
  const Packet seen4 = eth(kGateway).ipv4("10.0.0.1", "10.0.0.2").udp(4000, 8080).payload(9);
  const Packet seen6 = eth(kGateway).ipv6("2001:db8::1", "2001:db8::2").tcp(4000, 8080).payload(9);
  const Packet answered4 = eth(kGateway).ipv4(kVip, "10.0.0.1").tcp(80, 4000).payload(9);
  const Packet answered6 = eth(kGateway).ipv6(kVip6, "2001:db8::1").udp(80, 4000).payload(9);
  return {
      {kPod, v4(kGateway, kVip).tcp(4000, 80).payload(20)},
      {kPod, v6(kGateway, kVip6).tcp(4001, 80, {.flags = 2, .options = Bytes(12, 1)})},
      {kPartial, v4(kGateway, kVip).udp(4000, 80).payload(99).partial_checksum()},
      {kSuper, v6(kGateway, kVip6).tcp(4000, 80).payload(1501).partial_checksum()},
      {kPod, v4(kGateway, kVip).tcp(4000, 81, {.flags = 2})},
      {kPod, v6(kGateway, kVip6).udp(4000, 82).payload(20)},
      {kPod, v4(kGateway, kVip).icmp(8).echo(1, 2).payload(20)},
      {kPod, v4(kGateway, kVip).sctp(4001, 80).payload(Bytes{3, 0, 0, 4, 1, 0, 0, 4})},
      {kPod, v4(kGateway, kVip).udp(4000, 80).payload(1400)},
      {kEndpoint, back4().tcp(8080, 4000).payload(9)},
      {kEndpoint, back6().udp(8080, 4000).payload(9)},
      {kEndpoint, back4().sctp(8080, 4000).payload(Bytes{2, 0, 0, 4})},
      {kEndpoint, back4().icmp(3, 3).payload(quoted(seen4))},
      {kEndpoint, back6().icmpv6(2).payload(quoted(seen6))},
      {kPod, v4(kGateway, kVip).icmp(11).payload(quoted(answered4))},
      {kPod, v6(kGateway, kVip6).icmpv6(1, 4).payload(quoted(answered6))},
      {kPod, eth(kGateway).ipv4("10.0.0.1", kVip, {.fragment = 1, .protocol = 17}).payload(9)},
      {kPod, v6(kGateway, kVip6).fragment6(8, false, 17).payload(9)},
      {kEndpoint, eth(kGateway).ipv4("10.0.0.2", "10.0.0.1", {.fragment = 1, .protocol = 17}).payload(9)},
  };
}

// Controls as tunnel_fuzz.cpp takes them: bit 2 of `request` is IPv6, bit 1 of `port` Geneve, bit 3 a tag.
std::vector<Seed> tunnel_seeds() {
  const Bytes inner = v4().tcp(1, 2).payload(20).bytes();
  const Bytes options{0, 1, 2, 1, 9, 9, 9, 9};
  constexpr Controls kPlain{.headroom = 4};
  constexpr Controls kGeneve{.port = 2, .headroom = 4};
  constexpr Controls kIpv6{.request = 4, .first_cut = 100, .second_cut = 9, .headroom = 4};
  constexpr Controls kTagged{.port = 8 + 2, .request = 4, .headroom = 4};
  constexpr Controls kRouted{.port = 4, .request = kPartialChecksum, .headroom = 4};
  constexpr Controls kSuper{.port = 32 + 1,
                            .request = kPartialChecksum | kSuperFrame,
                            .segment_size_low = 200,
                            .first_cut = 120,
                            .headroom = 4};
  return {
      {kPlain, v4().udp(50000, 4789).no_checksum().vxlan(7).payload(inner)},
      {kPlain, v4().udp(50000, 4789).vxlan(7).payload(inner).padding(5)},
      {kGeneve, v4().udp(50000, 6081).geneve(7).payload(inner)},
      {kGeneve, v4().udp(50000, 6081).no_checksum().geneve(7, options).payload(inner)},
      {kIpv6, v6().extension(60).udp(50000, 4789).vxlan(7).payload(inner)},
      {kTagged, eth(kPeer).vlan(5).ipv6("fd00::1", "fd00::2").udp(50000, 6081).geneve(7).payload(inner)},
      {kRouted, v4().udp(1, 2).payload(99).partial_checksum()},
      {kSuper, v4().tcp(1, 2).payload(1501).partial_checksum()},
      {kSuper, v6().tcp(1, 2).payload(1501).partial_checksum()},
  };
}

void write(const std::vector<Seed>& seeds, const std::filesystem::path& directory,
           const std::string& name = "seed") {
  std::filesystem::create_directories(directory);
  int number = 0;
  for (const Seed& seed : seeds) {
    std::ofstream file(directory / (name + std::to_string(number++)), std::ios::binary);
    const Bytes frame = seed.packet.bytes();
    file.write(reinterpret_cast<const char*>(&seed.controls), sizeof seed.controls);
    file.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
  }
}

}  // namespace
}  // namespace podswitch::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_corpus DIRECTORY\n");
    return 2;
  }
  const std::filesystem::path directory(argv[1]);
  podswitch::fuzz::write(podswitch::fuzz::pipeline_seeds(), directory / "pipeline");
  podswitch::fuzz::write(podswitch::fuzz::service_seeds(), directory / "pipeline", "service");
  podswitch::fuzz::write(podswitch::fuzz::tunnel_seeds(), directory / "tunnel");
  return 0;
}
