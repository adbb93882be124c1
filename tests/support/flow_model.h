// SPDX-License-Identifier: Apache-2.0
// A NIC's flow engine in software: takes the place of the rte_flow_* functions in a test program (linked with
// --wrap, see flow_model_wrap.cpp), checks rules as rte_flow.h says they must be and a bit harder, and
// carries them out on frames. It can refuse any feature, fail half-way, and parse packets in the ways in
// which NICs differ. Its parser shares nothing with the switch's. One thread.
#pragma once

#include <rte_flow.h>

#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/flow_headers.h"

namespace podswitch::test {

enum class FlowFeature : uint8_t {
  Mac,
  Vlan,
  Ipv4,
  Ipv6,
  Source,
  Destination,
  Fragment,           // of IPv4
  NextHeader,         // of IPv6
  FragmentExtension,  // of IPv6
  Udp,
  Tunnel,
  Count,
  Drop,
  Queue,
  Rss,
  InnerRss,
  Priority,  // other than 0
};
inline constexpr size_t kFlowFeatures = static_cast<size_t>(FlowFeature::Priority) + 1;
using FlowFeatures = std::bitset<kFlowFeatures>;

// What a rule came to be in the NIC.
struct ModelRule {
  struct Match {
    std::optional<std::array<uint8_t, 6>> mac;
    std::optional<uint16_t> vlan;
    std::optional<bool> is_v4;
    std::optional<std::vector<uint8_t>> source, destination;
    bool no_fragment = false, no_fragment_extension = false, needs_udp = false;
    std::optional<uint8_t> next_header;
    std::optional<uint16_t> udp_port;
    std::optional<TunnelKind> tunnel;
    friend bool operator==(const Match&, const Match&) = default;
  };
  struct Action {
    bool is_drop = false, is_counted = false;
    unsigned level = 0;            // RSS
    std::vector<uint16_t> queues;  // one: no RSS
    friend bool operator==(const Action&, const Action&) = default;
  };
  uint32_t priority = 0;
  Match match;
  Action action;
  uint64_t hits = 0;

  std::string to_string() const;
};

class FlowModel {
 public:
  explicit FlowModel(uint16_t queues);
  ~FlowModel();
  FlowModel(const FlowModel&) = delete;
  FlowModel& operator=(const FlowModel&) = delete;

  // What a test asks for, before it begins.
  FlowFeatures refused;
  ParserHabits habits;
  size_t capacity = SIZE_MAX;               // rules
  std::optional<unsigned> fails_create_at;  // counted from 0 over the model's life
  std::optional<unsigned> fails_destroy_at;
  bool fails_flush = false;
  bool counts_silently = false;        // takes COUNT and never answers
  std::function<void()> after_change;  // a rule has come or gone

  struct Fate {
    bool is_dropped = false;
    uint16_t queue = 0;
  };
  // What the NIC does with a frame that arrives.
  Fate receive(const std::vector<uint8_t>& frame);

  unsigned creates() const { return creates_; }
  size_t size() const { return rules_.size(); }
  std::string dump() const;  // the rules in a fixed order
  const std::set<std::pair<uint16_t, TunnelKind>>& tunnel_ports() const { return habits.tunnel_ports; }

  // rte_flow.
  int validate(const rte_flow_attr* attr, const rte_flow_item* pattern, const rte_flow_action* actions,
               rte_flow_error* error);
  rte_flow* create(const rte_flow_attr* attr, const rte_flow_item* pattern, const rte_flow_action* actions,
                   rte_flow_error* error);
  int destroy(rte_flow* flow, rte_flow_error* error);
  int flush(rte_flow_error* error);
  int query(rte_flow* flow, const rte_flow_action* action, void* data, rte_flow_error* error);
  int set_tunnel_port(uint16_t port, bool is_vxlan, bool is_there);

  // The one that the wrapped functions ask; nullptr: the real ones.
  static FlowModel* current();

 private:
  std::optional<ModelRule> read(const rte_flow_attr* attr, const rte_flow_item* pattern,
                                const rte_flow_action* actions, rte_flow_error* error) const;
  bool contradicts(const ModelRule& rule) const;
  void changed();

  const uint16_t queues_;
  std::vector<std::unique_ptr<ModelRule>> rules_;
  unsigned creates_ = 0, destroys_ = 0;
};

}  // namespace podswitch::test
