// SPDX-License-Identifier: Apache-2.0
// What one measurement sends and checks, as flags and JSON say it. Plain values, any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "switch/net/address.h"

namespace podswitch::bench {

enum class Pattern : uint8_t { OneWay, Echo, TwoWay };
enum class Protocol : uint8_t { Udp4, Tcp4, Udp6, Tcp6 };
enum class Verify : uint8_t { Sample, All, None };
// Which frames have VXLAN headers in front: those that arrive, those that are sent, both.
enum class Tunnel : uint8_t { None, Arriving, Sent, Through };

// An IPv4 address with a port of UDP or TCP.
struct Socket {
  Ipv4Address ip;
  uint16_t port = 0;
};

inline constexpr uint32_t kFcsBytes = 4;  // a frame's size counts them (RFC 2544), the wire here has none

struct Trial {
  Pattern pattern = Pattern::OneWay;
  uint32_t flows = 1;   // of each sender
  uint32_t macs = 1;    // behind each port
  uint16_t frame = 64;  // bytes with FCS; 0: IMIX
  Protocol protocol = Protocol::Udp4;
  double rate = 0;  // frames per second over all senders; 0: as fast as the switch takes them
  double seconds = 1;
  uint32_t warmup_ms = 200;
  Verify verify = Verify::Sample;
  bool latency = false;

  // For switches that route between pods and an overlay.
  Tunnel tunnel = Tunnel::None;
  uint32_t nodes = 0;       // that the far addresses are of; 0: those are just numbered
  uint32_t first_node = 0;  // number of the first of them
  uint32_t sources = 4096;  // near addresses, a power of two
  uint32_t hops = 0;        // routers on the way, at most one
  MacAddress to_mac;        // of each frame that is sent; zero: of the other port
  MacAddress outer_mac;     // the same of the headers in front
  Ipv4Address outer_ip;
  bool announces = true;              // MACs, by broadcasts
  std::optional<Ipv4Address> speaks;  // instead: the receiving port says by ARP that it has this address

  // For switches that have Services: where each frame goes to, and what becomes of that on the way.
  std::optional<Socket> service;  // the first one's; each further one has the next address
  uint32_t services = 1;          // flow i goes to number i modulo this
  Socket backend;                 // the first backend of the first service
  uint32_t backends = 0;          // of each service, one address after the other; 0: nobody translates
  uint32_t first_client = 0;      // flow i is this one's and i further ones' address and port

  bool is_sent_in_tunnel() const { return tunnel == Tunnel::Sent || tunnel == Tunnel::Through; }
  bool arrives_in_tunnel() const { return tunnel == Tunnel::Arriving || tunnel == Tunnel::Through; }
  // Whether what arrives may have other MACs than what was sent.
  bool changes_macs() const { return tunnel != Tunnel::None || hops != 0 || !to_mac.is_zero(); }

  // Among how many node CIDRs or services the flows take turns.
  uint32_t destinations() const { return std::max({nodes, services, 1U}); }

  // Bytes of each frame on the wire, in the order in which they are sent, again and again.
  std::vector<uint16_t> wire_sizes() const;
};

// A flag of the command line; in JSON, `-` is `_`.
struct TrialFlag {
  const char* name;
  const char* type;  // "text", "number" or "switch"
  const char* help;
};
const std::vector<TrialFlag>& trial_flags();

// `base`, with what `object` sets. Throws std::invalid_argument, whose text says what is wrong.
Trial read_trial(const nlohmann::json& object, const Trial& base = {});
nlohmann::json to_json(const Trial& trial);

}  // namespace podswitch::bench
