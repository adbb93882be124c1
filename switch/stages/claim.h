// SPDX-License-Identifier: Apache-2.0
// Who says to have which IP address in a stretched network, so that nobody has to be asked over there again.
// Read of frames of ARP and neighbour discovery; nothing is changed. Called by the worker that owns the
// packet.
#pragma once

#include <rte_mbuf.h>

#include <optional>

#include "switch/burst.h"
#include "switch/local.h"
#include "switch/net/address.h"

namespace podswitch::stages {

struct Claim {
  IpAddress ip;
  MacAddress mac;  // the frame's own source
  bool is_router = false;
};

// The sender of an ARP packet (RFC 826), or the target of an advertisement (RFC 4861 section 4.4). Not the
// sender of a solicitation: whether it is a router is not said there, and whoever answers for it would have
// to know.
std::optional<Claim> read_claim(const rte_mbuf& packet, const PacketMeta& meta) noexcept;

// Posts what is news for the table of neighbours behind tunnels: a claim that came out of one,
void note_claim_from_tunnel(const rte_mbuf& packet, const PacketMeta& meta, Local& local) noexcept;
// or one by a pod of this node, of an address that was behind a tunnel.
void note_claim_here(const rte_mbuf& packet, const PacketMeta& meta, Local& local) noexcept;

}  // namespace podswitch::stages
