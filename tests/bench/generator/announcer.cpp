// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/announcer.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include <algorithm>

#include "tests/bench/generator/sender.h"

namespace podswitch::bench {
namespace {

constexpr uint32_t kWindow = 64;  // MACs on their way: a word's bits
constexpr int kTries = 50;
constexpr uint64_t kTryMs = 20;

constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// One that no frame of the trial has, so that its receivers need not look into each to tell them apart.
uint16_t announcement_bytes(const Trial& trial) {
  const auto sizes = trial.wire_sizes();
  uint16_t bytes = 62;
  while (std::find(sizes.begin(), sizes.end(), bytes) != sizes.end()) ++bytes;
  return bytes;
}

}  // namespace

uint32_t Announcer::announce_all(const std::vector<uint16_t>& ports, const Trial& trial) {
  bytes_ = announcement_bytes(trial);
  ports_ = ports;
  uint32_t unheard = 0;
  for (const uint16_t port : ports) {
    for (uint32_t first = 0; first < trial.macs; first += kWindow) {
      const uint32_t count = std::min(kWindow, trial.macs - first);
      const uint32_t missing = announce_window(port, first, count);
      unheard += missing;
      if (missing == 0) continue;
      // The others would fare no better, and take long.
      unheard += trial.macs - first - count;
      break;
    }
  }
  return unheard;
}

void Announcer::announce_first(uint16_t port, const Trial& trial) {
  bytes_ = announcement_bytes(trial);
  if (trial.speaks)
    send_arp(port, *trial.speaks);
  else if (trial.announces)
    send(port, 0, 1);
}

// RFC 5227 section 3: a request for its own address.
void Announcer::send_arp(uint16_t port, const Ipv4Address& ip) {
  rte_mbuf* packet = rte_pktmbuf_alloc(&buffers_);
  if (packet == nullptr) return;
  packet->data_len = bytes_;
  packet->pkt_len = bytes_;
  const MacAddress mac = mac_behind(static_cast<uint8_t>(port), 0);
  *rte_pktmbuf_mtod(packet, net::EtherHeader*) = {kBroadcast, mac, be16_t(net::kEtherTypeArp)};
  auto& arp = *rte_pktmbuf_mtod_offset(packet, net::ArpPacket*, sizeof(net::EtherHeader));
  arp = {};
  arp.hardware_type = be16_t(1);
  arp.protocol_type = be16_t(net::kEtherTypeIpv4);
  arp.hardware_length = sizeof arp.sender_mac;
  arp.protocol_length = sizeof arp.sender_ip;
  arp.operation = be16_t(net::kArpRequest);
  arp.sender_mac = mac;
  arp.sender_ip = arp.target_ip = ip;
  if (rte_eth_tx_burst(port, 0, &packet, 1) == 0) rte_pktmbuf_free(packet);
}

uint32_t Announcer::announce_window(uint16_t port, uint32_t first, uint32_t count) {
  uint64_t missing = count == 64 ? ~0ULL : (1ULL << count) - 1;
  for (int i = 0; i < kTries && missing != 0; ++i) {
    send(port, first, missing);
    const uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000 * kTryMs;
    while (missing != 0 && rte_rdtsc() < end)
      for (const uint16_t at : ports_) missing &= ~hear(at, port, first);
  }
  return static_cast<uint32_t>(__builtin_popcountll(missing));
}

void Announcer::send(uint16_t port, uint32_t first, uint64_t which) {
  for (; which != 0; which &= which - 1) {
    rte_mbuf* packet = rte_pktmbuf_alloc(&buffers_);
    if (packet == nullptr) return;
    packet->data_len = bytes_;
    packet->pkt_len = bytes_;
    *rte_pktmbuf_mtod(packet, net::EtherHeader*) = {
        kBroadcast,
        mac_behind(static_cast<uint8_t>(port), first + static_cast<uint32_t>(__builtin_ctzll(which))),
        be16_t(kAnnouncementType)};
    if (rte_eth_tx_burst(port, 0, &packet, 1) == 0) rte_pktmbuf_free(packet);
  }
}

// Takes what has arrived at one port; which MACs of the window were heard, if it is the port beside.
uint64_t Announcer::hear(uint16_t at, uint16_t from, uint32_t first) {
  rte_mbuf* burst[kBurst];
  const uint16_t count = rte_eth_rx_burst(at, 0, burst, kBurst);
  uint64_t heard = 0;
  for (uint16_t i = 0; i < count && at == (from ^ 1); ++i) {
    const auto& ether = *rte_pktmbuf_mtod(burst[i], const net::EtherHeader*);
    if (ether.ether_type.host() != kAnnouncementType || ether.source.bytes[1] != from) continue;
    const auto& mac = ether.source.bytes;
    const uint32_t index = uint32_t{mac[3]} << 16 | uint32_t{mac[4]} << 8 | mac[5];
    if (index >= first && index - first < kWindow) heard |= 1ULL << (index - first);
  }
  rte_pktmbuf_free_bulk(burst, count);
  return heard;
}

}  // namespace podswitch::bench
