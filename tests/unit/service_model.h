// SPDX-License-Identifier: Apache-2.0
// What Services and connection tracking are to do, written down once more and as plainly as can be: maps, no
// hash but the map's, no state kept for speed. It sees each packet and what became of it, and says what was
// wrong about that. Where the switch may choose (a backend, another source port) it checks that the choice is
// allowed, and goes on with it.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "lb/service_table.h"
#include "switch/net/headers.h"

namespace podswitch::test {

struct Tuple {
  IpAddress source, destination;
  uint16_t source_port = 0, destination_port = 0;
  uint8_t protocol = 0;
  friend auto operator<=>(const Tuple&, const Tuple&) = default;
  Tuple back() const { return {destination, source, destination_port, source_port, protocol}; }
};

struct Seen {
  Tuple tuple;
  uint8_t tcp_flags = 0;
  bool is_routed = true;
};
// What became of it: passed on with some tuple, refused with an answer, or dropped.
struct Became {
  enum class Kind { Passed, Refused, Dropped } kind = Kind::Dropped;
  Tuple tuple;         // Passed
  std::string reason;  // Dropped
};

// A TCP connection as it looks from between the two ends.
class ModelTcp {
 public:
  enum class Phase {
    SynSent,
    PickedUp,
    SynReceived,
    Established,
    FinWait,
    CloseWait,
    LastAck,
    TimeWait,
    Close
  };
  explicit ModelTcp(Phase phase) : phase_(phase) {}
  void see(bool by_client, uint8_t flags) {
    const bool syn = flags & net::kTcpSyn, fin = flags & net::kTcpFin, ack = flags & net::kTcpAck;
    if ((flags & net::kTcpRst) != 0) {
      phase_ = Phase::Close;
    } else if (syn) {
      if (phase_ == Phase::SynSent && !by_client) phase_ = Phase::SynReceived;
      if (phase_ == Phase::PickedUp && by_client) phase_ = Phase::SynSent;
    } else if (fin && (phase_ == Phase::SynReceived || phase_ == Phase::Established ||
                       (phase_ == Phase::PickedUp && !by_client))) {
      phase_ = Phase::FinWait;
      client_closed_first_ = by_client;
    } else if (fin) {
      const bool is_half_closed = phase_ == Phase::FinWait || phase_ == Phase::CloseWait;
      if (is_half_closed && by_client != client_closed_first_) phase_ = Phase::LastAck;
    } else if (ack) {
      const bool is_answered = phase_ == Phase::PickedUp && !by_client;
      if (is_answered || (phase_ == Phase::SynReceived && by_client))
        phase_ = Phase::Established;
      else if (phase_ == Phase::FinWait && by_client != client_closed_first_)
        phase_ = Phase::CloseWait;
      else if (phase_ == Phase::LastAck && by_client == client_closed_first_)
        phase_ = Phase::TimeWait;
    }
  }
  bool is_over() const {
    return phase_ == Phase::LastAck || phase_ == Phase::TimeWait || phase_ == Phase::Close;
  }
  uint32_t timeout() const {
    static const std::map<Phase, uint32_t> seconds{{Phase::SynSent, 120},    {Phase::PickedUp, 120},
                                                   {Phase::SynReceived, 60}, {Phase::Established, 24 * 3600},
                                                   {Phase::FinWait, 120},    {Phase::CloseWait, 3600},
                                                   {Phase::LastAck, 30},     {Phase::TimeWait, 120},
                                                   {Phase::Close, 10}};
    return seconds.at(phase_);
  }

 private:
  Phase phase_;
  bool client_closed_first_ = false;
};

class ServiceModel {
 public:
  using Backends = std::set<Backend>;
  using Frontends = std::map<Frontend, Backends>;
  // `gateways`: who the client is when a pod is its own backend. `passes_for_endpoint`: what the switch may
  // take for one although it is none.
  ServiceModel(std::set<IpAddress> gateways, std::function<bool(const Tuple&)> passes_for_endpoint)
      : gateways_(std::move(gateways)), passes_for_endpoint_(std::move(passes_for_endpoint)) {}

  static std::string text(const Tuple& tuple) {
    return fmt::format("{}.{} > {}.{} ({})", tuple.source.to_string(), tuple.source_port,
                       tuple.destination.to_string(), tuple.destination_port, tuple.protocol);
  }
  void set_services(const Frontends& services) { services_ = services; }
  void pass_seconds(uint32_t seconds) { now_ += seconds; }
  void flush() { flows_.clear(); }
  // Those that have not expired.
  std::map<Tuple, Tuple> flows() const {
    std::map<Tuple, Tuple> live;
    for (const auto& [tuple, flow] : flows_)
      if (is_live(*flow) && tuple == flow->original) live[tuple] = flow->reply;
    return live;
  }

  // What is wrong, or nothing.
  std::string see(const Seen& packet, const Became& became) {
    const Tuple& tuple = packet.tuple;
    std::shared_ptr<Flow> flow = find(tuple);
    if (flow && tuple == flow->original && is_syn(packet) && flow->tcp.is_over()) {
      forget(*flow);
      flow = nullptr;
    }
    if (flow) {
      const bool by_client = tuple == flow->original;
      flow->seen = now_;
      if (!by_client) flow->is_answered = true;
      if (tuple.protocol == net::kProtoTcp) flow->tcp.see(by_client, packet.tcp_flags);
      return expect(became, by_client ? flow->reply.back() : flow->original.back());
    }
    if (packet.is_routed && is_vip(tuple.destination)) return see_first(packet, became);
    if (is_endpoint(tuple) && tuple != tuple.back()) return begin(packet, became, tuple.back());
    if (gateways_.count(tuple.destination) != 0) return "";  // the switch itself is meant
    return expect(became, tuple);
  }

 private:
  struct Flow {
    Tuple original, reply;
    uint32_t seen = 0;
    bool is_answered = false;
    ModelTcp tcp{ModelTcp::Phase::SynSent};
  };

  static bool is_syn(const Seen& packet) {
    constexpr uint8_t kOthers = net::kTcpAck | net::kTcpFin | net::kTcpRst;
    return packet.tuple.protocol == net::kProtoTcp && (packet.tcp_flags & net::kTcpSyn) != 0 &&
           (packet.tcp_flags & kOthers) == 0;
  }
  bool is_live(const Flow& flow) const {
    const uint32_t udp = flow.is_answered ? 120 : 30;
    return now_ - flow.seen <= (flow.original.protocol == net::kProtoTcp ? flow.tcp.timeout() : udp);
  }
  std::shared_ptr<Flow> find(const Tuple& tuple) {
    const auto found = flows_.find(tuple);
    if (found == flows_.end()) return nullptr;
    const auto flow = found->second;
    if (is_live(*flow)) return flow;
    forget(*flow);
    return nullptr;
  }
  void forget(const Flow& flow) {
    const Tuple original = flow.original, reply = flow.reply;
    flows_.erase(original);
    flows_.erase(reply);
  }
  bool is_vip(const IpAddress& ip) const {
    for (const auto& [frontend, backends] : services_)
      if (frontend.ip == ip) return true;
    return false;
  }
  bool is_endpoint(const Tuple& tuple) const {
    for (const auto& [frontend, backends] : services_)
      if (static_cast<uint8_t>(frontend.protocol) == tuple.protocol &&
          backends.count({tuple.destination, tuple.destination_port}) != 0)
        return true;
    return passes_for_endpoint_(tuple);
  }

  static std::string expect(const Became& became, const Tuple& tuple) {
    if (became.kind != Became::Kind::Passed) return "was not passed on, but " + became.reason;
    return became.tuple == tuple ? "" : "left with another tuple than " + text(tuple);
  }
  // ICMP may be limited, and a reset is never answered: then the packet is dropped for the same reason.
  static std::string expect_refused(const Became& became, const std::string& reason) {
    const bool is_right = became.kind == Became::Kind::Refused ||
                          (became.kind == Became::Kind::Dropped && became.reason == reason);
    return is_right ? "" : "was not refused as " + reason + ", but " + became.reason;
  }

  std::string see_first(const Seen& packet, const Became& became) {
    const Tuple& tuple = packet.tuple;
    const Frontend frontend{tuple.destination, tuple.destination_port, static_cast<Protocol>(tuple.protocol)};
    const auto service = services_.find(frontend);
    if (service == services_.end()) return expect_refused(became, "service_port");
    if (service->second.empty()) return expect_refused(became, "service_no_endpoint");
    if (tuple.protocol == net::kProtoTcp && !is_syn(packet))
      return became.reason == "service_no_connection" ? "" : "has no connection, but " + became.reason;
    if (became.kind != Became::Kind::Passed) return "did not begin a flow, but " + became.reason;
    const Backend backend{became.tuple.destination, became.tuple.destination_port};
    if (service->second.count(backend) == 0) return "went to no endpoint of the Service";
    // The same client gets the same one as long as they are the same.
    const auto choice = std::tuple(tuple.source, tuple.source_port, frontend, service->second);
    if (choices_.emplace(choice, backend).first->second != backend)
      return "went to another endpoint than before";
    IpAddress client = tuple.source;
    if (client == backend.ip)
      for (const IpAddress& gateway : gateways_)
        if (gateway.is_v4() == client.is_v4()) client = gateway;
    return begin(packet, became, {backend.ip, client, backend.port, tuple.source_port, tuple.protocol});
  }

  // `reply`: what answers look like if that is nobody else's.
  std::string begin(const Seen& packet, const Became& became, Tuple reply) {
    const uint16_t port = reply.destination_port;
    if (find(reply)) {
      if (became.kind != Became::Kind::Passed) return "did not begin a flow, but " + became.reason;
      const uint16_t chosen = reply.destination_port = became.tuple.source_port;
      if (chosen == port || find(reply)) return "got a source port that is taken";
      if ((chosen < 512) != (port < 512) || (chosen < 1024) != (port < 1024))
        return "got a source port of another kind";
    }
    auto flow = std::make_shared<Flow>(Flow{.original = packet.tuple, .reply = reply, .seen = now_});
    const bool is_reset = (packet.tcp_flags & net::kTcpRst) != 0;
    const auto phase = is_reset         ? ModelTcp::Phase::Close
                       : is_syn(packet) ? ModelTcp::Phase::SynSent
                                        : ModelTcp::Phase::PickedUp;
    flow->tcp = ModelTcp(phase);
    flows_[flow->original] = flows_[flow->reply] = flow;
    return expect(became, reply.back());
  }

  const std::set<IpAddress> gateways_;
  const std::function<bool(const Tuple&)> passes_for_endpoint_;
  Frontends services_;
  std::map<Tuple, std::shared_ptr<Flow>> flows_;  // by both tuples
  std::map<std::tuple<IpAddress, uint16_t, Frontend, Backends>, Backend> choices_;
  uint32_t now_ = 1;
};

}  // namespace podswitch::test
